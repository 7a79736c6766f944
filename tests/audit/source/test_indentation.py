"""Lost indentation: what is put back, what is told to be open, and what is left alone."""

from __future__ import annotations

import ast
import os
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from repro.audit.source import text as plain_text
from repro.audit.source.document import Document
from repro.audit.source.indentation.search import depths
from repro.audit.source.indentation.text import Text
from repro.audit.source.line import Line
from repro.audit.source.reading import program
from repro.audit.source.repairs import indentation
from tests.audit.cost import ratio
from tests.audit.source.fit_indentation import true_depths
from tests.specimens._originals import FILES, FOLDER, LEVELS, LINES, missing, original

NETWORK = '''
import torch.nn as nn


class Net(nn.Module):
    """A network."""

    expansion = 4

    def __init__(self, width, norm=None):
        super().__init__()
        # the convolutions
        layers = []
        for index in range(3):
            if norm is None:
                layers.append(nn.Conv2d(width, width, 3))
            else:
                layers += [
                    nn.Conv2d(width, width, 3),
                    norm(width),
                ]
            width = 2 * width
        self.features = nn.Sequential(*layers)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    @property
    def depth(self):
        return len(self.features)

    def forward(self, x):
        found = []
        for layer in self.features:
            x = layer(x)
            found.append(x)
        found = tuple(found)
        return x, found


def net(pretrained=False):
    model = Net(3)
    if pretrained:
        raise ValueError("there are no weights")
    return model


if __name__ == "__main__":
    try:
        print(net())
    except ValueError:
        pass
'''

# One blank line survived between the class and what follows it, and none before the function that comes later.
ONE_BLANK = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 10)
    def forward(self, x):
        x = F.max_pool2d(x, 2)
        return self.head(x.flatten(1))

net = Net()
loss_of = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.1)
def train(images, labels):
    optimizer.zero_grad()
    loss = loss_of(net(images), labels)
    loss.backward()
    optimizer.step()
