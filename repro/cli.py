"""The command line: one short function per verb. Exit 0 clean, 1 findings, 2 usage or internal error.

Results go to stdout, progress and errors to stderr. torch is imported by the verbs that need it, never before.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import shlex
import shutil
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import repro
from repro import models
from repro.allocator import keep_memory
from repro.errors import ReproError, first_line
from repro.papers import STATUSES, paper, papers
from repro.result import Result, exit_code

if TYPE_CHECKING:
    from repro.parity.network import Stopwatch

_STARTED = time.perf_counter()

# Left at its default, verify takes one measured comparison per network from the same closed-form numbers every time.
_SEED = 0

_UPDATE = (
    "Networks whose golden still holds are left alone. The old golden stays until the new one is complete; look at the "
    "difference of NAME.json before you commit it."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` default to the process's own."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except (ReproError, models.UnknownVariantError) as error:
        if options.debug:
            raise
        print(f"repro: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except KeyboardInterrupt:
        print("repro: interrupted", file=sys.stderr)
        return 2
    except Exception as error:
        if options.debug:
            raise
        print(f"repro: internal error: {first_line(error)}; --debug shows the traceback", file=sys.stderr)
        return 2


def run() -> NoReturn:
    """The process: `main`, and out. Taking apart the interpreter and all that torch has loaded would take a second."""
    if "OMP_WAIT_POLICY" not in os.environ:
        # Threads that wait for each other spin for milliseconds, and lose most of their time as soon as something else
        # runs on the machine; threads that go to sleep at once are late on a quiet one (docs/design.md has the
        # figures). libgomp reads this when torch loads it.
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # Graphs are many small objects that stay; looking through all of them for cycles every 700 new ones took a sixth of
    # the time of a comparison.
    gc.set_threshold(200_000, 20, 20)
    keep_memory()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # of a pipe that nobody reads any more
            stream.flush()
    os._exit(code)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default: text)")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = argparse.ArgumentParser(
        prog="repro",
        description="Prove that a CNN implementation is what it says it is.",
        epilog="exit status: 0 clean, 1 findings, 2 error",
    )
    parser.add_argument("--version", action="version", version=f"repro {repro.__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    verb = verbs.add_parser("list", parents=[common], help="the networks of the catalog")
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("show", parents=[common], help="one network's layer table")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--input-size", type=_size, metavar="CxHxW", help="default: the size the network was made for")
    verb.set_defaults(run=_show)

    verb = verbs.add_parser("verify", parents=[common], help="check networks of the catalog against their references")
    verb.add_argument("names", metavar="NAME", nargs="*", help="default: all of them")
    verb.add_argument(
        "--seed", type=int, default=_SEED, help="of the closed-form weights and inputs (default: %(default)s)"
    )
    verb.add_argument("--timing", action="store_true", help="print the cost beside that of bare model executions")
    verb.add_argument(
        "--power",
        action="store_true",
        help="check the checks instead: plant faults in these networks, and run them correctly in other ways",
    )
    verb.add_argument("--jobs", type=_count, metavar="N", help="processes for --power (default: as memory allows)")
    verb.set_defaults(run=_verify)

    verb = verbs.add_parser(
        "compare",
        parents=[common],
        help="any network against any other",
        description="Compare two networks. Each is repro:NAME or package.module:callable, or NAME of another library: "
        "torchvision, timm, pytorchcv, keras or onnx.",
    )
    verb.add_argument("first", metavar="A")
    verb.add_argument("second", metavar="B")
    _add_sizes(verb, "")
    verb.add_argument(
        "--weights", type=Path, metavar="FILE", help="a state_dict of A to compare with, not closed-form weights"
    )
    verb.add_argument(
        "--seed", type=int, default=_SEED, help="of the closed-form weights and inputs (default: %(default)s)"
    )
    verb.set_defaults(run=_compare)

    verb = verbs.add_parser("facts", help="what the papers print, beside what is measured")
    verb.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default: text")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verb.add_argument("paper", metavar="PAPER", nargs="?", help="default: all of them")
    verb.add_argument("--network", metavar="NAME", help="facts that are measured on this network of the catalog")
    verb.add_argument(
        "--verdict",
        action="append",
        choices=("fail", *STATUSES),
        metavar="VERDICT",
        help=f"only facts that came out so: fail, {', '.join(STATUSES)}; may be repeated",
    )
    verb.set_defaults(run=_facts)

    verb = verbs.add_parser("errata", help="what the papers print wrongly, or by a convention, with the arithmetic")
    verb.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default: text")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verb.add_argument("paper", metavar="PAPER", nargs="?", help="default: all of them")
    verb.set_defaults(run=_errata)

    verb = verbs.add_parser(
        "deviations", help="where torchvision, timm and torch depart from the papers, looked for again"
    )
    verb.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="default: text")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verb.set_defaults(run=_deviations)

    verb = verbs.add_parser("golden", help="hold outputs still: check what networks compute against what is kept")
    actions = verb.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("check", parents=[common], help="run networks again, and compare with their goldens")
    action.add_argument("names", metavar="NAME", nargs="*", help="default: all in the folder")
    action.add_argument("--jobs", type=_count, metavar="N", help="processes (default: as memory allows)")
    action.set_defaults(run=_golden_check)
    _add_folder(action)
    action = actions.add_parser(
        "update", parents=[common], help="make goldens anew where something moved", description=_UPDATE
    )
    action.add_argument("names", metavar="NAME", nargs="+", help="of the catalog, or as for compare")
    action.add_argument("--reason", required=True, help="why the outputs may be others than they were; it is kept")
    action.add_argument("--input-size", type=_size, metavar="CxHxW", help="default: that of the golden there is")
    action.set_defaults(run=_golden_update)
    _add_folder(action)

    verb = verbs.add_parser(
        "convert",
        parents=[common],
        help="a checkpoint of one implementation for another",
        description="Write a checkpoint of network A as one of network B, by the proof that the two are equal. "
        "A and B are named as for compare.",
    )
    verb.add_argument("first", metavar="A")
    verb.add_argument("second", metavar="B")
    verb.add_argument("source", type=Path, metavar="IN", help="a state_dict of A: safetensors, or a torch file")
    verb.add_argument("target", type=Path, metavar="OUT", help="the file to write: .safetensors, .pth, .pt or .bin")
    _add_sizes(verb, "to prove equality at; ")
    verb.set_defaults(run=_convert)
    return parser


def _add_folder(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--golden-dir", type=Path, default=Path("golden"), metavar="DIR", help="the folder (default: %(default)s)"
    )


def _add_sizes(verb: argparse.ArgumentParser, purpose: str) -> None:
    told = f"{purpose}may be repeated; 3x224x224 or 224"
    verb.add_argument("--input-size", type=_size, metavar="CxHxW", action="append", default=[], help=told)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; expected 1 or more")
    return int(text)


def _size(text: str) -> tuple[int, int, int]:
    parts = text.lower().replace(",", "x").split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts) or len(parts) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no input size; expected CxHxW such as 3x224x224, or one side such as 224"
        )
    numbers = [int(part) for part in parts]
    return (3, numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _list(options: argparse.Namespace) -> int:
    variants = models.catalog().values()
    if options.format == "json":
        from dataclasses import asdict

        from repro.render import json

        print(json.document(networks=[asdict(variant) for variant in variants]))
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for module, family in groupby(variants, key=lambda variant: variant.module):
        print(f"{module.rpartition('.')[2]}:")
        for variant in family:
            size = "x".join(map(str, variant.input_size))
            line = f"  {variant.name:<22} {size:<10} {variant.summary}"
            print(line if len(line) <= width else line[: width - 1] + "…")
    return 0


def _show(options: argparse.Namespace) -> int:
    variant = models.get(options.name)
    from repro.layers import layers, parameter_count
    from repro.parity.network import Network, Stopwatch
    from repro.references import resolve

    size = options.input_size or variant.input_size
    graph = Network.of(resolve(f"repro:{variant.name}"), size, Stopwatch()).graph(size, batch=1)
    table = layers(graph)
    parameters, multiply_adds = parameter_count(graph), sum(layer.multiply_adds for layer in table)
    if options.format == "json":
        from dataclasses import asdict

        from repro.render import json

        rows = [asdict(layer) for layer in table]
        totals = {"parameters": parameters, "multiply_adds": multiply_adds}
        print(json.document(network=asdict(variant), input_size=size, layers=rows, totals=totals))
        return 0
    heading = [f"{variant.name}: {variant.summary}", f"{variant.paper}; initialisation {variant.init}"]
    heading += [f"also called {', '.join(variant.aliases)}"] if variant.aliases else []
    print(*(textwrap.fill(line, 79, subsequent_indent="  ") for line in heading), sep="\n")
    row = "{:<28} {:<15} {:>11} {:>11} {:>5} {:>4}"
    print("\n" + row.format("layer", "operation", "output", "params", "madds", "rf"))
    for layer in table:
        path = layer.path if len(layer.path) <= 28 else "…" + layer.path[-27:]
        output = "x".join(map(str, layer.output)) or "1"
        madds = _short(layer.multiply_adds) if layer.multiply_adds else ""
        count = f"{layer.parameters:,}" if layer.parameters else ""
        print(row.format(path, layer.kind[:15], output, count, madds, max(layer.receptive_field)).rstrip())
    print(
        f"\n{parameters:,} parameters, {multiply_adds:,} multiply-adds for one {'x'.join(map(str, size))} image\n"
        f"madds are those of convolutions and matrix products; rf is the receptive field's\nlonger side in pixels"
    )
    return 0


def _verify(options: argparse.Namespace) -> int:
    named = {models.get(name).name for name in options.names}
    chosen = [variant for variant in models.catalog().values() if not named or variant.name in named]
    if options.power:
        return _power(options, [variant.name for variant in chosen])
    from repro.parity.network import Stopwatch
    from repro.render import text as rendering

    stopwatch = Stopwatch()
    results: list[Result] = []
    phases: dict[str, float] = {}
    text = options.format == "text"
    total = sum(max(len(variant.references), 1) for variant in chosen)
    with _progress("verifying", total) as advance:
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

    with _progress("planting faults", len(names)) as advance:
        found = study(names, options.seed, options.jobs or _jobs(), advance)
    power = found.evidence()
    if options.format == "json":
        from repro.render import json

        print(json.document(environment=json.environment(), power=power))
    else:
        from repro.render.matrix import matrix

        print(*matrix(power), sep="\n")
    return 2 if found.unfinished else 0 if found.sound else 1


def _jobs() -> int:
    """Processes that the cores and the memory of this machine have room for, 8 GB each for a VGG and its gradients."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 8e9
    except (AttributeError, OSError, ValueError):  # not every system says
        memory = 1
    return max(1, min(os.cpu_count() or 1, int(memory)))


