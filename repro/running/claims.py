"""Whether what a document says of networks is so: its claims against what was measured of its own and of the papers'.

Two things may be meant by a name: the network of the paper, and the code beside the words. A number is false where it
is true of neither. What a network is made of is told, too, where it is true of the paper and not of the code that goes
by the same name.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from repro.audit.claims.claim import Claim, Quantity
from repro.audit.claims.networks import named, variants
from repro.audit.finding import Confidence, Severity, Words
from repro.running import comparison, words

Measured = Mapping[str, Any]
_STRUCTURE = frozenset({"layers", "convolutions", "fully_connected", "dropouts", "lrn"})
_LAYERS_BY_TASTE = frozenset({"lenet5"})  # the paper counts subsampling and the RBF units (1998, section II.B), few do


@dataclass(frozen=True)
class Verdict:
    """What is said of one claim.

    holds       None where nothing that was measured decides it
    words       the number that was measured, and of what
    severity    of the finding that a false claim is; None of what is none
    symbol      the class or function of the document that it was held against; empty if none was
    evidence    the numbers, in JSON types
    """

    claim: Claim
    holds: bool | None
    words: Words
    severity: Severity | None = None
    confidence: Confidence | None = None
    symbol: str = ""
    evidence: Mapping[str, Any] | None = None


def verdicts(claims: Iterable[Claim], own: Mapping[str, Sequence[Measured]]) -> list[Verdict]:
    """One for each claim, in their order.

    own: class or function of the document -> what `measured` and `printed` of repro.running.measured returned for each
    network that was built of it, in one dict. Raises KeyError, TypeError or ValueError for what they did not return.
    """
    return [_verdict(claim, own) for claim in claims]


@functools.cache
def published() -> Mapping[str, Measured]:
    """What was measured of the networks of the catalog: to trace all of them takes a minute."""
    found: dict[str, Measured] = json.loads(files("repro").joinpath("measured.json").read_text("ascii"))
    return found


def _verdict(claim: Claim, own: Mapping[str, Sequence[Measured]]) -> Verdict:
    if claim.kind in comparison.JUDGES:
        return Verdict(claim, *comparison.JUDGES[claim.kind](claim, own, published()))
    assert claim.quantity is not None
    if not claim.about:  # a total that was printed: of which network, nobody says
        return _total(claim, claim.quantity, own)
    here = _here(claim, own)
    papers = [] if claim.path else variants(claim.network)
    of_code = {
        symbol: [_holds(claim, claim.quantity, each) for each in found] for symbol, found in here.items() if found
    }
    symbol = next((name for name, held in of_code.items() if True in held), next(iter(of_code), ""))
    code = _either([each for held in of_code.values() for each in held])
    paper = _either([_holds(claim, claim.quantity, published()[name]) for name in papers])
    if claim.kind in _STRUCTURE - {"dropouts", "lrn"} and claim.network in _LAYERS_BY_TASTE and not paper:
        paper = None
    shown = {name: _shown(claim, here[name]) for name in [symbol] if name}
    told = words.told(claim, shown, {name: published()[name] for name in papers[:1]})
    evidence = {"said": claim.quantity.value, "code": code, "paper": paper}
    holds, severity, confidence = _weighed(claim, code, paper)
    return Verdict(claim, holds, told, severity, confidence, symbol, evidence)


def _weighed(
    claim: Claim, code: bool | None, paper: bool | None
) -> tuple[bool | None, Severity | None, Confidence | None]:
    """Whether it holds, and what it is worth where it does not."""
    if code is False and paper and claim.kind in _STRUCTURE:
        return False, Severity.NOTE, Confidence.MEDIUM  # true of the paper; the code under that name is another
    if code or paper:
        return True, None, None
    if code is False and paper is None and claim.network:
        return None, None, None  # of a network of which nobody has measured that
    if code is False:
        return False, Severity.BUG, Confidence.HIGH if claim.symbol and paper is False else Confidence.MEDIUM
    if paper is False:
        return False, Severity.NOTE, Confidence.HIGH
    return None, None, None


def _here(claim: Claim, own: Mapping[str, Sequence[Measured]]) -> dict[str, Sequence[Measured]]:
    """The document's networks that it is about: that which it stands beside, or all that are called so."""
    if claim.symbol:
        name = named(claim.symbol)
        fits = not claim.network or not name or name in variants(claim.network)
        return {claim.symbol: own[claim.symbol]} if fits and claim.symbol in own else {}
    return {symbol: each for symbol, each in own.items() if claim.network and named(symbol) == claim.network}


def _holds(claim: Claim, quantity: Quantity, measured: Measured) -> bool | None:
    """Whether it is so of one network, in one of the ways in which people count; None where that is not known."""
    ways = words.numbers(claim, measured)
    return any(map(quantity.covers, ways)) if ways else None


def _either(held: Sequence[bool | None]) -> bool | None:
    known = [each for each in held if each is not None]
    return any(known) if known else None


def _shown(claim: Claim, found: Sequence[Measured]) -> Measured:
    """Of several that were built, that of which it holds."""
    assert claim.quantity is not None
    return next((each for each in found if _holds(claim, claim.quantity, each)), found[0])


def _total(claim: Claim, quantity: Quantity, own: Mapping[str, Sequence[Measured]]) -> Verdict:
    """A total that a program printed; it may be of a network that was built with other arguments."""
    for symbol, found in own.items():
        for each in found:
            if _holds(claim, quantity, each):
                told = words.told(claim, {symbol: each}, {})
                return Verdict(claim, True, told, symbol=symbol, evidence={"said": quantity.value})
    unknown = Words(f"no network that was built has {claim.said}", f"搭建出来的网络中没有符合“{claim.said}”的")
    return Verdict(claim, None, unknown, evidence={"said": quantity.value})
