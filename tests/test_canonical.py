"""Each rewrite: programs it makes equal, near misses it must keep apart, and that nothing unequal is called equal."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro import canonical as module_under_test
from repro import fill
from repro.canonical import canonical
from repro.graph import Graph, trace
from repro.mapping import KeyMap, key_map, match

Shape = tuple[int, ...]
Forward = Callable[..., Any]

REWRITES = sorted({rule.__name__ for rules in module_under_test._REWRITES.values() for rule in rules})


class Program(nn.Module):
    """A forward given as a function of the module and its input, with parameters and buffers by shape.

    A name that ends in an underscore is a buffer; one that starts with `var` holds positive numbers.
    """

    def __init__(self, forward: Forward, **shapes: Shape) -> None:
        super().__init__()
        self.run = forward
        for name, shape in shapes.items():
            low = 0.5 if name.startswith("var") else -1.0
            value = fill.uniform(name, shape, low, low + 2.0).double()
            if name.endswith("_"):
                self.register_buffer(name, value)
            else:
                self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, x)


@dataclass(frozen=True)
class Pair:
    """Two programs for an input of one shape; `shapes` are of both, unless the second has its own."""

    rewrite: str
    name: str
    one: Forward
    other: Forward
    shape: Shape
    shapes: dict[str, Shape] = field(default_factory=dict)
    others: dict[str, Shape] | None = None
    training: bool = False

    def modules(self) -> tuple[Program, Program]:
        others = self.shapes if self.others is None else self.others
        first, second = Program(self.one, **self.shapes), Program(self.other, **others)
        return first.train(self.training), second.train(self.training)

    def __str__(self) -> str:
        return f"{self.rewrite}: {self.name}"


@functools.cache
def traced(pair_number: int, near: bool) -> tuple[Graph, Graph]:
    pair = (NEAR if near else EQUAL)[pair_number]
    x = torch.empty(pair.shape, dtype=torch.float64)
    one, other = pair.modules()
    return trace(one, x, training=pair.training), trace(other, x, training=pair.training)


def matched(pair_number: int, *, near: bool = False) -> KeyMap | None:
    """The key map of a pair's canonical forms, or None if they do not match."""
    one, other = (canonical(graph) for graph in traced(pair_number, near))
    matching = match(one, other)
    return None if matching is None else key_map(one, other, matching)


def outputs(module: nn.Module, shape: Shape) -> list[torch.Tensor]:
    x = fill.uniform("input", shape, -1.5, 2.0).double()
    torch.manual_seed(0)
    with torch.no_grad():
        result = module(x)
    return [leaf.double() for leaf in torch.utils._pytree.tree_leaves(result)]


