"""Pieces of sentences in both languages: layers, poolings, rates and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repro.audit.finding import Words
from repro.running.departures.changes import Change
from repro.running.departures.reading import After, Part

NORM_ZH = {
    "batch normalisation": "批归一化",
    "group normalisation": "组归一化",
    "layer normalisation": "层归一化",
}
_POOL_ZH = {"max": "最大池化", "average": "平均池化"}
UNIT = {"conv": Words("maps", "个通道"), "linear": Words("units", "个单元")}
_PART = {
    "conv": Words("convolution", "卷积层"),
    "linear": Words("fully connected layer", "全连接层"),
    "max": Words("max pooling", "最大池化"),
    "average": Words("average pooling", "平均池化"),
    "add": Words("addition", "加法"),
    "cat": Words("concatenation", "拼接"),
}


def blocks(joins: Sequence[Part]) -> Words:
    plural = "s" if len(joins) > 1 else ""
    if joins[0].kind == "add":
        return Words(f"{len(joins)} residual block{plural}", f"{len(joins)} 个残差块")
    return Words(f"{len(joins)} module{plural}", f"{len(joins)} 个模块")


def layer(part: Part) -> Words:
    if part.kind == "conv":
        groups = f" in {part.groups} groups" if part.groups > 1 else ""
        return Words(
            f"a {by(part.kernel)} convolution with {part.width} maps{groups}",
            f"{by(part.kernel)} 卷积（{part.width} 通道）",
        )
    if part.kind == "linear":
        return Words(f"a fully connected layer with {part.width} units", f"全连接层（{part.width} 个单元）")
    return (
        pooling((part.kind, part.kernel, part.stride))
        if part.kernel
        else _PART.get(part.kind, Words(part.kind, part.kind))
    )


def pooling(window: tuple[Any, ...]) -> Words:
    if window[1] == "whole":
        return Words(f"{window[0]} pooling of the whole map", f"全图{_POOL_ZH[window[0]]}")
    kernel, stride = by(window[1]), by(window[2], "")
    return Words(
        f"{kernel} {window[0]} pooling with stride {stride}", f"{kernel} {_POOL_ZH[window[0]]}（步幅 {stride}）"
    )


def edge(padding: tuple[int, ...], ceil: bool) -> Words:
    amount = by(padding, "")
    if ceil:
        return Words(f"padding {amount} and sizes rounded up", f"填充 {amount} 且尺寸向上取整")
    return Words(f"padding {amount}", f"填充 {amount}")


def by(value: Any, between: str = "x") -> str:
    """`3x3`; without a sign between, `3` of two equal numbers."""
    if not isinstance(value, tuple):
        return str(value)
    if not between:
        return str(value[0]) if len(set(value)) == 1 else str(value)
    return between.join(map(str, value))


def spread(numbers: Sequence[float]) -> str:
    """The least and the largest of several numbers, or the one that they all are."""
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def rates(changes: Sequence[Change], side: str) -> str:
    found = [getattr(change, side) for change in changes]
    return " and ".join(dict.fromkeys(f"{each.detail[0]:g}" for each in found if each is not None))


def constants(one: After, other: After) -> str:
    names = ("n", "alpha/n", "beta", "k")
    told = [f"{n} = {x:g}" for n, x, y in zip(names, one.detail, other.detail, strict=True) if x != y]
    return ", ".join(told)
