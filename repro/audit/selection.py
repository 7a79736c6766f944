"""Which rules are asked: chosen and left out by code, by the beginning of a code, or by name."""

from __future__ import annotations

from collections.abc import Sequence

from repro.audit.rule import Rule, rules
from repro.errors import ReproError


def matching(word: str) -> tuple[Rule, ...]:
    """The rules that a code, the beginning of one such as `CNN4`, or a name stands for; none if it is unknown."""
    wanted = word.strip()
    code, name = wanted.upper(), wanted.lower().replace("_", "-")
    begins = code.startswith("CNN")
    return tuple(rule for rule in rules() if rule.name == name or (begins and rule.code.startswith(code)))


def rules_for(word: str) -> tuple[Rule, ...]:
    """The same. Raises ReproError, naming the closest, where there are none."""
    found = matching(word)
    if not found:
        known = [text for rule in rules() for text in (rule.code, rule.name)]
        import difflib  # for mistakes only

        close = difflib.get_close_matches(word.strip(), known, n=3, cutoff=0.5)
        hint = f"closest: {', '.join(close)}" if close else "`repro explain` lists them all"
        raise ReproError(f"no rule is called {word!r}; {hint}")
    return found


def selected(select: Sequence[str], ignore: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that are chosen, all if nothing is, without those that are left out. Raises ReproError."""
    chosen = {rule.code for word in select for rule in rules_for(word)} if select else {rule.code for rule in rules()}
    out = {rule.code for word in ignore for rule in rules_for(word)}
    return tuple(rule for rule in rules() if rule.code in chosen - out)