def _facts(options: argparse.Namespace) -> int:
    from repro.conformance import rows

    chosen = [paper(options.paper)] if options.paper else list(papers().values())
    found = rows(chosen, models.get(options.network).name if options.network else None)
    if options.verdict:
        found = [row for row in found if row.verdict in options.verdict]
    if options.format == "json":
        from repro.render import json

        print(json.document(facts=[vars(row) for row in found], summary=dict(Counter(row.verdict for row in found))))
    else:
        from repro.render import facts as rendering

        print(*(rendering.page(found, chosen) if options.format == "markdown" else rendering.table(found)), sep="\n")
    return 1 if any(row.verdict == "fail" for row in found) else 0


def _errata(options: argparse.Namespace) -> int:
    from repro.conformance import rows

    chosen = [paper(options.paper)] if options.paper else list(papers().values())
    found = [row for row in rows(chosen) if row.verdict in ("fail", "erratum", "convention", "unexplained")]
    if options.format == "json":
        from repro.render import json

        slips = [{"paper": each.name, **vars(slip)} for each in chosen for slip in each.slips]
        print(json.document(facts=[vars(row) for row in found], slips=slips))
    else:
        from repro.render import facts as rendering

        if options.format == "markdown":
            print(*rendering.errata(found, chosen), sep="\n")
        else:
            print(*rendering.slips(chosen), *rendering.table(found), sep="\n")
    return 1 if any(row.verdict == "fail" for row in found) else 0


