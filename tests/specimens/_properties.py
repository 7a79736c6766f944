"""The properties that the bugs break, each a function of what it is asked of. They raise AssertionError in one line.

Networks that have no values, on the meta device, will do wherever shapes are enough.
"""

from __future__ import annotations

import ast
import importlib
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from repro.canonical import canonical
from repro.graph import trace
from repro.initialisation import LIMIT, law, measure, scores
from repro.mapping import match
from repro.measures import MEASURES, Subject
from repro.parity.differences import differences
from repro.parity.network import shape_text

Networks = Mapping[str, nn.Module]
Options = tuple[Callable[..., nn.Module], Mapping[str, Any]]  # a builder, and what it is given by name


# What tells in an error of Python or torch; the words around it are not the same in all versions.
TELLING = re.compile(
    r"got an unexpected keyword argument '\w+'|takes \d+ positional arguments? but \d+ were given"
    r"|missing \d+ required positional argument|unsupported operand type|name '\w+' is not defined"
    r"|modified by an inplace operation|more than 1 value per channel"
)


def told(error: BaseException) -> str:
    """The kind of an error, and the words that tell what happened, or else its first clause."""
    telling = TELLING.search(str(error))
    said = telling[0] if telling else re.split(r"[,:;(.]", str(error).strip(), maxsplit=1)[0].strip()
    return f"{type(error).__name__}: {said}"


def differing(first: nn.Module, second: nn.Module, size: tuple[int, ...], training: bool = False) -> str:
    """Where the programs of two networks part first; empty where they are proved to be one."""
    images = torch.empty(3, *size)
    one, other = (canonical(trace(network, images, training=training)) for network in (first, second))
    if match(one, other) is not None:
        return ""
    return str(next(iter(differences(one, other)), "the same operations, joined differently"))


# --- what a network does to a batch --------------------------------------------------------------------------------


def keeps_the_batch(images: int, *size: int) -> Callable[[nn.Module], None]:
    """As many rows out as images in; a network may also refuse a size."""

    def asked(network: nn.Module) -> None:
        try:
            rows = len(network.eval()(torch.zeros(images, *size)))
        except (RuntimeError, ValueError):
            return
        assert rows == images, f"{images} images of {shape_text(size)} in, {rows} rows out"

    return asked


def takes(*size: int) -> Callable[[nn.Module], None]:
    """It takes images of that size. The layer that they do not fit is told in our words: torch's differ by device."""

    def fits(layer: nn.Module, given: tuple[torch.Tensor]) -> None:
        if isinstance(layer, nn.Conv2d):
            wanted, found, what = layer.in_channels, given[0].shape[1], "channels for a convolution"
        elif isinstance(layer, nn.Linear):
            wanted, found, what = layer.in_features, given[0].shape[-1], "numbers a row for a fully connected layer"
        else:
            return
        assert found == wanted, f"{shape_text(size)} images are refused: {found:,} {what} of {wanted:,}"

    def asked(network: nn.Module) -> None:
        for layer in network.modules():
            layer.register_forward_pre_hook(fits)
        try:
            network.eval()(torch.zeros(2, *size))
        except (RuntimeError, ValueError) as error:
            raise AssertionError(f"{shape_text(size)} images are refused: {told(error)}") from error

    return asked


def takes_images_only(*size: int) -> Callable[[nn.Module], None]:
    """It is called with the images and nothing else, as a training loop calls it."""

    def asked(network: nn.Module) -> None:
        try:
            network.eval()(torch.zeros(2, *size))
        except TypeError as error:
            raise AssertionError(f"net(x): {told(error)}") from error

    return asked


def trains_on(images: int, *size: int) -> Callable[[nn.Module], None]:
    """A step forward and backward in train mode."""

    def asked(network: nn.Module) -> None:
        try:
            network.train()(torch.ones(images, *size)).sum().backward()
        except (RuntimeError, ValueError) as error:
            raise AssertionError(f"a batch of {images} in train mode: {told(error)}") from error

    return asked


