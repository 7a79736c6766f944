"""What the papers print: one TOML file a paper, every fact with its locus, and how they are read.

A file has a title, `slips`, and `tables`: facts that stand at one place of the paper, or are of one kind. What a table
says of all of its facts (locus, network, of, status, reason) need not be said by each. `also` names networks that are
not the paper's own, such as one with another head, and the facts that are true of them as well. Facts whose ids have
`words` after the paper's name are said in words where the others are numbers, such as what stands after a convolution.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

from repro.errors import ReproError

# What became of a fact. Of the first four a network can say something. An implied one follows from others that are
# measured, or by arithmetic alone; an unchecked one is of a network that nobody here has built, or has no measure.
# The last two are beyond any network.
STATUSES = ("agrees", "erratum", "convention", "unexplained", "implied", "unchecked", "hyper-parameter", "result")


class LedgerError(ReproError):
    """A file of facts that contradicts itself; the message names the file and the fact."""


@dataclass(frozen=True)
class Fact:
    """One thing that a paper prints.

    id          unique, begins with the paper's name
    paper       file that it is in
    locus       where it stands: section, table, figure; or whose code it is from, where the paper is silent
    network     what the paper calls the network
    quantity    what is printed of it
    printed     as printed; what is said in words (`words` in the id) is told in ours
    value       as a number, a string or a list of them
    each        network of the catalog -> the value for it, of what is printed as a formula such as 3n
    tolerance   the largest distance from the value that the printed precision allows
    status      one of `STATUSES`
    of          the networks of the catalog that it is about
    measure     what confirms it, a name in `repro.measures`; "" if nothing can
    at          where in the network, as the path of a module
    measured    what is found instead, of a fact that does not agree
    reason      why nothing can confirm it
    arithmetic  of a fact that does not agree: what follows from what the paper itself says, or by which convention;
                of one that is implied: how
    by          of a fact that is implied: the ids of the measured facts that it follows from
    """

    id: str
    paper: str
    locus: str
    network: str
    quantity: str
    printed: str
    value: Any
    status: str
    tolerance: float = 0.0
    of: tuple[str, ...] = ()
    measure: str = ""
    at: str = ""
    measured: Any = None
    reason: str = ""
    arithmetic: str = ""
    by: tuple[str, ...] = ()
    each: Mapping[str, Any] = field(default_factory=dict)

    def value_for(self, network: str) -> Any:
        """What it is for a network of the catalog."""
        return self.each.get(network, self.value)


@dataclass(frozen=True)
class Slip:
    """Something that a paper prints wrongly and that is no fact of a network: a name, a caption, a figure's number.

    instead  what it should be, and how one knows
    """

    locus: str
    printed: str
    instead: str


@dataclass(frozen=True)
class Paper:
    """One paper and its facts."""

    name: str
    title: str
    authors: str
    year: int
    identifier: str
    facts: tuple[Fact, ...]
    slips: tuple[Slip, ...] = ()


@functools.cache
def papers() -> Mapping[str, Paper]:
    """Every paper of the ledger by its short name."""
    found = sorted(files(__package__).iterdir(), key=lambda entry: entry.name)
    texts = {file.name: file.read_text(encoding="utf-8") for file in found if file.name.endswith(".toml")}
    read = {name.removesuffix(".toml"): parse(name.removesuffix(".toml"), text) for name, text in texts.items()}
    seen: dict[str, Fact] = {}
    for paper in read.values():
        for fact in paper.facts:
            if fact.id in seen:
                raise LedgerError(f"two facts are called {fact.id!r}; the second is in {paper.name}.toml")
            seen[fact.id] = fact
    for fact in seen.values():
        resolve(fact, seen)
    return read


def resolve(fact: Fact, known: Mapping[str, Fact]) -> None:
    """Raises LedgerError if it is said to follow from a fact that there is not, or that is not measured."""
    for name in fact.by:
        if name not in known or not known[name].measure:
            told = "is not measured" if name in known else "is no fact"
            raise LedgerError(f"{fact.paper}.toml: {fact.id} is implied by {name}, which {told}")


def paper(name: str) -> Paper:
    """The paper with that short name. Raises LedgerError, naming the closest ones."""
    known = papers()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"closest: {', '.join(close)}" if close else f"there are {', '.join(known)}"
        raise LedgerError(f"no paper is called {name!r}; {hint}")
    return known[name]


def parse(name: str, text: str) -> Paper:
    """A paper from the text of its file. Raises LedgerError for a fact that is not whole or contradicts itself."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LedgerError(f"{name}.toml: {error}") from error
    facts = tuple(_shared(name, content.pop("also", []), _facts(name, content.pop("tables", []))))
    try:
        slips = tuple(Slip(**slip) for slip in content.pop("slips", []))
        return Paper(name=name, facts=facts, slips=slips, **content)
    except TypeError as error:
        raise LedgerError(f"{name}.toml: {error}") from error


