"""The library: is this module that one? For scripts, notebooks and tests; `repro` itself has all of it."""

from __future__ import annotations

import copy
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import overload

import torch
from torch import nn

from repro.errors import ReproError, first_line
from repro.golden import folder, naming
from repro.graph import TraceError
from repro.identity import identify as identify
from repro.parity.check import check, names
from repro.parity.convert import map_state_dict
from repro.parity.network import BATCH, Network, Stopwatch
from repro.parity.pair import Pair, Plan
from repro.parity.verify import input_size as known_size
from repro.references import Size, Source, resolve
from repro.render import html, json, text
from repro.result import Outcome, Result, summary

Given = str | nn.Module | Callable[[], nn.Module]

PHASES = ("structure", "mapping", "values", "forward", "backward", "train")

_DTYPES = (torch.float32, torch.float64)
_WIDTH = 71  # of an assertion's message: pytest puts eight columns before it

# What to do about the first check that fails, where its message does not say so itself.
_ADVICE = {
    "structure": "The two are different programs at the places named; nothing else can be compared until they agree.",
    "mapping": "Give actual the values of expected's buffers.",
    "values": "actual.load_state_dict(repro.map_state_dict(expected, actual, inputs)) puts every weight in its place.",
    "train.structure": "In eval mode the two are one program. Look at what only training runs: dropout, momentum of "
    "normalisations, auxiliary outputs, frozen or detached tensors.",
}


class Report(Sequence[Result]):
    """The results of one comparison: true if nothing failed, a text when printed, a table in a notebook."""

    def __init__(self, results: Iterable[Result]) -> None:
        self.results = tuple(results)

    @property
    def passed(self) -> bool:
        """Whether no check failed and none was stopped by an error; one that was skipped says why."""
        return not {Outcome.FAIL, Outcome.ERROR} & {result.outcome for result in self.results}

    def __bool__(self) -> bool:
        return self.passed  # so that `assert repro.compare(...)` says what it seems to say

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Result]: ...
    def __getitem__(self, index: int | slice) -> Result | Sequence[Result]:
        return self.results[index]

    def __str__(self) -> str:
        return "\n".join([self._title, *text.verdicts(self.results)])

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in summary(self.results).items() if count)
        return f"<Report: {self._title}: {counts}>"

    def _repr_html_(self) -> str:
        return html.table(self._title, self.results)

    def json(self) -> str:
        """All of it, evidence included, as `repro compare --format json` prints it."""
        return json.report(self.results)

    @property
    def _title(self) -> str:
        first = self.results[0]
        return f"{first.subject} against {first.reference}"


def assert_equivalent(
    actual: nn.Module,
    expected: nn.Module,
    inputs: torch.Tensor,
    *,
    checks: str | Iterable[str] = PHASES,
    seed: int = 0,
) -> Report:
    """Assert that two modules, each with the weights it holds, are the same network with the same weights.

    inputs  one batch that both are called with, (batch, ...), at least two dimensions
    checks  the phases to go through; `structure`, on which the others rest, is always among them
    seed    of cotangents and dropout masks

    Both are copied and stay as they are. The copies run on the CPU, in float32 and float64, in eval mode and in train
    mode; weights in float64 are compared as rounded to float32. The proof of structure is for a batch of 3.

    Returns the report. Raises AssertionError with the report in it if a check fails, and ReproError for what cannot be
    compared: no module, no tensor, two devices or dtypes, a module that takes one batch size only.
    """
    __tracebackhide__ = True  # pytest then ends its traceback in the test that called this
    report = _own_weights((actual, "actual"), (expected, "expected"), inputs, _phases(checks), seed)
    if not report.passed:
        raise AssertionError(_complaint(report))
    # float32 may be out of reach where float64 has agreed; anything else that was asked for and not checked is no pass.
    unchecked = [r for r in report if r.outcome is Outcome.SKIP and not r.check.endswith(".float32")]
    if unchecked:
        told = "; ".join(f"{result.check}: {result.message}" for result in unchecked)
        raise AssertionError(f"nothing differs, and not all could be checked. {told}. Name what to check in checks=")
    return report


