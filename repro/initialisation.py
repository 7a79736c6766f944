"""What an initialisation is declared to draw, and whether the values of a network are such draws.

A declaration is data: `pattern of keys -> law`, in order, the first match counts. A law is one of

    0.2                             every element is that number, exactly
    normal(mean, std)
    uniform(low, high)
    truncated_normal(mean, std, at) a normal of deviation `std` before its tails beyond `at` such deviations are cut off

with arithmetic, sqrt, fan_in, fan_out and fan_avg in the arguments. The fans are torch's: a weight of shape (out, in,
*kernel) has fan_in = in * kernel and fan_out = out * kernel, groups or not; a bias has those of the weight beside it.

A law is judged by four scores, each about standard normal for values drawn by it:
- mean;
- deviation: the sum of squares about the declared mean, made normal by the cube root of Wilson and Hilferty (PNAS
  1931), which holds for a handful of elements as well;
- kind: Geary's ratio of the mean absolute deviation to the standard deviation (Biometrika 1935): 0.798 for a normal,
  0.822 for one cut at two deviations, 0.866 for a uniform. Of the usual test, by kurtosis, the null distribution has so
  heavy a tail that at 10,000 elements 6 deviations are met a hundred times as often as they should be;
- range: the probability that the farthest element is as far out, or as near, as it is. What lies outside the support is
  infinitely unlikely.
Whether elements are independent of each other is not judged.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import NormalDist

import torch
from torch import nn

from repro.errors import ReproError

# The 111 networks of the catalog have 23,361 parameters, 8,019 of them drawn. With the pools that is less than 40,000
# scores, and P(|z| > 6.5) = 8.0e-11: 3e-6 for one look at the whole catalog. Where the approximation is worst, in the
# deviation of a uniform vector of 6 to 16 elements, the exact probability (the volume of a ball in a cube) is 2e-7 to
# 5e-7; there are six of those, all in LeNet-5. Together 7e-6: one false alarm in 140,000 looks at the catalog.
LIMIT = 6.5
SMALL = 2_500  # elements; with fewer, a deviation wrong by 10 % is within the limit, and the tensor is pooled as well
KIND_FROM = (
    500  # elements; with fewer, Geary's ratio is too skew for the limit, and a uniform is not told from a normal
)
EDGE = 1e-5  # of the support: how far float32 may round a value across its end
NEVER = 40.0  # deviations; in double precision a normal has nothing beyond
CHUNK = 1 << 18  # elements measured at a time: they stay in the cache, and their float32 sums keep six digits

_STANDARD = NormalDist()


# --- laws --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """A distribution about zero and symmetric, in units of its scale.

    moments  E|x|, E|x|^2, E|x|^3, E|x|^4
    end      of the support
    beyond   t -> P(|x| > t)
    """

    moments: tuple[float, float, float, float]
    end: float
    beyond: Callable[[float], float]


@dataclass(frozen=True)
class Law:
    """A law of initial values, with its numbers for one tensor.

    text    as declared
    centre  the mean, or the constant
    scale   in whose units `shape` is; no matter for a constant
    shape   None for a constant
    """

    text: str
    centre: float
    scale: float = 1.0
    shape: Shape | None = None

    @property
    def std(self) -> float:
        """The standard deviation of what is drawn: after the cut, for a cut normal."""
        return self.scale * math.sqrt(self.shape.moments[1]) if self.shape is not None else 0.0


UNIFORM = Shape((1 / 2, 1 / 3, 1 / 4, 1 / 5), 1.0, lambda t: max(0.0, 1 - t))


@functools.cache
def cut_normal(at: float) -> Shape:
    """The standard normal without its tails beyond `at`; the moments by parts."""
    inside, centre, end = math.erf(at / math.sqrt(2)), _STANDARD.pdf(0), _STANDARD.pdf(at)
    first = 2 * (centre - end) / inside
    second = 1 - 2 * at * end / inside
    third = 2 * (2 * centre - (at**2 + 2) * end) / inside
    fourth = 3 * second - 2 * at**3 * end / inside
    outside = math.erfc(at / math.sqrt(2))
    return Shape((first, second, third, fourth), at, lambda t: max(0.0, math.erfc(t / math.sqrt(2)) - outside) / inside)


def fans(shape: Sequence[int]) -> dict[str, float]:
    """fan_in, fan_out and fan_avg of a weight of this shape, (out, in, *kernel); none below two dimensions."""
    if len(shape) < 2:
        return {}
    kernel = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * kernel, shape[0] * kernel
    return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}


def law(text: str, numbers: Mapping[str, float]) -> Law:
    """The law that `text` is, with `numbers` for the fans in it.

    Raises ReproError for what is no law, and for a fan that is not among the numbers.
    """
    try:
        return _law(text, _parsed(text), numbers)
    except (ArithmeticError, ValueError) as error:
        raise ReproError(f"the law {text!r} cannot be computed: {error}") from error


def _law(text: str, tree: ast.expr, numbers: Mapping[str, float]) -> Law:
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in _ARGUMENTS):
        return Law(text, _number(text, tree, numbers))
    kind = tree.func.id
    if len(tree.args) != len(_ARGUMENTS[kind].split()) or tree.keywords:
        raise ReproError(f"the law {text!r}: {kind} takes {', '.join(_ARGUMENTS[kind].split())}, by place")
    first, second, *rest = (_number(text, argument, numbers) for argument in tree.args)
    if kind == "uniform":
        found = Law(text, (first + second) / 2, (second - first) / 2, UNIFORM)
    else:
        found = Law(text, first, second, cut_normal(*rest or (NEVER,)))
    if not found.scale > 0 or any(not at > 0 for at in rest):
        raise ReproError(f"the law {text!r} draws nothing: its width is {found.scale:g}; write a constant as a number")
    return found


_ARGUMENTS = {"normal": "mean std", "uniform": "low high", "truncated_normal": "mean std at"}
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@functools.cache
def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ReproError(f"the law {text!r} cannot be read: {error.msg}") from error


def _number(text: str, tree: ast.expr, numbers: Mapping[str, float]) -> float:
    match tree:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name) if name in numbers:
            return numbers[name]
        case ast.Name(id="fan_in" | "fan_out" | "fan_avg" as name):
            raise ReproError(f"the law {text!r} has {name}, and this parameter has none; write the number")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(text, operand, numbers)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_number(text, left, numbers), _number(text, right, numbers))
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument], keywords=[]):
            return math.sqrt(_number(text, argument, numbers))
    known = "numbers, + - * / **, sqrt, fan_in, fan_out, fan_avg, normal, uniform and truncated_normal"
    raise ReproError(f"the law {text!r} has {ast.unparse(tree)!r}; it may have {known}")


# --- what is measured --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """All that is kept of a tensor's values; no law is needed to measure it.

    absolute, squares  sums of |x - mean| and (x - mean)^2, `mean` being the tensor's own
    """

    shape: tuple[int, ...]
    mean: float
    absolute: float
    squares: float
    lowest: float
    highest: float

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        if self.lowest == self.highest:
            return f"{self.lowest:g}"
        std = math.sqrt(self.squares / self.count)
        return f"mean {self.mean:.3g}, deviation {std:.4g}, {self.lowest:.3g} to {self.highest:.3g}"


def measure(tensor: torch.Tensor) -> Sample:
    """The sample that a tensor's elements are: all of them, none is left out. The tensor has at least one."""
    flat = tensor.detach().reshape(-1).float()
    lowest, highest = (end.item() for end in flat.aminmax())
    if lowest == highest:
        return Sample(tuple(tensor.shape), lowest, 0.0, 0.0, lowest, highest)
    chunks = torch.split(flat, CHUNK)
    mean = sum(chunk.sum().item() for chunk in chunks) / len(flat)
    absolute = squares = 0.0
    for chunk in chunks:
        away = chunk - mean
        squares += torch.dot(away, away).item()
        absolute += away.abs_().sum().item()
    return Sample(tuple(tensor.shape), mean, absolute, squares, lowest, highest)


