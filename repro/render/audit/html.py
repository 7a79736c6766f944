"""An audit as one page that loads nothing: the source, and the findings beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from repro.audit.finding import Finding, Place, Repair, Severity, Words
from repro.audit.report import Audited, Explained, Run, Sheet
from repro.render.audit import words
from repro.render.audit.columns import clean

_AROUND = 4  # lines that are shown before and behind one that something is found in
_FOLDED = 3  # lines at least that are folded away
_LONGEST = 400  # characters of a line that are shown

_TITLE = Words("Audit", "审查报告")
_REPAIRS = Words("Mended in memory before it was read", "读懂之前在内存里作的修补")
_RULES = Words("The rules", "规则")
_UNREAD = Words("not read", "没有读成")
_HIDDEN = Words("{} more lines", "另有 {} 行")
_CELL = Words("Cell {}", "单元格 {}")

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --rule: #d1d9e0; --code: #f6f8fa;
  --bug: #c0242b; --risk: #925000; --note: #0a5fb4; --bug-mark: #ffd9d6; --risk-mark: #ffe9b8; --note-mark: #d8ecff; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0d1117; --ink: #e6edf3; --faint: #9aa4af; --rule: #30363d; --code: #161b22;
    --bug: #ff8e86; --risk: #e3b341; --note: #79b8ff; --bug-mark: #5c1d20; --risk-mark: #4f3a0a; --note-mark: #143a63; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 86rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem; font-family: ui-monospace, monospace; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
a { color: inherit; }
p { margin: .25rem 0; }
.faint { color: var(--faint); }
.files { border-collapse: collapse; margin: 1rem 0; }
.files td { padding: .2rem 1.25rem .2rem 0; vertical-align: top; border-top: 1px solid var(--rule); }
.files td + td { white-space: nowrap; }
.bug { --tone: var(--bug); --mark: var(--bug-mark); }
.risk { --tone: var(--risk); --mark: var(--risk-mark); }
.note { --tone: var(--note); --mark: var(--note-mark); }
.grade { color: var(--tone); font-weight: 600; }
mark { background: var(--mark); color: inherit; border-bottom: 2px solid var(--tone); }
.source { --beside: clamp(16rem, 33%, 26rem); border: 1px solid var(--rule); border-radius: 6px; overflow: hidden;
  display: flow-root; margin: .5rem 0; }
.source pre, .source summary { margin-right: var(--beside); border-right: 1px solid var(--rule); }
.source pre { background: var(--code); }
.source > details { clear: both; }
pre { margin: 0; padding: 0; font: 13px/20px ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; }
.row { display: grid; grid-template-columns: 3.5rem minmax(0, 1fr); }
.row > :first-child { color: var(--faint); text-align: right; padding-right: .9rem; user-select: none; }
.row > :last-child { padding-right: .75rem; }
.beside { float: right; clear: right; width: var(--beside); position: relative; top: -20px; padding: 0 .75rem .1rem; }
.finding { border-left: 3px solid var(--tone); padding: 0 0 .1rem .65rem; margin: 0 0 .6rem; font-size: .9rem; }
.finding code { font-size: .85rem; }
.hidden { padding: .1rem 0 .1rem 3.5rem; font-size: .8rem; color: var(--faint); border-top: 1px solid var(--rule);
  border-bottom: 1px solid var(--rule); background: var(--paper); }
.source > :first-child > .hidden { border-top: 0; }
.source > :last-child > .hidden { border-bottom: 0; }
.example { background: var(--code); border: 1px solid var(--rule); border-radius: 6px; padding: .6rem .8rem; }
details > summary { cursor: pointer; }
@media (max-width: 52rem) {
  .files, .files tbody, .files tr, .files td { display: block; }
  .files td + td { padding-bottom: .5rem; border-top: 0; }
  .source pre, .source summary { margin-right: 0; border-right: 0; }
  .beside { float: none; width: auto; top: 0; padding: .6rem .75rem .1rem; }
  .row { grid-template-columns: 2.6rem minmax(0, 1fr); }
  .row > :first-child { padding-right: .6rem; }
  .hidden { padding-left: 2.6rem; }
  pre { font-size: 12px; }
}
"""


def page(files: Sequence[Audited], rules: Sequence[Explained], language: str) -> str:
    """The whole page."""
    return "\n".join(_page(files, rules, language)) + "\n"