def same(ones: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return len(ones) == len(others) and all(
        one.shape == other.shape and torch.allclose(one, other, rtol=1e-10, atol=1e-10)
        for one, other in zip(ones, others, strict=True)
    )


def partly_overwritten(count: int) -> Forward:
    def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y[:count] = x[:count].relu()
        return y

    return forward


def copied_into(dtype: torch.dtype) -> Forward:
    def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
        y = torch.empty_like(x, dtype=dtype)
        y.copy_(x)
        return y.double()

    return forward


def batch_norm(*, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Forward:
    return lambda m, x: F.batch_norm(x, m.mean_, m.var_, m.w, m.b, training, momentum, eps)


NORM = {"mean_": (4,), "var_": (4,), "w": (4,), "b": (4,)}
IMAGES = (2, 4, 6, 6)

EQUAL = [
    Pair("views_are_movements", "transpose, permute", lambda _, x: x.transpose(1, 2), lambda _, x: x.mT, (2, 3, 4)),
    Pair("views_are_movements", "chunk, slice", lambda _, x: x.chunk(2, 1)[1], lambda _, x: x[:, 2:], (2, 4, 3)),
    Pair("views_are_movements", "squeeze, select", lambda _, x: x[:, 1:2].squeeze(1), lambda _, x: x[:, 1], (2, 3)),
    Pair("views_are_movements", "flatten, view", lambda _, x: x.flatten(1), lambda _, x: x.view(len(x), -1), IMAGES),
    Pair("views_are_movements", "split, unbind", lambda _, x: x.split(1, 1)[2][:, 0], lambda _, x: x.unbind(1)[2], IMAGES),
    Pair("copies_are_nothing", "clone", lambda _, x: x.clone().relu(), lambda _, x: x.relu(), (2, 3)),
    Pair("copies_are_nothing", "contiguous", lambda _, x: x.mT.contiguous(), lambda _, x: x.mT, (2, 3)),
    Pair("copies_are_nothing", "in place", lambda _, x: x.detach().clone().relu_(), lambda _, x: x.relu(), (2, 3)),
    Pair(
        "copies_are_nothing",
        "memory format",
        lambda _, x: x.to(memory_format=torch.channels_last).flatten(1),
        lambda _, x: x.flatten(1),
        IMAGES,
    ),
    Pair("overwriting_is_the_new_value", "all of it", copied_into(torch.float64), lambda _, x: x, (2, 3)),
    Pair("movements_compose", "there and back", lambda _, x: x.mT.mT, lambda _, x: x, (2, 3, 4)),
    Pair(
        "movements_compose",
        "channel shuffle",
        lambda _, x: x.view(2, 2, 2, 36).transpose(1, 2).reshape(2, 4, 6, 6),
        lambda _, x: x.unflatten(1, (2, 2)).permute(0, 2, 1, 3, 4).flatten(1, 2),
        IMAGES,
    ),
    Pair(
        "movements_sink_below_elementwise",
        "one operand",
        lambda _, x: x.flatten(1).relu(),
        lambda _, x: x.relu().flatten(1),
        IMAGES,
    ),
    Pair(
        "movements_sink_below_elementwise",
        "two operands",
        lambda _, x: x.mT * x.tanh().mT,
        lambda _, x: (x * x.tanh()).mT,
        (2, 3, 4),
    ),
    Pair(
        "broadcasting_is_explicit",
        "missing dimensions",
        lambda m, x: x * m.w,
        lambda m, x: x * m.w[None, None],
        (2, 4, 3),
        {"w": (3,)},
    ),
    Pair("scalars_are_attributes", "times one", lambda _, x: x * 1, lambda _, x: x, (2, 3)),
    Pair("scalars_are_attributes", "plus zero", lambda _, x: 0.0 + x - 0, lambda _, x: x, (2, 3)),
    Pair("scalars_are_attributes", "a constant", lambda _, x: x * torch.full((1, 1), 2.0), lambda _, x: x * 2, (2, 3)),
    Pair("scalars_are_attributes", "alpha=1", lambda m, x: torch.add(x, m.w, alpha=1), lambda m, x: m.w + x, (3,), {"w": (3,)}),
    Pair("silu_by_hand", "sigmoid first", lambda _, x: x.sigmoid() * x, lambda _, x: F.silu(x), (2, 3)),
    Pair("silu_by_hand", "sigmoid last", lambda _, x: x * x.sigmoid(), lambda _, x: F.silu(x), (2, 3)),
    Pair("squares_are_products", "pow", lambda _, x: x**2, lambda _, x: x * x, (2, 3)),
    Pair("clamping_at_zero_is_relu", "clamp", lambda _, x: x.clamp(min=0), lambda _, x: x.relu(), (2, 3)),
    Pair("clamping_at_zero_is_relu", "clamp_min", lambda _, x: x.clamp_min(0), lambda _, x: x.relu(), (2, 3)),
    Pair("clamping_is_hardtanh", "relu6", lambda _, x: x.clamp(0, 1), lambda _, x: F.hardtanh(x, 0, 1), (2, 3)),
    Pair(
        "cat_is_flat",
        "nested",
        lambda _, x: torch.cat([torch.cat([x, x.relu()], 1), x.tanh()], -2),
        lambda _, x: torch.cat([x, torch.cat([x.relu(), x.tanh()], 1)], 1),
        (2, 3, 4),
    ),
    Pair("cat_is_flat", "of one", lambda _, x: torch.cat([x], 1), lambda _, x: x, (2, 3)),
    Pair(
        "matrix_product_with_a_weight_is_linear",
        "product",
        lambda m, x: x @ m.w,
        lambda m, x: F.linear(x, m.w),
        (2, 3),
        {"w": (3, 5)},
        {"w": (5, 3)},
    ),
    Pair(
        "matrix_product_with_a_weight_is_linear",
        "product and bias",
        lambda m, x: torch.addmm(m.b, x, m.w),
        lambda m, x: F.linear(x, m.w, m.b),
        (2, 3),
        {"w": (3, 5), "b": (5,)},
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "batched_product_with_one_weight_is_linear",
        "expanded weight",
        lambda m, x: torch.bmm(x, m.w.expand(2, 4, 5)),
        lambda m, x: F.linear(x.reshape(6, 4), m.w.t()).view(2, 3, 5),
        (2, 3, 4),
        {"w": (4, 5)},
    ),
    Pair(
        "batched_product_with_one_weight_is_linear",
        "rows of another layout",
        lambda m, x: F.linear(x.transpose(1, 2), m.w),
        lambda m, x: torch.stack([F.linear(row.t(), m.w) for row in x.unbind()]) if False else torch.bmm(
            x.transpose(1, 2), m.w.t()[None].expand(2, 4, 5)
        ),
        (2, 4, 3),
        {"w": (5, 4)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "after",
        lambda m, x: F.linear(x, m.w) + m.b,
        lambda m, x: F.linear(x, m.w, m.b),
        (2, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "after rows were moved",
        lambda m, x: m.b + F.linear(x, m.w).transpose(0, 1),
        lambda m, x: F.linear(x, m.w, m.b).transpose(0, 1),
        (2, 4, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "linear_moves_rows_along",
        "select",
        lambda m, x: F.linear(x[:, 0], m.w, m.b),
        lambda m, x: F.linear(x, m.w, m.b)[:, 0],
        (2, 4, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "linear_takes_rows_in_memory_order",
        "pixels by column and by row",
        lambda m, x: F.linear(x.permute(0, 2, 3, 1), m.w),
        lambda m, x: F.linear(x.permute(0, 3, 2, 1), m.w).transpose(1, 2),
        IMAGES,
        {"w": (5, 4)},
    ),
    Pair(
        "convolution_has_full_attributes",
        "stride for each dimension",
        lambda m, x: torch.convolution(x, m.w, None, [2], [1], [1], False, [0], 1),
        lambda m, x: F.conv2d(x, m.w, None, (2, 2), (1, 1)),
        IMAGES,
        {"w": (5, 4, 3, 3)},
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "pad, then convolve",
        lambda m, x: F.conv2d(F.pad(x, (2, 2, 1, 1)), m.w, m.b, padding=1),
        lambda m, x: F.conv2d(x, m.w, m.b, padding=(2, 3)),
        IMAGES,
        {"w": (5, 4, 3, 3), "b": (5,)},
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "one dimension of two",
        lambda m, x: F.conv2d(F.pad(x, (1, 1)), m.w),
        lambda m, x: F.conv2d(x, m.w, padding=(0, 1)),
        IMAGES,
        {"w": (5, 4, 3, 3)},
    ),
    Pair(
        "convolution_over_the_whole_map_is_linear",
        "kernel of the map's size",
        lambda m, x: F.conv2d(x, m.w, m.b).flatten(1),
        lambda m, x: F.linear(x.flatten(1), m.w, m.b),
        IMAGES,
        {"w": (5, 4, 6, 6), "b": (5,)},
        {"w": (5, 144), "b": (5,)},
    ),
    Pair(
        "convolution_over_the_whole_map_is_linear",
        "one pixel, and a stride without effect",
        lambda m, x: F.conv2d(x.mean((2, 3), keepdim=True), m.w, stride=2)[:, :, 0, 0],
        lambda m, x: F.linear(x.mean((2, 3)), m.w),
        IMAGES,
        {"w": (5, 4, 1, 1)},
        {"w": (5, 4)},
    ),
    Pair("batch_norm", "momentum in eval", batch_norm(momentum=0.1), batch_norm(momentum=0.9), IMAGES, NORM),
    Pair(
        "batch_norm",
        "two operations",
        batch_norm(),
        lambda m, x: torch.ops.aten._native_batch_norm_legit_no_training(x, m.w, m.b, m.mean_, m.var_, 0.3, 1e-5)[0],
        IMAGES,
        NORM,
    ),
    Pair(
        "layer_norm",
        "flat rows",
        lambda m, x: F.layer_norm(x, (3, 4), m.w, m.b),
        lambda m, x: F.layer_norm(x.flatten(1), (12,), m.w.view(12), m.b.view(12)).view(2, 3, 4),
        (2, 3, 4),
        {"w": (3, 4), "b": (3, 4)},
    ),
    Pair(
        "layer_norm_moves_rows_along",
        "select",
        lambda m, x: F.layer_norm(x[:, 0], (4,), m.w, m.b),
        lambda m, x: F.layer_norm(x, (4,), m.w, m.b)[:, 0],
        (2, 3, 4),
        {"w": (4,), "b": (4,)},
    ),
    Pair("reductions_are_over_rows", "flatten", lambda _, x: x.mean((2, 3)), lambda _, x: x.flatten(2).mean(-1), IMAGES),
    Pair(
        "reductions_are_over_rows",
        "keepdim",
        lambda _, x: x.sum(1, keepdim=True).squeeze(1),
        lambda _, x: x.mT.sum(-1),
        (2, 3, 4),
    ),
    Pair("reductions_are_over_rows", "of one element", lambda _, x: x[:, :1].mean(1), lambda _, x: x[:, 0], (2, 3)),
    Pair(
        "pooling_has_full_attributes",
        "default stride, and rounding up to the same",
        lambda _, x: F.max_pool2d(x, 2),
        lambda _, x: F.max_pool2d(x, (2, 2), (2, 2), ceil_mode=True),
        IMAGES,
    ),
    Pair(
        "pooling_has_full_attributes",
        "no padding to count",
        lambda _, x: F.avg_pool2d(x, 3, count_include_pad=True),
        lambda _, x: F.avg_pool2d(x, 3, 3, count_include_pad=False),
        IMAGES,
    ),
    Pair(
        "average_of_the_whole_map_is_a_mean",
        "the whole map",
        lambda _, x: F.avg_pool2d(x, 6, 1).flatten(1),
        lambda _, x: x.mean((2, 3)),
        IMAGES,
    ),
    Pair("average_of_the_whole_map_is_a_mean", "one pixel", lambda _, x: F.avg_pool2d(x, 1), lambda _, x: x, IMAGES),
    Pair(
        "adaptive_pooling",
        "where the size divides",
        lambda _, x: F.adaptive_avg_pool2d(x, (2, 3)),
        lambda _, x: F.avg_pool2d(x, (3, 2)),
        IMAGES,
    ),
    Pair("adaptive_pooling", "to the size it has", lambda _, x: F.adaptive_avg_pool2d(x, 6), lambda _, x: x, IMAGES),
    Pair(
        "adaptive_pooling",
        "to one pixel",
        lambda _, x: F.adaptive_avg_pool2d(x, 1).flatten(1),
        lambda _, x: x.mean((2, 3)),
        IMAGES,
    ),
]
