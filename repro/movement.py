"""The algebra of views: which element of the source each element of the result is, as strides.

Any chain of view, permute, expand, select and slice reads its source at `offset + sum of digit * stride`, the digits
being those of the result's flat index in a mixed radix. Written that way, with digits that can be merged merged, two
chains that move data alike are equal, however they were spelled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

Shape = tuple[int, ...]
Digit = tuple[int, int]  # how many, how far apart in the source (elements)

_NOTHING = ((0, 1),)  # the digits of a movement without elements


@dataclass(frozen=True, slots=True)
class Movement:
    """Element number i of a tensor of `shape` is element `offset + sum(digit_k(i) * stride_k)` of the source.

    source  the source's shape; it is read as contiguous
    digits  (size, stride) from the slowest to the fastest, none of size 1, adjacent ones merged where they can be
    """

    source: Shape
    shape: Shape
    digits: tuple[Digit, ...]
    offset: int = 0

    @property
    def is_reshape(self) -> bool:
        """Whether every element keeps its place in memory."""
        return self.offset == 0 and self.digits == merge([(math.prod(self.source), 1)])

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing at all."""
        return self.is_reshape and self.source == self.shape

    @property
    def is_bijective(self) -> bool:
        """Whether every element of the source is read exactly once."""
        by_stride = merge(sorted(self.digits, key=lambda digit: -digit[1]))
        return self.offset == 0 and by_stride == merge([(math.prod(self.source), 1)])

    def apply(self, tensor: torch.Tensor) -> torch.Tensor:
        """The moved tensor; `tensor` must have the shape `source`."""
        flat = tensor.contiguous().view(-1)
        sizes, strides = [size for size, _ in self.digits], [stride for _, stride in self.digits]
        return flat.as_strided(sizes, strides, flat.storage_offset() + self.offset).reshape(self.shape)

    def inverse(self) -> Movement:
        """The movement that undoes this one. Raises ValueError unless it is bijective."""
        if not self.is_bijective:
            raise ValueError(f"a movement that drops or repeats elements has no inverse: {self}")
        steps = []  # the stride of each digit in the result's own flat index
        step = 1
        for size, stride in reversed(self.digits):
            steps.append((stride, size, step))
            step *= size
        digits = merge((size, step) for _, size, step in sorted(steps, reverse=True))
        return Movement(self.shape, self.source, digits)

    def then(self, after: Movement) -> Movement | None:
        """This movement followed by `after`, or None where no single one does both."""
        if 0 in after.shape:
            return Movement(self.source, after.shape, _NOTHING)
        composed: list[Digit] = []
        offset = self.offset
        weight = math.prod(size for size, _ in self.digits)
        room: list[tuple[int, int, int]] = []  # of each digit here: its weight in the flat index, its size, its stride
        for size, stride in self.digits:
            weight //= size
            room.append((weight, size, stride))
        used = {}
        rest = after.offset
        for weight, size, stride in room:
            used[weight] = rest // weight
            offset += used[weight] * stride
            rest %= weight
            if used[weight] >= size:
                return None
        for count, step in after.digits:
            parts: list[Digit] = []
            for weight, size, stride in reversed(room):
                if count == 1 or step == 0:
                    break
                if step >= weight * size:
                    continue
                if step % weight:
                    return None
                each = step // weight
                here = min(count, size // each) if size % each == 0 else count
                if count % here:
                    return None
                parts.append((here, each * stride))
                used[weight] += (here - 1) * each
                if used[weight] >= size:
                    return None  # a carry into the next digit
                count //= here
                step = weight * size
            if count > 1:
                if step:
                    return None
                parts.append((count, 0))
            composed.extend(reversed(parts))
        return Movement(self.source, after.shape, merge(composed), offset)

    def __str__(self) -> str:
        if self.is_reshape:
            return f"reshape{self.shape}"
        steps = " ".join(f"{size}@{stride}" for size, stride in self.digits)
        return f"move{self.shape} reading {steps}" + (f" from {self.offset}" if self.offset else "")


def merge(digits: Iterable[Digit]) -> tuple[Digit, ...]:
    """The same digits with none of size 1, and neighbours that act as one written as one."""
    merged: list[Digit] = []
    for size, stride in digits:
        if size == 0:
            return _NOTHING
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    return tuple(merged)


def reshape(source: Shape, shape: Shape) -> Movement:
    """The same elements in the same order under another shape."""
    return Movement(source, shape, merge([(math.prod(source), 1)]))


def of_view(source: Shape, view: torch.Tensor) -> Movement:
    """What `view`, a view of a contiguous tensor of shape `source`, does; only its strides are looked at."""
    digits = merge(zip(view.shape, view.stride(), strict=True))
    return Movement(source, tuple(view.shape), digits, int(view.storage_offset()))


def split(digits: Iterable[Digit], width: int) -> tuple[tuple[Digit, ...], tuple[Digit, ...]] | None:
    """The digits that number blocks of `width` elements, and those within a block; None if one straddles the edge."""
    outer = list(digits)
    inner: list[Digit] = []
    if tuple(outer) == _NOTHING:
        return None
    while width > 1:
        if not outer:
            return None
        size, stride = outer.pop()
        if size > width:
            if size % width:
                return None
            outer.append((size // width, stride * width))
            size = width
        if width % size:
            return None
        inner.insert(0, (size, stride))
        width //= size
    return tuple(outer), tuple(inner)


def rowwise(movement: Movement, width: int) -> Movement | None:
    """How it moves rows of `width` elements, if it moves whole rows only: the movement of the row numbers.

    The result is that of a source with one element a row. None where rows are torn apart.
    """
    parts = split(movement.digits, width)
    total = math.prod(movement.source)
    if parts is None or merge(parts[1]) != merge([(width, 1)]) or total % width or movement.offset % width:
        return None
    if any(stride % width for _, stride in parts[0]):
        return None
    rows = merge((size, stride // width) for size, stride in parts[0])
    count = math.prod(movement.shape) // width
    return Movement((total // width,), (count,), rows, movement.offset // width)


def sorted_rows(movement: Movement, width: int) -> tuple[Movement, Movement] | None:
    """The same rows of `width` elements in the order in which they begin in the source, and how to put them back.

    The second is a movement of row numbers. None if they are in that order already, or rows cannot be told apart.
    """
    parts = split(movement.digits, width)
    if parts is None:
        return None
    outer, inner = parts
    order = sorted(range(len(outer)), key=lambda index: -outer[index][1])
    count = math.prod(movement.shape) // width
    weights = {}
    weight = count
    for index in order:
        weight //= outer[index][0]
        weights[index] = weight
    back = Movement((count,), (count,), merge((outer[index][0], weights[index]) for index in range(len(outer))))
    if back.is_identity:
        return None
    digits = merge([*(outer[index] for index in order), *inner])
    return Movement(movement.source, (count, width), digits, movement.offset), back