def samples(module: nn.Module) -> dict[str, Sample]:
    """A sample of each floating parameter, under its key."""
    own = module.named_parameters()
    return {key: measure(value) for key, value in own if value.is_floating_point() and value.numel()}


def scores(drawn: Sequence[tuple[Sample, Law]]) -> dict[str, float]:
    """How far tensors together are from their laws, which differ in centre and scale only: about standard normal.

    Kind is left out below KIND_FROM elements. A constant scores 0 or, if one element is another number, infinity.
    """
    shape = drawn[0][1].shape
    if shape is None:
        exact = all(_is_constant(sample, law.centre) for sample, law in drawn)
        return {"value": 0.0 if exact else math.inf}
    n = sum(sample.count for sample, _ in drawn)
    off = [(sample.mean - law.centre) / law.std for sample, law in drawn]
    total = sum(sample.count * distance for (sample, _), distance in zip(drawn, off, strict=True))
    inner = sum(sample.squares / law.std**2 for sample, law in drawn)
    squares = inner + sum(sample.count * distance**2 for (sample, _), distance in zip(drawn, off, strict=True))
    farthest = max(max(sample.highest - law.centre, law.centre - sample.lowest) / law.scale for sample, law in drawn)
    std = math.sqrt(shape.moments[1])
    first, _, third, fourth = (moment / std**power for power, moment in enumerate(shape.moments, start=1))
    freedom = 2 * n / (fourth - 1)  # of the chi-square that has the variance of the sum of squares
    spread = 2 / (9 * freedom)
    found = {
        "mean": total / math.sqrt(n),
        "deviation": ((squares / n) ** (1 / 3) - 1 + spread) / math.sqrt(spread),
        "range": _range_score(n, farthest, shape),
    }
    if n >= KIND_FROM and inner > 0:
        ratio = sum(sample.absolute / law.std for sample, law in drawn) / math.sqrt(n * inner)
        variance = 1 - first**2 - first * (third - first) + first**2 * (fourth - 1) / 4  # by the delta method
        found["kind"] = (ratio - first) / math.sqrt(variance / n)
    return found


