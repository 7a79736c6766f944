"""`repro verify`: networks of the catalog against everything that they can be held against."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from repro import models
from repro.cli.options import SEED, Verbs, count, jobs
from repro.cli.terminal import progress
from repro.errors import ReproError
from repro.papers import papers
from repro.result import Result, exit_code

if TYPE_CHECKING:
    from repro.parity.network import Stopwatch

_STARTED = time.perf_counter()


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """The command."""
    verb = verbs.add_parser("verify", parents=[common], help="check networks of the catalog against their references")
    verb.add_argument("names", metavar="NAME", nargs="*", help="default: all of them")
    verb.add_argument(
        "--seed", type=int, default=SEED, help="of the closed-form weights and inputs (default: %(default)s)"
    )
    verb.add_argument("--timing", action="store_true", help="print the cost beside that of bare model executions")
    verb.add_argument(
        "--power",
        action="store_true",
        help="check the checks instead: plant faults in these networks, and run them correctly in other ways",
    )
    verb.add_argument(
        "--jobs", type=count, metavar="N", help="processes, with --power only (default: as memory allows)"
    )
    verb.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    named = {models.get(name).name for name in options.names}
    chosen = [variant for variant in models.catalog().values() if not named or variant.name in named]
    if options.jobs and not options.power:
        raise ReproError(
            f"--jobs {options.jobs} was given without --power; networks are verified one after the other, in one "
            "process: leave --jobs out, or add --power to plant faults"
        )
    if options.power:
        return _power(options, [variant.name for variant in chosen])
    from repro.parity.network import Stopwatch
    from repro.render import text as rendering

    stopwatch = Stopwatch()
    results: list[Result] = []
    phases: dict[str, float] = {}
    text = options.format == "text"
    total = sum(max(len(variant.references), 1) for variant in chosen)
    with progress("verifying", total) as advance:
        if text:
            print(rendering.HEADER)
        for variant in chosen:
            if text:
                print(variant.name)
            checks = _timed(_checks(variant, stopwatch, options.seed), phases)
            for reference, group in groupby(checks, key=lambda result: result.reference):
                found = list(group)
                results += found
                advance(f"{variant.name} {reference}")
                for line in rendering.lines(found) if text else ():
                    print(line, flush=True)
    timing = _timing(stopwatch, phases)
    if text:
        print(f"\n{rendering.LEGEND}\n\n{rendering.total(results)}")
        facts = [fact for each in papers().values() for fact in each.facts]
        for line in chain(rendering.missing(results), rendering.ledger(results, facts)):
            print(line)
        if options.timing:
            print(*rendering.timing(timing), sep="\n")
    else:
        from repro.render import json

        print(json.report(results, {"timing": timing} if options.timing else None))
    return exit_code(results)


def _checks(variant: models.Variant, stopwatch: Stopwatch, seed: int) -> Iterator[Result]:
    """Everything a network is held against: references, its formulas where there is an oracle, its paper."""
    from repro import conformance, formulas
    from repro.parity.verify import verify

    yield from verify(variant, stopwatch, seed)
    yield from formulas.check(variant, stopwatch, seed)
    yield conformance.check(variant)


def _power(options: argparse.Namespace, names: list[str]) -> int:
    from repro.power import study

    with progress("planting faults", len(names)) as advance:
        found = study(names, options.seed, options.jobs or jobs(), advance)
    power = found.evidence()
    if options.format == "json":
        from repro.render import json

        print(json.document(environment=json.environment(), power=power))
    else:
        from repro.render.matrix import matrix

        print(*matrix(power), sep="\n")
    return 2 if found.unfinished else 0 if found.sound else 1


def _timed(results: Iterable[Result], phases: dict[str, float]) -> Iterator[Result]:
    """The same results; what each took to make is added to its phase: forward for forward.float64."""
    last = time.perf_counter()
    for result in results:
        phase = result.check.partition(".")[0]
        phases[phase] = phases.get(phase, 0.0) + time.perf_counter() - last
        yield result
        last = time.perf_counter()


def _timing(stopwatch: Stopwatch, phases: Mapping[str, float]) -> dict[str, Any]:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there and in kibibytes elsewhere
    seconds = time.perf_counter() - _STARTED
    return {
        "seconds": seconds,
        "bare_model_seconds": stopwatch.seconds,
        "ratio": _ratio(seconds, stopwatch.seconds),
        "phases": dict(phases),
        "beyond_forward": _ratio(phases.get("backward", 0) + phases.get("train", 0), phases.get("forward", 0)),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9,
    }


def _ratio(seconds: float, other: float) -> float:
    return seconds / other if other else float("nan")
