"""The rules for readers: one page in a terminal, the list of all, and the document docs/rules.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repro.audit.finding import Words
from repro.audit.report import Explained
from repro.render.audit.columns import wrapped
from repro.render.audit.words import SEVERITIES, graded, paragraphs
from repro.render.page import escaped, joined

WIDTH = 79
_WRONG, _RIGHT = Words("Wrong:", "错误的写法："), Words("Right:", "正确的写法：")
_LIMITS = Words("Limits:", "局限")

_FAMILIES = {
    "1": "Source: whether the text is the program that it is meant to be",
    "2": "Wiring: how a network is put together",
    "3": "Shapes and batches",
    "4": "Outputs, activations and losses",
    "5": "Architecture: names, depths and what papers say",
    "6": "The training loop",
    "7": "Data, initial values, files and devices",
    "8": "What running the code shows: only with `--run`",
    "9": "The audit itself",
}


def page(rule: Explained, language: str) -> Iterator[str]:
    """What, why, a program with it and one without, and what the rule cannot see."""
    yield f"{rule.code} {rule.name}: {graded(rule, language)}"
    told, limits = _told(rule, language)
    for each in told:
        yield ""
        yield from wrapped(each, WIDTH)
    for heading, code in ((_WRONG, rule.wrong), (_RIGHT, rule.right)):
        yield f"\n{heading.told(language)}\n"
        yield from (f"    {line}".rstrip() for line in code.split("\n"))
    for each in limits:
        yield ""
        yield from wrapped(each, WIDTH)


def plain(rule: Explained, language: str) -> dict[str, str]:
    """The same for JSON."""
    grades = {"severity": rule.severity.value, "confidence": rule.confidence.value}
    page = rule.page.told(language)
    return {"code": rule.code, "name": rule.name, **grades, "page": page, "wrong": rule.wrong, "right": rule.right}


def listing(rules: Sequence[Explained], language: str) -> Iterator[str]:
    """One paragraph for each rule."""
    for rule in rules:
        title = next(iter(paragraphs(rule.page.told(language))))
        yield from wrapped(f"{rule.code}  {rule.name} ({SEVERITIES[rule.severity].told(language)})", WIDTH)
        yield from wrapped(title, WIDTH, " " * 8, " " * 8)


def document(rules: Sequence[Explained]) -> Iterator[str]:
    """The lines of docs/rules.md."""
    yield "# Rules of `repro audit`\n"
    yield joined(
        f"{len(rules)} rules, by family. `repro explain CODE` prints each of these pages, `--lang zh` in Chinese. "
        "Made by `nox -s docs` from the files of the rules, in `repro/audit/rules/`; the programs are cases of their "
        "tests.",
        "**bug**: it contradicts what the text itself says, crashes, or cannot have been meant. **risk**: it works as "
        "shown, and breaks in ordinary use, such as another image size, a batch of one, no GPU. **note**: a departure "
        "that somebody may have wanted, or something redundant. How sure a rule is stands apart from that: high, "
        "medium or low. A single finding may be graded otherwise than its rule, where what it rests on is.",
    ).removesuffix("\n")
    for family, title in _FAMILIES.items():
        found = [rule for rule in rules if rule.code.removeprefix("CNN").startswith(family)]
        if found:
            yield f"\n## {title}\n"
            yield "| code | name | severity | what it finds |\n|---|---|---|---|"
            yield from (_row(rule) for rule in found)
            for rule in found:
                yield from _section(rule)


def _row(rule: Explained) -> str:
    title = next(iter(paragraphs(rule.page.en)))
    anchor = f"#{rule.code.lower()}-{rule.name}"
    return f"| [{rule.code}]({anchor}) | {rule.name} | {rule.severity} ({rule.confidence}) | {escaped(title)} |"


def _section(rule: Explained) -> Iterator[str]:
    told, limits = _told(rule, "en")
    yield f"\n### {rule.code} {rule.name}\n"
    yield joined(*told)
    yield f"{_WRONG.en}\n\n```python\n{rule.wrong}\n```\n"
    yield f"{_RIGHT.en}\n\n```python\n{rule.right}\n```\n"
    yield joined(*limits).removesuffix("\n")


def _told(rule: Explained, language: str) -> tuple[list[str], list[str]]:
    """The paragraphs of a page, and the last of them, which are about its limits."""
    every = list(paragraphs(rule.page.told(language)))
    cut = next((n for n, each in enumerate(every) if each.startswith(_LIMITS.told(language))), len(every))
    return every[:cut], every[cut:]
