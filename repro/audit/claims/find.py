"""The claims of a document: what is said, with the network that it is said of, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from repro.audit.claims import printed
from repro.audit.claims.claim import Claim
from repro.audit.claims.comments import Comments, paths
from repro.audit.claims.grammar import STILL, Said, said
from repro.audit.claims.networks import Mention, mentions, only
from repro.audit.claims.passage import Passage, clause
from repro.audit.claims.prose import printed as printed_text
from repro.audit.claims.prose import prose
from repro.audit.program import Program
from repro.audit.source.document import Document

# What stands for the network of the section; "two layers" alone may be anybody's.
_ITSELF = re.compile(
    r"(?:该|这个|此|本|整个|整体)(?:网络|模型|结构)|^\s*(?:网络|模型)|[这那][一二两三四五六七八九]个?\S{0,4}全连接层|它"
    r"|\b(?:the|this|our) (?:whole |entire )?(?:network|model|architecture|net)\b|\bit (?:has|contains|consists|uses)\b"
    r"|^\s*it\b|\bthese (?:two|three) \S+ layers",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"\s*(?P<form>#{1,6} |\d+(?:\.\d+)*[.、．\s)]|[(（][\d一二三四五六七八九十]+[)）]|[一二三四五六七八九十]+、)"
)
_LONGEST_HEADING = 45  # characters
_EQUAL = re.compile(
    r"(?:same as|identical to|equivalent to|equal to|默认的?实现\S{0,3}|与|和|等价于|等同于)\s*(?:the )?(?:official )?"
    r"(?P<name>torchvision(?:\.models)?\.(?P<model>\w+)(?:\(\))?)",
    re.IGNORECASE,
)
_SHAPE = re.compile(r"(?<![\w.x×])(\d{1,4}) ?[x×*,] ?(\d{1,3}) ?[x×*,] ?(\d{1,3})(?![\w.])")


def claims(document: Document, program: Program) -> list[Claim]:
    """What a document says of its networks in numbers, in the order of its lines.

    program: the one that is read of that document. Raises Refusal for a notebook that is none.
    """
    found: list[Claim] = []
    for passage in prose(document, program):
        found += _in_prose(passage)
    for lines in printed_text(document):
        found += printed.found(lines)
    comments = Comments(program)
    for passage in (*comments.docstrings(), *comments.above()):
        found += _beside(passage)
    made_at = paths(program)
    for passage in comments.behind():
        found += _of_a_layer(passage, made_at.get((passage.symbol, passage.line), ""))
    return sorted(dict.fromkeys(found), key=lambda claim: (claim.place.file_line, claim.place.column))


def _in_prose(passage: Passage) -> Iterator[Claim]:
    sections: list[tuple[str, Mention | None]] = []  # that are open: how their headings are numbered, and of what
    latest: list[Mention] = []  # of the last sentence, or heading, that names any
    for start, end in passage.sentences():
        sentence = passage.text[start:end]
        told = mentions(sentence)
        latest = told or latest
        form = _numbered(sentence, told) if passage.begins_a_line(start) else ""
        if form:
            depth = next((index for index, (other, _) in enumerate(sections) if other == form), len(sections))
            sections[depth:] = [(form, (only(told) or replace(told[0], network="")) if told else None)]
            continue
        topic = next((of for _, of in reversed(sections) if of), None)
        if topic and {each.network for each in latest} != {topic.network}:
            topic = None  # since then it was about another one
        for each in said(sentence):
            network = _network(sentence, each, topic)
            if network is not None and network.network:
                yield _claim(passage, start, sentence, each, network.written, network.network)


def _numbered(sentence: str, told: list[Mention]) -> str:
    """How a heading is numbered, or "-" for the name of a network alone; empty for what is no heading."""
    if len(told) == 1 and not re.sub(r"[(（][^()（）]*[)）]|\W", "", sentence.replace(told[0].written, "")):
        return "-"
    found = _HEADING.match(sentence)
    if found is None or len(sentence.strip()) > _LONGEST_HEADING or re.search(r"[，,：:]", sentence):
        return ""
    return re.sub(r"[\d一二三四五六七八九十]+", "0", found["form"].strip())


def _network(sentence: str, each: Said, topic: Mention | None) -> Mention | None:
    """The network that something is said of; None if that cannot be told.

    It is the one behind which it stands in brackets, else the only one of its clause, or of the nearest clause before
    one that speaks of it without a name, else the only one of the sentence, or that of the section.
    """
    told = mentions(sentence)
    before = [mention for mention in told if mention.end <= each.start]
    if before and re.fullmatch(r"\s*[(（][^()（）]*", sentence[before[-1].end : each.start]):
        return before[-1]
    first, last = clause(sentence, each.start, each.end)
    near = [mention for mention in told if first <= mention.start < last]
    if not near and before and STILL.search(sentence[first:last]):
        start, end = clause(sentence, before[-1].start, before[-1].end)
        near = [mention for mention in before if start <= mention.start < end]
    if near or before:
        return only(near or told)
    return topic if _ITSELF.search(sentence[: each.end]) else None


def _beside(passage: Passage) -> Iterator[Claim]:
    """What is said in the docstring or the comment of a class or function: of it, unless of a network by name."""
    for found in _EQUAL.finditer(passage.text):
        place = passage.place(*found.span())
        model = only(mentions(found["model"]))
        text = " ".join(passage.text.split())
        yield Claim(
            "equal",
            found["name"],
            model.network if model else "",
            passage.symbol,
            None,
            place,
            found[0],
            text,
            line=passage.line,
        )
    for start, end in passage.sentences():
        sentence = passage.text[start:end]
        for each in said(sentence):
            told = mentions(sentence)
            network = _network(sentence, each, None)
            if (told and network is None) or (not told and each.kind in ("lrn", "dropouts")):
                continue
            about, key = (network.written, network.network) if network else (passage.symbol, "")
            yield replace(_claim(passage, start, sentence, each, about, key), symbol=passage.symbol, line=passage.line)


def _of_a_layer(passage: Passage, path: str) -> Iterator[Claim]:
    """What is said behind a layer, on its line: the shape that it gives, or how many parameters it has."""
    shape = _SHAPE.findall(passage.text)
    if shape:
        text, place = passage.text.strip(), passage.place(0, len(passage.text.rstrip()))
        sizes = tuple(map(int, shape[-1]))
        words = "x".join(shape[-1])
        claim = Claim("output_shape", passage.symbol, "", passage.symbol, None, place, words, text)
        yield replace(claim, path=path, line=passage.line, shape=sizes)
    for start, end in passage.sentences() if path else ():
        sentence = passage.text[start:end]
        for each in said(sentence):
            if each.kind == "parameters" and not each.layers:
                claim = _claim(passage, start, sentence, each, passage.symbol, "")
                yield replace(claim, symbol=passage.symbol, path=path, line=passage.line)


def _claim(passage: Passage, start: int, sentence: str, each: Said, about: str, network: str) -> Claim:
    """A claim in a sentence that begins at `start`."""
    place = passage.place(start + each.start, start + each.end)
    words = sentence[each.start : each.end]
    return Claim(each.kind, about, network, "", each.quantity, place, words, sentence.strip(), each.layers)
