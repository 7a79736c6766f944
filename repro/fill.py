"""Weights and inputs in closed form: the same bits on every machine, and every one of them felt in the output.

Element i of the tensor called `key` is a hash of (key, i), so no generator has a state and no order of calls matters.
The values are conditioned: weights scaled by fan-in, affine parameters away from one and zero, running statistics
those of a real batch. Under a network's own initialisation much is invisible (a zeroed last normalisation hides a
whole branch; unit variances hide a wrong eps), and a comparison on it proves little.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy
import torch

from repro.graph import Edge, Graph, Node, Shape, norm_operands, replay

_CHUNK = 1 << 15  # 64-bit words hashed at a time: 256 KiB, which stays in a core's second-level cache
_FOLD = numpy.uint64(29)

# SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, Figure 17.
_STEP, _MIX1, _MIX2 = (numpy.uint64(word) for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))

# The spread of what is not a weight. Wide enough to be felt, narrow enough to keep activations near unit scale.
_SCALE, _SHIFT, _OTHER = (0.5, 1.5), (-0.25, 0.25), (-0.5, 0.5)

# No running variance is let below this share of the layer's average: a channel nearly silent in one small batch would
# explode in the next.
_SMALLEST_SHARE = 0.1

_PASS_THROUGH = frozenset("t view expand permute transpose unsqueeze squeeze reshape clone detach alias".split())
_PRODUCTS = frozenset("addmm mm bmm matmul baddbmm".split())


def uniform(key: str, shape: Shape, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    """A float32 tensor with elements spread evenly over [low, high), a function of `key` and the flat index alone."""
    seed = numpy.uint64(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little"))
    count = math.prod(shape)
    words = numpy.empty(_CHUNK, numpy.uint64)
    shifted = numpy.empty(_CHUNK, numpy.uint64)
    steps = numpy.arange(1, _CHUNK + 1, dtype=numpy.uint64) * _STEP
    values = numpy.empty(count, numpy.float32)
    span, base = numpy.float32((high - low) / (1 << 24)), numpy.float32(low)
    last = numpy.nextafter(numpy.float32(high), base)
    beyond = numpy.float32((1 << 24) - 1) * span + base > last  # the greatest of all sums, rounded up to `high`
    with numpy.errstate(over="ignore"):
        for start in range(0, count, 2 * _CHUNK):  # each word gives two values of 24 bits
            numpy.add(steps, seed + numpy.uint64(start // 2) * _STEP, out=words)
            for shift, factor in ((30, _MIX1), (27, _MIX2), (31, None)):
                numpy.right_shift(words, numpy.uint64(shift), out=shifted)
                numpy.bitwise_xor(words, shifted, out=words)
                if factor is not None:
                    numpy.multiply(words, factor, out=words)
            halves = words.astype("<u8", copy=False).view("<u4")
            part = values[start : start + 2 * _CHUNK]
            numpy.right_shift(halves, numpy.uint32(8), out=halves)
            part[:] = halves[: part.size].view("<i4")  # exact, and signed numbers are the faster ones to convert
            numpy.multiply(part, span, out=part)
            numpy.add(part, base, out=part)
            if beyond:
                numpy.minimum(part, last, out=part)
    return torch.from_numpy(values.reshape(shape))


def fingerprint(tensor: torch.Tensor) -> bytes:
    """What changes with a tensor's bits; for gigabytes of weights, several times as fast as SHA-256.

    Each chunk of 64-bit words is a sum of products modulo 2**64 with odd noise, and the sums are hashed. No change of
    one word can vanish in it, and one of several only by chance: each word's upper bits are laid over its lower ones
    first, as in a sum of products two changes of the highest bit, such as of two signs, would always cancel. They are
    not laid 32 below, where the other float32 of a word has its sign.
    """
    raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    whole = raw[: raw.size // 8 * 8].view("<u8")
    words = numpy.empty(_CHUNK, numpy.uint64)
    found = hashlib.sha256(raw[whole.nbytes :].tobytes())
    noise = _odd_noise()
    with numpy.errstate(over="ignore"):
        for start in range(0, whole.size, _CHUNK):
            part = whole[start : start + _CHUNK]
            mixed = words[: part.size]
            numpy.right_shift(part, _FOLD, out=mixed)
            numpy.bitwise_xor(part, mixed, out=mixed)
            numpy.multiply(mixed, noise[: part.size], out=mixed)
            found.update(int(mixed.sum()).to_bytes(8, "little"))
    return found.digest()


@cache
def _odd_noise() -> numpy.ndarray:
    """A factor for each word of a chunk."""
    content = hashlib.shake_128(b"fingerprint").digest(8 * _CHUNK)
    return numpy.frombuffer(content, "<u8") | numpy.uint64(1)


def image(seed: int, batch: int, size: Sequence[int]) -> torch.Tensor:
    """A batch of inputs with zero mean and unit variance, (batch, *size), float32."""
    edge = math.sqrt(3)  # the variance of a uniform variable on [-a, a] is a^2 / 3
    return uniform(f"{seed}/input/{tuple(size)}", (batch, *size), -edge, edge)


def cotangent(seed: int, index: int, output: torch.Tensor) -> torch.Tensor:
    """A tensor like the output at `index`: what it is multiplied with to make a scalar to differentiate."""
    values = uniform(f"{seed}/cotangent/{index}", tuple(output.shape), -1.0, 1.0)
    return values.to(output.device, output.dtype)


def kept(seed: int, place: int | None, shape: Shape, share: float) -> torch.Tensor:
    """What a dropout at a place of the first network keeps: this share, each by its seed, place and flat index."""
    return uniform(f"{seed}/draw/{place}", shape) < share


def conditioned(
    graph: Graph, given: Mapping[str, torch.Tensor], seed: int = 0, training: Graph | None = None
) -> dict[str, torch.Tensor]:
    """Values for everything a traced module holds, by state_dict key, float32 where floating.

    graph     of the module in eval mode, as traced: a batch of its inputs' shape sets the running statistics
    given     the module's own tensors, for what a graph cannot choose: an index table, a mask, a fixed target
    training  of the module in train mode, for what eval does not read, such as auxiliary heads
    """
    roles = {**(_roles(training) if training is not None else {}), **_roles(graph)}
    values: dict[str, torch.Tensor] = {}
    for key, shape in graph.state.items():
        if key in graph.aliases:
            values[key] = values[graph.aliases[key]]
            continue
        bounds = _bounds(roles.get(key), shape)
        if bounds is None:
            known = given[key].detach()
            values[key] = known if known.device.type != "meta" else torch.zeros(shape, dtype=known.dtype)
        else:
            values[key] = uniform(f"{seed}/{key}", shape, *bounds)
    _take_statistics(graph, values, seed)
    return values


def keeps_values(graph: Graph) -> list[str]:
    """The buffers whose values are the module's own: building it without data would lose them."""
    roles = _roles(graph)
    leaves = {node.name: node.op for node in graph.nodes}
    read = graph.readers()
    return [key for key in graph.state if leaves.get(key) == "buffer" and key in read and _is_own(roles.get(key))]


