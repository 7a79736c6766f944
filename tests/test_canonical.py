"""Each rewrite: programs it makes equal, near misses it must keep apart, and that nothing unequal is called equal."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro import canonical as module_under_test
from repro import fill
from repro.canonical import Builder, Rewrite, canonical
from repro.graph import Edge, Graph, Node, trace
from repro.mapping import KeyMap, classes, key_map, match

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
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    others: Mapping[str, Shape] | None = None
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
    """What a module returns; in train mode, which is about derivatives too, and the input's gradient."""
    x = fill.uniform("input", shape, -1.5, 2.0).double().requires_grad_(module.training)
    torch.default_generator.manual_seed(0)  # torch.manual_seed keeps a stack for each kind of device that there may be
    with torch.set_grad_enabled(module.training):
        found = [leaf.double() for leaf in torch.utils._pytree.tree_leaves(module(x))]
    scalars = [(y * fill.uniform("cotangent", tuple(y.shape))).sum() for y in found if y.requires_grad]
    gradients = torch.autograd.grad(scalars, x, allow_unused=True) if scalars else (None,)
    return [y.detach() for y in found] + [torch.zeros_like(x) if g is None else g for g in gradients]


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
        return y.to(torch.float32)

    return forward


def batch_norm(*, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Forward:
    return lambda m, x: F.batch_norm(x, m.mean_, m.var_, m.w, m.b, training, momentum, eps)


def statistics(*, momentum: float = 0.1, eps: float = 1e-5) -> Forward:
    """What normalising by the batch leaves in the running statistics."""

    def forward(m: Any, x: torch.Tensor) -> Any:
        F.batch_norm(x, m.mean_, m.var_, None, None, True, momentum, eps)
        return x.exp(), m.mean_.clone(), m.var_.clone()

    return forward


def swapped_statistics(m: Any, x: torch.Tensor) -> Any:
    F.batch_norm(x, m.mean_, m.var_, None, None, True)
    return x.exp(), m.var_.clone(), m.mean_.clone()


def masked(x: torch.Tensor, keep: float = 0.75, share: float = 0.75, rounding: str | None = None) -> torch.Tensor:
    """Dropout by hand: a mask of this mean, over this number."""
    mask = torch.empty_like(x).bernoulli_(keep)
    return x * torch.div(mask, share, rounding_mode=rounding)


def one_mask(_: Any, x: torch.Tensor) -> torch.Tensor:
    mask = torch.empty_like(x).bernoulli_(0.5).div_(0.5)
    return x.exp() * mask + x.tanh() * mask


def two_masks(_: Any, x: torch.Tensor) -> torch.Tensor:
    return F.dropout(x.exp(), 0.5) + F.dropout(x.tanh(), 0.5)


def without_gradients(_: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        y = x.exp()
    return x * y


NORM = {"mean_": (4,), "var_": (4,), "w": (4,), "b": (4,)}
IMAGES = (2, 4, 6, 6)
STATISTICS = {"mean_": (4,), "var_": (4,)}

EQUAL = [
    Pair("relu_is_idempotent", "twice", lambda _, x: x.relu().relu(), lambda _, x: F.relu(x), (2, 3)),
    Pair(
        "relu_is_idempotent",
        "twice, in training",
        lambda _, x: F.relu(F.relu(x * 2)),
        lambda _, x: (x * 2).clamp_min(0),
        (2, 3),
        training=True,
    ),
    Pair(
        "gradients_stop_in_training",
        "detach, no_grad",
        lambda _, x: x * x.exp().detach(),
        without_gradients,
        (2, 3),
        training=True,
    ),
    Pair(
        "gradients_stop_in_training",
        "detach, data",
        lambda _, x: x * x.detach(),
        lambda _, x: x * x.data,
        (2, 3),
        training=True,
    ),
    Pair(
        "gradients_stop_in_training",
        "detached twice",
        lambda _, x: x * x.detach().clone().detach(),
        lambda _, x: x.detach() * x,
        (2, 3),
        training=True,
    ),
    Pair("gradients_stop_in_training", "in eval", lambda _, x: x * x.exp().detach(), lambda _, x: x * x.exp(), (2, 3)),
    Pair(
        "fused_dropout",
        "functional",
        lambda _, x: F.dropout(x, 0.25),
        lambda _, x: torch.native_dropout(x, 0.25, True)[0],
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_by_hand",
        "fused",
        lambda _, x: torch.native_dropout(x, 0.25, True)[0],
        lambda _, x: masked(x),
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_by_hand",
        "of channels",
        lambda _, x: F.dropout2d(x, 0.25),
        lambda _, x: x * torch.empty(2, 4, 1, 1, dtype=x.dtype).bernoulli_(0.75).div_(0.75),
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_counts_elements",
        "flatten before, after",
        lambda _, x: F.dropout(x, 0.25).flatten(1),
        lambda _, x: F.dropout(x.flatten(1), 0.25),
        IMAGES,
        training=True,
    ),
    Pair(
        "moving_average",
        "eps has no part",
        statistics(eps=1e-5),
        statistics(eps=1e-3),
        IMAGES,
        STATISTICS,
        training=True,
    ),
    Pair("views_are_movements", "transpose, permute", lambda _, x: x.transpose(1, 2), lambda _, x: x.mT, (2, 3, 4)),
    Pair("views_are_movements", "chunk, slice", lambda _, x: x.chunk(2, 1)[1], lambda _, x: x[:, 2:], (2, 4, 3)),
    Pair("views_are_movements", "squeeze, select", lambda _, x: x[:, 1:2].squeeze(1), lambda _, x: x[:, 1], (2, 3)),
    Pair("views_are_movements", "flatten, view", lambda _, x: x.flatten(1), lambda _, x: x.view(len(x), -1), IMAGES),
    Pair(
        "views_are_movements", "split, unbind", lambda _, x: x.split(1, 1)[2][:, 0], lambda _, x: x.unbind(1)[2], IMAGES
    ),
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
    Pair("overwriting_is_the_new_value", "all of it", copied_into(torch.float64), lambda _, x: x.float(), (2, 3)),
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
    Pair(
        "scalars_are_attributes",
        "alpha=1",
        lambda m, x: torch.add(x, m.w, alpha=1),
        lambda m, x: m.w + x,
        (3,),
        {"w": (3,)},
    ),
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
        "matrix_product_with_a_weight_is_linear",
        "a convolution over the whole map",
        lambda m, x: x.flatten(1) @ m.w + m.b,
        lambda m, x: F.conv2d(x, m.w, m.b).flatten(1),
        IMAGES,
        {"w": (144, 5), "b": (5,)},
        {"w": (5, 4, 6, 6), "b": (5,)},
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
        lambda m, x: torch.bmm(x.transpose(1, 2), m.w.t()[None].expand(2, 4, 5)),
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
        "columns_moved_alike_are_not_moved",
        "channels flattened last",
        lambda m, x: F.linear(
            x.permute(0, 2, 3, 1).flatten(1), m.w.unflatten(1, (4, 6, 6)).permute(0, 2, 3, 1).flatten(1), m.b
        ),
        lambda m, x: F.linear(x.flatten(1), m.w, m.b),
        IMAGES,
        {"w": (5, 144), "b": (5,)},
    ),
    Pair(
        "columns_moved_alike_are_not_moved",
        "by column and by row",
        lambda m, x: F.linear(
            x.transpose(2, 3).flatten(1), m.w.t().unflatten(0, (4, 6, 6)).transpose(1, 2).flatten(0, 2).t()
        ),
        lambda m, x: F.linear(x.flatten(1), m.v),
        IMAGES,
        {"w": (5, 144)},
        {"v": (5, 144)},
    ),
    Pair(
        "adding_along_channels_to_convolution_is_its_bias",
        "after",
        lambda m, x: F.conv2d(x, m.w, padding=1) + m.b[:, None, None],
        lambda m, x: F.conv2d(x, m.w, m.b, padding=1),
        IMAGES,
        {"w": (5, 4, 3, 3), "b": (5,)},
    ),
    Pair(
        "adding_along_channels_to_convolution_is_its_bias",
        "channels last",
        lambda m, x: m.b + F.conv2d(x, m.w, stride=2).permute(0, 2, 3, 1),
        lambda m, x: F.conv2d(x, m.w, m.b, stride=2).permute(0, 2, 3, 1),
        IMAGES,
        {"w": (5, 4, 3, 3), "b": (5,)},
    ),
    Pair(
        "adding_along_channels_to_convolution_is_its_bias",
        "transposed",
        lambda m, x: F.conv_transpose2d(x, m.w) + m.b.view(1, -1, 1, 1),
        lambda m, x: F.conv_transpose2d(x, m.w, m.b),
        IMAGES,
        {"w": (4, 5, 3, 3), "b": (5,)},
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
    Pair(
        "reductions_are_over_rows", "flatten", lambda _, x: x.mean((2, 3)), lambda _, x: x.flatten(2).mean(-1), IMAGES
    ),
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
    Pair(
        "padding_is_never_the_largest",
        "a window past the edge",
        lambda _, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-math.inf), 3, 2),
        lambda _, x: F.max_pool2d(x, 3, 2, ceil_mode=True),
        IMAGES,
    ),
    Pair(
        "padding_is_never_the_largest",
        "on both sides, and no window at its end",
        lambda _, x: F.max_pool2d(F.pad(x, (1, 1, 1, 0), value=-math.inf), 3, 3),
        lambda _, x: F.max_pool2d(x, 3, 3, 1),
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

NEAR = [
    Pair("relu_is_idempotent", "of the negative", lambda _, x: (-x.relu()).relu(), lambda _, x: x.relu(), (2, 3)),
    Pair(
        "gradients_stop_in_training",
        "detach",
        lambda _, x: x * x.exp().detach(),
        lambda _, x: x * x.exp(),
        (2, 3),
        training=True,
    ),
    Pair("gradients_stop_in_training", "data", lambda _, x: x * x.data, lambda _, x: x * x, (2, 3), training=True),
    Pair("gradients_stop_in_training", "no_grad", without_gradients, lambda _, x: x * x.exp(), (2, 3), training=True),
    Pair(
        "gradients_stop_in_training",
        "one factor, the other",
        lambda _, x: x.tanh() * x.exp().detach(),
        lambda _, x: x.tanh().detach() * x.exp(),
        (2, 3),
        training=True,
    ),
    Pair(
        "fused_dropout",
        "rate",
        lambda _, x: torch.native_dropout(x, 0.25, True)[0],
        lambda _, x: torch.native_dropout(x, 0.5, True)[0],
        IMAGES,
        training=True,
    ),
    Pair("dropout_by_hand", "rate", lambda _, x: masked(x), lambda _, x: F.dropout(x, 0.5), IMAGES, training=True),
    Pair("dropout_by_hand", "none", lambda _, x: masked(x), lambda _, x: x * 1, IMAGES, training=True),
    Pair(
        "dropout_by_hand",
        "not scaled by what is kept",
        lambda _, x: masked(x, 0.75, 0.5),
        lambda _, x: F.dropout(x, 0.25),
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_by_hand",
        "rounded",
        lambda _, x: masked(x, rounding="floor"),
        lambda _, x: F.dropout(x, 0.25),
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_by_hand",
        "elements, channels",
        lambda _, x: F.dropout2d(x, 0.25),
        lambda _, x: F.dropout(x, 0.25),
        IMAGES,
        training=True,
    ),
    Pair("dropout_by_hand", "one mask, two", one_mask, two_masks, IMAGES, training=True),
    Pair("dropout_by_hand", "two masks, one", two_masks, one_mask, IMAGES, training=True),
    Pair(
        "dropout_by_hand",
        "one draw, two",
        lambda _, x: 2 * F.dropout(x, 0.5),
        lambda _, x: F.dropout(x, 0.5) + F.dropout(x, 0.5),
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_counts_elements",
        "permuted before, after",
        lambda _, x: F.dropout(x, 0.25).transpose(1, 2),
        lambda _, x: F.dropout(x.transpose(1, 2).contiguous(), 0.25),
        IMAGES,
        training=True,
    ),
    Pair(
        "dropout_counts_elements",
        "channels, then flattened",
        lambda _, x: F.dropout2d(x, 0.25).flatten(1),
        lambda _, x: F.dropout(x.flatten(1), 0.25),
        IMAGES,
        training=True,
    ),
    Pair("moving_average", "momentum", statistics(), statistics(momentum=0.2), IMAGES, STATISTICS, training=True),
    Pair("moving_average", "mean, variance", statistics(), swapped_statistics, IMAGES, STATISTICS, training=True),
    Pair("views_are_movements", "transposed, reshaped", lambda _, x: x.mT, lambda _, x: x.view(2, 4, 3), (2, 3, 4)),
    Pair(
        "views_are_movements", "another slice", lambda _, x: x.narrow(1, 1, 2), lambda _, x: x.narrow(1, 0, 2), (2, 3)
    ),
    Pair("views_are_movements", "another step", lambda _, x: x[:, ::2], lambda _, x: x[:, :2], (2, 4)),
    Pair("views_are_movements", "flipped", lambda _, x: x.flip(1), lambda _, x: x, (2, 3)),
    Pair("views_are_movements", "rolled", lambda _, x: x.roll(1, 1), lambda _, x: x, (2, 3)),
    Pair(
        "views_are_movements",
        "the same bits as another type",
        lambda _, x: x.view(torch.int64).to(torch.float32),
        lambda _, x: x.to(torch.float32),
        (2, 3),
    ),
    Pair(
        "views_are_movements",
        "strides taken as they lie",
        lambda _, x: x.mT.as_strided((6,), (1,)),
        lambda _, x: x.mT.contiguous().as_strided((6,), (1,)),
        (2, 3),
    ),
    Pair("copies_are_nothing", "rounded", lambda _, x: x.half().double(), lambda _, x: x, (2, 3)),
    Pair("copies_are_nothing", "cut", lambda _, x: x.int().double(), lambda _, x: x, (2, 3)),
    Pair("overwriting_is_the_new_value", "part of it", partly_overwritten(1), partly_overwritten(2), (2, 3)),
    Pair("overwriting_is_the_new_value", "cast on the way", copied_into(torch.int64), lambda _, x: x.float(), (2, 3)),
    Pair("overwriting_is_the_new_value", "rounded on the way", copied_into(torch.half), lambda _, x: x.float(), (2, 3)),
    Pair(
        "movements_compose",
        "there and elsewhere",
        lambda _, x: x.transpose(0, 1).transpose(1, 2),
        lambda _, x: x.transpose(1, 2).transpose(0, 1),
        (3, 3, 3),
    ),
    Pair(
        "movements_compose",
        "reshaped between",
        lambda _, x: x.mT.reshape(2, 6).t(),
        lambda _, x: x.reshape(2, 6).t(),
        (3, 4),
    ),
    Pair(
        "movements_sink_below_elementwise",
        "not elementwise",
        lambda _, x: x.mT.softmax(1),
        lambda _, x: x.softmax(1).mT,
        (2, 3, 3),
    ),
    Pair(
        "movements_sink_below_elementwise",
        "one of two operands",
        lambda _, x: x.mT * x.tanh(),
        lambda _, x: (x * x.tanh()).mT,
        (2, 3, 3),
    ),
    Pair(
        "movements_sink_below_elementwise",
        "expanded along another dimension",
        lambda _, x: x[:, None].expand(3, 3).relu(),
        lambda _, x: x.relu()[None].expand(3, 3),
        (3,),
    ),
    Pair(
        "broadcasting_is_explicit",
        "along another dimension",
        lambda m, x: x * m.w,
        lambda m, x: x * m.w[:, None],
        (2, 3, 3),
        {"w": (3,)},
    ),
    Pair("scalars_are_attributes", "plus one", lambda _, x: x + 1, lambda _, x: x, (2, 3)),
    Pair("scalars_are_attributes", "from one", lambda _, x: 1 - x, lambda _, x: x - 1, (2, 3)),
    Pair("scalars_are_attributes", "from zero", lambda _, x: 0 - x, lambda _, x: x - 0, (2, 3)),
    Pair("scalars_are_attributes", "one over", lambda _, x: 1 / x, lambda _, x: x / 1, (2, 3)),
    Pair(
        "scalars_are_attributes", "floor", lambda _, x: torch.div(x, 1, rounding_mode="floor"), lambda _, x: x, (2, 3)
    ),
    Pair("scalars_are_attributes", "floor, trunc", lambda _, x: x // 2, lambda _, x: x / 2, (2, 3)),
    Pair("scalars_are_attributes", "alpha", lambda _, x: torch.sub(x, 1, alpha=2), lambda _, x: x - 1, (2, 3)),
    Pair("scalars_are_attributes", "more rows", lambda _, x: x * torch.ones(3, 1), lambda _, x: x.clone(), (1, 3)),
    Pair("scalars_are_attributes", "more dims", lambda _, x: x * torch.ones(1, 1, 1), lambda _, x: x * 1, (2, 3)),
    Pair(
        "scalars_are_attributes",
        "a sum of truth values",
        lambda _, x: (x > 0) * 1.0 + (x > 0) * 1.0,
        lambda _, x: (x > 0) + (x > 0),
        (2, 3),
    ),
    Pair(
        "scalars_are_attributes",
        "a product of bytes",
        lambda _, x: (x.abs() * 9).to(torch.uint8) / 1 * 200,
        lambda _, x: (x.abs() * 9).to(torch.uint8) * 200,
        (2, 3),
    ),
    Pair("silu_by_hand", "of another", lambda _, x: x * (2 * x).sigmoid(), lambda _, x: F.silu(x), (2, 3)),
    Pair("silu_by_hand", "of another order", lambda _, x: x * x.flip(0).sigmoid(), lambda _, x: F.silu(x), (2, 3)),
    Pair("silu_by_hand", "a sum", lambda _, x: x + x.sigmoid(), lambda _, x: F.silu(x), (2, 3)),
    Pair("squares_are_products", "a cube", lambda _, x: x**3, lambda _, x: x * x, (2, 3)),
    Pair("squares_are_products", "a power of two", lambda _, x: 2**x, lambda _, x: x**2, (2, 3)),
    Pair("clamping_at_zero_is_relu", "at one", lambda _, x: x.clamp(min=1), lambda _, x: x.relu(), (2, 3)),
    Pair("clamping_at_zero_is_relu", "from above", lambda _, x: x.clamp(max=0), lambda _, x: x.relu(), (2, 3)),
    Pair("clamping_at_zero_is_relu", "on both sides", lambda _, x: x.clamp(0, 1), lambda _, x: x.relu(), (2, 3)),
    Pair(
        "clamping_at_zero_is_relu",
        "by a tensor",
        lambda m, x: x.clamp(min=m.w),
        lambda _, x: x.relu(),
        (6,),
        {"w": (6,)},
    ),
    Pair("clamping_is_hardtanh", "bounds", lambda _, x: x.clamp(0, 0.5), lambda _, x: F.hardtanh(x, 0, 1), (2, 3)),
    Pair(
        "clamping_is_hardtanh",
        "by tensors",
        lambda m, x: x.clamp(m.w, m.w + 1),
        lambda m, x: x.clamp(m.w, m.w + 0.5),
        (3,),
        {"w": (3,)},
    ),
    Pair(
        "cat_is_flat",
        "nested along another dimension",
        lambda _, x: torch.cat([torch.cat([x, x.relu()], 0), torch.cat([x.tanh(), x.sin()], 0)], 1),
        lambda _, x: torch.cat([torch.cat([x, x.relu()], 1), torch.cat([x.tanh(), x.sin()], 1)], 0),
        (2, 2),
    ),
    Pair("cat_is_flat", "order", lambda _, x: torch.cat([x, x.relu()]), lambda _, x: torch.cat([x.relu(), x]), (2, 3)),
    Pair(
        "matrix_product_with_a_weight_is_linear",
        "from the left",
        lambda m, x: m.w @ x,
        lambda m, x: x @ m.w,
        (3, 3),
        {"w": (3, 3)},
    ),
    *(
        Pair(
            "matrix_product_with_a_weight_is_linear",
            name,
            forward,
            lambda m, x: torch.addmm(m.b, x, m.w),
            (2, 3),
            {"w": (3, 5), "b": (5,)},
        )
        for name, forward in {
            "twice the product": lambda m, x: torch.addmm(m.b, x, m.w, alpha=2),
            "twice the bias": lambda m, x: torch.addmm(m.b, x, m.w, beta=2),
        }.items()
    ),
    Pair(
        "matrix_product_with_a_weight_is_linear",
        "a bias for each row",
        lambda m, x: torch.addmm(m.b[:, None], x, m.w),
        lambda m, x: torch.addmm(m.b, x, m.w),
        (5, 3),
        {"w": (3, 5), "b": (5,)},
    ),
    Pair(
        "matrix_product_with_a_weight_is_linear",
        "the same weight, transposed the second time",
        lambda m, x: x @ m.w @ m.w,
        lambda m, x: x @ m.w @ m.w.t(),
        (2, 3),
        {"w": (3, 3)},
    ),
    Pair(
        "batched_product_with_one_weight_is_linear",
        "a weight for each",
        lambda m, x: torch.bmm(x, m.w),
        lambda m, x: torch.bmm(x, m.w[:1].expand(2, 4, 5)),
        (2, 3, 4),
        {"w": (2, 4, 5)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "along the rows",
        lambda m, x: F.linear(x, m.w) + m.b[:, None],
        lambda m, x: F.linear(x, m.w, m.b),
        (5, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "twice the vector",
        lambda m, x: torch.add(F.linear(x, m.w), m.b, alpha=2),
        lambda m, x: F.linear(x, m.w, m.b),
        (2, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "twice the product",
        lambda m, x: torch.add(m.b, F.linear(x, m.w), alpha=2),
        lambda m, x: F.linear(x, m.w, m.b),
        (2, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "rows torn apart",
        lambda m, x: F.linear(x, m.w).t() + m.b,
        lambda m, x: F.linear(x, m.w, m.b).t(),
        (5, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "adding_a_vector_to_linear_is_its_bias",
        "subtracted",
        lambda m, x: F.linear(x, m.w) - m.b,
        lambda m, x: F.linear(x, m.w, m.b),
        (2, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "linear_moves_rows_along",
        "another row",
        lambda m, x: F.linear(x[:, 0], m.w, m.b),
        lambda m, x: F.linear(x, m.w, m.b)[:, 1],
        (2, 4, 3),
        {"w": (5, 3), "b": (5,)},
    ),
    Pair(
        "linear_moves_rows_along",
        "rows mixed by a view",
        lambda m, x: F.linear(x.flatten(1).view(-1, 6), m.w).view(4, -1),
        lambda m, x: F.linear(x.transpose(0, 1).reshape(-1, 6), m.w).view(4, -1),
        (4, 3, 4),
        {"w": (5, 6)},
    ),
    Pair(
        "linear_moves_rows_along",
        "rows across the batch",
        lambda m, x: F.linear(x.view(2, 12), m.w),
        lambda m, x: F.linear(x.t().reshape(2, 12), m.w),
        (4, 6),
        {"w": (5, 12)},
    ),
    Pair(
        "linear_takes_rows_in_memory_order",
        "not put back",
        lambda m, x: F.linear(x.permute(0, 2, 3, 1), m.w),
        lambda m, x: F.linear(x.permute(0, 3, 2, 1), m.w),
        IMAGES,
        {"w": (5, 4)},
    ),
    Pair(
        "columns_moved_alike_are_not_moved",
        "the input's only",
        lambda m, x: F.linear(x.permute(0, 2, 3, 1).flatten(1), m.w),
        lambda m, x: F.linear(x.flatten(1), m.w),
        IMAGES,
        {"w": (5, 144)},
    ),
    Pair(
        "columns_moved_alike_are_not_moved",
        "two layers that share the weight",
        lambda m, x: (F.linear(x.flatten(1), m.w), F.linear(x.transpose(1, 2).flatten(1), m.w)),
        lambda m, x: (F.linear(x.flatten(1), m.w), F.linear(x.flatten(1), m.w)),
        (3, 3, 3),
        {"w": (5, 9)},
    ),
    Pair(
        "columns_moved_alike_are_not_moved",
        "images mixed",
        lambda m, x: F.linear(x.permute(1, 0, 2).flatten(1), m.w),
        lambda m, x: F.linear(x.flatten(1), m.w),
        (3, 3, 3),
        {"w": (5, 9)},
    ),
    *(
        Pair(
            "adding_along_channels_to_convolution_is_its_bias",
            name,
            one,
            lambda m, x: F.conv2d(x, m.w, m.b, padding=1),
            IMAGES,
            {"w": (6, 4, 3, 3), "b": (6,)},
        )
        for name, one in {
            "along the width": lambda m, x: F.conv2d(x, m.w, padding=1) + m.b,
            "along the height": lambda m, x: F.conv2d(x, m.w, padding=1) + m.b[:, None],
            "twice the vector": lambda m, x: torch.add(F.conv2d(x, m.w, padding=1), m.b[:, None, None], alpha=2),
            "subtracted": lambda m, x: F.conv2d(x, m.w, padding=1) - m.b[:, None, None],
            "a bias already": lambda m, x: F.conv2d(x, m.w, m.b, padding=1) + m.b[:, None, None],
            "after the activation": lambda m, x: F.conv2d(x, m.w, padding=1).relu() + m.b[:, None, None],
            "rows put in place of channels": lambda m, x: (
                F.conv2d(x, m.w, padding=1).transpose(1, 2) + m.b[:, None, None]
            ).transpose(1, 2),
        }.items()
    ),
    *(
        Pair(
            "convolution_has_full_attributes",
            name,
            lambda m, x: F.conv2d(x, m.w, None, 1, 1),
            lambda m, x, given=given: F.conv2d(x, m.w, None, *given),
            IMAGES,
            {"w": (4, 4, 3, 3)},
            {"w": (4, 4 // (*given, 1, 1, 1, 1)[3], 3, 3)},
        )
        for name, given in {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2, 2), "groups": (1, 1, 1, 2)}.items()
    ),
    Pair(
        "convolution_has_full_attributes",
        "transposed",
        lambda m, x: F.conv2d(x, m.w, None, 1, 1),
        lambda m, x: F.conv_transpose2d(x, m.w, None, 1, 1),
        IMAGES,
        {"w": (4, 4, 3, 3)},
    ),
    Pair(
        "convolution_has_full_attributes",
        "padding of the output",
        lambda m, x: F.conv_transpose2d(x, m.w, None, 2, 1, (1, 0))[:, :, :11, :11],
        lambda m, x: F.conv_transpose2d(x, m.w, None, 2, 1, (0, 1))[:, :, :11, :11].relu(),
        IMAGES,
        {"w": (4, 4, 3, 3)},
    ),
    *(
        Pair(
            "zero_padding_is_the_convolutions",
            name,
            lambda m, x, pad=pad: F.conv2d(pad(x), m.w),
            lambda m, x: F.conv2d(x, m.w, padding=1),
            IMAGES,
            {"w": (5, 4, 3, 3)},
        )
        for name, pad in {
            "asymmetric": lambda x: F.pad(x, (2, 0, 2, 0)),
            "ones": lambda x: F.pad(x, (1, 1, 1, 1), value=1.0),
            "reflection": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
            "replication": lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"),
            "circular": lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
        }.items()
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "cropped, then padded",
        lambda m, x: F.conv2d(F.pad(x, (-1, -1, -1, -1)), m.w, padding=2),
        lambda m, x: F.conv2d(x, m.w, padding=1),
        IMAGES,
        {"w": (5, 4, 3, 3)},
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "the other dimension",
        lambda m, x: F.conv2d(F.pad(x, (2, 2)), m.w, padding=(2, 0)),
        lambda m, x: F.conv2d(F.pad(x, (0, 0, 2, 2)), m.w, padding=(2, 0)),
        IMAGES,
        {"w": (5, 4, 3, 3)},
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "the channels too",
        lambda m, x: F.conv2d(F.pad(x, (1, 1, 1, 1, 1, 1)), m.w),
        lambda m, x: F.conv2d(F.pad(x, (0, 0, 0, 0, 1, 1)), m.w, padding=1).relu(),
        IMAGES,
        {"w": (5, 6, 3, 3)},
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "before a transposed convolution",
        lambda m, x: F.conv_transpose2d(F.pad(x, (1, 1, 1, 1)), m.w)[:, :, :6, :6],
        lambda m, x: F.conv_transpose2d(x, m.w, padding=1),
        IMAGES,
        {"w": (4, 4, 3, 3)},
    ),
    Pair(
        "zero_padding_is_the_convolutions",
        "before the bias and the activation",
        lambda m, x: F.conv2d(F.pad(x, (1, 1, 1, 1)).add(1), m.w),
        lambda m, x: F.conv2d(x.add(1), m.w, padding=1),
        IMAGES,
        {"w": (5, 4, 3, 3)},
    ),
    Pair(
        "convolution_over_the_whole_map_is_linear",
        "in groups",
        lambda m, x: F.conv2d(x, m.w, groups=2).flatten(1),
        lambda m, x: F.linear(x.flatten(1), m.w.flatten(1).repeat(1, 2)),
        IMAGES,
        {"w": (4, 2, 6, 6)},
    ),
    Pair(
        "convolution_over_the_whole_map_is_linear",
        "padded",
        lambda m, x: F.conv2d(x, m.w, padding=1)[:, :, 0, 0],
        lambda m, x: F.conv2d(x, m.w)[:, :, 0, 0],
        IMAGES,
        {"w": (5, 4, 6, 6)},
    ),
    Pair(
        "convolution_over_the_whole_map_is_linear",
        "transposed",
        lambda m, x: F.conv_transpose2d(x, m.w)[:, :, :1, :1],
        lambda m, x: F.conv2d(x, m.w),
        (2, 4, 2, 2),
        {"w": (4, 4, 2, 2)},
    ),
    Pair(
        "convolution_over_the_whole_map_is_linear",
        "flattened across the batch",
        lambda m, x: F.linear(x.reshape(2, 144), m.w.view(5, 144)),
        lambda m, x: F.linear(x.transpose(0, 1).reshape(2, 144), m.w.view(5, 144)),
        IMAGES,
        {"w": (5, 4, 6, 6)},
    ),
    Pair("batch_norm", "eps", batch_norm(eps=1e-5), batch_norm(eps=1e-3), IMAGES, NORM),
    Pair("batch_norm", "statistics", batch_norm(training=False), batch_norm(training=True), IMAGES, NORM),
    Pair(
        "batch_norm",
        "no shift, no scale",
        lambda m, x: F.batch_norm(x, m.mean_, m.var_, m.w, None),
        lambda m, x: F.batch_norm(x, m.mean_, m.var_, None, m.w),
        IMAGES,
        {key: shape for key, shape in NORM.items() if key != "b"},
    ),
    Pair(
        "batch_norm",
        "mean for variance",
        lambda m, x: F.batch_norm(x, m.var_, m.var1_, m.w, m.b) + m.var_[0],
        lambda m, x: F.batch_norm(x, m.var1_, m.var_, m.w, m.b) + m.var_[0],
        IMAGES,
        {"var_": (4,), "var1_": (4,), "w": (4,), "b": (4,)},
    ),
    Pair(
        "batch_norm",
        "frozen in train mode",
        batch_norm(training=True),
        batch_norm(training=False),
        IMAGES,
        NORM,
        training=True,
    ),
    *(
        Pair(
            "",
            name,
            lambda m, x: F.group_norm(x, 2, m.w, m.b),
            forward,
            IMAGES,
            {"w": (4,), "b": (4,)},
        )
        for name, forward in {
            "groups": lambda m, x: F.group_norm(x, 4, m.w, m.b),
            "eps": lambda m, x: F.group_norm(x, 2, m.w, m.b, 0.1),
            "no shift": lambda m, x: F.group_norm(x, 2, m.w) + 0 * m.b[0],
            "no scale": lambda m, x: F.group_norm(x, 2, None, m.b) * (1 + 0 * m.w[0]),
            "roles": lambda m, x: F.group_norm(x, 2, m.b, m.w) + 0 * m.w[0] * m.b[1],
        }.items()
    ),
    Pair(
        "layer_norm",
        "fewer dimensions",
        lambda _, x: F.layer_norm(x, (4,)),
        lambda _, x: F.layer_norm(x, (3, 4)),
        (2, 3, 4),
    ),
    Pair(
        "layer_norm", "eps", lambda _, x: F.layer_norm(x, (4,)), lambda _, x: F.layer_norm(x, (4,), eps=0.1), (2, 3, 4)
    ),
    Pair(
        "layer_norm",
        "no shift, no scale",
        lambda m, x: F.layer_norm(x, (4,), m.w),
        lambda m, x: F.layer_norm(x, (4,), None, m.w),
        (2, 3, 4),
        {"w": (4,)},
    ),
    Pair(
        "layer_norm_moves_rows_along",
        "another row",
        lambda _, x: F.layer_norm(x[:, 0], (4,)),
        lambda _, x: F.layer_norm(x, (4,))[:, 1],
        (2, 3, 4),
    ),
    Pair(
        "layer_norm_moves_rows_along",
        "columns",
        lambda _, x: F.layer_norm(x.mT, (4,)),
        lambda _, x: F.layer_norm(x, (4,)).mT,
        (2, 4, 4),
    ),
    Pair("reductions_are_over_rows", "dims", lambda _, x: x.mean((1, 2)), lambda _, x: x.mean((2, 3)), (2, 4, 4, 4)),
    Pair("reductions_are_over_rows", "the batch", lambda _, x: x.mean(0), lambda _, x: x.mean(1), (3, 3)),
    Pair("reductions_are_over_rows", "sum for mean", lambda _, x: x.sum(1), lambda _, x: x.mean(1), (2, 3)),
    Pair(
        "reductions_are_over_rows",
        "one truth value is not a number",
        lambda _, x: (x > -9).sum(1) + (x > -9).sum(1),
        lambda _, x: (x > -9)[:, 0] + (x > -9)[:, 0],
        (2, 1),
    ),
    Pair(
        "pooling_has_full_attributes",
        "rounded up, padded",
        lambda _, x: F.max_pool2d(x, 2, 2, 0, ceil_mode=True),
        lambda _, x: F.max_pool2d(x, 2, 2, 1),
        (2, 4, 5, 5),
    ),
    Pair(
        "pooling_has_full_attributes",
        "padding counted",
        lambda _, x: F.avg_pool2d(x, 3, 2, 1),
        lambda _, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        IMAGES,
    ),
    Pair(
        "pooling_has_full_attributes",
        "padding counted where rounded up",
        lambda _, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
        lambda _, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        (2, 4, 6, 6),
    ),
    Pair(
        "pooling_has_full_attributes",
        "divisor",
        lambda _, x: F.avg_pool2d(x, 2),
        lambda _, x: F.avg_pool2d(x, 2, divisor_override=3),
        IMAGES,
    ),
    Pair(
        "pooling_has_full_attributes",
        "dilation",
        lambda _, x: F.max_pool2d(x, 3, 1, 0),
        lambda _, x: F.max_pool2d(x, 3, 1, 1, 2),
        IMAGES,
    ),
    Pair(
        "padding_is_never_the_largest",
        "windows moved by a pixel",
        lambda _, x: F.max_pool2d(F.pad(x, (1, 0, 1, 0), value=-math.inf), 3, 2),
        lambda _, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-math.inf), 3, 2),
        IMAGES,
    ),
    Pair(
        "padding_is_never_the_largest",
        "height for width",
        lambda _, x: F.max_pool2d(F.pad(x, (1, 0, 0, 0), value=-math.inf), 3, 1),
        lambda _, x: F.max_pool2d(F.pad(x, (0, 1, 0, 0), value=-math.inf), 3, 1),
        IMAGES,
    ),
    Pair(
        "padding_is_never_the_largest",
        "zeros, which may be the largest",
        lambda _, x: F.max_pool2d(F.pad(x - 9, (0, 1, 0, 1)), 3, 2),
        lambda _, x: F.max_pool2d(x - 9, 3, 2, ceil_mode=True),
        IMAGES,
    ),
    Pair(
        "pooling_has_full_attributes", "max", lambda _, x: F.max_pool2d(x, 2), lambda _, x: F.avg_pool2d(x, 2), IMAGES
    ),
    Pair(
        "average_of_the_whole_map_is_a_mean",
        "padded",
        lambda _, x: F.avg_pool2d(x, 6, 6, 1)[:, :, 0, 0],
        lambda _, x: x.mean((2, 3)),
        IMAGES,
    ),
    Pair(
        "average_of_the_whole_map_is_a_mean",
        "divisor",
        lambda _, x: F.avg_pool2d(x, 6, divisor_override=2)[:, :, 0, 0],
        lambda _, x: x.mean((2, 3)),
        IMAGES,
    ),
    Pair(
        "average_of_the_whole_map_is_a_mean",
        "one pixel in two",
        lambda _, x: F.avg_pool2d(x, 1, 2),
        lambda _, x: x[:, :, 1::2, 1::2],
        IMAGES,
    ),
    Pair(
        "adaptive_pooling",
        "where the size does not divide",
        lambda _, x: F.adaptive_avg_pool2d(x, 3),
        lambda _, x: F.avg_pool2d(x, 4, 2),
        (2, 4, 8, 8),
    ),
    Pair(
        "adaptive_pooling",
        "the greatest",
        lambda _, x: F.adaptive_max_pool2d(x, 3),
        lambda _, x: F.adaptive_avg_pool2d(x, 3),
        IMAGES,
    ),
    Pair(
        "",
        "twice one, twice the other",
        lambda _, x: torch.add(x.tanh(), x.sigmoid(), alpha=2),
        lambda _, x: torch.add(x.sigmoid(), x.tanh(), alpha=2),
        (2, 3),
    ),
    Pair("", "minuend, subtrahend", lambda _, x: x.tanh() - x.exp(), lambda _, x: x.exp() - x.tanh(), (2, 3)),
    Pair("", "an input overwritten", lambda _, x: x.clone().mul_(2) + x, lambda _, x: 2 * (x * 2), (2, 3)),
    Pair("", "a constant", lambda _, x: x * torch.arange(3), lambda _, x: x * torch.arange(1, 4), (2, 3)),
    Pair(
        "",
        "interpolation",
        lambda _, x: F.interpolate(x, scale_factor=2),
        lambda _, x: F.interpolate(x, scale_factor=2, mode="bilinear"),
        IMAGES,
    ),
    Pair(
        "", "one weight or two", lambda m, x: x * m.v + m.w, lambda m, x: x * m.v + m.v, (2, 3), {"v": (3,), "w": (3,)}
    ),
    Pair(
        "", "two weights or one", lambda m, x: x * m.v + m.v, lambda m, x: x * m.v + m.w, (2, 3), {"v": (3,), "w": (3,)}
    ),
]

DRAWN: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "dropout": lambda x: F.dropout(x, 0.5),
    "rand_like": torch.rand_like,
    "randint_like": lambda x: torch.randint_like(x, 9),
    "bernoulli": lambda x: torch.bernoulli(x.sigmoid()),
    "uniform_": lambda x: torch.empty_like(x).uniform_(),
    "normal_": lambda x: torch.empty_like(x).normal_(),
    "exponential_": lambda x: torch.empty_like(x).exponential_(),
    "random_": lambda x: torch.empty_like(x).random_(0, 9),
    "poisson": lambda x: torch.poisson(x.abs()),
    "multinomial": lambda x: torch.multinomial(x.sigmoid(), 3),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], dropout_p=0.5)[0],
}


def numbered(pairs: list[Pair]) -> list[Any]:
    return [pytest.param(number, id=str(pair)) for number, pair in enumerate(pairs)]


@pytest.mark.parametrize("number", numbered(EQUAL))
def test_equal_programs_have_one_canonical_form(number: int) -> None:
    assert matched(number) is not None


@pytest.mark.parametrize("number", numbered(EQUAL))
def test_programs_called_equal_compute_the_same(number: int) -> None:
    mapping = matched(number)
    assert mapping is not None
    one, other = EQUAL[number].modules()
    assert not mapping.unmapped_source
    assert not mapping.unmapped_target
    other.load_state_dict(mapping.apply(one.state_dict()))
    assert same(outputs(one, EQUAL[number].shape), outputs(other, EQUAL[number].shape))


@pytest.mark.parametrize("number", numbered(NEAR))
def test_a_near_miss_does_not_match(number: int) -> None:
    assert matched(number, near=True) is None


@pytest.mark.parametrize("pair", NEAR, ids=str)
def test_a_near_miss_computes_something_else(pair: Pair) -> None:
    one, other = pair.modules()
    assert not same(outputs(one, pair.shape), outputs(other, pair.shape))


@pytest.mark.parametrize("draw", [pytest.param(draw, id=name) for name, draw in DRAWN.items()])
def test_two_draws_are_not_one(draw: Callable[[torch.Tensor], torch.Tensor]) -> None:
    def once(_: Any, x: torch.Tensor) -> torch.Tensor:
        drawn = draw(x)
        return drawn * drawn

    one, other = Program(once), Program(lambda _, x: draw(x) * draw(x))
    assert not same(outputs(one, (3, 4)), outputs(other, (3, 4)))
    x = torch.empty(3, 4, dtype=torch.float64)
    graphs = [canonical(trace(module, x, training=True)) for module in (one, other)]
    assert match(*graphs) is None


@pytest.mark.parametrize("rewrite", REWRITES)
def test_every_rewrite_has_a_pair_and_a_near_miss(rewrite: str) -> None:
    assert [pair for pair in EQUAL if pair.rewrite == rewrite], f"no equal pair shows what {rewrite} does"
    assert [pair for pair in NEAR if pair.rewrite == rewrite], f"no near miss shows where {rewrite} stops"


@pytest.mark.parametrize("rewrite", REWRITES)
def test_every_rewrite_is_needed(rewrite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [number for number, pair in enumerate(EQUAL) if pair.rewrite == rewrite]
    without = {
        op: [rule for rule in rules if rule.__name__ != rewrite] for op, rules in module_under_test._REWRITES.items()
    }
    apart = [number for number, pair in enumerate(NEAR) if pair.rewrite == rewrite]
    monkeypatch.setattr(module_under_test, "_REWRITES", without)
    no_more_equal = [number for number in numbers if matched(number) is None]
    no_more_apart = [number for number in apart if matched(number, near=True) is not None]
    assert no_more_equal or no_more_apart, f"its pairs match, and its near misses do not, without {rewrite}"


def test_pairs_name_registered_rewrites() -> None:
    assert {pair.rewrite for pair in [*EQUAL, *NEAR]} <= {*REWRITES, ""}


@pytest.mark.parametrize("pair", EQUAL, ids=str)
def test_a_canonical_form_is_its_own(pair: Pair) -> None:
    module = pair.modules()[0]
    graph = canonical(trace(module, torch.empty(pair.shape, dtype=torch.float64), training=pair.training))
    matching = match(graph, graph)
    assert matching is not None
    assert all(one == other for one, other in matching.nodes.items())


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda _, x: x.sum() + x.mean(), id="sum of two numbers"),
        pytest.param(lambda _, x: x.sum() + x[0, 0], id="sum of a sum and an element"),
        pytest.param(lambda _, x: x.sum().mean(), id="mean of one number"),
        pytest.param(lambda _, x: torch.cat([x[:, :0].mT.relu().mT, x], 1), id="nothing, moved"),
        pytest.param(lambda m, x: F.linear(x[:0], m.w), id="no row"),
    ],
)
def test_numbers_and_nothing_have_canonical_forms_too(forward: Forward) -> None:
    module = Program(forward, w=(4, 3))
    graph = canonical(trace(module, torch.empty(2, 3, dtype=torch.float64)))
    assert match(graph, graph) is not None


def test_a_canonical_graph_has_one_output_a_node_and_no_dead_code() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        F.max_pool2d(x, 3)
        x = F.max_pool2d(x, 2) * m.w
        return x

    graph = canonical(trace(Program(forward, w=(1,), unused=(3,)), torch.empty(2, 3, 4, 4)))
    assert [node.op for node in graph.nodes] == ["parameter", "input", "max_pool2d", "movement", "mul"]
    assert all(len(node.shapes) == 1 for node in graph.nodes)
    assert graph.state == {"w": (1,), "unused": (3,)}


def test_a_value_computed_twice_is_one_node() -> None:
    graph = canonical(trace(Program(lambda _, x: x.relu() + x.relu()), torch.empty(2, 3)))
    assert [node.op for node in graph.nodes] == ["input", "relu", "add"]


def test_a_node_remembers_where_it_was_traced() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    traced_graph = trace(module, torch.empty(3, 3, 4))
    linear = canonical(traced_graph).nodes[-1]
    assert linear.op == "linear"
    assert linear.path == "1"
    assert traced_graph.nodes[linear.origin].op == "addmm"


# Every setting of an operation against every other


def settings(*values: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(itertools.product(*values))


def padded_convolution(m: Any, x: torch.Tensor, left: int, right: int, top: int, padding: int) -> torch.Tensor:
    return F.conv2d(F.pad(x, (left, right, top, 1)), m.w, None, 1, padding)


def linear_of_moved(m: Any, x: torch.Tensor, before: Shape, after: Shape) -> Any:
    return F.linear(x.permute(before), m.w, m.b).permute(after)


def linear_and_vector(m: Any, x: torch.Tensor, dim: int, scale: int, first: bool, turned: bool) -> torch.Tensor:
    mapped = F.linear(x, m.w).transpose(0, 1) if turned else F.linear(x, m.w)
    vector = m.b.view([3 if d == dim else 1 for d in range(3)])
    return torch.add(*((vector, mapped) if first else (mapped, vector)), alpha=scale)


def convolution_and_vector(m: Any, x: torch.Tensor, order: Shape, dim: int, scale: int, first: bool) -> torch.Tensor:
    mapped = F.conv1d(x, m.w, padding=1).permute(order)
    vector = m.b.view([3 if d == dim else 1 for d in range(3)])
    return torch.add(*((vector, mapped) if first else (mapped, vector)), alpha=scale)


def linear_of_columns(m: Any, x: torch.Tensor, order: Shape, columns: Shape) -> torch.Tensor:
    return F.linear(x.permute(order).flatten(1), m.w.unflatten(1, (3, 3)).permute(columns).flatten(1))


def normed_of_moved(m: Any, x: torch.Tensor, before: Shape, dims: int) -> Any:
    return F.layer_norm(x.permute(before), (3,) * dims, m.w if dims == 1 else None)


def cut(_: Any, x: torch.Tensor, order: Shape, start: int, step: int) -> Any:
    return x.permute(order)[:, start::step].relu()


def reduced(_: Any, x: torch.Tensor, name: str, dims: tuple[int, ...], keep: bool) -> Any:
    return getattr(x, name)(dims, keepdim=keep)


@dataclass(frozen=True)
class Family:
    """One operation, the settings to compare with each other, on which shapes, and its weights."""

    forward: Forward
    given: list[tuple[Any, ...]]
    sizes: tuple[Shape, ...]
    shapes: Mapping[str, Shape] = field(default_factory=dict)


SIZES = (2, 2, 5, 6), (1, 2, 4, 4)
CUBE = ((3, 3, 3),)
ORDERS = list(itertools.permutations(range(3)))

FAMILIES = {
    "average pooling": Family(
        lambda _, x, *given: F.avg_pool2d(x, *given),
        settings((1, 2, 3, 4, (5, 6)), (None, 1, 2), (0, 1), (False, True), (False, True), (None, 2)),
        SIZES,
    ),
    "max pooling": Family(
        lambda _, x, *given: F.max_pool2d(x, *given),
        settings((1, 2, 3, 4), (None, 1, 2), (0, 1), (1, 2), (False, True)),
        SIZES,
    ),
    "max pooling of what is padded": Family(
        lambda _, x, value, pad, *given: F.max_pool2d(F.pad(x, pad, value=value), *given),
        settings((-math.inf, -9.0), ((0, 1, 0, 1), (0, 1, 1, 1), (1, 0, 1, 0), (1, 1, 1, 1)), (2, 3), (1, 2, 4), (0, 1))
        + [(0.0, (0, 0, 0, 0), *given) for given in settings((2, 3), (1, 2, 4), (0, 1), (1,), (False, True))],
        SIZES,
    ),
    "adaptive pooling": Family(
        lambda _, x, name, *size: getattr(F, name)(x, size),
        settings(("adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d"), (1, 2, 3, 4, 5), (1, 2, 3, 4, 6)),
        SIZES,
    ),
    "convolution": Family(
        lambda m, x, *given: F.conv2d(x, m.w, None, *given),
        settings((1, 2, (1, 2)), (0, 1, (0, 1)), (1, 2)),
        SIZES,
        {"w": (3, 2, 2, 3)},
    ),
    "transposed convolution": Family(
        lambda m, x, *given: F.conv_transpose2d(x, m.w, None, *given),
        settings((1, 2), (0, 1), ((0, 0), (1, 0), (0, 1))),
        SIZES,
        {"w": (2, 3, 3, 3)},
    ),
    "padding": Family(
        padded_convolution, settings((-1, 0, 1, 2), (0, 1, 2), (0, 1, 2), (0, 1)), SIZES, {"w": (3, 2, 3, 3)}
    ),
    "reductions": Family(
        reduced,
        settings(("sum", "mean"), [d for n in (1, 2, 3) for d in itertools.combinations(range(3), n)], (False, True)),
        ((3, 3, 3), (2, 3, 1)),
    ),
    "views": Family(cut, settings(ORDERS, (0, 1), (1, 2)), CUBE),
    "rows": Family(linear_of_moved, settings(ORDERS, ORDERS), CUBE, {"w": (3, 3), "b": (3,)}),
    "vectors": Family(
        linear_and_vector,
        settings((0, 1, 2), (1, 2), (False, True), (False, True)),
        CUBE,
        {"w": (3, 3), "b": (3,)},
    ),
    "channels and vectors": Family(
        convolution_and_vector,
        settings(ORDERS, (0, 1, 2), (1, 2), (False, True)),
        CUBE,
        {"w": (3, 3, 3), "b": (3,)},
    ),
    "columns": Family(linear_of_columns, settings(ORDERS, [(0, 1, 2), (0, 2, 1)]), CUBE, {"w": (3, 9)}),
    "normalisation": Family(normed_of_moved, settings(ORDERS, (1, 2, 3)), CUBE, {"w": (3,)}),
    "products": Family(
        lambda m, x, alpha, beta, turned: torch.addmm(m.b, x.t() if turned else x, m.w, alpha=alpha, beta=beta),
        settings((1, 2), (0, 1, 2), (False, True)),
        ((3, 3),),
        {"w": (3, 3), "b": (3,)},
    ),
    "arithmetic": Family(
        lambda _, x, name, number, alpha: getattr(torch, name)(x, number, alpha=alpha),
        settings(("add", "sub", "rsub"), (-1, 0, 1, 2), (1, 2)),
        ((2, 3),),
    ),
    "quotients": Family(
        lambda _, x, number, mode, over: torch.div(*((number, x) if over else (x, number)), rounding_mode=mode),
        settings((torch.tensor(1.0), torch.tensor(2.0)), (None, "floor", "trunc"), (False, True)),
        ((2, 3),),
    ),
    "powers": Family(
        lambda _, x, number, over: number**x if over else x**number,
        settings((1, 2, 3, 2.0), (False, True)),
        ((2, 3),),
    ),
    "bounds": Family(
        lambda _, x, low, high: torch.clamp(x, low, high) if (low, high) != (None, None) else x,
        settings((None, -1, 0, 0.5), (None, 0, 1, 6)),
        ((2, 3),),
    ),
    "concatenation": Family(
        lambda _, x, order, dim, inner: torch.cat(
            [
                torch.cat([(x, x.relu(), -x)[i] for i in order[:2]], inner),
                (x, x.relu(), -x)[order[2]].repeat(*(2 if d == inner != dim else 1 for d in (0, 1))),
            ],
            dim,
        ),
        settings(ORDERS, (0, 1), (0, 1)),
        ((2, 2),),
    ),
}


def lies(family: str) -> list[str]:
    """The settings of one operation that are called equal and compute something else."""
    forward, shapes = FAMILIES[family].forward, FAMILIES[family].shapes
    found = []
    for size in FAMILIES[family].sizes:
        by_setting: dict[tuple[Any, ...], tuple[Program, Graph, list[torch.Tensor]]] = {}
        for setting in FAMILIES[family].given:
            program = Program(lambda m, x, setting=setting: forward(m, x, *setting), **shapes)
            try:
                computed = outputs(program, size)
            except RuntimeError:  # a setting that torch refuses
                continue
            graph = canonical(trace(program, torch.empty(size, dtype=torch.float64)))
            by_setting[setting] = program, graph, computed
        graphs = [graph for _, graph, _ in by_setting.values()]
        numbers = (own[graph.returned[0].node] for graph, own in zip(graphs, classes(*graphs), strict=True))
        does = dict(zip(by_setting, numbers, strict=True))
        for one, other in itertools.combinations(by_setting, 2):
            if does[one] != does[other]:  # which is the first that `match` asks, of two graphs at a time
                continue
            (_, source, expected), (program, target, actual) = by_setting[one], by_setting[other]
            matching = match(source, target)
            if matching is None:
                continue
            mapping = key_map(source, target, matching)
            if any(entry.steps or entry.source != entry.target for entry in mapping.entries):
                weights = Program(forward, **shapes).state_dict()
                program.load_state_dict(mapping.apply(weights))
                actual = outputs(program, size)
                program.load_state_dict(weights)
            if not same(expected, actual):
                found.append(f"{one} and {other} on {size}")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_settings_called_equal_compute_the_same(family: str) -> None:
    assert lies(family) == []


def reads_in_order(b: Builder, n: Node) -> Edge:
    return b.reshape(n, n.inputs[0], n.shape)


def pads_evenly(b: Builder, n: Node) -> Edge | None:
    pad = b[n.inputs[0]].get("pad")
    if pad is None or n.get("output_padding") is not None:
        return None
    more = (pad[2] + pad[3]) // 2, (pad[0] + pad[1]) // 2
    padding = tuple(one + other for one, other in zip(n.get("padding"), more, strict=True))
    attributes = dict(n.attributes) | {"padding": padding}
    return b.emit(n, "convolution", (b[n.inputs[0]].inputs[0], *n.inputs[1:]), n.shape, **attributes)


def begins_at_the_edge(b: Builder, n: Node) -> Edge | None:
    kept = tuple((name, (0, 0) if name == "padding" else value) for name, value in n.attributes)
    return b.add(replace(n, attributes=kept)) if kept != n.attributes else None


def forgets(*names: str) -> Rewrite:
    def rule(b: Builder, n: Node) -> Edge | None:
        kept = tuple((name, value) for name, value in n.attributes if name not in names)
        return b.add(replace(n, attributes=kept)) if kept != n.attributes else None

    return rule


def drops_the_number(b: Builder, n: Node) -> Edge | None:
    return n.inputs[0] if len(n.inputs) == 1 else None


def sorts_the_operands(b: Builder, n: Node) -> Edge | None:
    ordered = tuple(sorted(n.inputs, key=lambda edge: edge.node))
    return b.add(replace(n, inputs=ordered)) if ordered != n.inputs else None


@pytest.mark.parametrize(
    ("op", "rule", "family"),
    [
        pytest.param("permute", reads_in_order, "views", id="a view that reads in order"),
        pytest.param("permute", reads_in_order, "rows", id="rows that stay where they are"),
        pytest.param("convolution", pads_evenly, "padding", id="padding shared out evenly"),
        pytest.param("avg_pool2d", forgets("count_include_pad"), "average pooling", id="padding that always counts"),
        pytest.param("avg_pool2d", forgets("divisor_override"), "average pooling", id="another divisor"),
        pytest.param("max_pool2d", forgets("kernel_size", "dilation"), "max pooling", id="any kernel of that reach"),
        pytest.param("max_pool2d", begins_at_the_edge, "max pooling of what is padded", id="padding on any side"),
        pytest.param("add", drops_the_number, "arithmetic", id="a number that is dropped"),
        pytest.param("div", forgets("rounding_mode"), "quotients", id="no rounding"),
        pytest.param("addmm", forgets("beta"), "products", id="no factor"),
        pytest.param("cat", sorts_the_operands, "concatenation", id="any order"),
    ],
)
def test_a_rewrite_that_lies_is_caught(op: str, rule: Rewrite, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = dict(module_under_test._REWRITES)
    last = op in ("convolution", "avg_pool2d", "max_pool2d")
    rules[op] = [*rules.get(op, []), rule] if last else [rule, *rules.get(op, [])]
    monkeypatch.setattr(module_under_test, "_REWRITES", rules)
    assert lies(family)


def test_a_dropout_stands_where_its_mask_is_drawn() -> None:
    graph = trace(Program(lambda _, x: F.dropout(x.exp(), 0.25)), torch.empty(2, 3), training=True)
    node = canonical(graph).nodes[-1]
    assert (node.op, node.get("p"), node.get("noise")) == ("dropout", 0.25, (2, 3))
    assert graph.nodes[node.origin].op == "bernoulli"


def test_in_eval_mode_there_is_neither_a_stop_nor_a_dropout() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x.data.exp().detach()
        return F.dropout(y, 0.5, m.training)

    graphs = [canonical(trace(Program(forward), torch.empty(2, 3), training=training)) for training in (False, True)]
    assert [[node.op for node in graph.nodes] for graph in graphs] == [
        ["input", "exp"],
        ["input", "stop", "exp", "stop", "dropout"],
    ]


def test_what_has_no_derivative_is_not_stopped() -> None:
    def forward(m: Any, x: torch.Tensor) -> Any:
        return x * m.scale_.detach(), x.argmax(1).detach()

    graph = canonical(trace(Program(forward, scale_=(3,)), torch.empty(2, 3), training=True))
    assert "stop" not in {node.op for node in graph.nodes}