def _deviations(options: argparse.Namespace) -> int:
    from repro.deviations import register
    from repro.deviations.check import check

    results = list(check(register().deviations))
    if options.format == "json":
        from repro.render import json

        print(json.report(results))
    else:
        from repro.render import deviations as rendering

        if options.format == "markdown":
            print(*rendering.markdown(results, register().found_in), sep="\n")
        else:
            print(*rendering.table(results), "", rendering.total(results), sep="\n")
    return exit_code(results)


def _golden_check(options: argparse.Namespace) -> int:
    from repro.golden import folder as goldens
    from repro.golden import store

    specs = {goldens.golden_name(spec): spec for spec in map(goldens.specification, options.names)}
    names = list(specs) or goldens.expected(options.golden_dir)
    if not names:
        raise ReproError(f"{options.golden_dir}: there is no golden; make some: repro golden update NAME --reason ...")
    text = options.format == "text"
    if text:
        from repro.render import golden as rendering
        from repro.render.text import details

        print(rendering.HEADER)
    found: list[Result] = []
    checked = goldens.check_all(options.golden_dir, names, options.jobs or _jobs())
    with _progress("checking", len(names)) as advance:
        for name, results in zip(names, checked, strict=True):
            found += results
            advance(name)
            if text:
                print(rendering.row(name, results), *details(results), sep="\n", flush=True)
    left = [str(file) for file in store.strays(options.golden_dir)]
    if text:
        print(*rendering.totals(found, left), sep="\n")
    else:
        from repro.render import json

        print(json.report(found, {"unused": left}))
    return exit_code(found)