def _is_own(role: tuple[str, str] | None) -> bool:
    return role is not None and role[0] == "own"


def _roles(graph: Graph) -> dict[str, tuple[str, str]]:
    """key -> (what the tensor is for, detail): `weight`, `scale`, `shift`, `statistic`, `other` or `own`."""
    users: dict[int, list[tuple[Node, int]]] = {}
    for node in graph.nodes:
        for position, edge in enumerate(node.inputs):
            users.setdefault(edge.node, []).append((node, position))
    found: dict[str, tuple[str, str]] = {}
    for index, leaf in enumerate(graph.nodes):
        if leaf.op in ("parameter", "buffer") and index in users:
            role = _role(*_consumer(users, index))
            found[leaf.name] = ("own", "") if leaf.op == "buffer" and role[0] != "statistic" else role
    return found


def _consumer(users: dict[int, list[tuple[Node, int]]], index: int) -> tuple[Node, int, bool]:
    """The operation that uses a tensor, past the views on the way, and whether one of them transposed it."""
    transposed = False
    while True:
        node, position = users[index][0]
        if node.op not in _PASS_THROUGH or node.origin not in users:
            return node, position, transposed
        transposed = transposed or node.op in ("t", "transpose", "permute")
        index = node.origin


def _role(node: Node, position: int, transposed: bool) -> tuple[str, str]:
    if "norm" in node.op:
        name = norm_operands(node)[position - 1]
        return ("statistic", name) if name.startswith("running") else ("scale" if name == "weight" else "shift", name)
    if node.op == "convolution":
        return ("weight", "columns") if position == 1 else ("shift", "")
    if node.op in _PRODUCTS and not (node.op == "addmm" and position == 0):
        return "weight", "columns" if transposed else "rows"
    return ("scale", "") if node.op in ("mul", "div") else ("other", "") if node.op != "addmm" else ("shift", "")


