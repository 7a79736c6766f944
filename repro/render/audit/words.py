"""What the readable formats say beside the findings, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from repro.audit.finding import Confidence, Finding, Place, Repair, Severity, Words
from repro.audit.report import Audited, Explained, Network, Run, counts

SEVERITIES = {
    Severity.BUG: Words("bug", "错误"),
    Severity.RISK: Words("risk", "隐患"),
    Severity.NOTE: Words("note", "提示"),
}
CONFIDENCES = {
    Confidence.HIGH: Words("high", "把握大"),
    Confidence.MEDIUM: Words("medium", "把握中等"),
    Confidence.LOW: Words("low", "把握小"),
}
REPAIRED = Words("mended in memory before it was read:", "为了能读懂，先在内存里作了修补：")
OTHERWISE = Words("or: ", "或者：")
NOTHING = Words("nothing found", "没有发现问题")
LEVELS = {
    "bubblewrap": Words("in isolation: bubblewrap, Landlock, seccomp", "隔离运行：bubblewrap、Landlock、seccomp"),
    "namespaces": Words("in isolation: namespaces, Landlock, seccomp", "隔离运行：命名空间、Landlock、seccomp"),
    "base": Words("in isolation: Landlock, seccomp", "隔离运行：Landlock、seccomp"),
    "none": Words("WITHOUT isolation, with all rights of the user", "没有隔离，拥有用户的全部权限"),
}
_RAN = Words("its definitions were run {}", "运行了其中的定义（{}）")
_NETWORK = Words("{} ({}): {}", "{}（{}）：{}")
_TRUE = Words("{}: {!r} is so: {}", "{}“{}”属实：{}")
_MORE_TRUE = Words(
    "{} more claims in numbers are so; --format json has them", "另有 {} 处数字属实；--format json 全部列出"
)
_FEW = 3  # claims that are so and are shown
_LEFT_OUT = Words("{} was left out: {}", "{} 没有运行成：{}")
_BRACKETS = Words("{} ({})", "{}（{}）")
_AT = Words("{}: {}", "{}：{}")
_CELLS = Words("Cells are counted from 0, Markdown cells included.", "单元格从 0 开始数，包括 Markdown 单元格。")
_SEVERAL = {"bug": "bugs", "risk": "risks", "note": "notes", "file": "files", "repair": "repairs"}


def location(path: str, place: Place) -> str:
    """`path:line:column`, in a notebook `path:cell 3:line:column`."""
    cell = "" if place.cell is None else f":cell {place.cell}"
    return f"{path}{cell}:{place.line}:{place.column}"


def stretch(place: Place, language: str) -> str:
    """The lines of a place: `line 3`, `lines 3-9`."""
    last = "" if place.end_line == place.line else f"-{place.end_line}"
    if language == "zh":
        cell = "" if place.cell is None else f"单元格 {place.cell} "
        return f"{cell}第 {place.line}{last} 行"
    cell = "" if place.cell is None else f"cell {place.cell}, "
    return f"{cell}line{'s' * bool(last)} {place.line}{last}"


def graded(item: Finding | Repair | Explained, language: str) -> str:
    """How sure it is, and of a finding how bad: `bug (high)`."""
    confidence = CONFIDENCES[item.confidence].told(language)
    if isinstance(item, Repair):
        return _BRACKETS.told(language).format("", confidence).strip()
    return _BRACKETS.told(language).format(SEVERITIES[item.severity].told(language), confidence)


def mended(repair: Repair, language: str) -> str:
    """Where something was mended, and what: `lines 3-9: ...`."""
    return _AT.told(language).format(stretch(repair.place, language), repair.message.told(language))


def ran(run: Run, language: str) -> Iterator[str]:
    """What came of running a program: how, then its networks, then what was left out, a sentence each."""
    yield _RAN.told(language).format(LEVELS[run.level].told(language))
    if run.problem is not None:
        yield run.problem.told(language)
    for each in run.networks:
        if each.is_part and not each.identified:
            continue
        told = each.told.told(language) or each.error
        yield _NETWORK.told(language).format(_called(each), stretch(_first_line(each.place), language), told)
    for place, said, measured in run.true[:_FEW]:
        yield _TRUE.told(language).format(stretch(_first_line(place), language), said, measured.told(language))
    if len(run.true) > _FEW:
        yield _MORE_TRUE.told(language).format(len(run.true) - _FEW)
    for place, error in run.left_out:
        yield _LEFT_OUT.told(language).format(stretch(place, language), error)


def _called(network: Network) -> str:
    """By its name, and with its arguments where it is a class that takes some."""
    return network.symbol if network.call == f"{network.symbol}()" else network.call


def _first_line(place: Place) -> Place:
    return replace(place, end_line=place.line)


def total(files: Sequence[Audited], language: str) -> str:
    """The last line: how many files, findings of each severity, repairs, and what could not be read."""
    found = {SEVERITIES[severity]: number for severity, number in counts(files).items() if number}
    repairs = sum(len(each.repairs) for each in files)
    unread = sum(bool(each.error) for each in files)
    other = sum(not each.about_networks for each in files)
    told = [counted(number, noun, language) for noun, number in found.items()]
    told += [NOTHING.told(language)] if not found and len(files) > unread + other else []
    told += [counted(repairs, Words("repair", "修补"), language)] if repairs else []
    told += [Words(f"{unread} not read", f"{unread} 个文件没有读成").told(language)] if unread else []
    told += [Words(f"{other} without PyTorch", f"{other} 个与 PyTorch 无关").told(language)] if other else []
    head = counted(len(files), Words("file", "文件"), language)
    if not told:
        return head
    return _AT.told(language).format(head, Words(", ", "、").told(language).join(told))


def of_cells(files: Sequence[Audited], language: str) -> Iterator[str]:
    """How cells are counted, if any is named."""
    places = [item.place for each in files for items in (each.findings, each.repairs) for item in items]
    if any(place.cell is not None for place in places):
        yield _CELLS.told(language)


def paragraphs(page: str) -> Iterator[str]:
    """Those of a rule's page, each in one line; between Chinese characters the end of a line is no space."""
    for each in page.split("\n\n"):
        yield re.sub(r"(?<![ -~])\n\s*|\n\s*(?![ -~])", "", each).replace("\n", " ")


def counted(number: int, noun: Words, language: str) -> str:
    """A number of things: `2 bugs`."""
    if language == "zh":
        return f"{number} {'处' if noun.en == 'repair' else '个'}{noun.zh}"
    return f"{number} {noun.en if number == 1 else _SEVERAL[noun.en]}"