def _golden_update(options: argparse.Namespace) -> int:
    from repro.golden import folder as goldens
    from repro.references import resolve

    specs = list(map(goldens.specification, options.names))
    command = shlex.join(["repro", "golden", "update", *options.names, "--reason", options.reason])
    done = {}
    for spec in specs:
        name = goldens.golden_name(spec)
        told = goldens.update(options.golden_dir, name, resolve(spec), options.input_size, options.reason, command)
        done[name] = told
        if options.format == "text":
            print(_paragraph(f"{name:<23} ", told), flush=True)
    if options.format == "json":
        from repro.render import json

        print(json.document(environment=json.environment(), updated=done))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from repro.parity.network import Stopwatch
    from repro.parity.verify import compare

    with contextlib.redirect_stdout(sys.stderr):  # the user's code may print
        results = list(
            compare(options.first, options.second, options.input_size, Stopwatch(), options.seed, options.weights)
        )
    if options.format == "json":
        from repro.render import json

        print(json.report(results))
    else:
        from repro.render import text as rendering

        print(f"{options.first} (here) against {options.second} (there)")
        print(*rendering.verdicts(results), sep="\n")
    return exit_code(results)


def _convert(options: argparse.Namespace) -> int:
    from repro.parity.convert import UnequalError, convert
    from repro.render import json

    files = {"source": str(options.source), "target": str(options.target)}
    about = {"environment": json.environment(), "subject": options.first, "reference": options.second, **files}
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the user's code may print
            done = convert(options.first, options.second, options.source, options.target, options.input_size)
    except UnequalError as error:
        if options.format == "json":
            print(json.document(**about, written=False, message=str(error), **error.evidence))
        else:
            print(_paragraph("refused", f"{error}; nothing was written"))
        return 1
    entries = done.keys.entries
    moved = {entry.target: [str(step) for step in entry.steps] for entry in entries if entry.steps}
    if options.format == "json":
        keys = {entry.target: entry.source for entry in entries}
        result = {"proved_for": done.proved_for, "keys": keys, "moved": moved, "digests": done.digests}
        print(json.document(**about, written=True, **result, bytes=done.size, notes=done.notes))
        return 0
    shapes = " and ".join("x".join(map(str, shape)) for shape in done.proved_for)
    sizes = [f"--input-size={'x'.join(map(str, size))}" for size in options.input_size]
    check = ["repro", "compare", options.first, options.second, "--weights", files["source"], *sizes]
    print(
        _paragraph("written", f"{options.target}, for {options.second}; {done.size:,} bytes"),
        _paragraph("keys", f"{len(entries)}, all of both sides; mapped by the proof for inputs of shape {shapes}"),
        _paragraph("values", f"bit for bit; {len(moved) or 'none'} reshaped or permuted; digests agree when read back"),
        *(_paragraph("read", f"{options.source}: {note}") for note in done.notes),
        f"check   {shlex.join(check)}",
        sep="\n",
    )
    return 0


def _paragraph(label: str, text: str) -> str:
    return textwrap.fill(
        f"{label:<8}{text}", 79, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False
    )


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


@contextlib.contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[str], Any]]:
    """A progress bar on stderr if that is a terminal; what is called with each finished item."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(title),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty())
    with bar:
        task = bar.add_task("", total=total)
        yield lambda description: bar.update(task, advance=1, description=description)


def _short(number: int) -> str:
    """A count in at most five characters: 118M, 3.86G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            value = number / size
            return f"{value:.0f}{unit}" if value >= 99.5 else f"{value:.3g}{unit}"
    return str(number)
