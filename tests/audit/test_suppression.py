"""Comments that suppress findings, and what they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.audit.engine import audit
from tests.audit.conftest import SOFTMAX, notebook

RETURN = "        return self.fc(x).softmax(1)"


def codes(folder: Path, text: str, name: str = "net.py") -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    return [finding.code for finding in audit(name).findings]


def commented(comment: str) -> str:
    return SOFTMAX.replace(RETURN, f"{RETURN}  {comment}")


@pytest.mark.parametrize(
    "comment",
    [
        "# repro: ignore",
        "# repro: ignore[CNN401]",
        "# repro:ignore[cnn401, CNN401]",
        "# repro: ignore[softmax-before-loss]",
        "# repro: ignore[CNN110]  # repro: ignore[CNN401]  # repro: ignore[CNN901]",
        "# repro: ignore[CNN110，CNN401]  # repro: ignore[CNN901]",
        "# noqa: E501  # repro: ignore[softmax_before_loss] because",
    ],
)
def test_a_comment_suppresses_what_is_found_in_its_line(folder: Path, comment: str) -> None:
    assert codes(folder, SOFTMAX) == ["CNN401"]
    assert codes(folder, commented(comment)) == []


@pytest.mark.parametrize(
    "other",
    [
        "  # repro: ignored",
        "  # repro ignore",
        "  # ignore",
        "  # repro: ignore CNN401",
        "  # repro: ignore: CNN401",
        "  # repro: ignore(CNN401)",
        "  # repro: ignore[CNN401",
    ],
)
def test_other_comments_do_not(folder: Path, other: str) -> None:
    assert codes(folder, SOFTMAX.replace(RETURN, RETURN + other)) == ["CNN401"]


def test_any_line_of_the_statement_will_do(folder: Path) -> None:
    spread = RETURN.replace("softmax(1)", "softmax(\n            1,{}\n        )")
    assert codes(folder, SOFTMAX.replace(RETURN, spread.format(""))) == ["CNN401"]
    assert codes(folder, SOFTMAX.replace(RETURN, spread.format("  # repro: ignore[CNN401]"))) == []


def test_a_comment_behind_a_header_is_about_the_header_only(folder: Path) -> None:
    text = SOFTMAX.replace("def forward(self, x):", "def forward(self, x):  # repro: ignore[CNN401]")
    assert codes(folder, text) == ["CNN901", "CNN401"]


def test_another_rule_is_not_suppressed_and_the_comment_is_told(folder: Path) -> None:
    assert codes(folder, commented("# repro: ignore[CNN110]")) == ["CNN401", "CNN901"]
    (found,) = [each for each in audit("net.py").findings if each.code == "CNN901"]
    assert found.message.en == "nothing is suppressed by this comment (CNN110); remove it"
    assert (found.place.line, found.place.column) == (7, len(RETURN) + 3)


@pytest.mark.parametrize(
    ("word", "closest"),
    [("CNN4O1", "CNN401"), ("softmax-befor-loss", "softmax-before-loss"), ("CNN4", "CNN"), ("E501", "")],
)
def test_a_rule_that_there_is_not_is_told_with_the_closest(folder: Path, word: str, closest: str) -> None:
    assert codes(folder, commented(f"# repro: ignore[{word}]")) == ["CNN401", "CNN902"]
    found = audit("net.py").findings[1]
    assert found.message.en.startswith(f"no rule is called {word}, which this comment names; the closest is {closest}")
    assert codes(folder, commented(f"# repro: ignore[CNN401, {word}]")) == ["CNN902"]


def test_a_comment_does_not_hide_what_is_said_of_itself_unless_it_names_that(folder: Path) -> None:
    assert codes(folder, "import torch\nprint(torch)  # repro: ignore\n") == ["CNN901"]
    assert codes(folder, "import torch\nprint(torch)  # repro: ignore[CNN901]\n") == []


def test_a_file_is_ignored_by_a_comment_at_its_top(folder: Path) -> None:
    assert codes(folder, f'"""About it."""\n# repro: ignore-file\n{SOFTMAX}') == []
    assert codes(folder, f"# repro: ignore-file[CNN401]\n{SOFTMAX}") == []
    assert codes(folder, f"{SOFTMAX}# repro: ignore-file[CNN401]\n") == ["CNN401", "CNN901"]


def test_comments_in_a_cell_are_about_that_cell(folder: Path) -> None:
    first, second = commented("# repro: ignore[CNN401]"), "import torch\nx = torch.zeros(1)\nprint(x)"
    assert codes(folder, notebook(first, second), "net.ipynb") == []
    assert codes(folder, notebook(second, SOFTMAX + "\n" * 3), "net.ipynb") == ["CNN401"]
    seventh = "import torch\n\n\n\n\n\nx = torch.zeros(1)  # repro: ignore[CNN401]\nprint(x)"
    assert codes(folder, notebook(seventh, SOFTMAX), "net.ipynb") == ["CNN901", "CNN401"]


def test_comments_in_a_fence_of_markdown_count_too(folder: Path) -> None:
    assert codes(folder, f"# A network\n\n```python\n{commented('# repro: ignore')}```\n", "net.md") == []