def compare(
    first: Given,
    second: Given,
    inputs: torch.Tensor | None = None,
    *,
    input_size: Sequence[int] | int | None = None,
    seed: int = 0,
) -> Report:
    """Compare two networks, and return what was found: `second` is the reference.

    first, second  each a specification (`torchvision:resnet18`), a module, or something to call that returns one
    inputs         one batch to run them on, (batch, ...), instead of closed-form images
    input_size     of closed-form images, (channels, height, width) or one side of three square channels; the default is
                   the size that a specification was made for, or else 224
    seed           of closed-form weights and images, cotangents and dropout masks

    Two modules with `inputs` are compared with the weights that each holds, as by `assert_equivalent`. In every other
    case the question is whether the programs are the same: both get the same closed-form weights, whatever they hold.
    Modules stay as they are. Raises ReproError where a network cannot be had, built or traced.
    """
    if inputs is not None and input_size is not None:
        raise ReproError("both inputs and input_size were given; expected one of them")
    live = [given for given in (first, second) if isinstance(given, nn.Module)]
    if len(live) == 2 and inputs is not None:
        return _own_weights((live[0], "first"), (live[1], "second"), inputs, PHASES, seed)
    sources = _source(first, "first"), _source(second, "second")
    if inputs is not None:
        images = _images(inputs)
        size, batch = tuple(images.shape[1:]), len(images)
        subject, reference = (_network(source, size, batch) for source in sources)
        plan = Plan((size,), ((size, batch),), (size, batch), seed, inputs=images)
    else:
        size = known_size(*sources) if input_size is None else _size(input_size)
        subject, reference = (_network(source, size) for source in sources)
        plan = Plan((size,), ((size, 1), (size, BATCH)), (size, BATCH), seed)
    pair = Pair(subject, reference, plan)
    return Report(_results(pair, PHASES if live else (*PHASES, "initialisation")))


def check_golden(
    network: Given,
    name: str | None = None,
    *,
    golden_dir: str | Path = "golden",
    input_size: Sequence[int] | int | None = None,
    remedy: str = 'repro.update_golden(..., reason="...")',
) -> Report:
    """Hold a network, with closed-form weights, against the golden of that name.

    network     a specification (`repro:resnet18`), a module, or something to call that returns one
    name        of the golden; by default that which `repro golden update` gives to a specification
    golden_dir  the folder
    input_size  of one input, if the golden has to be for that: without a batch, or one side of three square channels
    remedy      what a report on a missing golden says is to be done

    A golden that is missing or damaged is an error in the report, and so is a network that cannot be run.
    """
    name = _golden_name(network, name)
    size = None if input_size is None else _size(input_size)
    return Report(folder.check_one(Path(golden_dir), name, _source(network, name), size, remedy))


def update_golden(
    network: Given,
    name: str | None = None,
    *,
    reason: str,
    golden_dir: str | Path = "golden",
    input_size: Sequence[int] | int | None = None,
) -> str:
    """Make the golden of a network, if there is none or it no longer holds; returns what happened, in a sentence.

    reason: why the outputs may be others than they were; it is kept. input_size: of one input, without a batch; the
    default is that of the golden there is, or else the size that a specification was made for, or 3x224x224.

    Raises ReproError for a network that cannot be run or whose outputs are not finite, and for a folder that cannot be
    written; the golden there was is then still there.
    """
    name = _golden_name(network, name)
    size = None if input_size is None else _size(input_size)
    command = f"repro.update_golden(..., {name!r}, reason={reason!r})"
    return folder.update(Path(golden_dir), name, _source(network, name), size, reason, command)


def _golden_name(network: Given, name: str | None) -> str:
    found = naming.golden_name(network) if name is None and isinstance(network, str) else name
    if not found or not re.fullmatch(r"[\w.+=-]*\w", found):
        given = "no name was given" if found is None else f"the name {found!r} was given"
        raise ReproError(f"{given} for a golden; expected one that can be a file's, such as my_resnet")
    return found


