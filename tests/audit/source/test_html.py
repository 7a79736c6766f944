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


def texts(page: str) -> list[list[str]]:
    return [[line.text for line in cell if line.text.strip()] for cell in cells(page)]


@pytest.mark.parametrize(
    "widget",
    [
        "<button>Copy</button>",
        '<button class="btn" data-text="x"><svg><title>Copy</title></svg> Copy code</button>',
        '<div class="code-copy-btn">Copied!</div>',
        '<span class="clipboard">Copy</span>',
        '<a class="copy" href="#">Copy</a>',
        '<span aria-label="Copy to clipboard">Copy</span>',
        '<div role="button">Copy</div>',
        '<div class="hljs-button signin" data-title="x">Copy</div>',
        "<script>copy()</script><style>.copy { color: red }</style>",
    ],
)
@pytest.mark.parametrize("page", ["<pre>{widget}a = 1\nb = 2</pre>", "<pre><code>a = 1\nb = 2</code>{widget}</pre>"])
def test_what_is_there_to_be_pressed_is_no_code(page: str, widget: str) -> None:
    assert texts(page.format(widget=widget)) == [["a = 1", "b = 2"]]


def test_what_stands_beside_a_code_of_its_own_is_no_code() -> None:
    header = '<div class="header"><span>python</span><span>1.2 KB</span></div>'
    assert texts(f"<pre>{header}<code>import torch\nx = torch.ones(3)</code></pre>") == [
        ["import torch", "x = torch.ones(3)"]
    ]
    assert texts("<pre>x = torch.ones(3, 4)\n<code>print(x)</code></pre>") == [["x = torch.ones(3, 4)", "print(x)"]]


@pytest.mark.parametrize(
    "page",
    [
        '<div class="code-toolbar"><pre>{code}</pre><div class="toolbar"><button>Copy</button></div></div>',
        '<pre class="copyable"><code class="copy">{code}</code></pre>',
        '<pre><a class="backref-module-copy" href="https://example.org/copy.html">{code}</a></pre>',
    ],
)
def test_code_is_code_whatever_the_name_of_what_it_stands_in(page: str) -> None:
    assert texts(page.format(code="net = copy.deepcopy(net)")) == [["net = copy.deepcopy(net)"]]


@pytest.mark.parametrize(
    ("around", "python"),
    [
        ("language-bash highlighter-rouge", False),
        ("language-python highlighter-rouge", True),
        ("highlight-console notranslate", False),
        ("highlight-default notranslate", True),
        ("highlight highlight-source-shell", False),
        ("highlight highlight-source-python", True),
        ("lang-en", True),
        ("highlight-box", True),
    ],
)
def test_what_is_around_a_block_may_say_that_it_is_in_another_language(around: str, python: bool) -> None:
    assert texts(f'<div class="{around}"><div class="highlight"><pre>x = 1</pre></div></div>') == [["x = 1"]] * python


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import torch\nx = 1 +", True),
        ("def f(x)\n    return x", True),
        ("print(x.shape)", True),
        ("epoch 1, loss 2.30\nepoch 2, loss 2.10", False),
        ("pip install torch\nTo be or not to be", False),
        ("Net(\n  (conv): Conv2d(3, 6, kernel_size=(5, 5))\n)", False),
    ],
)
def test_a_block_that_does_not_say_what_it_is_may_be_output(text: str, code: bool) -> None:
    assert bool(texts(f"<pre>{text}</pre>")) is code
    assert bool(texts(f'<pre class="language-python">{text}</pre>'))