"""

# It runs with its last line in the condition and behind it.
OPEN = "def f(x, flag):\nif flag:\nx = x + 1\nx = x + 2\nreturn x\n"


def flat(text: str, blanks: bool = True) -> list[Line]:
    rows = [row.strip() for row in text.split("\n")]
    return [Line.of(row, number) for number, row in enumerate(rows, start=1) if row or blanks]


def joined(lines: list[Line]) -> str:
    return "\n".join(line.text for line in lines)


@pytest.mark.parametrize("blanks", [True, False], ids=["with empty lines", "without"])
@pytest.mark.parametrize("written", [NETWORK, ONE_BLANK], ids=["network", "one blank"])
def test_a_program_comes_back_as_it_was(written: str, blanks: bool) -> None:
    expected = [row for row in written.split("\n") if row or blanks]
    assert joined(indentation.mend(flat(written, blanks))).split("\n") == expected


@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.parametrize("blanks", [True, False], ids=["with empty lines", "without"])
@pytest.mark.parametrize("snippet", LEVELS, ids="-".join)
def test_the_snippets_come_back_exactly(snippet: tuple[str, str], blanks: bool) -> None:
    """By the depth of each statement, which `tests.specimens._originals.LEVELS` has by hand, and by the tree."""
    right = original(*snippet).text
    lines = [line for line in snippet_lines(snippet) if line.text.strip() or blanks]
    mended = [line.text for line in indentation.mend(lines) if line.text.strip()]
    expected = right.splitlines()
    for clue in Text([line.strip() for line in expected]).clues:
        assert indented_by(mended[clue.start]) == indented_by(expected[clue.start]), expected[clue.start]
    assert ast.dump(ast.parse("\n".join(mended))) == ast.dump(ast.parse(right))


def snippet_lines(snippet: tuple[str, str]) -> list[Line]:
    """Those of a document that are in a snippet, found as the audit finds them."""
    document, _ = snippet
    ((first, last),) = LINES[snippet]
    text = (Path(os.environ[FOLDER]) / FILES[document][0]).read_text(encoding="utf-8")
    return [line for cell in plain_text.cells(text) for line in cell if first <= line.number <= last]


def indented_by(line: str) -> int:
    return len(line) - len(line.lstrip())


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_loop_that_may_be_behind_its_condition_is_told() -> None:
    lines = snippet_lines(("003", "ResNet"))
    (told,) = indentation.alternatives(indentation.mend(lines))
    assert told.en == "line 185 may as well stand behind the block that begins in line 183"
    assert told.zh == "第 185 行也可能在第 183 行开始的代码块之后"


@pytest.mark.parametrize("blanks", [True, False], ids=["with empty lines", "without"])
def test_most_lines_of_torchvision_come_back(blanks: bool) -> None:
    """Nothing of torchvision was seen when the weights were fitted."""
    spec = find_spec("torchvision")  # not imported, which takes seconds
    assert spec
    assert spec.origin
    right = total = 0
    for name in ("densenet", "inception", "mnasnet", "resnet", "detection/rpn", "segmentation/deeplabv3", "vgg"):
        path = Path(spec.origin).parent / "models" / f"{name}.py"
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip() or blanks]
        text = Text([line.strip() for line in lines])
        expected = true_depths(lines, text)
        right += sum(one == other for one, other in zip(depths(text), expected, strict=True))
        total += len(expected)
    assert right >= 0.95 * total, f"{right} of {total} statements"


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def f(self):\n        return 1\n    def g(self)\n        return 2\n",
        "def f(x):\n    return (x\n\ndef g(x):\n    return x\n",
        "x = 1\nprint 'x'\n",
        "",
        "# nothing\n",
    ],
    ids=["colon", "bracket", "print", "empty", "comment"],
)
def test_what_has_its_indentation_is_left_alone(text: str) -> None:
    lines = [Line.of(row, number) for number, row in enumerate(text.split("\n"), start=1)]
    assert indentation.mend(lines) is lines


def test_a_statement_that_may_stand_in_two_places_is_told() -> None:
    (told,) = indentation.alternatives(indentation.mend(flat(OPEN)))
    assert "line 4" in told.en
    assert "line 2" in told.en
    assert "第 4 行" in told.zh
    assert "第 2 行" in told.zh


def test_a_statement_that_can_stand_in_one_place_only_is_not_told() -> None:
    assert indentation.alternatives(indentation.mend(flat("def f(x):\nif x:\nreturn 1\nelse:\nreturn 2\n"))) == ()


def test_the_repair_is_reported_with_its_alternatives() -> None:
    (repair,) = program(Document("a.txt", f"import torch\n{OPEN}", "")).repairs
    assert repair.kind == "indentation"
    assert (repair.place.line, repair.place.end_line) == (3, 6)
    assert ["line 5" in other.en for other in repair.alternatives] == [True]


def test_lines_that_go_on_hang_and_strings_stay() -> None:
    text = 'def f(\na,\n):\nx = g(\na, [\n1,\n],\n)\ny = """\nas it is\n"""\nreturn x, \\\ny\n'
    expected = '''
        def f(
                a,
        ):
            x = g(
                a, [
                    1,
                ],
            )
            y = """
        as it is
        """
            return x, \\
                y
        '''
    assert joined(indentation.mend(flat(text))) == textwrap.dedent(expected).strip("\n") + "\n"


@pytest.mark.parametrize(
    "text",
    ["if x:\n", "else:\n", "def f(self):\n", "(\n", "for x in y:\nx = 1\n"],
    ids=["if", "else", "def", "brackets", "loops"],
)
def test_nonsense_takes_no_longer_than_it_is_long(text: str) -> None:
    def mended(times: int) -> None:
        indentation.alternatives(indentation.mend(flat(text * times)))

    assert ratio(lambda: mended(800), lambda: mended(100)) < 32  # 8, or 64 if it grew with the square
