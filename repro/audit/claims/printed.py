"""What networks printed of themselves: `print(net)`, and the totals of torchsummary and of people's own counting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repro.audit.claims.claim import Claim, Quantity
from repro.audit.program import span
from repro.audit.source.line import Line

_HEAD = re.compile(r"\s*(?:\w+ = )?([A-Za-z_]\w*)\(\s*$")
_PART = re.compile(r"\s*\([\w-]+\): [A-Za-z_]\w*\(")
_TOTAL = re.compile(
    r"\s*(?:Total (?:number of )?(?:trainable )?param(?:eter)?s:?\s*(?P<total>\d{1,3}(?:,\d{3})+|\d{4,})"
    r"|(?:The |This )?(?:model|network|net) has (?P<has>\d{1,3}(?:,\d{3})+) (?:trainable )?param(?:eter)?s\.?)\s*$",
    re.IGNORECASE,
)
_LONGEST = 2000  # lines of one network


def found(lines: Sequence[Line]) -> Iterator[Claim]:
    """The claims in some lines."""
    index = 0
    while index < len(lines):
        total = _TOTAL.match(lines[index].text)
        end = _end(lines, index)
        if total:
            count = Quantity(float((total["total"] or total["has"]).replace(",", "")), error=0.5)
            yield _claim("parameters", "", lines[index : index + 1], count)
        elif end:
            head = _HEAD.match(lines[index].text)
            assert head
            yield _claim("repr", head[1], lines[index:end])
        index = max(end, index + 1)


def _end(lines: Sequence[Line], start: int) -> int:
    """Behind the last line of a network that prints itself from a line on; 0 if none does."""
    if start + 1 >= len(lines) or not _HEAD.match(lines[start].text) or not _PART.match(lines[start + 1].text):
        return 0
    depth = 0
    for index in range(start, min(start + _LONGEST, len(lines))):
        depth += lines[index].text.count("(") - lines[index].text.count(")")
        if depth == 0:
            return index + 1
    return 0


def _claim(kind: str, about: str, lines: Sequence[Line], quantity: Quantity | None = None) -> Claim:
    place = span(lines[0], 0, lines[-1], len(lines[-1].text))
    printed = tuple(line.text.rstrip() for line in lines) if kind == "repr" else ()
    return Claim(kind, about, "", "", quantity, place, lines[0].text.strip(), lines[0].text.strip(), printed=printed)