def _range_score(n: int, farthest: float, shape: Shape) -> float:
    if not farthest <= shape.end * (1 + EDGE):
        return math.inf
    outside = shape.beyond(farthest)
    log_nearer = n * math.log1p(-outside) if outside < 1 else -math.inf  # of P(all n are at most as far out)
    nearer, farther = math.exp(log_nearer), -math.expm1(log_nearer)
    if nearer < farther:
        return _STANDARD.inv_cdf(max(nearer, 1e-300))
    # Within a support that ends, float32 puts elements on the very end, and nothing can be too far out.
    return -_STANDARD.inv_cdf(max(farther, 1e-300)) if shape.end == NEVER else 0.0


def _is_constant(sample: Sample, value: float) -> bool:
    return sample.lowest == sample.highest == torch.tensor(value).item()


# --- a network against its declaration ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """One tensor, or the small tensors of one rule together, against the law declared for it.

    keys       one, or those of the pool
    statistic  the one that is farthest out: value, mean, deviation, kind or range
    score      how far that is; infinite for a constant that is not, and outside the support
    """

    keys: tuple[str, ...]
    pattern: str
    law: Law
    statistic: str
    score: float

    @property
    def passed(self) -> bool:
        """Within the limit; not a number is not."""
        return abs(self.score) <= LIMIT


def matches(keys: Iterable[str], rules: Mapping[str, str]) -> dict[str, str]:
    """Key -> the first pattern that it matches; a key that matches none is left out."""
    found = {key: next((pattern for pattern in rules if fnmatchcase(key, pattern)), None) for key in keys}
    return {key: pattern for key, pattern in found.items() if pattern is not None}


def beside_of(key: str) -> str:
    """The key of the weight of the same module."""
    return key.removesuffix(key.rpartition(".")[2]) + "weight"


def fans_of(key: str, drawn: Mapping[str, Sample]) -> dict[str, float]:
    """The fans of a parameter: its own, or for a vector those of the weight beside it."""
    own = drawn[key].shape
    beside = drawn.get(beside_of(key))
    return fans(own if len(own) > 1 or beside is None else beside.shape)


def declared_laws(drawn: Mapping[str, Sample], rules: Mapping[str, str]) -> dict[str, Law]:
    """The law that the rules give each parameter; one that matches no rule is left out. Raises ReproError as `law`."""
    return {key: law(rules[pattern], fans_of(key, drawn)) for key, pattern in matches(drawn, rules).items()}


def verdicts(drawn: Mapping[str, Sample], laws: Mapping[str, Law], patterns: Mapping[str, str]) -> list[Verdict]:
    """A verdict on each tensor that has a law, and one on the small tensors of each rule that draws several.

    patterns: key -> the rule that the key's law is from.
    """
    found: list[Verdict] = []
    pools: dict[str, list[str]] = {}
    for key, declared in laws.items():
        found.append(_verdict((key,), drawn, laws, patterns))
        if declared.shape is not None and drawn[key].count < SMALL:
            pools.setdefault(patterns[key], []).append(key)
    found += [_verdict(tuple(keys), drawn, laws, patterns) for keys in pools.values() if len(keys) > 1]
    return found


def _verdict(
    keys: tuple[str, ...], drawn: Mapping[str, Sample], laws: Mapping[str, Law], patterns: Mapping[str, str]
) -> Verdict:
    found = scores([(drawn[key], laws[key]) for key in keys])
    statistic = max(found, key=lambda name: math.inf if math.isnan(found[name]) else abs(found[name]))
    return Verdict(keys, patterns[keys[0]], laws[keys[0]], statistic, found[statistic])


# --- which law it may have been ----------------------------------------------------------------------------------

_FANS = ("fan_in", "fan_out", "fan_avg")
_DEVIATIONS = [*(f"sqrt({gain} / {fan})" for gain in (2, 1) for fan in _FANS), "0.001", "0.01", "0.02", "0.03"]
_DEVIATIONS += ["0.05", "0.1", "1"]
USUAL = (
    "uniform(-sqrt(1 / fan_in), sqrt(1 / fan_in))",  # torch's default, so the first guess for a tensor that fits many
    *(f"normal(0, {std})" for std in _DEVIATIONS),
    *(f"uniform(-sqrt({gain} / {fan}), sqrt({gain} / {fan}))" for gain in (3, 6) for fan in _FANS),
    *(f"truncated_normal(0, {std}, 2)" for std in _DEVIATIONS),
    # TF-slim makes the variance good that the cut takes away by 1.3, Keras and timm more exactly.
    *(
        f"truncated_normal(0, sqrt({factor} * {gain} / {fan}), 2)"
        for factor in ("1.3", "1.2926")
        for gain in (2, 1)
        for fan in _FANS
    ),
)


def fits(key: str, drawn: Mapping[str, Sample], text: str) -> bool:
    """Whether a parameter's values may have been drawn by the law `text`; False if it lacks the fans that are in it."""
    numbers = fans_of(key, drawn)
    if not numbers and "fan" in text:
        return False
    return all(abs(score) <= LIMIT for score in scores([(drawn[key], law(text, numbers))]).values())


def recognised(keys: Iterable[str], drawn: Mapping[str, Sample]) -> dict[str, list[str]]:
    """The fewest laws, constants or USUAL ones, that the tensors `keys` may have been drawn by, with their keys.

    Of laws that explain equally many, the first of USUAL. Tensors that fit none come last, under "".
    """
    left = list(keys)
    constants = {key: repr(drawn[key].lowest) for key in left if drawn[key].lowest == drawn[key].highest}
    fitting = {text: [key for key in left if key not in constants and fits(key, drawn, text)] for text in USUAL}
    for key, text in constants.items():
        fitting.setdefault(text, []).append(key)
    chosen: dict[str, list[str]] = {}
    while left:
        text, covered = max(fitting.items(), key=lambda each: len(each[1]))
        if not covered:
            chosen[""] = left
            break
        chosen[text] = covered
        left = [key for key in left if key not in covered]
        fitting = {text: [key for key in fitted if key in left] for text, fitted in fitting.items()}
    return chosen
