"""Which rules are asked: chosen and left out by code, by the beginning of a code, or by name."""

from __future__ import annotations

from collections.abc import Sequence

from repro.audit.described import Described
from repro.audit.finding import Words
from repro.audit.known import known
from repro.audit.refusal import Refusal

_ALIKE = str.maketrans("OIL", "011")  # letters that are taken for digits


def matching(word: str) -> tuple[Described, ...]:
    """What a code, the beginning of one such as `CNN4`, or a name stands for; nothing if it is unknown."""
    wanted = word.strip()
    code, name = wanted.upper(), wanted.lower().replace("_", "-")
    begins = code.startswith("CNN")
    return tuple(each for each in known() if each.name == name or (begins and each.code.startswith(code)))


def rules_for(word: str) -> tuple[Described, ...]:
    """The same. Raises Refusal, naming the closest, where there are none."""
    found = matching(word)
    if not found:
        close = closest(word)
        hint = Words(f"closest: {', '.join(close)}", f"最接近的是 {'、'.join(close)}")
        if not close:
            hint = Words("`repro explain` lists them all", "`repro explain` 列出全部规则")
        raise Refusal(f"no rule is called {word!r}; {hint.en}", f"没有叫 {word!r} 的规则；{hint.zh}")
    return found


def closest(word: str, surely: bool = False) -> list[str]:
    """The codes and names that are most like a word, the first of them most; `surely`: also if none is very much."""
    import difflib  # for mistakes only

    words = [text for each in known() for text in (each.code, each.name)]
    code = word.strip().upper().translate(_ALIKE)
    if code in words:
        return [code]
    return difflib.get_close_matches(word.strip(), words, n=3, cutoff=0.0 if surely else 0.5)


def selected(select: Sequence[str], ignore: Sequence[str]) -> tuple[Described, ...]:
    """The rules and probes that are chosen, all if nothing is, without those that are left out. Raises Refusal."""
    chosen = {rule.code for word in select for rule in rules_for(word)} if select else {each.code for each in known()}
    out = {rule.code for word in ignore for rule in rules_for(word)}
    return tuple(each for each in known() if each.code in chosen - out)