def _own_weights(
    first: tuple[nn.Module, str], second: tuple[nn.Module, str], inputs: torch.Tensor, phases: Sequence[str], seed: int
) -> Report:
    """Compare two modules, each with its name, on the weights that they hold."""
    for given, name in (first, second):
        _require_weights(given, name)
    _require_alike(first, second)
    images = _images(inputs)
    size, batch = tuple(images.shape[1:]), len(images)
    subject, reference = (_network(_source(*each), size, batch) for each in (first, second))
    states = subject.module.state_dict(), reference.module.state_dict()
    # Two images train at least: a batch has no statistics of one value.
    plan = Plan((size,), ((size, batch),), (size, max(batch, 2)), seed, *states, images)
    return Report(_results(Pair(subject, reference, plan), phases))


def _results(pair: Pair, phases: Sequence[str]) -> Iterator[Result]:
    """The results of these phases. What stops a check after the first is a result too, so that none found is lost."""
    made = names(pair.plan)
    wanted = [name for name in made if name.partition(".")[0] in phases]
    found = check(pair)
    for name in made[: made.index(wanted[-1]) + 1]:
        try:
            result = next(found)
        except ReproError as error:
            if name == "structure":
                raise
            yield pair.result(name, Outcome.ERROR, str(error))
            return
        if name in wanted:
            yield result


def _phases(checks: str | Iterable[str]) -> tuple[str, ...]:
    asked = (checks,) if isinstance(checks, str) else tuple(checks)
    unknown = [name for name in asked if name not in PHASES]
    if unknown or not asked:
        given = f"checks names {unknown[0]!r}" if unknown else "checks is empty"
        raise ReproError(f"{given}; expected some of {', '.join(PHASES)}")
    return ("structure", *asked)


def _source(given: Given, name: str) -> Source:
    """Where to have a network from, under a name for messages."""
    if isinstance(given, str):
        return resolve(given)
    if isinstance(given, nn.Module):
        spec = f"{name} ({type(given).__name__})"
        copied = _copied(given, spec)
        return Source(spec, lambda: copied, on_meta=False)
    if not callable(given):
        raise ReproError(
            f"{name} is {_kind(given)}; expected a torch.nn.Module, something to call that returns one, or a "
            f"specification such as torchvision:resnet18"
        )
    spec = f"{name} ({getattr(given, '__name__', type(given).__name__)})"

    def build() -> nn.Module:
        made = given()
        if not isinstance(made, nn.Module):
            raise ReproError(f"{spec} returned {_kind(made)}; expected a torch.nn.Module")
        return _copied(made, spec)  # it may return the same one to everybody

    return Source(spec, build, on_meta=False)


def _copied(module: nn.Module, name: str) -> nn.Module:
    """A copy on the CPU and in float32, to be filled and run at will."""
    hooked = [
        key
        for key, parameter in module.named_parameters()
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None)
    ]
    if hooked:
        raise ReproError(
            f"{name}: {hooked[0]!r} has a hook on its gradient, which a copy would not have; remove it, or write "
            f"it into the module's forward"
        )
    try:
        copied = copy.deepcopy(module)
    except Exception as error:
        raise ReproError(
            f"{name}: copying it raised {first_line(error)}; expected a module that copy.deepcopy can copy"
        ) from error
    return copied.float() if any(tensor.is_meta for tensor in _tensors(copied)) else copied.float().cpu()


def _network(source: Source, size: Size, batch: int | None = None) -> Network:
    """The network of a source; `batch` is that of the user's own images, None for closed-form ones."""
    try:
        return Network.of(source, size, Stopwatch())
    except TraceError as error:
        if batch is None:
            raise TraceError(f"{error}; input_size=(channels, height, width) compares at another size") from error
        if not _takes(source, size, batch):
            raise
        reason = str(error).removeprefix(f"{source.spec}: ")
        raise ReproError(
            f"{source.spec} takes a batch of {batch} and not of {BATCH}, with which it is traced ({reason}); a module "
            f"for one batch size cannot be checked: have it read the batch from the shape of its input"
        ) from error


def _takes(source: Source, size: Size, batch: int) -> bool:
    try:
        Network(source, source.module(), Stopwatch()).graph(size, batch=batch)
    except TraceError:
        return False
    return True


