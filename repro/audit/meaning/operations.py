"""What the modules, functions and methods of torch do to the values that a program is run on, shapes included."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from math import ceil, isfinite, prod
from typing import TYPE_CHECKING, Any

from repro.audit.meaning.library import CONTAINERS, FUNCTIONS, MODULES
from repro.audit.meaning.values import UNKNOWN, Class, Instance, Layer, Library, Made, Method, Op, Tensor

if TYPE_CHECKING:
    from repro.audit.meaning.interpreter import Interpreter

_LONGEST = 4096  # elements of a list

Shape = tuple[int | None, ...] | None


def attribute(owner: Any, name: str) -> Any:
    """An attribute of a value that is not of the program's classes."""
    if isinstance(owner, Tensor) and name == "shape":
        return tuple(UNKNOWN if size is None else size for size in owner.shape) if owner.shape else UNKNOWN
    if isinstance(owner, Tensor) and name == "data":
        return Tensor(owner.op, owner.shape, detached=True)
    if isinstance(owner, Tensor) and name in ("T", "mT"):
        return Tensor(Op("permute", name, owner.op.node, (owner.op,), within=owner.op.within))
    if isinstance(owner, Layer):
        if owner.short in CONTAINERS or name in _MODULE_METHODS:
            return next((item for key, item in owner.items if key == name), Method(owner, name))
        return owner.arguments.get(name, UNKNOWN)
    return Method(owner, name)


_MODULE_METHODS = frozenset(
    "forward parameters named_parameters modules named_modules children named_children apply to cuda cpu half double "
    "eval train state_dict load_state_dict append extend insert add_module keys values items requires_grad_ "
    "zero_grad".split()
)


def items(value: Any) -> list[Any]:
    """What a loop over a value gives; over something unknown, two unknown things."""
    match value:
        case list() | tuple():
            return list(value)
        case dict():
            return list(value)
        case str():
            return list(value)
        case Layer() if value.short in CONTAINERS:
            return [item for _, item in value.items]
    return [UNKNOWN, UNKNOWN]


def extend(owner: list[Any], more: Sequence[Any]) -> None:
    """Put something at the end of a list, as long as it is no longer than a network could have use for."""
    owner.extend(more[: max(0, _LONGEST - len(owner))])


def item(owner: Any, key: Any) -> Any:
    """One element of a value."""
    match owner:
        case list() | tuple() | str():
            if isinstance(key, int) and -len(owner) <= key < len(owner):
                return owner[key]
        case dict():
            try:
                return owner.get(key, UNKNOWN)
            except TypeError:
                return UNKNOWN
        case Layer():
            if isinstance(key, int) and -len(owner.items) <= key < len(owner.items):
                return owner.items[key][1]
            return next((each for name, each in owner.items if name == key), UNKNOWN)
        case Tensor():
            return Tensor(owner.op, detached=owner.detached)
    return UNKNOWN


def sliced(owner: Any, ends: list[Any]) -> Any:
    """Part of a value."""
    if isinstance(owner, Layer) and all(end is None or isinstance(end, int) for end in ends):
        return Layer(owner.kind, owner.arguments, owner.call, owner.items[slice(*ends)])
    return Tensor(owner.op, detached=owner.detached) if isinstance(owner, Tensor) else UNKNOWN


def put(container: Layer, key: str | int, value: Any) -> None:
    """One element of a container in place of another, or as a new one."""
    names = [name for name, _ in container.items]
    name = str(key) if not isinstance(key, int) or not names else names[key] if -len(names) <= key < len(names) else ""
    if name in names:
        container.items[names.index(name)] = name, value
    else:
        container.items.append((name, value))


def arithmetic(run: Interpreter, node: ast.AST, kind: ast.operator, left: Any, right: Any) -> Tensor:
    """A sum, product, ... one side of which at least is a tensor."""
    name = {ast.Add: "add", ast.Sub: "add", ast.Mult: "mul", ast.Div: "mul"}.get(type(kind), "unknown")
    made = _op(run, name, type(kind).__name__.lower(), node, [left, right], shape=_broadcast(left, right))
    made.detached = all(each.detached for each in _tensors([left, right]))
    return made


