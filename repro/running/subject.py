"""One network of a program, and what becomes of it: built once, run without values for each size that is asked."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from repro import models
from repro.audit.finding import Words
from repro.errors import ReproError, first_line
from repro.graph import Graph, TraceError, ancestors, trace
from repro.identity import SIZES, Identity, named
from repro.layers import layers
from repro.names import claimed, keeps
from repro.references import without_values
from repro.running.arguments import Call
from repro.running.definitions import FILE, NAME, within
from repro.running.departures import Departure, departures, misnamed, structural, told
from repro.running.departures.names import title
from repro.running.initial import begins
from repro.running.origins import line_of, origins
from repro.running.rows import stay_apart

_SECONDS = 10.0  # to build or to run one
_MOST_WORK = 4_000_000_000  # multiply-adds of a run with values, for an image
_MOST_PARAMETERS = 70_000_000
_NEAR = 1e-4  # what the order of additions may change: kernels take another one for another batch
_ERROR = re.compile(r"^.*? in module '[^']*'(?: at [^:]*:\d+)?: |^forward failed on an input of [x\d]+: ", re.DOTALL)
_RANDOM = frozenset(
    {"native_dropout", "bernoulli", "rand", "rand_like", "randn", "randn_like", "normal", "multinomial"}
)
_SIDES = 1024  # the largest image that is tried for the sake of a linear layer
_UNFIT = re.compile(r"(?:must have same reduction dim, but got \[\d+, (\d+)\] X \[(\d+), \d+\]|cannot be multiplied)")
_OF_A_SIZE = re.compile(r"\d|size|small|large")
_OWN_LINE = re.compile(re.escape(FILE) + r":(\d+)")

Size = tuple[int, ...]  # (channels, height, width)


@dataclass(frozen=True)
class Ran:
    """What became of one run.

    graph  of it; None if it failed
    error  why
    line   of the program's text that failed; 0 if none of it did
    """

    graph: Graph | None
    error: str = ""
    line: int = 0

    @property
    def why(self) -> str:
        """The error without where it was."""
        return _ERROR.sub("", self.error)

    @functools.cached_property
    def idle(self) -> set[str]:
        """Parameters that nothing of what is returned depends on."""
        if self.graph is None:
            return set()
        needed = ancestors(self.graph.nodes, [("", edge) for edge in self.graph.returned])
        leaves = {node.name for index, node in enumerate(self.graph.nodes) if index in needed}
        return {key for key in self.graph.state if self.graph.aliases.get(key, key) not in leaves}

    @property
    def rows(self) -> int | None:
        """How many rows came out; None if it failed."""
        if self.graph is None:
            return None
        shape = self.graph.shape(self.graph.returned[0])
        return shape[0] if shape else 1


class Subject:
    """A network of a program; see `repro.audit.probe.Subject`.

    what  the class or function that makes it
    used  by another class (True) or function (False) of the program; None: by none
    """

    def __init__(
        self,
        what: Any,
        line: int,
        call: Call,
        module: nn.Module | None,
        error: str,
        failed_at: int,
        used: bool | None,
        others: Sequence[Subject],
        known: Mapping[str, Any],
        setters: Collection[str],
    ) -> None:
        self.what = what
        self._call = call
        self._known = known
        self._setters = setters
        self.symbol: str = what.__name__
        self.line = line
        self.call = call.told(self.symbol)
        self.module = module
        self.error = error
        self.failed_at = failed_at
        self._used = used
        self.others = others
        self.lacks: tuple[str, ...] = ()
        self._runs: dict[tuple[Size, int, bool], Ran] = {}
        if module is not None:
            self._complete(module)

    @property
    def is_part(self) -> bool:
        """Whether other networks of the program are made of it; no function that gives one for images is."""
        if self._used is True or any(self.kind in each.parts and self.kind != each.kind for each in self.others):
            return True
        return self._used is False and self.is_function and self.module is not None and self.size is None

    @property
    def kind(self) -> str:
        """The class of the program that it is of; its own name where it is of a library's."""
        kind = type(self.module)
        return kind.__name__ if self.module is not None and kind.__module__ == NAME else self.symbol

    @functools.cached_property
    def claim(self) -> str:
        """The network of the catalog that its name says, with a depth or a name that it is made with."""
        given = list(self.arguments().items())
        words = [value for _, value in given if isinstance(value, str)]
        depths = [f"{self.symbol}{value}" for name, value in given if name == "depth" and isinstance(value, int)]
        return next(filter(None, map(claimed, (*words, *depths, self.symbol))), "")

    def run(self, size: Size, batch: int = 2, training: bool = False) -> Ran:
        """What becomes of a batch of images of one size."""
        asked = size, batch, training
        if asked not in self._runs:
            self._runs[asked] = self._run(*asked)
        return self._runs[asked]

    def _run(self, size: Size, batch: int, training: bool) -> Ran:
        assert self.module is not None
        try:
            with within(_SECONDS):
                return Ran(trace(self.module, torch.empty(batch, *size, device="meta"), training=training))
        except TraceError as error:
            text = str(error)
            lines = _OWN_LINE.findall(text)
            return Ran(None, text, int(lines[-1]) if lines else 0)
        except BaseException as error:  # whatever third parties raise
            return Ran(None, f"{type(error).__name__}: {error}")

    @functools.cached_property
    def image_channels(self) -> int:
        """Those of the images that it takes, as its first convolution says; 0 if there is none."""
        modules = self.module.modules() if self.module is not None else ()
        return next((each.in_channels for each in modules if isinstance(each, nn.Conv2d)), 0)

    @functools.cached_property
    def size(self) -> Size | None:
        """That of the first images that it takes; None if it takes none."""
        if self.module is None:
            return None
        sizes = [size for size in SIZES if size[0] == self.image_channels] or list(SIZES)
        errors: set[str] = set()
        for size in sizes:
            ran = self.run(size)
            if ran.graph is not None:
                return size
            if ran.why in errors and not _OF_A_SIZE.search(ran.why):
                return None  # another size will not change that
            errors.add(ran.why)
        return self._fitting()

    def _fitting(self) -> Size | None:
        """Images of the size that the first linear layer fits."""
        low, high = 1, _SIDES
        while low <= high and self.image_channels:
            side = (low + high) // 2
            size = (self.image_channels, side, side)
            ran = self.run(size)
            if ran.graph is not None:
                return size
            unfit = _UNFIT.search(ran.error)
            too_small = int(unfit[1]) < int(unfit[2]) if unfit and unfit[1] else side < _SIDES // 2
            low, high = (side + 1, high) if too_small else (low, side - 1)
        return None

    @property
    def begins(self) -> tuple[list[str], list[str], str]:
        """Parameters whose values begin as the paper says, those that do not, and where it says so."""
        graph = self.run(self.size).graph if self.size is not None else None
        if (
            graph is None
            or self.identity is None
            or self.module is None
            or not {self.symbol, *self.parts} & {*self._setters}
        ):
            return [], [], ""
        if sum(each.numel() for each in self.module.parameters()) > _MOST_PARAMETERS:
            return [], [], ""
        try:
            with self._values() as network:
                return begins(network, graph, self.identity, self.identified)
        except BaseException:  # whatever third parties raise
            return [], [], ""

    @property
    def is_dilated(self) -> bool:
        """Whether a convolution of it is."""
        graph = self.run(self.size).graph if self.size is not None else None
        found = [node for node in graph.nodes if node.op == "convolution"] if graph else []
        return any(set(node.get("dilation", ())) - {1} for node in found)

    @property
    def convolutions(self) -> list[tuple[Any, ...]]:
        """In the order of the data: stride, kernel, width and groups of each."""
        graph = self.run(self.size).graph if self.size is not None else None
        found = [node for node in graph.nodes if node.op == "convolution"] if graph else []
        weights = [graph.shape(node.inputs[1]) for node in found] if graph else []
        return [
            (node.get("stride"), weight[2:], weight[0], node.get("groups"))
            for node, weight in zip(found, weights, strict=True)
        ]

    def draws(self, size: Size) -> tuple[str, str] | None:
        """The first operation of a run in eval mode that draws random numbers, and its place; None if there is none."""
        graph = self.run(size).graph
        return next(((node.op, node.where) for node in graph.nodes if node.op in _RANDOM), None) if graph else None

    def is_same(self, other: Subject) -> bool:
        """Whether two networks have the same layers, weights of the same shapes, and compute the same in train mode."""
        if self.size is None or str(self.module) != str(other.module):
            return False
        one, two = self.run(self.size, training=True).graph, other.run(self.size, training=True).graph
        return one is not None and two is not None and one.state == two.state and _program(one) == _program(two)

    @functools.cached_property
    def identity(self) -> Identity | None:
        """The network of the catalog that it is nearest to; None if nothing can be said."""
        graph = self.run(self.size).graph if self.size is not None else None
        if graph is None or self.size is None:
            return None
        try:
            return named(graph, self.size, self._trained)
        except ReproError:
            return None

    def _trained(self) -> Graph:
        """The graph of train mode; raises TraceError."""
        assert self.size is not None
        ran = self.run(self.size, training=True)
        if ran.graph is None:
            raise TraceError(ran.error)
        return ran.graph

    @functools.cached_property
    def departures(self) -> Sequence[Departure]:
        """In what it is not that network, or the one that its name says, if that is nearer."""
        if self.identity is None or self.size is None:
            return ()
        graph = self.run(self.size, training=True).graph or self.run(self.size).graph
        return departures(graph, self.identity, self.claim) if graph else ()

    @property
    def identified(self) -> str:
        """The name of the network that it is, or is nearest to; empty if it is near none."""
        if self.departures:
            return self.departures[0].compared_to
        return self.identity.variant if self.identity else ""

    @property
    def source(self) -> str:
        """Where that network is from, as the catalog says; empty if it is not of the catalog."""
        return models.get(self.identified).paper if self.identified in models.catalog() else ""

    @property
    def told(self) -> Words:
        """What it is, in one phrase; empty if nothing can be said."""
        return told(self.identity, self.departures) if self.identity else Words("", "")

    @property
    def keeps_its_name(self) -> bool | None:
        """Whether its name may stand for that; None where one of the two is not known, or neither is near."""
        if not self.claim or not self.identified or self.identity is None or self.size is None:
            return None
        if keeps(self.claim, self.identified):
            return True
        is_one, says = title(self.identified), title(self.claim)
        if is_one == says and self.misnamed.en.endswith(f"its name says {says}"):  # and nothing can be told of it
            return None
        graph = self.run(self.size, training=True).graph or self.run(self.size).graph
        if graph is None:
            return None
        own, other = (structural(graph, self.identity, name) for name in (self.identified, self.claim))
        return None if other is None or other < max(2 * (own or 0), (own or 0) + 2) else False

    @property
    def misnamed(self) -> Words:
        """What it is, and what it would be by its name."""
        return misnamed(self.claim, self.identity) if self.identity else Words("", "")

    @property
    def is_sure(self) -> bool:
        """Whether its arguments are its defaults or the text's own."""
        return self._call.is_sure

    @property
    def is_function(self) -> bool:
        """Whether a function makes it."""
        return inspect.isfunction(self.what)

    @property
    def parts(self) -> list[str]:
        """The classes of the program that it is made of."""
        kinds = {type(each) for each in self.module.modules()} if self.module is not None else set()
        return sorted(kind.__name__ for kind in kinds if kind.__module__ == NAME)

    def arguments(self) -> dict[str, Any]:
        """What it is made with, defaults too."""
        try:
            return self._call.bound(self.what)
        except (TypeError, ValueError):
            return {}

    def rows_apart(self) -> bool | None:
        """Whether the first of two images gets the same answer with another one beside it; None if that is unknown."""
        graph = self.run(self.size).graph if self.size is not None else None
        if graph is None or self.size is None:
            return None
        if stay_apart(graph):
            return True
        if self._is_large(self.size):
            return None
        try:
            with self._values() as network:
                images = torch.randn(3, *self.size)
                one, other = network(images[:2]), network(images[::2])
        except BaseException:
            return None
        if not all(isinstance(each, torch.Tensor) and len(each) == 2 for each in (one, other)):
            return None
        return torch.allclose(one[0], other[0], rtol=_NEAR, atol=_NEAR * float(one.abs().max()), equal_nan=True)

    def why_not(self, size: Size) -> str:
        """The error for images of one size, as it is with values: torch then says more than without."""
        assert self.module is not None
        if sum(each.numel() for each in self.module.parameters()) <= _MOST_PARAMETERS:
            try:
                with self._values() as network:
                    network(torch.randn(2, *size))
            except BaseException as error:
                return first_line(error)
        return self.run(size).why

    @contextmanager
    def _values(self) -> Iterator[nn.Module]:
        """The network again, in eval mode, with the values that it gives itself."""
        with within(_SECONDS), torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            network = self.what(*self._call.arguments, **self._call.keywords).eval()
            self._complete(network)
            yield network

    def _is_large(self, size: Size) -> bool:
        """Whether a run with values would take more than a few seconds."""
        assert self.module is not None
        graph = self.run(size).graph
        work = sum(each.multiply_adds for each in layers(graph)) if graph else 0
        return work > _MOST_WORK or sum(each.numel() for each in self.module.parameters()) > _MOST_PARAMETERS

    def place(self, departure: Departure) -> int | None:
        """The line that a departure comes from: where modules are made, or else where something is done with them."""
        made = origins(self.module) if self.module is not None else {}
        return line_of(departure.paths, made) or self.line_of(departure.where)

    def line_of(self, where: str) -> int | None:
        """The line of the program's text that the place of a graph's node is; None if that is elsewhere."""
        found = _OWN_LINE.search(where)
        return int(found[1]) if found else None

    def again(self, **changed: Any) -> Subject | None:
        """The same with other arguments; None if it cannot be built like that."""
        keywords = {**self._call.keywords, **changed}
        try:
            names = list(inspect.signature(self.what).parameters)
            arguments = dict(zip(names, self._call.arguments, strict=False))
            with within(_SECONDS), without_values():
                module = self.what(**{**arguments, **keywords})
        except BaseException:
            return None
        if not isinstance(module, nn.Module):
            return None
        return Subject(
            self.what, self.line, Call((), keywords), module, "", 0, self._used, (), self._known, self._setters
        )

    def _complete(self, module: nn.Module) -> None:
        """Give `forward` what it requires beside the images, where an argument or the program has it by that name."""
        try:
            parameters = list(inspect.signature(module.forward).parameters.values())[1:]
        except (TypeError, ValueError):
            return
        open_ = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        self.lacks = tuple(each.name for each in parameters if each.default is each.empty and each.kind in open_)
        known = {**self._known, **self.arguments()}
        if self.lacks and all(name in known for name in self.lacks):
            module.forward = functools.partial(module.forward, **{name: known[name] for name in self.lacks})


def _program(graph: Graph) -> list[Any]:
    """What a graph computes, where two of the same code are compared."""
    return [(node.op, node.attributes, node.inputs, node.shapes) for node in graph.nodes]