def _page(files: Sequence[Audited], rules: Sequence[Explained], language: str) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>repro: {_TITLE.told(language)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{_TITLE.told(language)}</h1>\n<p>{_text(words.total(files, language))}</p>"
    yield from (f'<p class="faint">{each}</p>' for each in words.of_cells(files, language))
    shown = [(i, each) for i, each in enumerate(files) if each.findings or each.repairs or each.error or each.run]
    yield '<table class="files">'
    yield from (_summary(number, each, language) for number, each in shown)
    yield "</table>"
    for number, each in shown:
        yield f'<h2 id="file-{number}">{_text(each.path)}</h2>'
        if each.error:
            yield f"<p>{_text(each.error)}</p>"
        yield from _repairs(each.repairs, language)
        yield from _ran(each.run, language)
        for sheet in each.sheets:
            yield from _sheet(sheet, [found for found in each.findings if found.place.cell == sheet.cell], language)
    used = {finding.code for each in files for finding in each.findings}
    yield from _explained([rule for rule in rules if rule.code in used], language)
    yield "</body>\n</html>"


def _summary(number: int, audited: Audited, language: str) -> str:
    counts = {severity: sum(each.severity is severity for each in audited.findings) for severity in Severity}
    told = [
        f'<span class="grade {severity.value}">{words.counted(count, words.SEVERITIES[severity], language)}</span>'
        for severity, count in counts.items()
        if count
    ]
    link = f'<a href="#file-{number}">{_text(audited.path)}</a>'
    told += [_UNREAD.told(language)] if audited.error else []
    return f"<tr><td>{link}</td><td>{', '.join(told)}</td></tr>"


def _repairs(repairs: Sequence[Repair], language: str) -> Iterator[str]:
    if repairs:
        yield f"<details><summary>{_REPAIRS.told(language)} ({len(repairs)})</summary>\n<ul>"
        for repair in repairs:
            told = _text(words.mended(repair, language))
            others = "".join(f"<li>{_text(other.told(language))}</li>" for other in repair.alternatives)
            nested = f"<br>{words.OTHERWISE.told(language)}<ul>{others}</ul>" if others else ""
            yield f'<li>{told} <span class="faint">{words.graded(repair, language)}</span>{nested}</li>'
        yield "</ul></details>"


def _ran(run: Run | None, language: str) -> Iterator[str]:
    if run is not None:
        head, *rest = words.ran(run, language)
        items = "".join(f"<li>{_text(each)}</li>" for each in rest)
        yield f"<details open><summary>{_text(head)}</summary>\n<ul>{items}</ul></details>"


def _sheet(sheet: Sheet, findings: Sequence[Finding], language: str) -> Iterator[str]:
    """The lines around each finding; those in between can be opened."""
    if not findings:
        return
    if sheet.cell is not None:
        yield f"<h3>{_CELL.told(language).format(sheet.cell)}</h3>"
    yield '<div class="source">'
    count = len(sheet.lines) - (not sheet.lines[-1])  # what is behind the last end of a line is no line
    last = 0
    for start, end in _shown(findings, count):
        if start - last > 1:
            yield _hidden(sheet, last + 1, start - 1, language)
        yield from _stretch(sheet, start, end, findings, language)
        last = end
    if last < count:
        yield _hidden(sheet, last + 1, count, language)
    yield "</div>"


def _shown(findings: Sequence[Finding], count: int) -> Iterator[tuple[int, int]]:
    """First and last line of each stretch around findings, with what is too little to be folded away."""
    start, end = 1, 0
    for line in sorted({finding.place.line for finding in findings}):
        if line - _AROUND - end > _FOLDED:
            if end:
                yield start, end
            start = line - _AROUND
        end = min(line + _AROUND, count)
    yield start, count if count - end < _FOLDED else end


def _stretch(sheet: Sheet, start: int, end: int, findings: Sequence[Finding], language: str) -> Iterator[str]:
    """Some lines, and below each what is found in it, which stands beside it where there is room."""
    for line in sorted({finding.place.line for finding in findings if start <= finding.place.line <= end}):
        yield _code(sheet, start, line, findings)
        cards = "".join(_card(finding, language) for finding in findings if finding.place.line == line)
        yield f'<div class="beside">{cards}</div>'
        start = line + 1
    if start <= end:
        yield _code(sheet, start, end, findings)


def _hidden(sheet: Sheet, start: int, end: int, language: str) -> str:
    told = _HIDDEN.told(language).format(end - start + 1)
    return f'<details class="hidden-lines"><summary class="hidden">{told}</summary>{_code(sheet, start, end)}</details>'


def _code(sheet: Sheet, start: int, end: int, findings: Sequence[Finding] = ()) -> str:
    rows = (
        f'<div class="row"><span>{number}</span><span>{_marked(sheet.lines[number - 1], number, findings)}</span></div>'
        for number in range(start, end + 1)
    )
    return f"<pre>{''.join(rows)}</pre>"


def _marked(line: str, number: int, findings: Sequence[Finding]) -> str:
    """A line with what is found in it marked; where several meet, by the worst."""
    here = [finding for finding in findings if finding.place.line == number]
    first = max(min((finding.place.column - 1 for finding in here), default=0) - _LONGEST // 2, 0)
    last = min(first + _LONGEST, len(line))
    worst: list[Severity | None] = [None] * (last - first)
    for finding in sorted(here, key=lambda each: list(Severity).index(each.severity), reverse=True):
        begin, end = _columns(finding.place, line)
        worst[begin - first : end - first] = [finding.severity] * (min(end, last) - begin)
    made, position = "…" if first else "", first
    for severity, characters in groupby(worst):
        text = _text(line[position : (position := position + len(list(characters)))])
        made += f'<mark class="{severity.value}">{text}</mark>' if severity else text
    return made + ("…" if last < len(line) else "")


def _columns(place: Place, line: str) -> tuple[int, int]:
    """Where in its first line a place begins and ends, from 0."""
    end = place.end_column - 1 if place.end_line == place.line else len(line.rstrip())
    return place.column - 1, max(end, place.column)


def _card(finding: Finding, language: str) -> str:
    head = f'<span class="grade">{words.graded(finding, language)}</span>'
    code = f'<a href="#{finding.code}"><code>{finding.code}</code></a> <code>{_text(finding.name)}</code>'
    where = f'<span class="faint">{words.stretch(finding.place, language)}</span>'
    message = f"<p>{_text(finding.told(language))}</p>"
    return f'<div class="finding {finding.severity.value}">{where} {head} {code}{message}</div>'


def _explained(rules: Sequence[Explained], language: str) -> Iterator[str]:
    if rules:
        yield f"<h2>{_RULES.told(language)}</h2>"
    for rule in rules:
        title, *rest = words.paragraphs(rule.page.told(language))
        told = "".join(f"<p>{_text(each)}</p>" for each in rest)
        yield f'<details id="{rule.code}"><summary><code>{rule.code}</code> {_text(title)}</summary>'
        yield f'{told}<pre class="example">{_text(rule.wrong)}</pre></details>'


def _text(text: str) -> str:
    return escape("\n".join(clean(line.replace("\t", "    ")) for line in text.split("\n")))
