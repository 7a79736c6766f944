"""Many differences, one cause: each kind of cause is one entry that names it, and different causes stay apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.canonical import canonical
from repro.graph import Graph, trace
from repro.mapping import match
from repro.parity.causes import Difference, side, weights
from repro.parity.differences import differences

SIZE = (3, 4, 8, 8)

Forward = Callable[[Any, torch.Tensor], torch.Tensor]


class Program(nn.Module):
    """A forward given as a function, with three convolutions, three normalisations and a buffer."""

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.run = forward
        self.c = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)])
        self.n = nn.ModuleList([nn.BatchNorm2d(4) for _ in range(3)])
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> Any:
        return self.run(self, x)


def graph_of(module: nn.Module, training: bool = False) -> Graph:
    return canonical(trace(module, torch.empty(SIZE, device="meta"), training=training))


def told(one: Forward, other: Forward, training: bool = False) -> list[Difference]:
    """What is said of two programs that are not the same one."""
    graphs = graph_of(Program(one), training), graph_of(Program(other), training)
    assert match(*graphs) is None
    return differences(*graphs)


def summary(found: list[Difference]) -> list[tuple[str, str]]:
    return [(difference.kind, difference.detail) for difference in found]


# --- moved -------------------------------------------------------------------------------------------------------


def after_addition(m: Any, x: torch.Tensor) -> torch.Tensor:
    return (m.c[0](x) + x).relu()  # type: ignore[no-any-return]


def before_addition(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.c[0](x).relu() + x  # type: ignore[no-any-return]


MOVED = [
    pytest.param(after_addition, before_addition, {"relu", "add"}, id="relu before the addition"),
    pytest.param(
        lambda m, x: m.n[0](m.c[0](x)).tanh(),
        lambda m, x: m.n[0](m.c[0](x).tanh()),
        {"tanh", "batch_norm"},
        id="activation before the normalisation",
    ),
    pytest.param(
        lambda m, x: F.avg_pool2d(m.c[0](x).tanh(), 2),
        lambda m, x: F.avg_pool2d(m.c[0](x), 2).tanh(),
        {"tanh", "avg_pool2d"},
        id="pooling before the activation",
    ),
    pytest.param(
        lambda m, x: m.n[0](m.c[0](x)),
        lambda m, x: m.c[0](m.n[0](x)),
        {"convolution", "batch_norm"},
        id="normalisation before the convolution",
    ),
]


@pytest.mark.parametrize(("one", "other", "both"), MOVED)
def test_two_operations_in_the_other_order_are_one_entry_that_names_both(
    one: Forward, other: Forward, both: set[str]
) -> None:
    for found in (told(one, other), told(other, one)):
        (difference,) = found
        assert difference.kind == "moved"
        first, second = difference.detail.removesuffix(" in the other order").split(" and ")
        assert {first, second} == both
        assert difference.first is not None
        assert difference.second is not None
        assert difference.first.op == difference.second.op == first
        assert [passed.op for passed in difference.rest] == [second]


def far(early: bool, last: str) -> Forward:
    """A tanh after the first convolution, or past two other operations."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = m.c[0](x)
        x = x.tanh().exp().sin() if early else x.exp().sin().tanh()
        return m.get_submodule(last)(x)  # type: ignore[no-any-return]

    return forward


@pytest.mark.parametrize(
    "last",
    [
        "n.0",
        pytest.param(
            "c.1",  # another convolution than the one before the tanh
        ),
    ],
)
def test_an_operation_that_was_moved_past_several_is_in_another_place(last: str) -> None:
    found = told(far(True, last), far(False, last))
    assert summary(found) == [("moved", "tanh in another place")]
    assert found[0].rest == ()


def test_an_operation_that_came_back_changed_was_not_moved() -> None:
    found = told(
        lambda m, x: F.leaky_relu(m.c[0](x) + x, 0.1).exp(), lambda m, x: (F.leaky_relu(m.c[0](x), 0.2) + x).exp()
    )
    assert "moved" not in {difference.kind for difference in found}
    assert len(found) > 1


# --- in one piece ------------------------------------------------------------------------------------------------


