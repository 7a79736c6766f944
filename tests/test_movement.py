"""The algebra of views against torch: what a movement says it reads is what the chain of views reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from repro.movement import Movement, merge, of_view, reshape, rowwise, sorted_rows, split

Shape = tuple[int, ...]
Step = Callable[[torch.Tensor], torch.Tensor]

REARRANGING = ("view", "permute")
VIEWS = (*REARRANGING, "expand", "select", "slice")


@st.composite
def shapes(draw: st.DrawFn, *, max_rank: int = 4) -> Shape:
    return tuple(draw(st.lists(st.sampled_from((1, 2, 3, 4, 6)), min_size=1, max_size=max_rank), label="shape"))


@st.composite
def factorisations(draw: st.DrawFn, count: int) -> Shape:
    """A shape with `count` elements."""
    sizes: list[int] = []
    while count > 1 and len(sizes) < 4:
        sizes.append(draw(st.sampled_from([size for size in range(1, count + 1) if count % size == 0])))
        count //= sizes[-1]
    return (*sizes, count)


@st.composite
def steps(draw: st.DrawFn, shape: Shape, *, kinds: Iterable[str] = VIEWS) -> Step:
    """One view of a tensor of `shape`, with at least one element left."""
    kind = draw(st.sampled_from([kind for kind in kinds if shape or kind in ("view", "expand")]), label="kind")
    if kind == "view":
        target = draw(factorisations(math.prod(shape)), label="view")
        return lambda x: x.reshape(target)
    if kind == "permute":
        order = draw(st.permutations(range(len(shape))), label="permute")
        return lambda x: x.permute(order)
    if kind == "expand":
        sizes = [draw(st.integers(1, 3)), *(draw(st.integers(1, 3)) if size == 1 else size for size in shape)]
        return lambda x: x.expand(sizes)
    dim = draw(st.integers(0, len(shape) - 1), label=f"{kind} dim")
    start = draw(st.integers(0, shape[dim] - 1), label="start")
    if kind == "select":
        return lambda x: x.select(dim, start)
    stop, stride = draw(st.integers(start + 1, shape[dim]), label="stop"), draw(st.integers(1, 3), label="step")
    return lambda x: x[(slice(None),) * dim + (slice(start, stop, stride),)]


@st.composite
def chains(
    draw: st.DrawFn, *, shape: Shape | None = None, max_steps: int = 5, kinds: Iterable[str] = VIEWS
) -> tuple[Shape, list[Step]]:
    """A source shape and views to apply to it one after the other."""
    shape = draw(shapes()) if shape is None else shape
    x = torch.empty(shape, device="meta")
    chain: list[Step] = []
    for _ in range(draw(st.integers(1, max_steps), label="steps")):
        assume(x.numel() <= 2000)
        chain.append(draw(steps(tuple(x.shape), kinds=kinds)))
        x = chain[-1](x)
    return shape, chain


def numbered(shape: Shape) -> torch.Tensor:
    return torch.arange(math.prod(shape)).view(shape)


def moved(shape: Shape, chain: Iterable[Step]) -> torch.Tensor:
    x = numbered(shape)
    for step in chain:
        x = step(x)
    return x


def movement_of(shape: Shape, step: Step) -> Movement:
    return of_view(shape, step(torch.empty(shape, device="meta")))


def composed(shape: Shape, chain: Iterable[Step]) -> Movement | None:
    """The movement of a chain, from those of its steps."""
    total: Movement | None = reshape(shape, shape)
    for step in chain:
        assert total is not None
        total = total.then(movement_of(total.shape, step))
        if total is None:
            break
    return total


def assert_reads(movement: Movement, shape: Shape, chain: Iterable[Step]) -> None:
    expected = moved(shape, chain)
    actual = movement.apply(numbered(shape))
    assert movement.shape == tuple(expected.shape)
    assert torch.equal(actual, expected), f"{movement!r} reads {actual.tolist()}, the views read {expected.tolist()}"


def whole(shape: Shape, chain: Iterable[Step]) -> Movement:
    movement = composed(shape, chain)
    assume(movement is not None)
    assert movement is not None
    return movement


@given(chains())
def test_a_composition_reads_what_its_steps_read_in_turn(chain: tuple[Shape, list[Step]]) -> None:
    assert_reads(whole(*chain), *chain)


@given(chains())
def test_whatever_torch_can_view_without_copying_composes(chain: tuple[Shape, list[Step]]) -> None:
    x = numbered(chain[0])
    start = x.data_ptr()
    for step in chain[1]:
        x = step(x)
    assume(start <= x.data_ptr() < start + 8 * math.prod(chain[0]))  # a copy lies elsewhere
    assert composed(*chain) is not None


@given(chains(max_steps=3), st.data())
def test_composition_is_associative(chain: tuple[Shape, list[Step]], data: st.DataObject) -> None:
    first = whole(*chain)
    second = movement_of(first.shape, data.draw(steps(first.shape)))
    third = movement_of(second.shape, data.draw(steps(second.shape)))
    after_two, last_two = first.then(second), second.then(third)
    assume(after_two is not None and last_two is not None)
    assert after_two is not None and last_two is not None  # noqa: PT018 - for mypy
    left, right = after_two.then(third), first.then(last_two)
    assert left is None or right is None or left == right


@given(chains(max_steps=2), st.data())
def test_movements_are_equal_exactly_where_they_read_alike(
    chain: tuple[Shape, list[Step]], data: st.DataObject
) -> None:
    one, other = whole(*chain), whole(*data.draw(chains(shape=chain[0], max_steps=2)))
    x = numbered(chain[0])
    assert (one == other) == (one.shape == other.shape and torch.equal(one.apply(x), other.apply(x)))


@given(chains(), st.data())
def test_a_detour_that_returns_is_another_spelling(chain: tuple[Shape, list[Step]], data: st.DataObject) -> None:
    movement = whole(*chain)
    order = data.draw(st.permutations(range(len(movement.shape))))
    there = movement_of(movement.shape, lambda x: x.permute(order))
    back = movement_of(there.shape, lambda x: x.permute([order.index(dim) for dim in range(len(order))]))
    detour = movement.then(there)
    assume(detour is not None)
    assert detour is not None
    assert detour.then(back) == movement


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(lambda x: x.flatten(1), lambda x: x.reshape(2, -1), id="flatten and reshape"),
        pytest.param(lambda x: x.transpose(1, 3), lambda x: x.permute(0, 3, 2, 1), id="transpose and permute"),
        pytest.param(lambda x: x[:, 1:2].squeeze(1), lambda x: x.select(1, 1), id="slice and select"),
        pytest.param(lambda x: x.chunk(2, 1)[1], lambda x: x.split([2, 2], 1)[1], id="chunk and split"),
        pytest.param(lambda x: x[0, 2].expand(3, 4, 5), lambda x: x[:1, 2].expand(3, 4, 5), id="expand a missing dim"),
        pytest.param(lambda x: x.permute(1, 0, 2, 3)[2], lambda x: x[:, 2], id="permute then select"),
        pytest.param(lambda x: x.unflatten(1, (2, 2)).flatten(1, 2), lambda x: x.view(2, 4, 4, 5), id="there and back"),
        pytest.param(lambda x: x[:, ::2][:, 1:], lambda x: x[:, 2:3], id="slices of slices"),
        pytest.param(lambda x: x[:, None, :, None], lambda x: x.view(2, 1, 4, 1, 4, 5), id="new dims"),
    ],
)
def test_two_spellings_are_one_movement(one: Step, other: Step) -> None:
    shape = (2, 4, 4, 5)
    assert torch.equal(one(numbered(shape)), other(numbered(shape)))
    assert movement_of(shape, one) == movement_of(shape, other)


@given(chains(kinds=REARRANGING))
def test_the_inverse_of_a_rearrangement_undoes_it(chain: tuple[Shape, list[Step]]) -> None:
    movement = whole(*chain)
    x = numbered(movement.source)
    assert torch.equal(movement.inverse().apply(movement.apply(x)), x)
    both = movement.then(movement.inverse())
    assert both is not None
    assert both.is_identity
    assert movement.inverse().inverse() == movement


@given(chains())
def test_bijective_means_that_every_element_is_read_once(chain: tuple[Shape, list[Step]]) -> None:
    movement = whole(*chain)
    read = movement.apply(numbered(movement.source)).flatten().sort().values
    assert movement.is_bijective == torch.equal(read, numbered(movement.source).flatten())


@given(chains())
def test_reshape_and_identity_mean_what_they_say(chain: tuple[Shape, list[Step]]) -> None:
    movement = whole(*chain)
    x = numbered(movement.source)
    assert movement.is_reshape == torch.equal(movement.apply(x).flatten(), x.flatten())
    assert movement.is_identity == (movement.is_reshape and movement.shape == movement.source)


@pytest.mark.parametrize(
    "step",
    [lambda x: x[1:], lambda x: x.expand(2, 3, 4), lambda x: x[1:].expand(3, 2, 4)],
    ids=["drop", "repeat", "both"],
)
def test_what_drops_or_repeats_elements_has_no_inverse(step: Step) -> None:
    with pytest.raises(ValueError, match=r"a movement that drops or repeats elements has no inverse: move"):
        movement_of((3, 4), step).inverse()


@given(chains(), st.sampled_from((1, 2, 3, 4, 6, 8, 12)))
def test_split_cuts_the_digits_at_the_width(chain: tuple[Shape, list[Step]], width: int) -> None:
    movement = whole(*chain)
    parts = split(movement.digits, width)
    assume(parts is not None)
    assert parts is not None
    outer, inner = parts
    assert math.prod(size for size, _ in inner) == width
    assert merge([*outer, *inner]) == movement.digits


@pytest.mark.parametrize("digits", [((3, 1),), ((2, 4), (3, 1)), ()], ids=["odd", "straddling", "too few"])
def test_split_refuses_where_a_digit_straddles_the_edge(digits: tuple[tuple[int, int], ...]) -> None:
    assert split(digits, 4 if len(digits) < 2 else 2) is None


@given(chains(), st.sampled_from((1, 2, 3, 4, 6)))
def test_rowwise_is_the_movement_of_row_numbers_and_none_where_rows_are_torn(
    chain: tuple[Shape, list[Step]], width: int
) -> None:
    movement = whole(*chain)
    assume(math.prod(movement.source) % width == 0 and math.prod(movement.shape) % width == 0)
    read = movement.apply(numbered(movement.source)).reshape(-1, width)
    intact = bool((read[:, 0] % width == 0).all()) and torch.equal(read, read[:, :1] + torch.arange(width))
    rows = rowwise(movement, width)
    assert (rows is not None) == intact
    if rows is not None:
        assert torch.equal(rows.apply(numbered(rows.source)), read[:, 0] // width)


@given(chains(), st.sampled_from((1, 2, 3, 4, 6)))
def test_sorted_rows_are_the_same_rows_and_can_be_put_back(chain: tuple[Shape, list[Step]], width: int) -> None:
    movement = whole(*chain)
    assume(math.prod(movement.shape) % width == 0)
    found = sorted_rows(movement, width)
    if found is None:
        parts = split(movement.digits, width)
        assert parts is None or list(parts[0]) == sorted(parts[0], key=lambda digit: -digit[1])
        return
    ordered, back = found
    x = numbered(movement.source)
    rows = ordered.apply(x)
    assert rows.shape == (math.prod(movement.shape) // width, width)
    assert torch.equal(rows[back.apply(numbered(back.source))], movement.apply(x).reshape(-1, width))
    assert sorted_rows(ordered, width) is None


def test_rows_come_sorted_by_where_they_begin() -> None:
    found = sorted_rows(movement_of((2, 3, 4), lambda x: x.permute(1, 0, 2)), 4)
    assert found is not None
    assert found[0] == reshape((2, 3, 4), (6, 4))
    assert found[1].apply(torch.arange(6)).tolist() == [0, 3, 1, 4, 2, 5]


def test_of_scattered_rows_none_are_sorted_where_they_cannot_be_told_apart() -> None:
    assert sorted_rows(movement_of((3, 4), lambda x: x.t()), 4) is None


def test_where_no_single_movement_does_both_there_is_none() -> None:
    transposed = movement_of((3, 4), lambda x: x.t())
    assert transposed.then(movement_of((6, 2), lambda x: x.t())) is None


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda m: replace(m, offset=m.offset + 1), id="offset"),
        pytest.param(lambda m: replace(m, digits=m.digits[::-1]), id="order of digits"),
        pytest.param(lambda m: replace(m, digits=((m.digits[0][0], m.digits[0][1] + 1), *m.digits[1:])), id="stride"),
        pytest.param(lambda m: replace(m, shape=m.shape[::-1]), id="shape"),
        pytest.param(lambda m: replace(reshape(m.shape, m.shape), source=m.source), id="not moved"),
    ],
)
def test_a_wrong_composition_is_caught(fault: Callable[[Movement], Movement]) -> None:
    shape, chain = (2, 3, 4), [lambda x: x.transpose(1, 2), lambda x: x[:, :2], lambda x: x.select(0, 0)]
    right = composed(shape, chain)
    assert right is not None
    assert_reads(right, shape, chain)
    with pytest.raises(AssertionError):
        assert_reads(fault(right), shape, chain)


def test_nothing_to_read_is_a_movement_too() -> None:
    nothing = movement_of((2, 3), lambda x: x[:, :0])
    turned = nothing.then(movement_of((2, 0), lambda x: x.t()))
    assert turned is not None
    assert turned.apply(numbered((2, 3))).shape == (0, 2)


def test_a_movement_says_in_words_what_it_reads() -> None:
    assert str(reshape((2, 3), (6,))) == "reshape(6,)"
    assert str(movement_of((2, 3), lambda x: x.t())) == "move(3, 2) reading 3@1 2@3"
    assert str(movement_of((2, 3), lambda x: x[1, 1:])) == "move(2,) reading 2@1 from 4"