def gives_logits(*size: int) -> Callable[[nn.Module], None]:
    """Its outputs are not probabilities already."""

    def asked(network: nn.Module) -> None:
        with torch.no_grad():
            rows = network.eval()(torch.randn(2, *size))
        sums = rows.sum(1)
        probabilities = bool((rows >= 0).all()) and torch.allclose(sums, torch.ones(()))
        assert not probabilities, "every row is positive and sums to 1: probabilities, where the loss takes logits"

    return asked


# --- which network it is -------------------------------------------------------------------------------------------


def are_two_programs(*size: int) -> Callable[[Networks], None]:
    """Two networks under two names are two programs."""

    def asked(networks: Networks) -> None:
        (first, one), (second, other) = networks.items()
        parameters = sum(parameter.numel() for parameter in one.parameters())
        said = f"{first} and {second} are one program, {parameters:,} parameters both"
        assert differing(one, other, size), said

    return asked


def are_one_program_but_for_norms(*size: int) -> Callable[[Networks], None]:
    """Convolutions and poolings of two networks are the same ones; only their normalisations may differ."""

    def asked(networks: Networks) -> None:
        (first, one), (second, other) = networks.items()
        subjects = [in_eval_mode(network, size) for network in (one, other)]
        found = []
        for name in ("every_convolution", "strides", "pool_edges"):
            here, there = (MEASURES[name](measured, "") for measured in subjects)
            if here != there:
                apart = [pair for pair in zip(here, there, strict=False) if pair[0] != pair[1]]
                at = f" in {len(apart)} places" if len(apart) > 1 else ""
                found.append(
                    f"{name.replace('_', ' ')} differ{at}: {apart[0][0]} in {first}, {apart[0][1]} in {second}"
                )
        assert not found, "; ".join(found)

    return asked


def is_the_network(build: Callable[[], nn.Module], *size: int) -> Callable[[nn.Module], None]:
    """It is that network, proved for eval mode and for train mode."""

    def asked(network: nn.Module) -> None:
        expected = build()
        for training in (False, True):
            apart = differing(network, expected, size, training)
            mode = "train" if training else "eval"
            assert not apart, f"another network in {mode} mode: {apart}"

    return asked


def subject(network: nn.Module, size: tuple[int, ...]) -> Subject:
    """A network as it is measured."""
    images = torch.empty(3, *size)
    return Subject(trace(network, images), trace(network, images, training=True), {})


def in_eval_mode(network: nn.Module, size: tuple[int, ...]) -> Subject:
    """A network for measures that look at eval mode only: one trace, not two."""
    graph = trace(network, torch.empty(3, *size))
    return Subject(graph, graph, {})


def measures(name: str, expected: Any, *size: int, at: str = "") -> Callable[[nn.Module], None]:
    """A measure of repro/measures.py is what the paper prints."""

    def asked(network: nn.Module) -> None:
        found = MEASURES[name](subject(network, size), at)
        assert found == expected, f"{name.replace('_', ' ')} {found}; {expected} expected"

    return asked


def has_parameters(number: int) -> Callable[[nn.Module], None]:
    """It has that many trainable parameters."""

    def asked(network: nn.Module) -> None:
        found = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
        assert found == number, f"{found:,} parameters; {number:,} expected"

    return asked


def have_the_depth_of_their_names(*size: int) -> Callable[[Networks], None]:
    """The number in a name is that of the layers with weights."""

    def asked(networks: Networks) -> None:
        depths = {name: MEASURES["depth"](in_eval_mode(network, size), "") for name, network in networks.items()}
        wrong = [f"{name} has {depth} layers" for name, depth in depths.items() if depth != number_in(name)]
        assert not wrong, "; ".join(wrong)

    return asked


def number_in(name: str) -> int:
    """The number in the name of a network."""
    (found,) = re.findall(r"\d+", name)
    return int(found)


def starts_as_in_alexnets_paper(network: nn.Module) -> None:
    """NIPS 2012, section 5: weights from N(0, 0.01); biases 1 in layers 2, 4, 5, 6 and 7, and 0 in the other three."""
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 8, f"{len(layers)} layers; 8 expected"
    wrong = []
    for number, layer in enumerate(layers, start=1):
        worst = max(abs(score) for score in scores([(measure(layer.weight), law("normal(0, 0.01)", {}))]).values())
        if worst > LIMIT:
            wrong.append(f"weights of {number} not from N(0, 0.01)")
        bias = int(number in (2, 4, 5, 6, 7))
        if layer.bias is None or not bool((layer.bias == bias).all()):
            wrong.append(f"biases of {number} not {bias}")
    assert not wrong, f"of layers 1 to 8: {', '.join(wrong)}"