def _facts(paper: str, tables: list[dict[str, Any]]) -> Iterator[Fact]:
    for table in tables:
        shared = {key: value for key, value in table.items() if key != "facts"}
        for given in table["facts"]:
            content = {**shared, **given}
            try:
                networks = tuple(content.get("of", content.get("each", ())))
                by = tuple(content.get("by", ()))
                fact = Fact(**{**content, "paper": paper, "of": networks, "by": by})
            except TypeError as error:
                raise LedgerError(f"{paper}.toml: {given.get('id', given)}: {error}") from error
            problem = _problem(fact)
            if problem:
                raise LedgerError(f"{paper}.toml: {fact.id}: {problem}")
            yield fact


def _shared(paper: str, also: list[dict[str, Any]], facts: Iterator[Fact]) -> Iterator[Fact]:
    """The facts, of the further networks as well that `also` says they are true of."""
    further: dict[str, list[str]] = {}
    for entry in also:
        for name in entry["facts"]:
            further.setdefault(name, []).append(entry["network"])
    for fact in facts:
        networks = further.pop(fact.id, [])
        if networks and not fact.measure:
            raise LedgerError(f"{paper}.toml: {fact.id} is said to be true of {networks[0]}, and has no measure")
        yield replace(fact, of=(*fact.of, *networks))
    if further:
        raise LedgerError(f"{paper}.toml: there is no fact {next(iter(further))!r} to be true of a further network")


def _problem(fact: Fact) -> str:
    """What is wrong with a fact, "" if nothing is."""
    if not fact.id.startswith(f"{fact.paper}."):
        return f"its id does not begin with {fact.paper}."
    if fact.status not in STATUSES:
        return f"its status is {fact.status!r}; expected one of {', '.join(STATUSES)}"
    if bool(fact.measure) == bool(fact.reason):
        return "expected either a measure, or a reason why there is none"
    if fact.measure and not fact.of:
        return "it has a measure, and names no network of the catalog"
    if fact.measure and fact.status in ("implied", "unchecked", "hyper-parameter", "result"):
        return f"it is {fact.status}, and has a measure"
    if fact.status == "agrees" and not fact.measure:
        return "it is said to agree, and is not measured; expected implied or unchecked"
    if fact.each and set(fact.each) != set(fact.of):
        return "it has values for other networks than it is about"
    if fact.by and fact.status != "implied":
        return f"it is {fact.status}, and follows from nothing"
    if fact.status in ("erratum", "convention", "unexplained"):
        if not fact.arithmetic:
            return f"it is {fact.status}, and has no arithmetic"
        if fact.measure and fact.measured is None:
            return f"it is {fact.status}, and does not say what is measured"
    elif fact.status == "implied":
        if not fact.by and not fact.arithmetic:
            return "it is implied, and names neither facts nor arithmetic"
    elif fact.measured is not None or fact.arithmetic:
        return f"its status is {fact.status}, so there is nothing else to be measured or reckoned"
    return ""
