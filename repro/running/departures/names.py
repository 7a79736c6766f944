"""What parts and networks are called: by the paper's names, which the modules of the catalog have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from repro import models, papers
from repro.audit.finding import Words
from repro.running.departures.reading import POOLS, Part

_SHOWN = 3  # places by name, before the others are counted
_KINDS = {
    "conv": Words("convolutions", "个卷积层"),
    "linear": Words("fully connected layers", "个全连接层"),
    "max": Words("max poolings", "个最大池化"),
    "average": Words("average poolings", "个平均池化"),
    "add": Words("additions", "个加法"),
    "cat": Words("concatenations", "个拼接"),
}
_PROPER = re.compile(r"(?:The )?((?:Pre-activation )?(?:Network in Network|[A-Z][\w-]*(?: v[\d.]+)?))")
_BN = re.compile(r"_bn(?:_|$)")


def title(variant: str) -> str:
    """The proper name of a network of the catalog: `VGG-16`, `ResNet-50 v1.5`; of a library, its name there."""
    if variant not in models.catalog():
        return variant.rpartition(":")[2]
    found = _PROPER.match(models.get(variant).summary)
    return found[1] if found else variant


def titled(variant: str) -> Words:
    """The proper name, with the batch normalisation that is in the name of the catalog and in none of the paper's."""
    name = title(variant)
    if _BN.search(variant) and "BN" not in name:
        return Words(f"{name} with batch normalisation", f"带批归一化的 {name}")
    return Words(name, name)


def locus(variant: str, part: Part | None, measures: Sequence[str]) -> str:
    """Where the paper says what a network has: of the facts that are so measured, the one about that place."""
    found: dict[bool, str] = {}
    own = models.get(variant).paper if variant in models.catalog() else ""
    for each in papers.papers().values():
        if own.startswith("arXiv") and each.identifier not in own:  # that of batch normalisation says things of VGG too
            continue
        for fact in each.facts:
            if fact.measure not in measures or variant not in fact.of:
                continue
            inside = part is not None and any(at and _within(part.path, at) for at in fact.at.split())
            if inside or not fact.at or part is None:
                found.setdefault(inside, f"{each.identifier}, {'section ' * fact.locus[:1].isdigit()}{fact.locus}")
    return found[max(found)] if found else ""


def _within(path: str, at: str) -> bool:
    return path == at or path.startswith(f"{at}.")


def named(parts: Sequence[Part]) -> dict[int, str]:
    """id of a part -> what it is called. The convolutions of VGG, which the paper numbers, are `conv3_2`.

    A pooling module that is used several times has the number of the layer before it, as in Caffe's files: `pool5`.
    """
    found: dict[int, str] = {}
    block, number = "", 0
    pools = Counter(part.path for part in parts if part.kind in POOLS)
    last = ""
    for part in parts:
        path = part.path.removeprefix("backbone.")
        inside = re.fullmatch(r"blocks\.(\d+)\.\d+", path)
        if inside and part.kind == "conv":
            number = number + 1 if inside[1] == block else 1
            block = inside[1]
            path = f"conv{int(block) + 1}_{number}"
        elif inside and part.kind in POOLS:
            path = f"pool{int(inside[1]) + 1}"
        elif part.kind in POOLS and pools[part.path] > 1 and (number_before := re.search(r"\d+", last)):
            path = f"{path}{number_before[0]}"
        last = last if part.kind in POOLS else path
        found[id(part)] = plain(path)
    return found


def plain(path: str) -> str:
    """The path of a layer without what only says that its normalisation and activation are in one module with it."""
    return re.sub(
        r"(\.conv|(?<=^conv1)\.0|(?<=^conv2)\.0|(?<=_reduce)\.0|(?<=branch1x1)\.0|(?<=[a-z_0-9]\.\d)\.0)$",
        "",
        path.removeprefix("backbone."),
    )


def role(part: Part) -> str:
    """What the same part of every block has in common: its path without the number of the stage and of the block."""
    stage, *rest = part.path.removeprefix("backbone.").split(".")
    if rest and rest[0].isdigit() and len(rest) > 1 and not stage.startswith("module_"):
        rest = rest[1:]
    return ".".join([part.kind, re.sub(r"[0-9]+[a-z]?(?=_|$)", "", stage), *rest])


def places(parts: Sequence[Part], every: Sequence[Part], names: dict[int, str]) -> Words:
    """Where something is: the parts by name, or counted where they are many.

    every: the parts of the network that the names are of.
    """
    told = list(dict.fromkeys(names.get(id(part)) or part.path or part.kind for part in parts))
    kinds = {part.kind for part in parts}
    if len(told) <= _SHOWN:
        return _listed(told)
    if len(kinds) > 1 or not kinds <= _KINDS.keys():
        return Words(
            f"{', '.join(told[:_SHOWN])} and {len(told) - _SHOWN} more", f"{'、'.join(told[:_SHOWN])} 等 {len(told)} 处"
        )
    kind = _KINDS[next(iter(kinds))]
    total = sum(part.kind in kinds and not part.beside for part in every)
    if len(parts) >= total:
        return Words(f"all {len(parts)} {kind.en}", f"全部 {len(parts)} {kind.zh}")
    return Words(
        f"{len(parts)} of {total} {kind.en} ({told[0]} first)",
        f"{total} {kind.zh}中的 {len(parts)} 个（首先是 {told[0]}）",
    )


def _listed(told: Sequence[str]) -> Words:
    if len(told) == 1:
        return Words(told[0], told[0])
    return Words(f"{', '.join(told[:-1])} and {told[-1]}", f"{'、'.join(told[:-1])} 和 {told[-1]}")