def block(*indices: int) -> Forward:
    """Normalisation, ReLU and convolution, as often as there are indices, then a tanh."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = m.c[0](x)
        for index in indices:
            x = m.c[index](m.n[index](x).relu())
        return x.tanh()

    return forward


def test_a_missing_block_is_one_entry_with_all_its_operations() -> None:
    (difference,) = told(block(1, 2), block(2))
    assert (difference.kind, difference.detail) == ("missing", "batch_norm, relu and convolution here, nothing there")
    assert difference.second is None
    assert difference.first is not None
    assert [each.op for each in (difference.first, *difference.rest)] == ["batch_norm", "relu", "convolution"]
    assert str(difference).startswith("batch_norm, relu and convolution here, nothing there; here n.")


def test_an_extra_block_is_told_of_the_other_side() -> None:
    (difference,) = told(block(2), block(1, 2))
    assert (difference.kind, difference.detail) == ("extra", "nothing here, batch_norm, relu and convolution there")
    assert difference.first is None
    assert difference.second is not None
    assert [each.op for each in difference.rest] == ["relu", "convolution"]


def test_a_long_piece_is_told_by_its_ends() -> None:
    def long(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.c[1](m.c[0](x).tanh().exp().sigmoid().cos().sin().abs())  # type: ignore[no-any-return]

    (difference,) = told(long, lambda m, x: m.c[1](m.c[0](x)))
    assert difference.detail == "6 operations, tanh to abs, here, nothing there"
    assert len(difference.rest) == 5


def test_pieces_that_do_not_read_each_other_are_entries_of_their_own() -> None:
    def whole(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = m.n[0](m.c[0](x).relu()).relu()
        return m.c[2](m.n[1](m.c[1](x).sigmoid()).sigmoid())  # type: ignore[no-any-return]

    found = told(whole, lambda m, x: m.c[2](m.c[1](m.c[0](x).relu()).sigmoid()))
    assert summary(found) == [
        ("missing", "batch_norm and relu here, nothing there"),
        ("missing", "batch_norm and sigmoid here, nothing there"),
    ]


def test_an_operation_by_itself_is_no_piece() -> None:
    (difference,) = told(lambda m, x: m.c[0](x).tanh(), lambda m, x: m.c[0](x))
    assert (difference.detail, difference.rest) == ("tanh here, nothing there", ())


# --- repeated ----------------------------------------------------------------------------------------------------


def test_the_same_change_everywhere_is_one_entry() -> None:
    class Layers(nn.Module):
        def __init__(self, activation: Callable[[], nn.Module]) -> None:
            super().__init__()
            self.stages = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 1), activation()) for _ in range(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for stage in self.stages:
                x = stage(x)
            return x

    (difference,) = differences(graph_of(Layers(nn.ReLU)), graph_of(Layers(nn.Sigmoid)))
    assert (difference.kind, difference.detail) == ("operation", "relu here, sigmoid there")
    assert difference.places == tuple((f"stages.{i}.1", f"stages.{i}.1") for i in range(4))
    assert str(difference).endswith("; and at 3 more places")
    (missing,) = differences(graph_of(Layers(nn.Tanh)), graph_of(Layers(nn.Identity)))
    assert missing.places == tuple((f"stages.{i}.1", "") for i in range(4))


def test_another_width_is_one_entry_whatever_the_widths() -> None:
    def layers(width: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(4, width, 3), nn.Conv2d(width, 2 * width, 3), nn.Conv2d(2 * width, 5, 1))

    (difference,) = differences(graph_of(layers(4)), graph_of(layers(6)))
    assert difference.kind == "weights"
    assert difference.places == (("0", "0"), ("1", "1"), ("2", "2"))


def test_changes_that_are_not_the_same_stay_apart() -> None:
    def layers(*strides: int) -> nn.Module:
        return nn.Sequential(*(nn.Conv2d(4, 4, 1, stride) for stride in strides))

    found = differences(graph_of(layers(1, 1, 1)), graph_of(layers(2, 3, 2)))
    assert [(difference.detail, difference.places) for difference in found] == [
        ("convolution stride 1 here, 2 there", (("0", "0"), ("2", "2"))),
        ("convolution stride 1 here, 3 there", (("1", "1"),)),
    ]


# --- sharing, types, training ------------------------------------------------------------------------------------


def twice(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.c[0](m.c[1](m.c[0](x).relu()).relu())  # type: ignore[no-any-return]


def once_each(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.c[2](m.c[1](m.c[0](x).relu()).relu())  # type: ignore[no-any-return]


def test_a_shared_layer_is_told_where_the_first_of_the_two_is_read() -> None:
    for found, whose in ((told(twice, once_each), ("here", "there")), (told(once_each, twice), ("there", "here"))):
        shared, apart = whose
        assert summary(found) == [
            ("sharing", f"c.0.{name} {shared} is c.0.{name} and c.2.{name} {apart}") for name in ("weight", "bias")
        ]
        assert found[0].places == (("c.0", "c.0"),)
        assert {each.path for each in found[0].rest} == {"c.0", "c.2"}, "where the second is read"


def test_another_type_is_told_where_it_is_made() -> None:
    found = told(lambda m, x: m.c[0](x).half().tanh(), lambda m, x: m.c[0](x).double().tanh())
    assert summary(found) == [("dtype", "cast in float16 here, in float64 there")]


def test_a_constant_of_another_type_is_told() -> None:
    wide = torch.ones(1, dtype=torch.float64)
    assert told(lambda m, x: m.c[0](x) * wide, lambda m, x: m.c[0](x) * wide.float())


def frozen(key: str) -> nn.Module:
    network = Program(once_each)
    network.get_parameter(key).requires_grad_(False)
    return network


def test_a_frozen_parameter_is_one_entry_in_train_mode_and_none_in_eval_mode() -> None:
    one, other = graph_of(Program(once_each), training=True), graph_of(frozen("c.1.weight"), training=True)
    (difference,) = differences(one, other)
    assert (difference.kind, difference.detail) == ("training", "c.1.weight is not trained there, and is here")
    assert difference.places == (("c.1", "c.1"),)
    (difference,) = differences(other, one)
    assert difference.detail == "c.1.weight is not trained here, and is there"
    assert differences(graph_of(Program(once_each)), graph_of(frozen("c.1.weight"))) == []


def normalised(update: bool) -> Forward:
    """By the batch, and the running mean is updated or not."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        shifted: torch.Tensor = m.c[0](x) + m.seen[:, None, None]
        if update:
            m.seen.copy_(x.mean((0, 2, 3)))
        return shifted

    return forward


