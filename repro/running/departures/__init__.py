"""Where the network of a tutorial departs from the paper's, in words that a teacher would use, and how bad that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repro import models
from repro.audit.finding import Confidence, Severity, Words
from repro.graph import Graph
from repro.identity import Identity
from repro.names import keeps
from repro.references import Size
from repro.running.departures.catalog import counterpart
from repro.running.departures.changes import STRUCTURAL, changes
from repro.running.departures.grouping import Cause, causes
from repro.running.departures.judging import Court
from repro.running.departures.misnamed import misnamed
from repro.running.departures.names import locus, named, title, titled
from repro.running.departures.pairing import distance, pairs
from repro.running.departures.reading import Part, read
from repro.running.departures.words import Teller

_MEASURES = {
    "width": ("filters", "sequence", "convolutions", "every_convolution", "units", "classifier", "weight_shape"),
    "kernel": ("window", "sequence", "convolutions", "every_convolution", "distinct_kernels", "weight_shape"),
    "stride": ("strides", "window"),
    "groups": ("groups", "convolutions"),
    "padding": ("padding", "distinct_paddings"),
    "lrn": ("lrn",),
    "dropout": ("dropouts", "classifier"),
    "activation": ("after_convolutions", "after_layers", "after_additions", "after_normalisations"),
    "bare": ("after_normalisations", "after_layers"),
    "norm": ("after_convolutions", "normalisations"),
    "epsilon": ("normalisations",),
    "pool": ("pools", "ending", "distinct_pools"),
    "edge": ("pool_edges",),
    "missing": ("sequence", "convolutions", "depth"),
    "missing addition": ("additions",),
    "missing branch": ("convolutions", "branches", "depth"),
    "extra branch": ("branches", "sequence"),
    "auxiliary": ("order_of_outputs",),
}

_MADE = frozenset({"width", "kernel", "stride", "padding", "groups", "pool", "edge", "extra", "widths", "scale"})
_OPTIONAL = ("lrn", "dropout", "activation", "norm")  # what a layer may have or not: a paper says where it is


@dataclass(frozen=True)
class Departure:
    """One thing in which a network is not the paper's.

    kind        width, kernel, stride, padding, groups, bias, norm, epsilon, activation, bare (neither normalisation nor
                activation), dropout, lrn, softmax, pool, edge, branches, scale, widths, v1.5, auxiliary, projection,
                missing, extra, missing branch, extra branch, missing addition, extra addition
    words       what it is
    where       file and line that called for it; empty if the program has nothing there
    count       places
    locus       where the paper says what it should be; empty if no paper does
    compared_to the network of the catalog
    paths       of the modules that were made otherwise; none where something else is done with what they give
    """

    kind: str
    words: Words
    severity: Severity
    confidence: Confidence
    where: str
    count: int
    locus: str
    compared_to: str
    paths: tuple[str, ...] = ()


def departures(graph: Graph, identity: Identity, claim: str = "") -> tuple[Departure, ...]:
    """What is different in a network from the one that it is nearest to, in the order of the data.

    graph: traced in train mode for images of `identity.input_size`; in eval mode where train mode fails, which shows no
    dropout and no auxiliary classifier. claim: the network that its name says; it is compared with that one if that is
    nearer. Empty of a network that is exactly its nearest, and of one that is near none and claims none.
    """
    if identity.variant and identity.distance == 0:
        return ()
    here = read(graph)
    near = [identity.variant, claim]
    if claim and not identity.variant:  # the tutorials' LeNet is not the one of 1998
        near += [name for name in models.catalog() if keeps(claim, name)]
    found: list[tuple[tuple[int, float], str, Sequence[Part]]] = []
    for name in filter(None, dict.fromkeys(near)):
        there = counterpart(name, identity.input_size, identity.classes, graph.training)
        if there:
            paired = pairs(here, there)
            other = sum(change.kind in STRUCTURAL for change in changes(here, there, paired))
            found.append(((other, distance(here, there, paired)), name, there))
    if not here or not found:
        return ()
    _, variant, there = min(found, key=lambda each: each[0])
    told = causes(changes(here, there, pairs(here, there)), here, there)
    court = Court(there, told, bool(claim) and keeps(claim, variant))
    teller = Teller(here, there, {id(p): p.path for p in here}, named(there), title(variant))
    return tuple(_departure(cause, court, teller, variant) for cause in told)


def structural(graph: Graph, identity: Identity, name: str) -> int | None:
    """How many layers are other ones than in a network of the catalog or of a library; None if it is not to be had.

    graph: as for `departures`. What is only done with their values, such as a normalisation, does not count.
    """
    here, there = read(graph), counterpart(name, identity.input_size, identity.classes, graph.training)
    if not there:
        return None
    return sum(change.kind in STRUCTURAL for change in changes(here, there, pairs(here, there)))


def _departure(cause: Cause, court: Court, teller: Teller, variant: str) -> Departure:
    severity, confidence = court.judge(cause)
    first = cause.changes[0]
    where = next((change.here.where for change in cause.changes if change.here is not None), "")
    is_printed = cause.kind in _MEASURES and (cause.kind not in _OPTIONAL or any(c.expected for c in cause.changes))
    source = locus(variant, first.there, _MEASURES[cause.kind]) if is_printed else ""
    count = len({id(part) for part in cause.parts})
    words = teller.words(cause)
    if source:
        words = Words(f"{words.en} ({source})", f"{words.zh}（{source}）")
    paths = tuple(change.here.path for change in cause.changes if change.here is not None and cause.kind in _MADE)
    return Departure(cause.kind, words, severity, confidence, where, count, source, variant, paths)


def told(identity: Identity, found: Sequence[Departure]) -> Words:
    """What a network is, in one phrase; found: its departures."""
    name = found[0].compared_to if found else identity.variant
    if not name:
        return Words("none of the networks of the catalog, nor near one", "不是目录中的任何网络，也不接近其中之一")
    proper, count = titled(name), len(found)
    base = Words(f"{proper.en} ({name})", f"{proper.zh}（{name}）")
    if name in models.catalog():
        base = _adapted(base, identity, models.get(name).input_size)
    if identity.variant == name and identity.distance == 0:
        return Words(f"{base.en}, exactly", f"就是 {base.zh}")
    if not count:
        return Words(
            f"{base.en}, but for {identity.distance} operations", f"{base.zh}，仅 {identity.distance} 个运算不同"
        )
    plural = "s" if count > 1 else ""
    return Words(f"{base.en}, with {count} departure{plural}", f"{base.zh}，有 {count} 处不同")


def _adapted(base: Words, identity: Identity, made_for: Size) -> Words:
    """With the images that it takes, where the network was made for larger ones or for others than grey or colour."""
    channels, side, _ = identity.input_size
    smaller, fewer = side < made_for[1] - 32, channels != made_for[0]
    if not smaller and not fewer:
        return base
    en = f"{side}x{side} images" if smaller else "images"
    zh = f"{side}x{side}" if smaller else ""
    if fewer:
        en += " of one channel" if channels == 1 else f" of {channels} channels"
        zh += f"{'的' if zh else ''}{'单' if channels == 1 else channels}通道"
    return Words(f"{base.en} adapted to {en}", f"改为处理{zh}图像的 {base.zh}")


__all__ = ["Departure", "departures", "misnamed", "structural", "told"]
