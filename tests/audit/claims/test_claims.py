"""What documents say of their networks in numbers, and what only looks like it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from repro.audit.claims.claim import Claim, Quantity
from repro.audit.claims.find import claims
from repro.audit.claims.networks import named, variants
from repro.audit.refusal import Refusal
from repro.audit.source import document, reading

NET = '''import torch.nn as nn


class {name}(nn.Module):
    """{docstring}"""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5)  # {comment}
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.MaxPool2d(2),  # {pool}
        )

    def forward(self, x):
        return self.body(self.conv(x))
'''


def found(content: str, path: str = "post.txt") -> list[Claim]:
    read = document.of(path, content.encode())
    return claims(read, reading.program(read))


def net(name: str = "Net", docstring: str = "A network.", comment: str = "", pool: str = "") -> str:
    return NET.format(name=name, docstring=docstring, comment=comment, pool=pool)


@pytest.mark.parametrize(
    ("sentence", "kind", "network", "value", "bound"),
    [
        ("AlexNet has about 60 million parameters.", "parameters", "alexnet", 60e6, "about"),
        ("VGG-16 has 138,357,544 parameters.", "parameters", "vgg16", 138357544, ""),
        ("The number of parameters of ResNet-50 is 25.6M.", "parameters", "resnet50", 25.6e6, ""),
        ("Inception V3 has fewer than 25 million parameters.", "parameters", "inception_v3", 25e6, "most"),
        ("GoogLeNet 比 VGG-16 更深，不过它的参数仅有500万。", "parameters", "googlenet", 5e6, ""),
        ("VGG-16 的参数量约为 1.38 亿。", "parameters", "vgg16", 1.38e8, "about"),
        ("AlexNet 共有六千万个参数。", "parameters", "alexnet", 6e7, ""),
        ("VGG16 的权重文件有500多MB。", "size", "vgg16", 500, "least"),
        ("The weights of VGG-19 take nearly 0.6 GB.", "size", "vgg19", 0.6, "about"),
        ("AlexNet is 8 layers deep.", "layers", "alexnet", 8, ""),
        ("ResNet-152 is a 152-layer network.", "layers", "resnet152", 152, ""),
        ("那年的\n\n**\n\nAlexNet\n\n** 是 8 层的神经网络。", "layers", "alexnet", 8, ""),
        ("AlexNet consists of five convolutional layers.", "convolutions", "alexnet", 5, ""),
        ("vgg16 有十三个卷积层。", "convolutions", "vgg16", 13, ""),
        ("LeNet-5 has three fully connected layers.", "fully_connected", "lenet5", 3, ""),
        ("ResNet-50 needs 3.8 GFLOPs.", "multiply_adds", "resnet50", 3.8e9, ""),
        ("GoogLeNet 的计算量为15亿次浮点运算。", "multiply_adds", "googlenet", 1.5e9, ""),
        ("AlexNet 的前两个全连接层后添加了 Dropout。", "dropouts", "alexnet", 2, ""),
        ("AlexNet uses local response normalization.", "lrn", "alexnet", 1, "least"),
    ],
)
def test_a_sentence_that_says_how_large_a_network_is(
    sentence: str, kind: str, network: str, value: float, bound: str
) -> None:
    (claim,) = found(sentence)
    assert claim.quantity is not None
    assert (claim.kind, claim.network, claim.quantity.bound) == (kind, network, bound)
    assert claim.quantity.value == pytest.approx(value)


@pytest.mark.parametrize(
    "sentence",
    [
        "AlexNet was trained on 1.2 million images.",
        "AlexNet needs 3 GB of GPU memory for its parameters.",
        "AlexNet 需要 500MB 显存存储参数。",
        "The weights of VGG-16 are a download of 528 MB.",
        "The first two convolutional layers of AlexNet are large.",
        "AlexNet 的第一个卷积层有 34848 个参数。",
        "Each block of ResNet-50 has three convolutional layers.",
        "We replace the last two fully connected layers of VGG-16.",
        "VGG-16 has 3 times more parameters than AlexNet, 138M compared to 61M.",
        "If AlexNet had 100 million parameters, it would not fit.",
        "AlexNet and VGG-16 have many layers, 60 million parameters and more.",
        "VGG networks have 138 million parameters.",
        "We trained it for 30 epochs with 60 million parameters.",
        "ResNet-50 的残差结构由 3 个卷积层构成。",
        "AlexNet saves 40 million parameters.",
        "VGG16\nIt has 138 million parameters, double the size of AlexNet.",
        "# AlexNet\nVGG-16 came later. It has 138 million parameters.",
        "AlexNet 的前 5 层是卷积层，共 370 万个参数。",
        "We freeze VGG16 and train 2 fully connected layers with 20 million parameters on top.",
        "AlexNet 没有使用 LRN。",
        "Scaling AlexNet to 22 Billion Parameters - https://arxiv.org/abs/0000.00000",
    ],
)
def test_a_sentence_that_says_nothing_of_the_whole_network(sentence: str) -> None:
    assert found(sentence) == []


def test_each_of_several_networks_has_what_stands_in_brackets_behind_it() -> None:
    told = found("这里讲 VGG16（13 个卷积层、3 个全连接层）与 VGG19（16 个卷积层、3 个全连接层）。")
    assert [(claim.network, claim.kind, claim.quantity.value) for claim in told if claim.quantity] == [
        ("vgg16", "convolutions", 13),
        ("vgg16", "fully_connected", 3),
        ("vgg19", "convolutions", 16),
        ("vgg19", "fully_connected", 3),
    ]


SECTIONS = """1、AlexNet
(1)背景
它提出了 ReLU。
(2)结构
光这两个全连接层的权重就接近 1GB。
2、{following}
该网络有 16 层结构。
"""


def test_a_section_says_which_network_is_meant() -> None:
    size, layers = found(SECTIONS.format(following="VGG-16"))
    assert (size.kind, size.network, size.layers, size.quantity) == (
        "size",
        "alexnet",
        2,
        Quantity(1, "GB", 0.5, "about"),
    )
    assert (layers.kind, layers.network) == ("layers", "vgg16")
    assert (size.place.line, size.place.column) == (5, 16), "that of the number"


@pytest.mark.parametrize("following", ["VGG", "其他网络"])
def test_where_the_section_is_of_no_network_nothing_is_meant(following: str) -> None:
    assert [claim.kind for claim in found(SECTIONS.format(following=following))] == ["size"]


def test_docstrings_and_comments_are_of_the_class_they_stand_in() -> None:
    text = net(docstring="A small network with 61,706 parameters.", comment="156 parameters", pool="16 x 14 x 14")
    whole, shape = found(text, "net.py")
    assert (whole.kind, whole.symbol, whole.about, whole.place.line) == ("parameters", "Net", "Net", 5)
    assert (shape.shape, shape.path, shape.symbol, shape.place.line) == ((16, 14, 14), "body.1", "Net", 12)
    (layer,) = found(net(comment="1,560 parameters"), "net.py")
    assert (layer.kind, layer.path, layer.quantity) == ("parameters", "conv", Quantity(1560, "", 5))


def test_a_comment_above_a_class_says_what_it_equals() -> None:
    text = net().replace("class Net", "# identical to torchvision.models.vgg19()\nclass Net")
    (claim,) = found(text, "net.py")
    assert (claim.kind, claim.network, claim.symbol, claim.place.line) == ("equal", "vgg19", "Net", 4)
    assert found(text.replace("identical to", "see also"), "net.py") == []


PRINTED = """Net(
  (conv): Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))
  (body): Sequential(
    (0): ReLU()
  )
)
Total params: 61,706
"""


def test_what_a_network_printed() -> None:
    network, total = found(f"{net()}\n\n输出：\n\n{PRINTED}")
    assert (network.kind, network.about, len(network.printed)) == ("repr", "Net", 6)
    assert (total.kind, total.about, total.quantity) == ("parameters", "", Quantity(61706, "", 0.5))


def test_the_cells_of_a_notebook() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# AlexNet\n", "\n", "This network has 61M parameters."]},
        {"cell_type": "code", "source": net(), "outputs": [{"output_type": "stream", "text": PRINTED}]},
        {"cell_type": "raw", "source": ["AlexNet has 62M parameters."]},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    said, network, total = found(text, "post.ipynb")
    assert (said.place.cell, said.place.line, said.network) == (0, 3, "alexnet")
    assert text.split("\n")[said.place.file_line - 1].strip() == '"This network has 61M parameters."'
    assert (network.place.cell, total.place.cell) == (1, 1)


def test_pages_and_markdown_have_prose_around_their_code() -> None:
    hidden, shown = "AlexNet has 9M parameters.", "AlexNet has\n<b>61M</b> parameters."
    page = f"<html><body><script>{hidden}</script><p>{shown}</p><pre>{hidden}</pre>"
    (claim,) = found(page, "post.html")
    assert claim.quantity is not None
    assert (claim.quantity.value, claim.place.line) == (61e6, 2)
    text = "# Networks\n\n```\nAlexNet has 9M parameters.\n```\n\n[AlexNet](http://x) has *61M*\nparameters.\n"
    (claim,) = found(text, "post.md")
    assert claim.quantity is not None
    assert (claim.quantity.value, claim.place.line) == (61e6, 7)


@pytest.mark.parametrize(
    ("quantity", "covered", "missed"),
    [
        (Quantity(60e6, "", 5e6), [60965224, 55e6, 69e6], [54e6, 70e6]),  # rounded, or cut off behind the 6
        (Quantity(44426, "", 0.5), [44426], [44425, 44427]),
        (Quantity(13), [13], [12, 14]),
        (Quantity(500, "MB", 50, "least"), [553430176, 500 * 2**20], [499e6]),
        (Quantity(1, "GB", 0.5, "about"), [1e9, 2**30, 0.95e9], [0.85e9, 235e6, 1.3e9]),
        (Quantity(25e6, "", 5e5, "most"), [24e6], [26e6]),
    ],
)
def test_what_a_number_covers(quantity: Quantity, covered: list[float], missed: list[float]) -> None:
    assert [quantity.covers(each) for each in covered] == [True] * len(covered)
    assert [quantity.covers(each) for each in missed] == [False] * len(missed)


def test_names_of_code_and_of_prose() -> None:
    names = ["LeNet", "VGG_16", "MyAlexNet", "GoogLeNet", "build_vgg16", "resnet50", "VGG", "BasicBlock", "vgg16_bn"]
    assert [named(name) for name in names] == [
        "lenet5", "vgg16", "alexnet", "googlenet", "vgg16", "resnet50", "", "", "vgg16_bn"
    ]  # fmt: skip
    assert "vgg16_bn" in variants("vgg16")
    assert "vgg16_cifar" not in variants("vgg16")
    assert "resnet101" not in variants("resnet101")[1:]
    assert variants("") == []


def test_no_torch_is_needed_to_find_them() -> None:
    code = "import sys, repro.audit.claims.find; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_what_never_ends_is_no_sentence() -> None:
    """Its parts would be held against each other, which takes the square of its length."""
    assert found("AlexNet has 61M parameters, " * 50)
    assert found("AlexNet has 61M parameters, " * 100) == []


@pytest.mark.parametrize("outputs", [None, 3, [3], [{"data": None, "text": 5}], [{"data": {"text/plain": None}}]])
def test_outputs_of_another_form_are_none(outputs: object) -> None:
    cells = [{"cell_type": "code", "source": "x = 1", "outputs": outputs}, 3]
    assert found(json.dumps({"cells": cells}), "post.ipynb") == []


def test_a_broken_notebook_is_refused_as_ever() -> None:
    with pytest.raises(Refusal):
        found("{", "post.ipynb")
