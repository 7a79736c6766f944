"""A network whose name says one thing and which is another: what it is, what it should be, and the difference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from repro import papers
from repro.audit.finding import Words
from repro.identity import Identity
from repro.running.departures.catalog import counterpart
from repro.running.departures.names import named, titled
from repro.running.departures.reading import WEIGHTED, Part

_LISTED = 6  # layers by name: where more differ the networks are of other families, and their names say that
_BLOCK = re.compile(r"(.+?)\.(\d+)(?:\.|$)")


def misnamed(claim: str, identity: Identity) -> Words:
    """Say what a network is whose name says another one: claim, a network of the catalog or of a library."""
    is_one, says = _introduced(identity.variant), _introduced(claim)
    there, claimed = (counterpart(name, identity.input_size, identity.classes) for name in (identity.variant, claim))
    told = [*_blocks(there, claimed), *_layers(there, claimed)]
    head = Words(f"this is {is_one.en}; its name says {says.en}", f"这是 {is_one.zh}，而名称说的是 {says.zh}")
    if not told:
        return head
    return Words(f"{head.en}: {', '.join(x.en for x in told)}", f"{head.zh}：{'，'.join(x.zh for x in told)}")


def _introduced(variant: str) -> Words:
    """By its proper name, and by the letter of the configuration where the paper gives it one (VGG, Table 1)."""
    name = titled(variant)
    letter = _configuration(variant)
    if not letter:
        return name
    return Words(f"{name.en}, configuration {letter}", f"{name.zh}（配置 {letter}）")


def _configuration(variant: str) -> str:
    plain = re.sub(r"_(?:bn|cifar|dense)", "", variant)
    for paper in papers.papers().values():
        for fact in paper.facts:
            found = re.search(r"-([A-Z](?:-LRN)?)$", fact.network)
            if found and fact.of[:1] == (plain,) and "configuration" in fact.quantity:
                return found[1]
    return ""


def _blocks(there: Sequence[Part], claimed: Sequence[Part]) -> list[Words]:
    """Stages with other numbers of blocks, and blocks that are built of other layers."""
    one, other = _counted(there), _counted(claimed)
    kinds = [_kernels(parts) for parts in (there, claimed)]
    if other and not one:
        return [Words("its blocks have no shortcuts", "它的块没有捷径连接")]
    told: list[Words] = []
    if kinds[0] and kinds[1] and kinds[0] != kinds[1]:
        told.append(
            Words(
                f"its blocks are of {kinds[0]} convolutions, those of the other of {kinds[1]}",
                f"它的残差块由 {kinds[0]} 卷积组成，后者由 {kinds[1]} 组成",
            )
        )
    for stage in other:
        count = other[stage] - one.get(stage, 0)
        if count:
            has, number = one.get(stage, 0), abs(count)
            verb = f"{'is' if number == 1 else 'are'} {'missing' if count > 0 else 'extra'}"
            en = f"{number} block{'s' if number > 1 else ''} of {stage} {verb} ({has} instead of {other[stage]})"
            zh = f"{stage} {'少' if count > 0 else '多'} {number} 个块（{has} 个，应为 {other[stage]} 个）"
            told.append(Words(en, zh))
    return told


def _counted(parts: Sequence[Part]) -> Mapping[str, int]:
    """Residual blocks of each stage."""
    found = (_BLOCK.match(part.path.removeprefix("backbone.")) for part in parts if part.kind == "add")
    return Counter(match[1] for match in found if match)


def _kernels(parts: Sequence[Part]) -> str:
    """The kernels of the convolutions of the second residual block, which has no projection."""
    blocks = list(dict.fromkeys(part.path for part in parts if part.kind == "add"))
    if len(blocks) < 2:
        return ""
    inside = [part for part in parts if part.kind == "conv" and part.path.startswith(f"{blocks[1]}.")]
    return ", ".join("x".join(map(str, part.kernel)) for part in inside)


def _layers(there: Sequence[Part], claimed: Sequence[Part]) -> list[Words]:
    """Layers outside of blocks that only one of the two has."""
    one, other = (_weighted(parts) for parts in (there, claimed))
    missing, extra = [name for name in other if name not in one], [name for name in one if name not in other]
    if max(len(missing), len(extra)) > _LISTED:
        return []
    told = []
    for names, en, zh in ((missing, "missing", "缺少"), (extra, "extra", "多出")):
        if names:
            listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
            verb = "is" if len(names) == 1 else "are"
            told.append(Words(f"{listed} {verb} {en}", f"{zh} {'、'.join(names)}"))
    return told


def _weighted(parts: Sequence[Part]) -> list[str]:
    called = named(parts)
    blocks = tuple(f"{part.path}." for part in parts if part.kind == "add")
    return [
        called[id(part)]
        for part in parts
        if part.kind in WEIGHTED and not part.beside and not part.path.startswith(blocks or ("\0",))
    ]
