"""Which blocks of a Markdown document are Python."""

from __future__ import annotations

import pytest

from repro.audit.source.markdown import cells


@pytest.mark.parametrize(
    "info",
    [
        "",
        "python",
        "Python title=x",
        "{python}",
        "{python, echo=FALSE}",
        "{code-cell}",
        "{code-cell} ipython3",
        "python{1,2}",
        "python {1,2}",
        "{.python .x}",
        "{.python}",
        "{ .python }",
    ],
)
def test_a_fence_says_in_many_ways_that_it_is_python(info: str) -> None:
    ((line,),) = cells(f"# A\n\n```{info}\nx = 1\n```\n")
    assert (line.text, line.number) == ("x = 1", 4)


@pytest.mark.parametrize("info", ["bash", "{r}", "{.bash .python}", "{=html}", "c++", "js{1,2}", "pythonx"])
def test_a_fence_of_another_language_is_left_out(info: str) -> None:
    assert list(cells(f"```{info}\nx = 1\n```\n")) == []
