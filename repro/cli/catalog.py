"""`repro list` and `repro show`: the networks of the catalog."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from itertools import groupby

from repro import models
from repro.cli.options import Verbs, size


def add(verbs: Verbs, common: argparse.ArgumentParser) -> None:
    """Both commands."""
    verb = verbs.add_parser("list", parents=[common], help="the networks of the catalog")
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("show", parents=[common], help="one network's layer table")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--input-size", type=size, metavar="CxHxW", help="default: the size the network was made for")
    verb.set_defaults(run=_show)


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


def _short(number: int) -> str:
    """A count in at most five characters: 118M, 3.86G."""
    for unit, worth in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= worth:
            value = number / worth
            return f"{value:.0f}{unit}" if value >= 99.5 else f"{value:.3g}{unit}"
    return str(number)
