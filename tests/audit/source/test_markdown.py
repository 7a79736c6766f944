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


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("{% highlight python %}", "{% endhighlight %}"),
        ("{%- highlight python linenos -%}", "{%- endhighlight -%}"),
        ("{% codeblock A network lang:python https://example.org %}", "{% endcodeblock %}"),
        ("{% codeblock %}", "{% endcodeblock %}"),
        ("{% code lang:py %}", "{% endcode %}"),
        ('{{< highlight python "linenos=table" >}}', "{{< /highlight >}}"),
    ],
)
def test_tags_of_templates_stand_around_code(begin: str, end: str) -> None:
    (found,) = cells(f"# A\n\n{begin}\nx = 1\n\n    y = 2\n{end}\n\nprose\n")
    assert [(line.text, line.number, line.column(0)) for line in found if line.text] == [
        ("x = 1", 4, 0),
        ("    y = 2", 6, 0),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{% highlight bash %}\nx = 1\n{% endhighlight %}\n",
        "{% codeblock lang:js %}\nx = 1\n{% endcodeblock %}\n",
        "{% highlight python %}\nnever ended\n",
        "{% highlight python %}\nended as another\n{% endcodeblock %}\n",
    ],
)
def test_tags_of_another_language_or_without_an_end_do_not(text: str) -> None:
    assert list(cells(text)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<pre>\nx = 1\n</pre>\n", [("x = 1", 2, 0)]),
        ("a\n\n<pre><code>x = 1 &lt; 2\n\ny = 2\n</code></pre>\n", [("x = 1 < 2", 3, 11), ("y = 2", 5, 0)]),
        ('<pre lang="python">\nx = 1\n</pre>\n', [("x = 1", 2, 0)]),
        (
            '<div class="highlight">\n<pre>\nx = 1\n\n    y = 2\n\n</pre>\n</div>\n',
            [("x = 1", 3, 0), ("    y = 2", 5, 0)],
        ),
        ("> <pre>\n> x = 1\n> </pre>\n", [("x = 1", 2, 2)]),
        ("<div>\n<pre>\nx = 1\n\nnever ended\n", [("x = 1", 3, 0)]),
        ('<pre class="language-bash">\nls\n</pre>\n', []),
        ("<p>\nx = 1\n</p>\n", []),
    ],
)
def test_a_pre_is_code_as_it_is_in_a_page(text: str, expected: list[tuple[str, int, int]]) -> None:
    found = [line for cell in cells(text) for line in cell if line.text.strip()]
    assert [(line.text, line.number, line.column(0)) for line in found] == expected


def test_blocks_are_told_in_their_order_and_once() -> None:
    text = "```\na = 1\n```\n<div>\n<pre>\nb = 2\n\n```\nc = 3\n```\n</pre>\n</div>\n\n```\nd = 4\n```\n"
    numbers = [line.number for cell in cells(text) for line in cell if "=" in line.text]
    assert numbers == [2, 6, 9, 15]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1 +\nimport torch", True),
        ("x = torch.ones(3)", True),
        ("epoch 1, loss 2.30", False),
        ("Hello, world", False),
    ],
)
def test_a_block_that_does_not_say_what_it_is_may_be_output(text: str, code: bool) -> None:
    assert bool(list(cells(f"```\n{text}\n```\n"))) is code
    assert bool(list(cells(f"<pre>\n{text}\n</pre>\n"))) is code
    assert list(cells(f"```python\n{text}\n```\n"))
