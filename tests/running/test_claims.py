"""What is said of a document's claims, held against networks that are measured here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from repro import models
from repro.audit.claims.find import claims
from repro.audit.finding import Confidence, Severity
from repro.audit.source import document, reading
from repro.graph import trace
from repro.running.claims import Verdict, published, verdicts
from repro.running.measured import measured, of_catalog, printed


class Lenet(nn.Module):
    """A network like LeNet-5 without its arithmetic of 1998, and with a head that training alone has."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, width, 5), nn.ReLU(), nn.MaxPool2d(2), nn.LocalResponseNorm(5))
        self.dropout = nn.Dropout(0.5)
        self.spare = nn.Linear(7, 7)
        self.head = nn.Sequential(nn.Linear(width * 14 * 14, 84), nn.ReLU(), nn.Linear(84, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.dropout(self.features(x)).flatten(1)
        return self.head(self.dropout(x))  # type: ignore[no-any-return]


def of(module: nn.Module, side: int = 32, channels: int = 1) -> dict[str, Any]:
    images = torch.empty(2, channels, side, side, device="meta")
    graph, training = trace(module.to("meta").eval(), images), trace(module, images, training=True)
    told: dict[str, Any] = json.loads(json.dumps({**measured(module, graph, training), **printed(module, graph)}))
    return told


LENET = of(Lenet())


def judged(text: str, path: str = "post.txt", **own: Sequence[dict[str, Any]]) -> list[Verdict]:
    read = document.of(path, text.encode())
    return verdicts(claims(read, reading.program(read)), own)


def only(text: str, path: str = "post.txt", **own: Sequence[dict[str, Any]]) -> Verdict:
    (verdict,) = judged(text, path, **own)
    return verdict


def beside(docstring: str, comment: str = "", name: str = "Lenet") -> str:
    return (
        f'import torch.nn as nn\nclass {name}(nn.Module):\n    """{docstring}"""\n    def __init__(self):\n'
        f"        self.head = nn.Sequential(\n            nn.Linear(1176, 84),  # {comment}\n        )\n"
    )


def test_what_is_measured() -> None:
    count = 156 + 56 + (6 * 14 * 14 * 84 + 84) + 850
    assert LENET["parameters"] == count
    assert LENET["parameters_read"] == count - 56
    assert (LENET["depth"], LENET["convolutions"], LENET["linears"], LENET["pools"]) == (3, 1, 2, 1)
    assert (LENET["dropouts"], LENET["lrn"], LENET["normalisations"]) == (2, 1, 0), "calls, not modules"
    assert LENET["multiply_adds"] == 150 * 28 * 28 + 6 * 14 * 14 * 84 + 840
    assert LENET["linear_parameters"] == [98868, 850]
    assert LENET["input"] == [1, 32, 32]
    assert LENET["layers"] == {"features.0": 156, "spare": 56, "head.0": 98868, "head.2": 850}
    assert LENET["outputs"]["features.2"] == [[6, 14, 14]]


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16"])
def test_the_table_is_what_the_catalog_is(name: str) -> None:
    assert published().keys() == models.catalog().keys(), "python -m repro.running.measured > repro/measured.json"
    assert published()[name] == of_catalog(name), "python -m repro.running.measured > repro/measured.json"


@pytest.mark.parametrize(
    ("sentence", "holds", "said"),
    [
        ("AlexNet has 61 million parameters.", True, "60,965,224 parameters"),
        ("AlexNet has 60 million parameters.", True, "60,965,224 parameters"),
        ("AlexNet has 6 million parameters.", False, "60,965,224 parameters"),
        ("GoogLeNet has only 5 million parameters.", False, "6,998,552 without its auxiliary heads"),
        ("GoogLeNet has 7 million parameters.", True, "13,378,280 parameters"),
        ("VGG16 的权重文件有500多MB。", True, "528 MiB"),
        ("VGG16 的权重文件有600多MB。", False, "553 MB"),
        ("VGG-16 has 13 convolutional layers.", True, "13 convolutions and 3 fully connected"),
        ("VGG-16 has 12 convolutional layers.", False, "13 convolutions"),
        ("ResNet-18 has 17 convolutional layers.", True, "20 convolutions"),
        ("GoogLeNet is 22 layers deep.", True, "22 layers"),
        ("GoogLeNet is 21 layers deep.", False, "22 layers"),
        ("ResNet-50 needs 3.8 GFLOPs.", True, "3.86 G multiply-adds at 3x224x224"),
        ("ResNet-50 needs 7.6 GFLOPs.", True, "3.86 G"),
        ("ResNet-50 needs 5.6 GFLOPs.", False, "3.86 G"),
        ("LeNet-5 is 7 layers deep.", None, ""),
    ],
)
def test_what_is_said_of_a_network_that_the_document_does_not_build(
    sentence: str, holds: bool | None, said: str
) -> None:
    verdict = only(sentence)
    assert verdict.holds is holds
    assert said in verdict.words.en
    assert verdict.words.zh
    assert verdict.severity == (Severity.NOTE if holds is False else None)


def test_a_paper_that_prints_the_same_wrong_number_is_told() -> None:
    told = only("GoogLeNet has only 5 million parameters.").words
    assert '"Rethinking the Inception Architecture for Computer Vision"' in told.en
    assert "prints 5 million" in told.en


FC = "1、AlexNet\n光这两个全连接层的权重就接近 {size}。\n"


def test_layers_are_told_of_the_code_and_of_the_paper() -> None:
    code = of(models.build("alexnet_owt", num_classes=10), 224, 3)
    wrong = only(FC.format(size="1GB"), AlexNet=[code])
    assert wrong.holds is False
    assert (wrong.severity, wrong.symbol) == (Severity.BUG, "AlexNet")
    assert "AlexNet here has 54,534,144 parameters in its 2 largest fully connected layers, 218 MB" in wrong.words.en
    assert "all 3 fully connected layers 235 MB" in wrong.words.en.partition("the paper's alexnet")[2]
    assert only(FC.format(size="220MB"), AlexNet=[code]).holds


def test_a_number_may_be_that_of_the_code_or_of_the_paper() -> None:
    assert only("LeNet has 99,930 parameters.", LeNet=[LENET]).holds
    assert only("LeNet has 60,000 parameters.", LeNet=[LENET]).holds
    assert only("LeNet has 61,706 parameters.", LeNet=[LENET]).severity is Severity.BUG
    assert only("LeNet has 61,706 parameters.", LeNet=[of(Lenet(5)), LENET]).holds is False
    assert only("LeNet has 99,930 parameters.", LeNet=[of(Lenet(5)), LENET]).holds


def test_what_the_paper_has_and_the_code_under_its_name_has_not_is_a_note() -> None:
    code = of(models.build("alexnet_owt"), 224, 3)
    verdict = only("AlexNet uses local response normalization.", AlexNet=[code])
    assert (verdict.holds, verdict.severity) == (False, Severity.NOTE)
    assert "AlexNet here has no local" in verdict.words.en
    assert "the paper's alexnet has 2 local" in verdict.words.en
    assert only("AlexNet is 8 layers deep.", AlexNet=[code]).holds


@pytest.mark.parametrize(("count", "holds"), [("99,930", True), ("98,000", False)])
def test_a_docstring_is_of_its_own_class(count: str, holds: bool) -> None:
    verdict = only(beside(f"A network with {count} parameters."), "net.py", Lenet=[LENET])
    assert verdict.holds is holds
    assert verdict.symbol == "Lenet"
    assert verdict.severity is (None if holds else Severity.BUG)
    assert only(beside(f"A network with {count} parameters."), "net.py").holds is None, "where it was not built"


@pytest.mark.parametrize(("comment", "holds"), [("98,868 parameters", True), ("98,784 parameters", False)])
def test_a_comment_behind_a_layer_is_of_that_layer(comment: str, holds: bool) -> None:
    verdict = only(beside("A network.", comment), "net.py", Lenet=[LENET])
    assert verdict.holds is holds
    assert "98,868 parameters in head.0" in verdict.words.en


def test_a_shape_is_confirmed_and_never_refuted() -> None:
    text = beside("A network.", "{}").replace("head", "features").replace("nn.Linear(1176, 84)", "nn.Conv2d(1, 6, 5)")
    assert only(text.format("6x28x28"), "net.py", Lenet=[LENET]).holds
    assert only(text.format("6x28x29"), "net.py", Lenet=[LENET]).holds is None, "CNN311 says so"


def test_what_a_network_printed_is_held_against_what_it_prints() -> None:
    text = f"class Lenet:\n    pass\n\nprint(Lenet())\n\n{Lenet()!r}\n"
    assert only(text, Lenet=[LENET]).holds
    older = text.replace(", inplace=False", "").replace(", bias=True", "")
    assert older != text
    assert only(older, Lenet=[LENET]).holds, "as an older torch has it"
    other = only(text.replace("kernel_size=(5, 5)", "kernel_size=(3, 3)"), Lenet=[LENET])
    assert (other.holds, other.severity, other.confidence) == (False, Severity.NOTE, Confidence.MEDIUM)
    assert "kernel_size=(3, 3)" in other.words.en
    assert "kernel_size=(5, 5)" in other.words.en
    assert only(text.replace("Lenet(\n", "Other(\n"), Lenet=[LENET]).holds is None


@pytest.mark.parametrize(("total", "holds"), [("99,930", True), ("99,931", None)])
def test_a_total_that_was_printed_is_only_confirmed(total: str, holds: bool | None) -> None:
    assert only(f"Total params: {total}\n", Lenet=[LENET]).holds is holds


def test_the_same_as_that_of_torchvision() -> None:
    text = "import torch.nn as nn\n# identical to torchvision.models.alexnet()\nclass AlexNet(nn.Module):\n    pass\n"
    same = only(text, "net.py", AlexNet=[of(models.build("alexnet_owt"), 224, 3)])
    assert same.holds is None, "counts alone prove nothing"
    other = only(text, "net.py", AlexNet=[of(models.build("alexnet"), 227, 3)])
    assert (other.holds, other.severity) == (False, Severity.NOTE)
    assert "60,965,224 parameters and not 61,100,840" in other.words.en


def test_no_torch_is_needed_to_judge_them() -> None:
    code = "import sys, repro.running.claims as c; c.published(); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
