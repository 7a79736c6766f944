"""Text whose line breaks were lost: which it is, where its statements part, and where each of them stood."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repro.audit import engine
from repro.audit.finding import Finding
from repro.audit.program import Program
from repro.audit.source import document, reading
from repro.audit.source.flowed import parts
from repro.audit.source.line import Line
from repro.audit.source.repairs import line_breaks
from tests.audit.cost import ratio
from tests.specimens._originals import FILES, FOLDER, missing

NETWORK = """\
import torch
import torch.nn as nn
class Small(nn.Module):
    def __init__(self, width, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(3, width, kernel_size=3, bias=bias)
        self.layers = nn.Sequential(*[nn.ReLU() for _ in range(2)], nn.AdaptiveAvgPool2d(1) if bias else nn.Flatten())
        self.scale, self.name = {"small": [1, 2]}["small"][0], 'a net; def of "it"'
    def forward(self, x):
        if self.scale is not None and not x.requires_grad:
            x = x * -self.scale
        elif x.dim() == 3:
            return None
        else:
            x = x[:, 0] if x.dim() > 4 else x
        for layer in self.layers:
            x = layer(x)
        print(x.shape)
        return x
@torch.no_grad()
def run(net, *images, **options):
    net.eval()
    return [net(image) for image in images if image is not None]
"""
FLAT = [line.strip() for line in NETWORK.splitlines()]
FLOWED = " ".join(FLAT)


def mended(text: str) -> list[str]:
    lines = [Line.of(line, number) for number, line in enumerate(text.split("\n"), start=1)]
    return [line.text for line in line_breaks.mend(lines)]


def numbered(text: str, size: int = 170, mark: str = "、") -> str:
    """The text in pieces of one length, each in a line of its own behind its number."""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return "\n".join(f"{number}{mark}{piece}" for number, piece in enumerate(pieces, start=1))


def program(text: str) -> Program:
    return reading.program(document.of("page.txt", text.encode()))


def findings(text: str, folder: Path) -> list[Finding]:
    (folder / "page.txt").write_text(text, encoding="utf-8")
    return list(engine.audit("page.txt").findings)


def test_a_text_of_one_line_is_its_statements() -> None:
    assert mended(FLOWED) == FLAT


@pytest.mark.parametrize("mark", ["、", ".", ". ", ")", ") "])
def test_numbered_pieces_are_put_together_where_they_cut_words(mark: str) -> None:
    assert mended(numbered(FLOWED, mark=mark)) == FLAT


def test_lines_that_are_not_of_the_pieces_stay() -> None:
    title = "A small network, by somebody"
    assert mended(f"{title}\n\n{numbered(FLOWED)}\n") == [title, "", *FLAT, ""]


def test_the_program_has_its_indentation_again() -> None:
    made = program(numbered(FLOWED))
    assert [line.strip() for line in made.text.split("\n")] == FLAT
    assert made.text.count("\n        ") == NETWORK.count("\n        ")
    assert [repair.kind for repair in made.repairs] == ["line_breaks", "indentation"]
    assert made.broken == ()


def test_two_pieces_are_too_few_to_be_a_count() -> None:
    assert mended(numbered(FLOWED, size=len(FLOWED) // 2 + 1))[0].startswith("1、")


def test_numbered_sentences_are_not_put_together() -> None:
    items = [f"{number}. {'A sentence about networks, and what they learn. ' * 5}" for number in range(1, 6)]
    assert mended("\n".join([*items, FLOWED])) == [*items, *FLAT]
    sentences = [f"{number}. 代码 {FLOWED} 如上。" for number in range(1, 6)]
    assert [line[:2] for line in mended("\n".join(sentences)) if "代码" in line] == ["1.", "2.", "3.", "4.", "5."]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("先导入需要的包import torchimport torch.nn as nn然后", ["import torch", "import torch.nn as nn"]),
        ("import numpy as npfrom .layers import Block2)定义网络", ["import numpy as np", "from .layers import Block"]),
        ("x = f(1)class A(B): pass", ["x = f(1)", "class A(B):", "pass"]),
        ("return modeldef build(): return 1", ["return model", "def build():", "return 1"]),
        ("def f(x): return x,3)其中nn.ReLU()表示激活", ["def f(x):", "return x,"]),
        ("names = a, b, size = 3 x = y = 4", ["names = a, b,", "size = 3", "x = y = 4"]),
        ("x = a if b else c if x: y += 1", ["x = a if b else c", "if x:", "y += 1"]),
        ("def f(): return self.x = 3", ["def f():", "return", "self.x = 3"]),
        ("if v = M: x += 1 else: x = 2", ["if v = M:", "x += 1", "else:", "x = 2"]),
        ("from a import * x = 3", ["from a import *", "x = 3"]),
        ("import a # the package x = a.f(3)", ["import a", "x = a.f(3)"]),
        ("@a.b(1) @c() def f(x): pass", ["@a.b(1)", "@c()", "def f(x):", "pass"]),
        ("import a @a(b(1)) @c(d(f(2))) def f(x): pass", ["import a", "@a(b(1))", "@c(d(f(2)))", "def f(x):", "pass"]),
        ("import a # ------- second part ----- self.x = a.f(3)", ["import a", "self.x = a.f(3)"]),
        ("x = a @ b y = a@b", ["x = a @ b", "y = a@b"]),
        ("from . import a import b x = 3", ["from . import a", "import b", "x = 3"]),
        ("we import torch and define class A(B): pass", ["class A(B):", "pass"]),
        ("if lambda x: x: y = 3", ["if lambda x: x:", "y = 3"]),
        ("def f(): y = 3 if you 想要 else x", ["def f():", "y = 3"]),
        ("import a print (x) net (x) y = 3", ["import a", "print (x)", "y = 3"]),
        ("try: f(x) except (A, B) as e: raise C() from e", ["try:", "f(x)", "except (A, B) as e:", "raise C() from e"]),
        ("f = lambda x: x with open(p) as g, h: g.read()", ["f = lambda x: x", "with open(p) as g, h:", "g.read()"]),
        ("x = [y for y in z if y] z = 3", ["x = [y for y in z if y]", "z = 3"]),
        ("net(x) nn.init.zeros_(x)是调用", []),
        ("we import the module and return the value of it", []),
        ("卷积核(3 3)叠加, 如 nn.Conv2d(3, 8) 和 m.eval() 等", []),
    ],
)
def test_statements_part_where_no_expression_goes_on(text: str, statements: list[str]) -> None:
    assert [text[part.start : part.end] for part in parts(text) if part.kind != "prose"] == statements


def test_a_bracket_that_is_not_closed_ends_with_its_statement() -> None:
    kinds = [part.kind for part in parts("import a x = f(3, def g(x): return x")]
    assert kinds == ["statement", "broken", "statement", "statement"]


def test_a_docstring_without_its_quotes_is_prose() -> None:
    text = (
        "def build(depth): rBuilds a network from Some Paper Args: depth (int): If given, stops there return Net(depth)"
    )
    found = parts(text)
    assert [part.kind for part in found] == ["statement", "prose", "statement"]
    assert text[found[2].start :] == "return Net(depth)"


@pytest.mark.parametrize(
    "text",
    [
        NETWORK,
        NETWORK.replace("    ", ""),
        NETWORK + f"sizes = [{'3, 5, ' * 100}]\n",
        NETWORK * 2 + FLOWED,  # one line of many
        f"import torch\nsizes = [{'3, 5, ' * 400}]\n",
        f"x = '{'import torch x = 3 def f(x): return x ' * 9}'",
        "import torch; x = torch.ones(1); " * 20 + "print(x)",  # long, and Python as it stands
        "To begin, import torch and define a class. Then return to the loop: for x in data is enough, x = 1. " * 5,
        "我们先用 import torch 导入,再写 class Net(nn.Module): 定义网络,最后 return x 返回,其中 x = 3。" * 5,
        "epoch=1 loss=0.31 accuracy=0.9 epoch=2 loss=0.25 accuracy=0.93 " * 9,
        'var a=1;let b=function(c){return d};import x from "y";a=b;c=2;if(a){b=c}for(;;){}' * 9,
        '{"import": 1, "x": [1, 2], "class": "Net", "return": {"y": "a = b"}},' * 9,
        "import java.util.List; class A { int f(int x) { int y = 3; return y; } }" * 9,
        "Sequential( (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)) (1): ReLU(inplace=True) )" * 9,
        "<p>import torch</p><p>x = 3</p><p>def f(x): return x</p>" * 9,
    ],
)
def test_what_is_as_it_was_written_is_left(text: str) -> None:
    lines = [Line.of(line, number) for number, line in enumerate(text.split("\n"), start=1)]
    assert line_breaks.mend(lines) is lines


def test_each_character_is_found_where_it_stood() -> None:
    page = "标题\n" + numbered(f"代码{FLOWED}")
    rows = page.split("\n")
    made = program(page)
    assert made.lines is not None
    for line in made.lines:
        indentation = len(line.text) - len(line.text.lstrip())
        stood = [rows[line.row(i) - 1][line.column(i)] for i in range(indentation, len(line.text))]
        assert "".join(stood) == line.text.strip()


@pytest.mark.parametrize("before", range(0, 24, 3))
def test_a_finding_points_into_the_original_lines(before: int, folder: Path) -> None:
    """The pieces are cut such that the name is in one of them, or some of it in another one."""
    text = f"{'数' * before}import torch x = 3 def f(x): return x net = torch.nn.Linear(widest_one)"
    page = "标题\n" + numbered(f"{'卷' * 196}{text}{'积' * 400}", size=196 + len(text) - 12)
    (found,) = (each for each in findings(page, folder) if each.code == "CNN110")
    rows, place = page.split("\n"), found.place
    first, last = rows[place.line - 1][place.column - 1 :], rows[place.end_line - 1][: place.end_column - 1]
    whole = rows[place.line - 1][place.column - 1 : place.end_column - 1]
    assert (whole if place.line == place.end_line else first + last.partition("、")[2]) == "widest_one"


def test_a_statement_may_be_in_two_lines() -> None:
    made = program(numbered(FLOWED))
    cut = [node for node in made.tree.body if made.place(node).line < made.place(node).end_line]
    assert len(cut) > 1


def test_what_cannot_be_read_is_told_and_the_rest_is_read(folder: Path) -> None:
    page = f"{FLOWED} def stack(widths): layers = channels = 3 for width in widths: if width = M: layers += nn.ReLU()"
    told = {(each.code, each.evidence.get("name")) for each in findings(page, folder)}
    assert {("CNN101", None), ("CNN110", "M"), ("CNN222", "layers")} <= told


def test_a_message_of_python_names_the_line_of_the_document() -> None:
    (broken,) = program(f"A page\n\n\n{FLOWED} def build(depth):").broken
    assert broken.message.endswith("after function definition on line 4")


def test_other_readings_are_told_by_their_columns() -> None:
    page = f"{FLOWED} def walk(steps): for step in steps: go(step) rest() rest() for step in steps: go(step) halt()"
    told = [each.en for repair in program(page).repairs for each in repair.alternatives]
    assert all("line 1:" in each for each in told)


@pytest.mark.parametrize(
    "text", ["x = f(x) y = g(y) import torch ", "if ", "a[", "x=1, ", "afrom b.c ", '\'"""', "网a = 1"]
)
def test_the_cost_grows_with_the_length_alone(text: str) -> None:
    few, many = (f"{FLOWED} {text * (length // len(text))}" for length in (4_000, 32_000))
    assert ratio(lambda: mended(many), lambda: mended(few)) < 32  # 8, or 64 if it grew with the square
    longest = f"{FLOWED} {text * (1_000_000 // len(text))}"  # than any page, and left
    assert ratio(lambda: mended(longest), lambda: mended(many)) < 8


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_page_that_was_read_from_its_picture() -> None:
    found = engine.audit(str(Path(os.environ[FOLDER]) / FILES["001"][0]))
    assert {repair.kind for repair in found.repairs} == {"line_breaks", "underscores", "indentation"}
    told = {
        (each.code, each.place.line, str(each.evidence.get("name") or each.evidence.get("module") or ""))
        for each in found.findings
    }
    assert told == {
        ("CNN101", 10, ""),  # a test with one `=`
        ("CNN101", 17, ""),  # the text ends within a function
        ("CNN110", 9, "fan_out"),
        ("CNN110", 9, "relu"),
        ("CNN110", 10, "M"),
        ("CNN110", 13, "cfgscfg"),
        ("CNN110", 13, "model_urlsarch"),
        ("CNN110", 14, "A"),
        ("CNN110", 17, "B"),
        *(("CNN112", 4, name) for name in ("vgg16", "vgg16_bn", "vgg19", "vgg19_bn")),
        ("CNN116", 4, ".utils"),
        ("CNN215", 7, ""),  # AdaptiveAvgPool2d(7, 7)
        ("CNN221", 13, "kwargs"),
        ("CNN222", 10, "layers"),
    }
