"""Numbers as people write them in English and Chinese, with what they put before and behind them."""

from __future__ import annotations

import re

from repro.audit.claims.claim import Quantity

_SCALES = {
    "k": 1e3,
    "m": 1e6,
    "b": 1e9,
    "g": 1e9,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "千": 1e3,
    "万": 1e4,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "十亿": 1e9,
}
_ENGLISH = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
).split()
_CHINESE = {character: value for value, character in enumerate("〇一二三四五六七八九十")} | {"两": 2}

# A few things that can be counted. `十多` is no number; `3x3` and `1.5` are none of those meant.
COUNT = (
    r"(?<![A-Za-z0-9_.×\-])(?:\d{1,4}(?![\d.%]|\s*[x×*])|(?:" + "|".join(_ENGLISH) + r")(?![a-z])"
    r"|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九])(?!多)"
)
_DIGITS = (
    r"(?<![A-Za-z0-9_.,×])(?:\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?|[一二两三四五六七八九](?=[百千]?万|亿|千万)|(?:"
    + "|".join(_ENGLISH[:10])
)
AMOUNT = (
    _DIGITS
    + r")(?= [mb]illion))(?:\s*[多余+])?(?:\s*(?:[mb]illion|thousand|[kKMB](?![A-Za-z])|[百千十]?万|十?亿)[多余]?)?"
)

_SPOKEN = re.compile(
    r"(?P<digits>[\d.,]+|[一二两三四五六七八九]|[a-z]+)\s*(?P<more>[多余+])?\s*"
    r"(?P<scale>[mb]illion|thousand|[kmbg]|[百千]?万|十?亿)?\s*(?P<also>[多余])?",
    re.IGNORECASE,
)
_ROUNDED = 3  # digits that a rounded number has at most; one with more of them is exact to its last zero
_BEFORE = {
    "about": r"about|around|approximately|approx\.?|roughly|nearly|almost|close to|some|[~～≈∼]"
    r"|大约|约为?|大概|近|将近|接近",
    "least": r"over|more than|at least|exceed(?:s|ing)|超过了?|多于|高达|不少于|至少|>",
    "most": r"under|less than|fewer than|at most|below|up to|不到|少于|不足|不超过|最多|<",
}
_BEHIND = {
    "about": r"左右|上下|or so|approximately",
    "least": r"以上|\+|or more",
    "most": r"以下|以内|or less",
}
_SAID_BEFORE = [
    (bound, re.compile(rf"(?:{words})(?:\s*(?:有|为|是|a))?\s*$", re.IGNORECASE)) for bound, words in _BEFORE.items()
]
_SAID_BEHIND = [
    (bound, re.compile(rf"\s*(?:个|的|[MG]i?B)?\s*(?:{words})", re.IGNORECASE)) for bound, words in _BEHIND.items()
]


def count(said: str) -> int:
    """The number that `COUNT` matched."""
    if said.isdecimal():
        return int(said)
    if said.lower() in _ENGLISH:
        return _ENGLISH.index(said.lower()) + 1
    tens, ten, ones = said.rpartition("十")
    return (_CHINESE[tens] if tens else 1) * 10 * bool(ten) + (_CHINESE[ones] if ones else 0)


def quantity(said: str, before: str = "", behind: str = "", unit: str = "") -> Quantity | None:
    """The number that `AMOUNT` matched, between what stands before and behind it; None if it is none."""
    found = _SPOKEN.fullmatch(said.strip())
    if found is None:
        return None
    digits = found["digits"].replace(",", "")
    if digits.lower() in _ENGLISH or digits in _CHINESE:
        digits = str(count(digits.lower()))
    if not re.fullmatch(r"\d+(?:\.\d+)?", digits):
        return None
    scale = _SCALES[(found["scale"] or "").lower()] if found["scale"] else 1.0
    value = float(digits) * scale
    bound = "least" if found["more"] or found["also"] else _bound(before, behind)
    return Quantity(value, unit, _last_place(digits) * scale / 2, bound)


def _bound(before: str, behind: str) -> str:
    """What the words around a number make of it: those before it go first."""
    for bound, words in _SAID_BEFORE:
        if words.search(before):
            return bound if not re.search(r"不(?:超过|到|足)\s*$", before) else "most"
    return next((bound for bound, words in _SAID_BEHIND if words.match(behind)), "")


def _last_place(digits: str) -> float:
    """What the last digit stands for that was meant to be exact: 1 of 156, 10 of 60, 0.1 of 1.5."""
    whole, _, fraction = digits.partition(".")
    if fraction:
        return float(10.0 ** -len(fraction))
    meant = whole.rstrip("0")
    return float(10 ** (len(whole) - len(meant))) if 0 < len(meant) <= _ROUNDED else 1.0
