"""Code in HTML pages, also where the page is no proper HTML."""

from __future__ import annotations

import pytest

from repro.audit.source.html import cells


@pytest.mark.parametrize("section", ["<![x y]>", "<![ ", "<![ >", "<![if !IE]>", "<![CDATA[x]]>", "<![", "<!x"])
def test_what_stands_around_a_section_that_nobody_knows_is_read(section: str) -> None:
    before, after = (
        [line.text for line in cell] for cell in cells(f"<pre>a = 1</pre>{section}<p>.</p><pre>b = 2</pre>")
    )
    assert (before, after) == (["a = 1"], ["b = 2"])


@pytest.mark.parametrize(
    "row",
    [
        '<li><div class="hljs-ln-numbers"><div class="hljs-ln-line hljs-ln-n">{n}</div></div>'
        '<div class="hljs-ln-code"><div class="hljs-ln-line">{code}</div></div></li>',
        '<tr><td class="gutter"><span class="lnt">{n}</span></td><td>{code}</td></tr>',
        '<span class="line"><span class="ln">{n}</span><span class="cl">{code}\n</span></span>',
    ],
)
def test_numbers_beside_the_code_are_no_code(row: str) -> None:
    rows = "".join(row.format(n=n, code=code) for n, code in enumerate(("a = 1", "b = 2"), start=1))
    (found,) = cells(f'<pre><code class="hljs language-python">{rows}</code></pre>')
    assert [line.text for line in found if line.text.strip()] == ["a = 1", "b = 2"]


def test_each_line_may_have_a_code_of_its_own() -> None:
    (found,) = cells("<pre><code>a = 1</code><code>b = 2</code></pre>")
    assert [line.text for line in found] == ["a = 1", "b = 2"]