def _broadcast(left: Any, right: Any) -> Shape:
    shapes = [each.shape for each in (left, right) if isinstance(each, Tensor)]
    if len(shapes) == 1:
        return shapes[0]
    first, second = shapes
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(a if a == b or b == 1 else b if a == 1 else None for a, b in zip(first, second, strict=True))


def opaque(run: Interpreter, name: str, node: ast.AST, arguments: Sequence[Any]) -> Any:
    """What something gives of which nothing is known: a tensor if it is given one."""
    return _op(run, "unknown", name, node, arguments) if _tensors(arguments) else UNKNOWN


def images(node: ast.AST) -> Tensor:
    """What a network is given when it is not known what that is."""
    return Tensor(Op("input", "input", node))


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for each in values:
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, list | tuple):
            found += _tensors(each)
    return found


def _op(
    run: Interpreter,
    kind: str,
    name: str,
    node: ast.AST,
    values: Sequence[Any],
    layer: Layer | None = None,
    detail: dict[str, Any] | None = None,
    shape: Shape = None,
) -> Tensor:
    inputs = tuple(each.op for each in _tensors(values))
    op = Op(kind, name, node, inputs, layer, detail or {}, run.within, shape)
    run.ops.append(op)
    return Tensor(op, shape)


def call(run: Interpreter, function: Any, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
    """What a call of something that is not of the program gives."""
    match function:
        case Library():
            return _library(run, function.name, arguments, named, node)
        case Method():
            return _method(run, function, arguments, named, node)
        case Layer():
            return _layer(run, function, arguments, named, node)
    return opaque(run, "call", node, [*arguments, *named.values()])


def _library(run: Interpreter, name: str, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
    last = name.rpartition(".")[2]
    if name.startswith("torch.nn.") and not name.startswith("torch.nn.functional."):
        if last in CONTAINERS:
            made = Layer(f"torch.nn.{last}", {}, node, _contents(last, arguments))
            run.made.append(made)
            return made
        if last in MODULES:
            parameters = MODULES[last].parameters
            given = dict(zip(parameters, arguments, strict=False)) | named
            made = Layer(f"torch.nn.{last}", given, node)
            run.made.append(made)
            return made
    if name.startswith("torch.") and last in FUNCTIONS:
        first, others = _input_first(arguments, named)
        if first:
            return _function(run, last, first, others, node)
    if name in _FILLED:
        return Tensor(Op("input", last, node, shape=_sizes(arguments)), _sizes(arguments))
    if name == "collections.OrderedDict":
        pairs = items(arguments[0]) if arguments else []
        return {each[0]: each[1] for each in pairs if isinstance(each, tuple | list) and len(each) == 2} | named
    if name in ("torch.utils.checkpoint.checkpoint", "copy.deepcopy", "copy.copy") and arguments:
        return arguments[0] if name.startswith("copy") else run.call(arguments[0], arguments[1:], {}, node)
    if last in _SAME and name.startswith(("torch.", "tqdm.")) and arguments:
        return arguments[0]
    values = [*arguments, *named.values()]
    if not _tensors(values) and (name.startswith(_MAKING) or (last[:1].isupper() and not name.startswith("torch"))):
        thing = Made(name, arguments, named, node)
        if name.startswith(_MAKING):
            run.tell("make", node, thing)
        return thing
    return opaque(run, last, node, [*arguments, *named.values()])


def _input_first(arguments: list[Any], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments with what torch calls the `input` in its place, also where it is given by this name."""
    if arguments or "input" not in named:
        return arguments, named
    return [named["input"]], {name: each for name, each in named.items() if name != "input"}


_FILLED = frozenset(f"torch.{name}" for name in ("randn", "rand", "zeros", "ones", "empty"))


def _sizes(arguments: Sequence[Any]) -> Shape:
    """Those of a tensor that is made, given one by one or together."""
    if len(arguments) == 1 and isinstance(arguments[0], list | tuple):
        arguments = arguments[0]
    return tuple(each if type(each) is int else None for each in arguments) or None


# What gives its first argument again, as far as can be told; and the places whose functions make an object.
_SAME = frozenset({"Variable", "DataParallel", "DistributedDataParallel", "compile", "tqdm"})
_MAKING = (
    "torch.optim.",
    "torch.utils.data.",
    "torchvision.datasets.",
    "torchvision.transforms.",
    "torchvision.models.",
    "torch.no_grad",
    "torch.autograd.no_grad",
    "torch.inference_mode",
    "torch.set_grad_enabled",
    "torch.enable_grad",
)


def _contents(kind: str, arguments: list[Any]) -> list[tuple[str, Any]]:
    if kind == "Sequential" and not (len(arguments) == 1 and isinstance(arguments[0], dict)):
        found = arguments
    elif arguments and isinstance(arguments[0], dict):
        return [(str(key), each) for key, each in arguments[0].items()]
    else:
        found = items(arguments[0]) if arguments else []
    return [(str(index), each) for index, each in enumerate(found)]


def _layer(run: Interpreter, layer: Layer, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
    """What a module of torch gives when it is called."""
    arguments, named = _input_first(arguments, named)
    if layer.short == "Sequential":
        value: Any = images(node) if arguments[:1] in ([], [UNKNOWN]) else arguments[0]
        for _, each in layer.items:
            value = run.call(each, [value], {}, node)
        return value
    if arguments[:1] == [UNKNOWN]:
        arguments = [images(node), *arguments[1:]]
    values = [*arguments, *named.values()]
    if layer.short in CONTAINERS or not _tensors(values):
        return opaque(run, layer.short, node, values)
    kind = MODULES[layer.short].kind
    shape = _SHAPES[kind](arguments[0], layer.short, layer.arguments) if kind in _SHAPES and _first(arguments) else None
    if kind in _KEEPS and _first(arguments):
        shape = arguments[0].shape
    return _op(run, kind, layer.short, node, values, layer, dict(layer.arguments), shape)


def _first(arguments: Sequence[Any]) -> bool:
    return bool(arguments) and isinstance(arguments[0], Tensor)


def _function(run: Interpreter, name: str, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
    """What a function of torch, or a method of a tensor, gives; the tensor is the first argument."""
    kind = FUNCTIONS[name]
    if kind == "loss" and arguments[:1] == [UNKNOWN]:
        arguments = [images(node), *arguments[1:]]
    values = [*arguments, *named.values()]
    if not _tensors(values):
        return UNKNOWN
    if kind == "identity" and _first(arguments):
        tensor = arguments[0]
        return Tensor(tensor.op, tensor.shape, detached=True) if name == "detach" else tensor
    detail = {"arguments": arguments[1:], **named}
    shape: Shape = None
    if _first(arguments):
        tensor = arguments[0]
        if kind in _KEEPS:
            shape = tensor.shape
        elif name in ("view", "reshape"):
            shape = _viewed(tensor.shape, arguments[1:])
        elif kind == "flatten":
            bounds = {"start_dim": 0, "end_dim": -1}
            given = dict(zip(bounds, arguments[1:], strict=False)) | named
            shape = _flattened(tensor.shape, {**bounds, **given})
        elif kind == "pool":
            names = MODULES[_POOLS[name]].parameters if name in _POOLS else ()
            detail = dict(zip(names, arguments[1:], strict=False)) | named
            shape = _pooled(tensor, _POOLS.get(name, ""), detail)
        elif kind in ("mean", "sum"):
            names = ("dim", "keepdim")
            shape = _reduced(tensor.shape, **(dict(zip(names, arguments[1:], strict=False)) | named))
    if kind == "cat":
        shape = _concatenated(arguments, named) if name != "stack" else None
    if kind == "split":
        return (
            UNKNOWN if not _first(arguments) else [_op(run, kind, name, node, values, None, detail) for _ in range(2)]
        )
    return _op(run, kind, name, node, values, None, detail, shape)


def _method(run: Interpreter, method: Method, arguments: list[Any], named: dict[str, Any], node: ast.AST) -> Any:
    owner, name = method.owner, method.name
    match owner:
        case Tensor():
            if name == "size":
                sizes = attribute(owner, "shape")
                return item(sizes, arguments[0]) if arguments and sizes is not UNKNOWN else sizes
            if name in ("item", "tolist", "numpy"):
                return UNKNOWN
            if name in ("dim", "ndimension"):
                return len(owner.shape) if owner.shape is not None else UNKNOWN
            if name in FUNCTIONS:
                return _function(run, name, [owner, *arguments], named, node)
            return opaque(run, name, node, [owner, *arguments, *named.values()])
        case list():
            return _list_method(owner, name, arguments)
        case dict():
            return _dict_method(owner, name, arguments)
        case str():
            return _text_method(owner, name, arguments)
        case Layer():
            return _module_method(run, owner, name, arguments, named, node)
        case Instance():
            if name in ("to", "cuda", "cpu", "half", "double", "eval", "train", "float", "requires_grad_", "apply"):
                return owner
            if name in ("add_module", "register_module"):
                given = dict(zip(("name", "module"), arguments, strict=False)) | named
                if isinstance(given.get("name"), str):
                    owner.attributes[given["name"]] = given.get("module", UNKNOWN)
            return UNKNOWN
    return opaque(run, name, node, [*arguments, *named.values()])


def _module_method(
    run: Interpreter, layer: Layer, name: str, arguments: list[Any], named: dict[str, Any], node: ast.AST
) -> Any:
    if name == "forward":
        return _layer(run, layer, arguments, named, node)
    if name in ("append", "extend", "insert", "add_module"):
        added = items(arguments[0]) if name == "extend" else arguments[-1:]
        for each in added:
            key = str(arguments[0]) if name == "add_module" else str(len(layer.items))
            layer.items.append((key, each))
        return layer
    if name in ("values", "children"):
        return [each for _, each in layer.items]
    if name in ("items", "named_children"):
        return list(layer.items)
    if name in ("to", "cuda", "cpu", "half", "double", "eval", "train", "apply", "requires_grad_"):
        return layer
    return UNKNOWN


def _list_method(owner: list[Any], name: str, arguments: list[Any]) -> Any:
    match name, arguments:
        case "append", [each]:
            owner.append(each)
        case "extend", [each]:
            extend(owner, items(each))
        case "insert", [int() as index, each]:
            owner.insert(index, each)
        case "pop", _:
            index = arguments[0] if arguments and isinstance(arguments[0], int) else -1
            return owner.pop(index) if owner and -len(owner) <= index < len(owner) else UNKNOWN
        case "copy", _:
            return list(owner)
        case "index", [each] if each in owner:
            return owner.index(each)
        case _:
            return UNKNOWN
    return None


def _dict_method(owner: dict[Any, Any], name: str, arguments: list[Any]) -> Any:
    match name, arguments:
        case "items", _:
            return list(owner.items())
        case "keys", _:
            return list(owner)
        case "values", _:
            return list(owner.values())
        case (("get" | "pop"), [str() | int() as key, *others]):
            return owner.get(key, others[0] if others else None)
        case "update", [dict() as other]:
            owner.update(other)
        case "copy", _:
            return dict(owner)
    return UNKNOWN


def _text_method(owner: str, name: str, arguments: list[Any]) -> Any:
    plain: dict[str, Callable[..., Any]] = {"lower": str.lower, "upper": str.upper, "strip": str.strip}
    tests: dict[str, Callable[..., Any]] = {"startswith": str.startswith, "endswith": str.endswith}
    if name in plain and not arguments:
        return plain[name](owner)
    if name in tests and len(arguments) == 1 and isinstance(arguments[0], str):
        return tests[name](owner, arguments[0])
    return UNKNOWN


def builtin(run: Interpreter, name: str, arguments: list[Any], named: dict[str, Any]) -> Any:
    """What a call of one of Python's own functions gives."""
    match name, arguments:
        case "range", _ if 0 < len(arguments) < 4 and all(type(each) is int for each in arguments):
            found = range(*arguments) if len(arguments) < 3 or arguments[2] else range(0)
            return list(found[:256])
        case "range", [*known, _] if len(arguments) < 3 and all(type(each) is int for each in known):
            return [sum(known), sum(known) + 1]  # to an end that is not known: twice
        case "len", [list() | tuple() | dict() | str() as value]:
            return len(value)
        case "len", [Layer() as value]:
            return len(value.items)
        case (("list" | "tuple"), [value]) if isinstance(value, list | tuple | dict | str | Layer):
            return items(value) if name == "list" else tuple(items(value))
        case (("list" | "tuple" | "dict"), []):
            return {"list": [], "tuple": (), "dict": dict(named)}[name]
        case "dict", [dict() as value]:
            return value | named
        case (("int" | "float"), [Tensor()]):
            return UNKNOWN
        case (("int" | "float" | "str"), [int() | float() | str() as value]):
            try:
                return {"int": int, "float": float, "str": str}[name](value)
            except (ValueError, OverflowError):
                return UNKNOWN
        case "enumerate", [value, *others]:
            start = others[0] if others and isinstance(others[0], int) else 0
            return [(start + index, each) for index, each in enumerate(items(value))]
        case "zip", _:
            return list(zip(*map(items, arguments), strict=False))
        case "reversed", [value]:
            return items(value)[::-1]
        case (("sum" | "max" | "min"), [list() | tuple() as value]) if value and all(type(x) is int for x in value):
            return _OF_NUMBERS[name](value)
        case (("max" | "min"), _) if len(arguments) > 1 and all(isinstance(x, int | float) for x in arguments):
            return _OF_NUMBERS[name](arguments)
        case (("getattr"), [owner, str() as attribute_name, *others]):
            found = run.attribute(owner, attribute_name)
            return others[0] if others and found is UNKNOWN else found
        case "hasattr", [Instance() as owner, str() as attribute_name]:
            return attribute_name in owner.attributes or owner.of.find(attribute_name) is not None
        case "setattr", [Instance() as owner, str() as attribute_name, value]:
            owner.attributes[attribute_name] = value
            return None
        case "isinstance", [value, kind]:
            return _is_instance(value, kind)
        case (("abs" | "round"), [int() | float() as value]) if isfinite(value):
            return abs(value) if name == "abs" else round(value)
    return opaque(run, name, ast.Pass(), [*arguments, *named.values()])


_OF_NUMBERS: dict[str, Callable[[Any], Any]] = {"sum": sum, "max": max, "min": min}


def _is_instance(value: Any, kind: Any) -> Any:
    if isinstance(kind, Class):
        return any(each is kind for each in value.of.ancestors) if isinstance(value, Instance) else UNKNOWN
    if isinstance(kind, Library) and isinstance(value, Layer):
        return value.short == kind.name.rpartition(".")[2]
    return UNKNOWN


# --- shapes ----------------------------------------------------------------------------------------------------------

_KEEPS = frozenset({"norm", "lrn", "activation", "sigmoid", "softmax", "log_softmax", "dropout", "identity"})
_POOLS = {
    "max_pool2d": "MaxPool2d",
    "avg_pool2d": "AvgPool2d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d",
    "adaptive_max_pool2d": "AdaptiveMaxPool2d",
}


def pair(value: Any) -> tuple[int, int] | None:
    """What torch makes of a size that is one number or two; None if it is not known."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(each) is int for each in value):
        return value[0], value[1]
    return None


def _sides(
    shape: tuple[int | None, ...], window: Any, stride: Any, padding: Any, dilation: Any = 1, up: bool = False
) -> tuple[int | None, int | None]:
    parts = [pair(each) for each in (window, stride, padding, dilation)]
    found: list[int | None] = []
    for side in (0, 1):
        size = shape[2 + side]
        if size is None or any(part is None for part in parts):
            found.append(None)
            continue
        k, s, p, d = (part[side] for part in parts if part is not None)
        room = size + 2 * p - d * (k - 1) - 1
        found.append(None if s <= 0 else (ceil(room / s) if up else room // s) + 1)
    return found[0], found[1]


def _convolved(tensor: Tensor, name: str, given: dict[str, Any]) -> Shape:
    shape = tensor.shape or (None,) * 4  # nothing else goes into a Conv2d
    if len(shape) != 4 or name not in ("Conv2d", "LazyConv2d"):
        return None
    channels = given.get("out_channels")
    padding = given.get("padding", 0)
    stride = given.get("stride", 1)
    if padding == "same" and stride == 1:
        sides: tuple[int | None, int | None] = (shape[2], shape[3])
    else:
        padding = 0 if padding == "valid" else padding
        sides = _sides(shape, given.get("kernel_size"), stride, padding, given.get("dilation", 1))
    return (shape[0], channels if isinstance(channels, int) else None, *sides)


def _pooled(tensor: Tensor, name: str, given: dict[str, Any]) -> Shape:
    shape = tensor.shape
    if shape is None or len(shape) != 4:
        return None
    if name.startswith("Adaptive"):
        sides = pair(given.get("output_size"))
        return (*shape[:2], *(sides or (None, None)))
    if name not in ("MaxPool2d", "AvgPool2d"):
        return None
    window = given.get("kernel_size")
    stride = given.get("stride")
    up = given.get("ceil_mode", False) is True
    return (
        *shape[:2],
        *_sides(
            shape, window, window if stride is None else stride, given.get("padding", 0), given.get("dilation", 1), up
        ),
    )


def _dense(tensor: Tensor, _: str, given: dict[str, Any]) -> Shape:
    features = given.get("out_features")
    if tensor.shape is None:
        return None
    return (*tensor.shape[:-1], features if isinstance(features, int) else None)


def _flattened(shape: Shape, given: dict[str, Any]) -> Shape:
    start, end = given.get("start_dim", 1), given.get("end_dim", -1)
    if shape is None or not isinstance(start, int) or not isinstance(end, int):
        return None
    start, end = start % len(shape), end % len(shape)
    middle = shape[start : end + 1]
    size = None if None in middle else prod(x for x in middle if x is not None)
    return (*shape[:start], size, *shape[end + 1 :])


def _viewed(shape: Shape, sizes: Sequence[Any]) -> Shape:
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = list(sizes[0])
    known = [each if type(each) is int else None for each in sizes]
    if known.count(-1) == 1:
        rest = [each for each in known if each != -1]
        total = None if shape is None or None in shape else prod(x for x in shape if x is not None)
        if (
            shape is not None
            and known[1:] == [-1]
            and None not in shape[1:]
            and (known[0] is None or known[0] == shape[0])
        ):
            left: int | None = prod(x for x in shape[1:] if x is not None)
        else:
            unit = None if None in rest else prod(x for x in rest if x is not None)
            left = total // unit if total is not None and unit and total % unit == 0 else None
        known = [left if each == -1 else each for each in known]
    return tuple(known) or None


def _reduced(shape: Shape, dim: Any = None, keepdim: Any = False, **_: Any) -> Shape:
    dims = [dim] if isinstance(dim, int) else dim
    if shape is None or not isinstance(dims, list | tuple) or not all(type(each) is int for each in dims):
        return None
    gone = {each % len(shape) for each in dims}
    return tuple(1 if i in gone else size for i, size in enumerate(shape) if keepdim is True or i not in gone) or None


def _concatenated(arguments: Sequence[Any], named: dict[str, Any]) -> Shape:
    parts = [each.shape for each in _tensors(arguments[:1])]
    dim = named.get("dim", named.get("axis", arguments[1] if len(arguments) > 1 else 0))
    if not parts or any(part is None for part in parts) or not isinstance(dim, int):
        return None
    known = [part for part in parts if part is not None]
    if len({len(part) for part in known}) != 1 or not -len(known[0]) <= dim < len(known[0]):
        return None
    sizes = [part[dim] for part in known]
    whole = None if None in sizes else sum(x for x in sizes if x is not None)
    made = list(known[0])
    made[dim] = whole
    return tuple(made)


_SHAPES: dict[str, Callable[[Tensor, str, dict[str, Any]], Shape]] = {
    "conv": _convolved,
    "pool": _pooled,
    "linear": _dense,
    "flatten": lambda tensor, _, given: _flattened(tensor.shape, {"start_dim": 1, "end_dim": -1, **given}),
}