def test_a_buffer_that_is_not_updated_is_told() -> None:
    for found, side_of_it in (
        (told(normalised(True), normalised(False), training=True), ("here", "there")),
        (told(normalised(False), normalised(True), training=True), ("there", "here")),
    ):
        updated, not_updated = side_of_it
        details = [difference.detail for difference in found if difference.kind == "training"]
        assert details == [f"seen is updated {updated}, and not {not_updated}"]
    assert match(graph_of(Program(normalised(False))), graph_of(Program(normalised(False)))) is not None


def counted(factor: float) -> Forward:
    """A buffer that no output reads follows the mean of the input."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        if factor:
            m.seen.mul_(0.9).add_(factor * x.mean((0, 2, 3)))
        return m.c[0](x)  # type: ignore[no-any-return]

    return forward


@pytest.mark.parametrize("other", [0.0, 2.0])
def test_a_buffer_that_no_output_reads_is_left_behind_too(other: float) -> None:
    assert told(counted(1.0), counted(other), training=True)


# --- sides -------------------------------------------------------------------------------------------------------


def test_a_side_is_found_again_in_both_graphs() -> None:
    graph = graph_of(Program(once_each))
    index = next(i for i, node in enumerate(graph.nodes) if node.op == "convolution")
    found = side(graph, index)
    assert (found.op, found.path, found.shape, found.node) == ("convolution", "c.0", SIZE, index)
    assert found.origin == graph.nodes[index].origin
    assert found.weights == weights(graph, graph.nodes[index]) == ((4, 4, 3, 3), (4,))
    assert str(found).startswith("c.0 (parity/test_causes.py:")
