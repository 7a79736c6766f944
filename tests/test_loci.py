"""Every number in a network file says where it is from: the other direction of the ledger, read from the source.

A number is covered by a comment on its line, on the first line of its statement, or right above it; by the docstring of
a function or class around it; or by the `paper=` of a builder. A comment must say more than a shape; a docstring must
name a place in a paper, or say whose program the numbers are from, or that no paper has them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import repro

MODELS = Path(repro.__file__).parent / "models"

# Where a number can come from.
LOCUS = re.compile(
    r"""sections?\s[\dIVX] | equations?\s\d | Tables?\s[\dIVX] | Figures?\s\d | appendix | arXiv:\d | NIPS | AISTATS
    | Proc\.\sIEEE | AlexNet's | \w\.(?:py|cfg|prototxt)\b | NIN/cifar-10_def | (?:author|authors|torchvision|Caffe)'s
    | (?:no|in\sno)\s(?:paper|figure|table) | as\s(?:torchvision|released|in\stutorials) | the\srelease(?:d|'s)?\b
    | tutorials""",
    re.VERBOSE | re.IGNORECASE,
)

# What a comment on a layer says of its output is no reason for the layer: `55x55`, `27x27 after pooling`.
SHAPE = re.compile(r"\d+(?:x\d+)+(?: after pooling|, pooled \d+x\d+)?")

# Numbers that are no choice of a paper.
TRIVIAL = {
    0: "no padding, the first, nothing",
    1: "the unit stride, the next, a 1x1 convolution's kernel",
}
AXES = ("flatten", "mean", "sum", "cat", "unsqueeze", "chunk", "split")  # their numbers are dimensions of a tensor
Definition = ast.FunctionDef | ast.ClassDef

FOLLOWING = ("require_images",)  # admissible sizes follow from the layers, and tests/models/ holds them to that


def uncovered(source: str) -> list[str]:
    """Every number without a locus and without a reason: line, number, and the innermost function or class."""
    tree = ast.parse(source)
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines = source.splitlines()
    found = [each for statement in tree.body for each in _numbers(statement, (), statement)]
    return [
        f"{number.lineno}: {number.value!r} in {around[-1].name if around else 'the module'}"
        for number, around, statement in sorted(found, key=lambda each: (each[0].lineno, each[0].col_offset))
        if not _documented(around) and not _commented(number, statement, comments, lines)
    ]


def _numbers(
    node: ast.AST, around: tuple[Definition, ...], statement: ast.stmt
) -> Iterator[tuple[ast.Constant, tuple[Definition, ...], ast.stmt]]:
    """Each number that is a choice, the functions and classes around it, and its statement."""
    if isinstance(node, ast.stmt):
        statement = node
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        around = (*around, node)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in TRIVIAL:
        yield node, around, statement
    for child in ast.iter_child_nodes(node):
        if not _structural(node, child):
            yield from _numbers(child, around, statement)


def _structural(node: ast.AST, child: ast.AST) -> bool:
    """Whether numbers in a child are positions, dimensions or consequences."""
    if isinstance(node, ast.Subscript):
        return child is node.slice
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        return child is node.right  # half of a kernel pads so that the size is kept
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).rpartition(".")[2] in (*AXES, *FOLLOWING) and child is not node.func
    return False


def _documented(around: tuple[Definition, ...]) -> bool:
    return any(LOCUS.search(text) for node in around for text in _texts(node))


def _texts(node: Definition) -> Iterator[str]:
    """A docstring, and the texts of a decorator: where the paper is named, and the locus of an initialisation."""
    yield " ".join((ast.get_docstring(node) or "").split())
    for call in node.decorator_list:
        if isinstance(call, ast.Call):
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            yield from (ast.unparse(named[key]) for key in ("paper", "locus") if key in named)


def _commented(number: ast.Constant, statement: ast.stmt, comments: dict[int, str], source: list[str]) -> bool:
    lines = [number.lineno, statement.lineno]
    # Above a statement are lines of comment and, outside of functions, the rest of its paragraph.
    above = r"\s*#" if statement.col_offset else r"#|\w"
    while lines[-1] > 1 and re.match(above, source[lines[-1] - 2]):
        lines.append(lines[-1] - 1)
    return any(line in comments and not SHAPE.fullmatch(comments[line]) for line in lines)


FILES = [file for file in sorted(MODELS.glob("*.py")) if not file.name.startswith("_")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_number_of_a_network_says_where_it_is_from(file: Path) -> None:
    assert uncovered(file.read_text(encoding="utf-8")) == []


# --- that this can fail ------------------------------------------------------------------------------------------

NETWORK = '''
class Net(nn.Module):
    """Two layers{docstring}."""

    def __init__(self, in_channels, num_classes):
        self.conv = nn.Conv2d(in_channels, 96, 11){comment}
        self.dropout = nn.Dropout(0.5)  # section 4.2
        self.fc = nn.Linear(1, num_classes)

    def forward(self, x):
        require_images(x, smallest=227)
        return self.fc(self.conv(x).mean((2, 3)))
'''


@pytest.mark.parametrize(
    ("docstring", "comment"),
    [
        (" of section 3.5", ""),
        (" of section\n    3.5", ""),
        (", Figure 2", ""),
        ("; torchvision's", ""),
        ("; in no paper", ""),
        ("", "  # section 3.5"),
        ("", "  # as wide as the one before"),
    ],
)
def test_a_number_that_says_where_it_is_from_is_covered(docstring: str, comment: str) -> None:
    assert uncovered(NETWORK.format(docstring=docstring, comment=comment)) == []


@pytest.mark.parametrize(
    ("docstring", "comment"),
    [("", ""), (" of the paper", ""), (" in a section", ""), ("", "  # 55x55"), ("", "  # 27x27 after pooling")],
)
def test_a_number_without_locus_and_reason_is_reported(docstring: str, comment: str) -> None:
    found = uncovered(NETWORK.format(docstring=docstring, comment=comment))
    assert found == ["6: 96 in __init__", "6: 11 in __init__"]


def test_a_network_that_loses_its_locus_is_reported() -> None:
    source = (MODELS / "resnet.py").read_text(encoding="utf-8")
    without = source.replace('"""A ResNet of Table 1 without its head', '"""A ResNet without its head')
    assert len(without) == len(source) - len(" of Table 1")
    assert [found.partition(": ")[2] for found in uncovered(without)][:3] == [f"{n} in __init__" for n in (64, 7, 2)]


BUILDER = """
@variant(paper={paper!r}, input_size=(3, 224, 224))
def net(num_classes=1000):
    return Net((3, 4, 6, 3), num_classes)
"""


def test_a_builder_is_covered_by_its_paper() -> None:
    assert uncovered(BUILDER.format(paper="arXiv:1512.03385, Table 1")) == []
    assert uncovered(BUILDER.format(paper="no paper: a tutorial")) == []
    assert [found.partition(":")[0] for found in uncovered(BUILDER.format(paper="the usual one"))] == list("22234444")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("# Table 1\nA = (64, 128)\nB = (2,)\n", []),
        ("# Table 1\n\nA = (64, 128)\n", ["3: 64 in the module", "3: 128 in the module"]),
        ("A = (\n    64,  # section 2\n    128,\n)\n", ["3: 128 in the module"]),
        ("A = (  # section 2\n    64,\n)\n", []),
        ("def f(x):\n    # Table 1\n    a = 64\n    return 3\n", ["4: 3 in f"]),
        ("def f(x):\n    return x[:, 2] + x.flatten(2) + x // 2 + 1 + 0\n", []),
        ("def f(x, stride=2):\n    return x * -7 + 0.1\n", ["1: 2 in f", "2: 7 in f", "2: 0.1 in f"]),
        ("A = True, '64', None\n", []),
        ("def f(x):\n    return mean(x, 2)(3)\n", ["2: 3 in f"]),
        ("# Table 1\ndef f(x):\n    return 3\n", ["3: 3 in f"]),
    ],
)
def test_what_counts_as_a_number_and_what_covers_it(source: str, found: list[str]) -> None:
    assert uncovered(source) == found
