"""How to obtain a network by its specification: one of ours, a reference implementation, or the user's own callable.

repro:NAME              a variant of the catalog
torchvision:NAME        torchvision.models.NAME without weights
timm:NAME               timm.create_model(NAME)
torchvision:NAME+v1     the same with the stride of each bottleneck moved from its 3x3 to its first 1x1
timm:NAME+KEY=VALUE     timm.create_model(NAME, KEY=VALUE), for what it leaves out by default, such as dropout
pytorchcv:NAME          a network of pytorchcv's model provider; it takes KEY=VALUE as well
pytorchcv:NAME+WORD     the same, amended; repro/amendments.py has the words
pytorchcv:get_NAME+...  what makes a family of networks there, for those without a name; get_..._cifar has 10 classes
keras:NAME              keras.applications.NAME, on the torch backend, without its softmax; it takes KEY=VALUE as well
onnx:NAME               the graph light_NAME.onnx that the package onnx brings for its own tests, for any batch
onnx:NAME+logits        the same without the Softmax at its end; repro/onnx_graph.py has a second one, +one_affine
onnx:NAME+OP.KEY=VALUE  the same with another value of that attribute in every such operation, as in +LRN.bias=2
package.module:callable the user's, called without arguments
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from repro import models, onnx_graph
from repro.amendments import AMENDMENTS
from repro.errors import MissingLibraryError, ReproError, first_line
from repro.keras_network import KerasNetwork
from repro.onnx_graph import OnnxGraph
from repro.onnx_module import OnnxModule

Size = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """Where a module comes from.

    build       makes it anew, with its own initial values
    on_meta     whether `build` may be tried on the meta device first; never with a user's callable, which may do more
    input_size  (channels, height, width) it was made for, where that is known
    note        what was changed in it, "" for nothing
    """

    spec: str
    build: Callable[[], nn.Module]
    on_meta: bool = True
    input_size: Size | None = None
    note: str = ""

    def module(self, with_values: bool = True) -> nn.Module:
        """The module in eval mode; without values its tensors may be on the meta device, which costs no time.

        Raises ReproError if it cannot be built.
        """
        with _quiet():
            if self.on_meta and not with_values:
                with contextlib.suppress(Exception), without_values():  # what is wrong is told below
                    return self.build().eval()
            try:
                return self.build().eval()
            except ReproError:
                raise
            except (Exception, SystemExit) as error:
                raise ReproError(f"{self.spec}: building it raised {first_line(error)}") from error


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """What is built meanwhile has its tensors on the meta device, and no time is spent on their initial values."""
    with torch.device("meta"), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Spares tensors on the meta device their initial values: half the time of building a network, for nothing."""

    _FILLS = frozenset({torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.fill_, torch.Tensor.zero_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self._FILLS and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


def resolve(spec: str) -> Source:
    """The source of `spec`; see the module's docstring for the forms.

    Raises ReproError for a form, library, module or name that is not there, and MissingLibraryError for an optional
    library.
    """
    library, colon, name = spec.partition(":")
    if not colon or not library or not name:
        libraries = ("torchvision", "timm", "pytorchcv", "keras", "onnx", "repro")
        forms = f"{', '.join(f'{library}:NAME' for library in libraries)} or package.module:callable"
        hint = f"; did you mean repro:{spec}?" if spec in models.catalog() else ""
        raise ReproError(f"{spec!r} names no network; expected {forms}{hint}")
    match library:
        case "repro":
            return _ours(spec, name)
        case "torchvision":
            return _torchvision(spec, name)
        case "timm":
            return _timm(spec, name)
        case "pytorchcv":
            return _pytorchcv(spec, name)
        case "keras":
            return _keras(spec, name)
        case "onnx":
            return _onnx(spec, name)
    return _callable(spec, library, name)


def _ours(spec: str, name: str) -> Source:
    variant = models.get(name)
    return Source(spec, lambda: models.build(name), input_size=variant.input_size)


def _torchvision(spec: str, name: str) -> Source:
    torchvision_models = _library("torchvision").models
    name, _, amendment = name.partition("+")
    known = torchvision_models.list_models(module=torchvision_models)
    _require_known(spec, name, known)
    if amendment not in ("", "v1"):
        raise ReproError(f"{spec!r}: the amendment {amendment!r} is unknown; the only one is +v1")
    # Without this two of them draw their weights by a slow sampler and warn about it.
    slow = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    side = 299 if name == "inception_v3" else 224  # the sizes of their published evaluation

    def build() -> nn.Module:
        network: nn.Module = torchvision_models.get_model(name, weights=None, **slow)
        if amendment:
            _move_strides(spec, network)
        return network

    note = "torchvision's network with each bottleneck's stride moved to its first 1x1" if amendment else ""
    return Source(spec, build, input_size=(3, side, side), note=note)


def _move_strides(spec: str, network: nn.Module) -> None:
    bottlenecks = [block for block in network.modules() if type(block).__name__ == "Bottleneck"]
    if not bottlenecks:
        raise ReproError(f"{spec!r}: +v1 moves the stride of bottlenecks, and this network has none")
    for block in bottlenecks:
        first, second = block.get_submodule("conv1"), block.get_submodule("conv2")
        if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.Conv2d):
            raise ReproError(f"{spec!r}: its bottlenecks have no conv1 and conv2; repro/references.py is out of date")
        first.stride, second.stride = second.stride, first.stride


def _timm(spec: str, name: str) -> Source:
    timm = _library("timm")
    name, *amendments = name.split("+")
    base, dot, tag = name.partition(".")
    if dot and base in timm.list_models():
        raise ReproError(f"{spec!r}: .{tag} names weights, and none are loaded here; write timm:{base}")
    _require_known(spec, name, timm.list_models())
    arguments = _arguments(spec, amendments)
    size = timm.get_pretrained_cfg(name).input_size if timm.is_model_pretrained(name) else (3, 224, 224)
    return Source(spec, lambda: timm.create_model(name, pretrained=False, **arguments), input_size=tuple(size))


def _arguments(spec: str, amendments: Iterable[str]) -> dict[str, Any]:
    return dict(_argument(spec, amendment) for amendment in amendments)


def _argument(spec: str, amendment: str) -> tuple[str, Any]:
    key, equals, value = amendment.partition("=")
    try:
        if not key.isidentifier() or not equals:
            raise ValueError
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        raise ReproError(
            f"{spec!r}: the amendment {amendment!r} cannot be read; expected KEY=VALUE, such as drop_rate=0.5"
        ) from None


def _onnx(spec: str, name: str) -> Source:
    folder = Path(_optional("onnx").__file__).parent / "backend" / "test" / "data" / "light"
    files = {file.stem.removeprefix("light_"): file for file in folder.glob("light_*.onnx")}
    name, *amendments = name.split("+")
    _require_known(spec, name, files)
    graph = onnx_graph.read(files[name])
    notes = [f"a file for {graph.shape[0]} image of {'x'.join(map(str, graph.shape[1:]))}, here for any batch"]
    graph = onnx_graph.any_batch(graph)
    for amendment in amendments:
        change = _change(spec, amendment)
        try:
            graph, note = change(graph)
        except ReproError as error:
            raise ReproError(f"{spec!r}: {error}") from None
        notes.append(note)
    return Source(spec, lambda: OnnxModule(graph), input_size=graph.shape[1:], note="; ".join(notes))


def _change(spec: str, amendment: str) -> Callable[[OnnxGraph], tuple[OnnxGraph, str]]:
    """What an amendment of a file does; see `repro.onnx_graph`."""
    if amendment in onnx_graph.AMENDMENTS:
        return onnx_graph.AMENDMENTS[amendment]
    op, dot, rest = amendment.partition(".")
    if not dot:
        known = ", ".join([*(f"+{each}" for each in onnx_graph.AMENDMENTS), "+OPERATION.ATTRIBUTE=VALUE"])
        raise ReproError(f"{spec!r}: the amendment {amendment!r} is unknown; there are {known}")
    attribute, value = _argument(spec, rest)
    return lambda graph: onnx_graph.setting(graph, op, attribute, value)


def _pytorchcv(spec: str, name: str) -> Source:
    _optional("pytorchcv")
    known = _optional("pytorchcv.model_provider")._models
    for module in {maker.__module__ for maker in known.values()}:
        known = known | {key: value for key, value in vars(sys.modules[module]).items() if key.startswith("get_")}
    name, *words = name.split("+")
    _require_known(spec, name, known)
    amendments = [AMENDMENTS[word] for word in words if word in AMENDMENTS]
    classes = {"num_classes": 10} if name.startswith("get_") and name.endswith("_cifar") else {}
    arguments = classes | _arguments(spec, (word for word in words if word not in AMENDMENTS))

    def build() -> nn.Module:
        network: nn.Module = known[name](**arguments, pretrained=False)
        for amendment in amendments:
            amendment.amend(network)
        return network

    note = " and ".join(amendment.note for amendment in amendments)
    source = Source(spec, build, note=f"pytorchcv's network with {note}" if note else "")
    sides = getattr(source.module(with_values=False), "in_size", None)
    return replace(source, input_size=(3, *sides)) if sides is not None else source


def _keras(spec: str, name: str) -> Source:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = _optional("keras")
    if keras.backend.backend() != "torch":
        raise ReproError(f"{spec!r}: Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=torch")
    applications = {key: value for key, value in vars(keras.applications).items() if inspect.isfunction(value)}
    name, *amendments = name.split("+")
    _require_known(spec, name, applications)
    arguments = {"classifier_activation": None} | _arguments(spec, amendments)
    source = Source(spec, lambda: KerasNetwork(keras, lambda: applications[name](**arguments, weights=None)))
    network: Any = source.module(with_values=False)
    return replace(source, input_size=network.input_size)


def _callable(spec: str, module_name: str, name: str) -> Source:
    if module_name.endswith(".py") or "/" in module_name:
        dotted = module_name.removesuffix(".py").replace("/", ".")
        raise ReproError(f"{spec!r} names a file; expected a module, as in an import: {dotted}:{name}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` has it, so that a script beside the user is found
    try:
        with _quiet():
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise ReproError(f"{spec!r}: importing {module_name} raised {first_line(error)}") from error
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            close = difflib.get_close_matches(part, dir(found), n=3)
            raise ReproError(
                f"{spec!r}: {module_name} has no {part!r}" + (f"; closest: {', '.join(close)}" if close else "")
            )
        found = getattr(found, part)
    target: Any = found
    if not callable(target):
        raise ReproError(
            f"{spec!r} is a {type(target).__name__}; expected something to call that returns a torch.nn.Module"
        )
    if isinstance(target, nn.Module):
        raise ReproError(f"{spec!r} is a module already; expected something to call that returns one")
    with contextlib.suppress(ValueError):  # some builtins have no signature
        missing = [
            parameter.name
            for parameter in inspect.signature(target).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if missing:
            raise ReproError(
                f"{spec!r} needs the arguments {', '.join(missing)}; expected a callable without required arguments "
                f"(wrap it: `def network(): return {name}(...)`)"
            )

    def build() -> nn.Module:
        made = target()
        if not isinstance(made, nn.Module):
            raise ReproError(f"{spec!r} returned a {type(made).__name__}; expected a torch.nn.Module")
        return made

    return Source(spec, build, on_meta=False)


def _library(name: str) -> Any:
    try:
        with _quiet():
            return importlib.import_module(name)
    except Exception as error:  # a mismatched torchvision raises RuntimeError at import, not ImportError
        raise ReproError(
            f"{name} cannot be imported ({type(error).__name__}: {error}); "
            f"install the release that goes with torch {torch.__version__}"
        ) from error


def _optional(name: str) -> Any:
    """A library that is no dependency. Raises MissingLibraryError if it is not there, ReproError if it is broken."""
    try:
        with _quiet():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise ReproError(f"{name} cannot be imported ({first_line(error)})") from error
        raise MissingLibraryError(name) from None
    except Exception as error:
        raise ReproError(f"{name} cannot be imported ({first_line(error)})") from error


def _require_known(spec: str, name: str, known: Iterable[str]) -> None:
    known = list(known)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        library, _, _ = spec.partition(":")
        hint = f"; closest: {', '.join(close)}" if close else ""
        raise ReproError(f"{spec!r}: {library} has no network called {name!r}{hint}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what foreign code prints out of our output, and its warnings about itself out of sight."""
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
