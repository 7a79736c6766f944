"""The numbers that a claim may mean, and a sentence that says what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repro.audit.claims.claim import UNITS, Claim
from repro.audit.finding import Words
from repro.papers import Fact, papers

_BYTES = 4  # of a 32-bit number
_ROUGH = 0.1  # how far counts of operations differ by what is counted: biases, poolings, padding


def numbers(claim: Claim, measured: Mapping[str, Any]) -> list[float]:
    """What a claim's number may be of one network, however it is counted; none where that was not measured."""
    of = measured
    match claim.kind:
        case "parameters" | "size":
            each = _BYTES if claim.kind == "size" else 1
            return [each * count for count in _parameters(claim, of)]
        case "layers":
            weighted = of["convolutions"] + of["linears"]
            # arXiv:1605.07146 counts the convolutions, those of three shortcuts too, and no linear layer: WRN-40
            counts = [of["depth"], of["depth"] + of["pools"], weighted, of["convolutions"]]
            return counts if of["depth"] else []
        case "convolutions":
            ways = {of["convolutions"], of["convolutions_on_the_way"]}
            return sorted(ways | {each - of["full_windows"] for each in ways})
        case "fully_connected":
            return sorted({of["linears"], of["linears"] + of["full_windows"]})
        case "multiply_adds":
            assert claim.quantity is not None
            counts = [of["multiply_adds"], 2 * of["multiply_adds"]]  # a multiply-add is two operations to some
            said = claim.quantity.value
            return [said if abs(count - said) <= _ROUGH * said else count for count in counts]
        case "dropouts" | "lrn":
            return [] if of[claim.kind] is None else [of[claim.kind]]
    raise AssertionError(f"{claim.kind} is no number")


def _parameters(claim: Claim, of: Mapping[str, Any]) -> list[int]:
    if claim.path:
        return [of["layers"][claim.path]] if claim.path in of.get("layers", {}) else []
    if claim.layers:
        largest = sorted(of["linear_parameters"], reverse=True)[: claim.layers]
        return [sum(largest)] if len(largest) == claim.layers else []
    return [of["parameters"], of["parameters_read"]]


def told(claim: Claim, here: Mapping[str, Mapping[str, Any]], published: Mapping[str, Mapping[str, Any]]) -> Words:
    """What was measured: of the document's network, and of the catalog's.

    here, published: name -> what was measured; at most one of each
    """
    said = [(Words(f"{name} here", f"这里的 {name}"), each) for name, each in here.items()]
    said += [(Words(f"the paper's {name}", f"论文的 {name}"), each) for name, each in published.items()]
    sentences = [_sentence(claim, *each) for each in said]
    printed = _printed(claim) if published else None
    if printed:
        sentences.append(printed)
    return Words("; ".join(each.en for each in sentences), "；".join(each.zh for each in sentences))


def _sentence(claim: Claim, name: Words, of: Mapping[str, Any]) -> Words:
    """`X has 8 layers with weights`, of whatever the claim is about."""
    en, zh = name.en, name.zh
    match claim.kind:
        case "parameters" | "size":
            count = next(iter(_parameters(claim, of)), None)
            if count is None:
                return Words(f"{en} has no such layers", f"{zh} 没有这样的层")
            whose, aside = _whose(claim), _aside(claim, of)
            amount = Words(f"{count:,} parameters{whose.en}{aside.en}", f"{whose.zh}共 {count:,} 个参数{aside.zh}")
            if claim.kind == "size":
                bytes_ = _BYTES * count
                mega, mebi = (bytes_ / unit for unit in UNITS["MB"])
                size = f"{mega:,.0f} MB ({mebi:,.0f} MiB)"
                every = of["linear_parameters"]
                rest = _BYTES * sum(every) / UNITS["MB"][0]
                en_all = (
                    f", all {len(every)} fully connected layers {rest:,.0f} MB" if 0 < claim.layers < len(every) else ""
                )
                zh_all = f"，全部 {len(every)} 个全连接层为 {rest:,.0f} MB" if en_all else ""
                return Words(
                    f"{en} has {amount.en}, {size} in fp32{en_all}", f"{zh} {amount.zh}，fp32 下为 {size}{zh_all}"
                )
            return Words(f"{en} has {amount.en}", f"{zh} {amount.zh}")
        case "layers" | "convolutions" | "fully_connected":
            kinds = of["convolutions"], of["linears"]
            return Words(
                f"{en} has {of['depth']} layers with weights on its longest way, "
                f"{kinds[0]} convolutions and {kinds[1]} fully connected layers in all",
                f"{zh} 最长的一路上有 {of['depth']} 个带权重的层，共有 {kinds[0]} 个卷积和 {kinds[1]} 个全连接层",
            )
        case "dropouts":
            return Words(f"{en} has {of['dropouts']} dropouts", f"{zh} 有 {of['dropouts']} 个 dropout")
        case "lrn":
            lrn = of["lrn"]
            return Words(f"{en} has {lrn or 'no'} local response normalisations", f"{zh} 有 {lrn} 个局部响应归一化")
        case "multiply_adds":
            giga, size = of["multiply_adds"] / 1e9, "x".join(map(str, of["input"]))
            return Words(f"{en} has {giga:.2f} G multiply-adds at {size}", f"{zh} 在 {size} 下为 {giga:.2f} G 次乘加")
    raise AssertionError(f"{claim.kind} is no number")


def _whose(claim: Claim) -> Words:
    if claim.path:
        return Words(f" in {claim.path}", f"的 {claim.path} ")
    if claim.layers:
        return Words(f" in its {claim.layers} largest fully connected layers", f"最大的 {claim.layers} 个全连接层")
    return Words("", "")


def _aside(claim: Claim, of: Mapping[str, Any]) -> Words:
    """How many there are without what is for training alone."""
    read = of["parameters_read"]
    if claim.path or claim.layers or read == of["parameters"]:
        return Words("", "")
    return Words(f" ({read:,} without its auxiliary heads)", f"（不含辅助分类器为 {read:,} 个）")


def _printed(claim: Claim) -> Words | None:
    """Where a paper prints the same number: what is repeated may be its slip."""
    fact = next((each for each in _facts(claim) if claim.quantity and claim.quantity.covers(each.value)), None)
    if fact is None:
        return None
    title = papers()[fact.paper].title
    locus = f"section {fact.locus}" if fact.locus[:1].isdigit() else fact.locus
    return Words(f'"{title}", {locus}, prints {fact.printed}', f"《{title}》{locus} 印的是 {fact.printed}")


def _facts(claim: Claim) -> list[Fact]:
    quantity = {"parameters": "parameters", "multiply_adds": "multiply-adds"}.get(claim.kind)
    return [
        fact
        for paper in papers().values()
        for fact in paper.facts
        if fact.quantity == quantity
        and claim.network in fact.of
        and not fact.at
        and isinstance(fact.value, int | float)
    ]