def _bounds(role: tuple[str, str] | None, shape: Shape) -> tuple[float, float] | None:
    match role:
        case ("weight", along):
            fan_in = math.prod(shape[1:]) if along == "columns" else math.prod(shape[:-1])
            edge = math.sqrt(6 / max(fan_in, 1))  # variance 2 / fan_in (He et al. 2015, arXiv:1502.01852, equation 10)
            return -edge, edge
        case ("scale", _):
            return _SCALE
        case ("shift", _) | ("statistic", "running_mean"):
            return _SHIFT
        case ("statistic", _):
            return _SCALE
        case ("other", _):
            return _OTHER
    return None


def _take_statistics(graph: Graph, values: dict[str, torch.Tensor], seed: int) -> None:
    """Set running means and variances to those of one batch, in dataflow order.

    Computed in float64 and kept to 8 significant bits, so that machines whose kernels differ in the last bits of a
    float64 agree on every bit here.
    """
    norms = [index for index, node in enumerate(graph.nodes) if "batch_norm" in node.op]
    if not norms:
        return
    graph = replace(graph, nodes=graph.nodes[: norms[-1] + 1], outputs=(("last", Edge(norms[-1])),))
    wide = _Wide(values)
    edge = math.sqrt(3)
    batch = [uniform(f"{seed}/statistics/{i}", shape, -edge, edge) for i, shape in enumerate(graph.input_shapes)]

    def observe(node: Node, operands: list[Any]) -> Any:
        if "batch_norm" not in node.op:
            return None
        names = (graph.node(edge).name for edge in node.inputs[1:])
        operand_of = dict(zip(norm_operands(node), names, strict=True))
        if "running_mean" not in operand_of:
            return None
        x = operands[0]
        dims = [dim for dim in range(x.ndim) if dim != 1]
        variance = x.var(dims, correction=0)
        variance = _eight_bits(variance.clamp(_SMALLEST_SHARE * float(variance.mean())))
        mean = _eight_bits(x.mean(dims))
        for name, statistic in (("running_mean", mean), ("running_var", variance)):
            values[operand_of[name]] = statistic.float()
        weight, bias = (wide[operand_of[name]] if name in operand_of else None for name in ("weight", "bias"))
        eps = node.get("eps", node.get("epsilon"))
        return [torch.nn.functional.batch_norm(x, mean, variance, weight, bias, eps=eps)]

    with torch.no_grad():
        replay(graph, wide, [x.double() for x in batch], observe)


class _Wide(dict[str, torch.Tensor]):
    """The same tensors in float64, converted when first asked for."""

    def __init__(self, values: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, key: str) -> torch.Tensor:
        value = self._values[key]
        self[key] = value.double() if value.is_floating_point() else value
        return self[key]


def _eight_bits(values: torch.Tensor) -> torch.Tensor:
    mantissa, exponent = torch.frexp(values)
    return torch.ldexp((mantissa * 256).round() / 256, exponent)