def _images(inputs: object) -> torch.Tensor:
    if not isinstance(inputs, torch.Tensor):
        several = "; wrap a module of several inputs in one that takes a tensor" * isinstance(
            inputs, tuple | list | dict
        )
        raise ReproError(f"inputs is {_kind(inputs)}; expected one tensor, a batch{several}")
    if inputs.dtype not in _DTYPES:
        raise ReproError(f"inputs holds {_named(inputs.dtype)}; expected float32 or float64")
    if inputs.ndim < 2 or not inputs.numel():
        raise ReproError(f"inputs has shape {tuple(inputs.shape)}; expected a batch of one or more, (batch, ...)")
    if not bool(inputs.isfinite().all()):
        raise ReproError("inputs holds NaN or infinity, of which nothing can be learned; expected finite numbers")
    return inputs.detach().cpu()


def _size(given: Sequence[int] | int) -> Size:
    size = (3, given, given) if isinstance(given, int) else tuple(given)
    if not size or not all(isinstance(number, int) and number > 0 for number in size):
        raise ReproError(f"input_size is {given!r}; expected (channels, height, width) or one side, such as 224")
    return size


def _require_weights(module: object, name: str) -> None:
    """Raise ReproError for what is no module, or holds something that cannot be compared."""
    if not isinstance(module, nn.Module):
        raise ReproError(f"{name} is {_kind(module)}; expected a torch.nn.Module with its weights")
    for key, tensor in module.state_dict().items():
        if not isinstance(tensor, torch.Tensor):
            raise ReproError(f"{name}: {key!r} of its state_dict is {_kind(tensor)}; expected tensors only")
        if tensor.is_meta:
            raise ReproError(f"{name}: {key!r} is on the meta device and has no values; load the weights first")
        if tensor.is_floating_point() and tensor.dtype not in _DTYPES:
            raise ReproError(f"{name}: {key!r} is {_named(tensor.dtype)}; expected float32 or float64: call .float()")


def _require_alike(first: tuple[nn.Module, str], second: tuple[nn.Module, str]) -> None:
    """Raise ReproError if two modules are not on one device, or not in one precision."""
    properties: tuple[tuple[str, Callable[[torch.Tensor], str]], ...] = (
        ("on one device", lambda x: str(x.device)),
        ("in one precision", lambda x: _named(x.dtype)),
    )
    for agreement, of in properties:
        ours, theirs = ({of(x) for x in _tensors(module) if x.is_floating_point()} for module, _ in (first, second))
        if ours and theirs and ours != theirs:
            told = " and ".join(
                f"{name} is {' and '.join(sorted(held))}" for held, (_, name) in ((ours, first), (theirs, second))
            )
            raise ReproError(f"{told}; expected both {agreement}: convert one of them with .to()")


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    return chain(module.parameters(), module.buffers())


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _kind(given: object) -> str:
    name = type(given).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _complaint(report: Report) -> str:
    """The message of an assertion: what fails and is no consequence of what fails before it, and what to do."""
    failed = [result for result in report if result.outcome in (Outcome.FAIL, Outcome.ERROR)]
    told = [result for result in failed if result is failed[0] or ".float" not in result.check]
    rest = {
        "failing too": [result.check for result in failed if result not in told],
        "passing": [result.check for result in report if result.outcome is Outcome.PASS],
        "skipped": [result.check for result in report if result.outcome is Outcome.SKIP],
    }
    lines = [f"{failed[0].subject} is not equivalent to {failed[0].reference}", *text.verdicts(told, _WIDTH)]
    for label, checks in rest.items():
        lines += textwrap.wrap(f"{label:<18}{', '.join(checks)}", _WIDTH, subsequent_indent=" " * 18) if checks else []
    lines += textwrap.wrap(_ADVICE.get(failed[0].check, ""), _WIDTH)
    return "\n".join([*lines, "repro.compare(actual, expected, inputs) tells every result in full."])


__all__ = ["PHASES", "Report", "ReproError", "assert_equivalent", "compare", "map_state_dict"]
