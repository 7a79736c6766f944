"""The checks of one pair, in order; each is a function of the pair in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from repro.graph import TraceError, is_random, name_of
from repro.parity.backward import backward32, backward64
from repro.parity.forward import forward32, forward64
from repro.parity.initialisation import initial
from repro.parity.keys import mapping
from repro.parity.locate import located
from repro.parity.network import BackwardError
from repro.parity.pair import Pair, Plan
from repro.parity.steering import DRAWS, UNFOLLOWED
from repro.parity.structure import structure, train_structure
from repro.parity.training import train32, train64
from repro.parity.values import values
from repro.result import Outcome, Result

FUNCTIONS: dict[str, Callable[[Pair], Result]] = {
    "structure": structure,
    "mapping": mapping,
    "values": values,
    "forward.float64": forward64,
    "forward.float32": forward32,
    "backward.float64": backward64,
    "backward.float32": backward32,
    "train.structure": train_structure,
    "train.float64": train64,
    "train.float32": train32,
    "initialisation": initial,
}

CHECKS = tuple(FUNCTIONS)


def names(plan: Plan) -> list[str]:
    """The checks that a plan asks for: `values` only where both sides bring weights of their own."""
    return [name for name in CHECKS if name != "values" or plan.expected is not None]


def check(pair: Pair) -> Iterator[Result]:
    """The results of the checks that the plan asks for, in the order of `CHECKS`.

    The first check that fails says where the two part. Raises ReproError where a network cannot be traced or
    run.
    """
    outcomes: dict[str, Outcome] = {}
    for name in names(pair.plan):
        missing = _missing(pair, name, outcomes)
        first = Outcome.FAIL not in outcomes.values()  # what fails after it most often fails for the same reason
        result = pair.result(name, Outcome.SKIP, missing) if missing else made(pair, name, first)
        outcomes[name] = result.outcome
        yield result


def made(pair: Pair, name: str, placed: bool = True) -> Result:
    """One check and, if it fails and `placed`, the place where it does.

    Raises ReproError where a network cannot be traced or run.
    """
    try:
        result = FUNCTIONS[name](pair)
    except BackwardError as error:
        return located(pair, pair.result(name, Outcome.FAIL, str(error)))
    return located(pair, result) if placed else result


def _missing(pair: Pair, name: str, outcomes: dict[str, Outcome]) -> str:
    """What a check needs and does not have, "" if it can be made."""
    if name == "structure":
        return ""
    if not pair.equal:
        return "not made: the structures differ"
    if name.startswith("train."):
        try:
            training = pair.training
        except TraceError as error:
            return f"not claimed: {pair.untrained}" if pair.untrained else f"train mode cannot be traced: {error}"
        if name != "train.structure" and training is None:
            return "not made: the structures of train mode differ"
        drawn = {name_of(func).removesuffix("_") for func, *_ in pair.graphs(True)[0].calls.values() if is_random(func)}
        if name != "train.structure" and drawn - DRAWS:
            return f"draws {', '.join(sorted(drawn - DRAWS))} in training, of which no two runs are alike"
    phase, _, precision = name.partition(".")
    if precision == "float32" and outcomes[f"{phase}.float64"] is not Outcome.PASS:
        return f"not made: {phase}.float64 does not agree"
    if name in ("backward.float32", "train.float32"):
        graph = pair.graphs(training=phase == "train")[0]
        kinks = UNFOLLOWED & {node.op for node in graph.nodes}
        if kinks:
            return f"a float32 run cannot be kept on the same side of the kinks of {', '.join(sorted(kinks))}"
    if name == "initialisation" and pair.declared is None:
        return "nothing is declared of how this network starts; only the networks of the catalog have a declaration"
    return ""