# --- what its arguments do -----------------------------------------------------------------------------------------


def heeds(*size: int) -> Callable[[Options], None]:
    """Every option of a builder, given with its value, changes the program or the values, or is refused."""

    def asked(options: Options) -> None:
        build, arguments = options

        def built(**given: Any) -> nn.Module:
            torch.manual_seed(0)
            return build(**given)

        plain = built()
        ignored = []
        for name, value in arguments.items():
            try:
                changed = built(**{name: value})
            except (TypeError, ValueError):
                continue
            if equal_values(changed, plain) and not differing(changed, plain, size):
                ignored.append(name)
        assert not ignored, f"accepted and ignored: {', '.join(ignored)}"

    return asked


def equal_values(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks hold the same values, in the same order; on the meta device only shapes are compared."""
    here, there = [*first.state_dict().values()], [*second.state_dict().values()]
    if [one.shape for one in here] != [other.shape for other in there]:
        return False
    return all(one.is_meta or torch.equal(one, other) for one, other in zip(here, there, strict=True))


def can_be_built(build: Callable[[], object]) -> None:
    """It can be built at all."""
    try:
        build()
    except (TypeError, NameError, AttributeError) as error:
        raise AssertionError(told(error)) from error


def takes_the_checkpoint(loaded: tuple[nn.Module, Mapping[str, torch.Tensor]]) -> None:
    """A network takes every entry of the checkpoint that its builder loads, and gets every one that it has."""
    network, state = loaded
    found = network.load_state_dict(dict(state), strict=False)
    lost = [*found.unexpected_keys, *found.missing_keys]
    assert not lost, f"{len(lost)} entries of the checkpoint do not fit, such as {lost[0]}"


def runs_without_a_gpu(demonstration: Callable[[], object]) -> None:
    """It runs on a machine that has no CUDA device, which is what it is shown here."""
    nowhere = RuntimeError("no CUDA device")
    with (
        patch.object(torch.cuda, "is_available", return_value=False),
        patch.object(nn.Module, "cuda", side_effect=nowhere),
        patch.object(torch.Tensor, "cuda", side_effect=nowhere),
    ):
        try:
            demonstration()
        except RuntimeError as error:
            raise AssertionError(f"on a machine without a GPU: {told(error)}") from error


def can_be_pickled(network: nn.Module) -> None:
    """What its modules hold can be pickled, as torch.save(net) and the workers of a pool do."""
    for module in network.modules():
        for name, value in vars(module).items():
            try:
                pickle.dumps(value if name != "_modules" else list(value))
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise AssertionError(f"{name} of {type(module).__name__} cannot be pickled") from error


# --- what can be told from the text --------------------------------------------------------------------------------


def parses(source: str) -> None:
    """It is Python."""
    try:
        compile(source, "snippet", "exec")
    except SyntaxError as error:
        raise AssertionError("SyntaxError: it is not Python") from error


def uses_what_it_imports(source: str) -> None:
    """Every name that is imported is read somewhere."""
    tree = ast.parse(source)
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    unused = [name for name in imported(tree) if name not in read]
    assert not unused, f"imported and not used: {', '.join(unused)}"


def imported(tree: ast.Module) -> Iterator[str]:
    """What imports bind, as they write it; `from __future__` binds nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from (alias.asname or alias.name for alias in node.names)


def defines_what_it_exports(source: str) -> None:
    """Every name in `__all__` is defined."""
    tree = ast.parse(source)
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    listed = [
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
        for name in ast.literal_eval(node.value)
    ]
    lost = [name for name in listed if name not in defined]
    assert not lost, f"in __all__ and not defined: {', '.join(lost)}"


def can_be_imported(module: str) -> None:
    """What is imported exists in the library as it is today."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise AssertionError(f"{type(error).__name__}: no module {module}") from error
