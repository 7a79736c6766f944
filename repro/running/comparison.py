"""Claims that are no number: shapes beside layers, networks as they print themselves, "the same as torchvision's"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from repro import models
from repro.audit.claims.claim import Claim
from repro.audit.claims.networks import named
from repro.audit.finding import Confidence, Severity, Words

Own = Mapping[str, Sequence[Mapping[str, Any]]]
Catalog = Mapping[str, Mapping[str, Any]]
Told = tuple[bool | None, Words, Severity | None, Confidence | None, str]

_COUNTED = {  # what two networks must have in common to be one, and what it is called
    "parameters": Words("parameters", "参数"),
    "convolutions": Words("convolutions", "卷积"),
    "linears": Words("fully connected layers", "全连接层"),
    "normalisations": Words("batch normalisations", "批归一化"),
    "dropouts": Words("dropouts", "dropout"),
}
_PRINTED = re.compile(r"\s*(?:\((?P<name>[\w-]+)\): )?(?P<kind>\w+)\((?P<arguments>.*?)\)?\s*$")
_SHOWN = 3  # lines that differ
_WIDTH = 80  # characters of each


def shape(claim: Claim, own: Own, _: Catalog) -> Told:
    """A comment with a shape: only that it is so is told here, as CNN311 says of the text where it is not."""
    for each in own.get(claim.symbol, ()):
        for place in (claim.path, str(claim.line)):
            if place and list(claim.shape) in each["outputs"].get(place, ()):
                size = "x".join(map(str, each["input"]))
                told = Words(f"for images of {size} it gives {claim.said}", f"图像为 {size} 时输出为 {claim.said}")
                return True, told, None, None, claim.symbol
    return None, Words("it was not seen there", "运行时没有在那里得到这个形状"), None, None, ""


def repr_(claim: Claim, own: Own, _: Catalog) -> Told:
    """What `print(net)` gave: that of the class of the same name, if there is one."""
    said = [_line(each) for each in claim.printed]
    made = [(symbol, each["repr"].split("\n")) for symbol, found in own.items() for each in found]
    for symbol, lines in made:
        if len(lines) == len(said) and all(map(_agree, said, map(_line, lines))):
            told = Words(
                f"{symbol} prints itself so: {len(said)} lines", f"{symbol} 打印出来正是这样：共 {len(said)} 行"
            )
            return True, told, None, None, symbol
    named_so = [lines for symbol, lines in made if symbol == claim.about]
    if len(named_so) != 1 or claim.place.cell is not None:  # what a cell printed may be a library's of the same name
        told = Words("no network that was built prints itself so", "搭建出来的网络打印出来都不是这样")
        return None, told, None, None, ""
    differ = [
        f"{one.strip()[:_WIDTH]} / {other.strip()[:_WIDTH]}"
        for one, other in zip(claim.printed, named_so[0], strict=False)
        if not _agree(_line(one), _line(other))
    ]
    some = "; ".join(differ[:_SHOWN]) or f"{len(said)} / {len(named_so[0])}"
    told = Words(
        f"{claim.about} prints itself otherwise, printed / measured: {some}",
        f"{claim.about} 打印出来不是这样，文中 / 实测：{some}",
    )
    return False, told, Severity.NOTE, Confidence.MEDIUM, claim.about


def equal(claim: Claim, own: Own, catalog: Catalog) -> Told:
    """That the code is one of torchvision's networks: the counts of both, as the catalog has it."""
    reference = next((name for name, each in models.catalog().items() if _is_it(claim, each.references)), claim.network)
    symbols = [name for name in own if named(name) == claim.network] or [claim.symbol]
    found = [(symbol, each) for symbol in symbols for each in own.get(symbol, ())]
    if reference not in catalog or not found:
        return None, Words("neither of the two was measured", "两者没有都测到"), None, None, ""
    symbol, mine = found[0]
    theirs = catalog[reference]
    differ = {
        name: what
        for name, what in _COUNTED.items()
        if None not in (mine[name], theirs[name]) and mine[name] != theirs[name]
    }
    if not differ:
        told = Words(f"{symbol} has as many layers and parameters", f"{symbol} 的层数和参数量与之相同")
        return None, told, None, None, symbol
    en = ", ".join(f"{mine[name]:,} {what.en} and not {theirs[name]:,}" for name, what in differ.items())
    zh = "，".join(f"{what.zh}为 {mine[name]:,} 而不是 {theirs[name]:,}" for name, what in differ.items())
    told = Words(f"{symbol} here has {en}", f"这里的 {symbol} 的{zh}")
    return False, told, Severity.NOTE, Confidence.MEDIUM, symbol


def _is_it(claim: Claim, references: Sequence[str]) -> bool:
    model = re.sub(r"\(\)$", "", claim.about).rpartition(".")[2]
    return f"torchvision:{model}" in references


def _line(line: str) -> tuple[str, str, Mapping[str, str]]:
    """Name, kind and arguments of a line of a printed module."""
    found = _PRINTED.match(line)
    if found is None:
        return "", line.strip(), {}
    positions = 0
    arguments = {}
    for each in re.split(r",\s*(?![^()]*\))", found["arguments"]):
        name, is_named, value = each.partition("=")
        if each:
            arguments[name if is_named else str(positions)] = value if is_named else name
        positions += not is_named
    return found["name"] or "", found["kind"], arguments


def _agree(one: tuple[str, str, Mapping[str, str]], other: tuple[str, str, Mapping[str, str]]) -> bool:
    """Whether two lines are of one module: what both print is the same. Versions of torch differ in what they print."""
    common = one[2].keys() & other[2].keys()
    return one[:2] == other[:2] and all(one[2][name] == other[2][name] for name in common)


JUDGES: Mapping[str, Callable[[Claim, Own, Catalog], Told]] = {"output_shape": shape, "repr": repr_, "equal": equal}
