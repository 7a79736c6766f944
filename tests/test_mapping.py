"""The key map: found without names, complete, invertible, and refused where two programs are not one."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro import fill, mapping, models
from repro.canonical import canonical
from repro.errors import ReproError
from repro.graph import trace
from repro.mapping import Entry, KeyMap, MappingError, Matching, key_map, match
from repro.movement import reshape

Shape = tuple[int, ...]
Forward = Callable[..., Any]


class Program(nn.Module):
    """A forward given as a function, and parameters by shape, in the order given."""

    def __init__(self, forward: Forward, **shapes: Shape) -> None:
        super().__init__()
        self.run = forward
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(fill.uniform(name, shape, -1, 1)))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.run(self, *inputs)


class FunctionalResNet50(nn.Module):
    """ResNet-50 of arXiv:1512.03385, Table 1, stride in the 3x3, without layers: tensors, defined in any order."""

    STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        shapes = {"stem": (64, 3, 7, 7)}
        channels = 64
        for stage, (width, repeats, _) in enumerate(self.STAGES):
            for block in range(repeats):
                here = f"{stage}_{block}"
                shapes |= {f"{here}a": (width, channels, 1, 1), f"{here}b": (width, width, 3, 3)}
                shapes |= {f"{here}c": (4 * width, width, 1, 1)}
                if block == 0:
                    shapes[f"{here}d"] = (4 * width, channels, 1, 1)
                channels = 4 * width
        self.tensors = nn.ParameterDict()
        for name in random.Random(0).sample(sorted(shapes), len(shapes)):
            self.register_buffer(f"v_{name}", torch.empty(shapes[name][0]))
            self.tensors[f"b_{name}"] = torch.empty(shapes[name][0])
            self.tensors[f"k_{name}"] = torch.empty(shapes[name])
            self.tensors[f"g_{name}"] = torch.empty(shapes[name][0])
            self.register_buffer(f"m_{name}", torch.empty(shapes[name][0]))
        self.tensors["out"], self.tensors["bias"] = torch.empty(num_classes, channels), torch.empty(num_classes)

    def unit(self, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = self.tensors[f"k_{name}"]
        x = F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2)
        mean, variance = self.get_buffer(f"m_{name}"), self.get_buffer(f"v_{name}")
        return F.batch_norm(x, mean, variance, self.tensors[f"g_{name}"], self.tensors[f"b_{name}"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.unit("stem", x, 2).relu_(), 3, 2, 1)
        for stage, (_, repeats, stride) in enumerate(self.STAGES):
            for block in range(repeats):
                here, step = f"{stage}_{block}", 1 if block else stride
                short = x if block else self.unit(f"{here}d", x, step)
                x = self.unit(f"{here}b", self.unit(f"{here}a", x).clamp(min=0), step).relu()
                x = short.add_(self.unit(f"{here}c", x)).relu()
        x = F.linear(x.mean((-1, -2)), self.tensors["out"], self.tensors["bias"])
        return x


class Branches(nn.Module):
    """An inception module of arXiv:1409.4842, Table 1, its branches defined and run from the last to the first."""

    def __init__(self, channels: int, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> None:
        super().__init__()
        self.p = unit(channels, pooled, 1)
        self.z = nn.ModuleList([unit(five[0], five[1], 3), unit(channels, five[0], 1)])
        self.y = nn.ModuleList([unit(three[0], three[1], 3), unit(channels, three[0], 1)])
        self.x = unit(channels, one, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = self.p(F.max_pool2d(x, 3, 1, 1))
        third = self.z[0](self.z[1](x))
        second = self.y[0](self.y[1](x))
        return torch.cat((torch.cat((self.x(x), second), 1), third, last), 1)


class OwnGoogLeNet(nn.Module):
    """GoogLeNet as torchvision has it, without the auxiliary heads, its modules defined in an order of their own."""

    ROWS = (
        (192, 64, (96, 128), (16, 32), 32),
        (256, 128, (128, 192), (32, 96), 64),
        (480, 192, (96, 208), (16, 48), 64),
        (512, 160, (112, 224), (24, 64), 64),
        (512, 128, (128, 256), (24, 64), 64),
        (512, 112, (144, 288), (32, 64), 64),
        (528, 256, (160, 320), (32, 128), 128),
        (832, 256, (160, 320), (32, 128), 128),
        (832, 384, (192, 384), (48, 128), 128),
    )

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(1024, num_classes)
        self.rows = nn.ModuleDict({str(i): Branches(*self.ROWS[i]) for i in (4, 8, 0, 3, 7, 1, 6, 2, 5)})
        self.stem = nn.ModuleList([unit(64, 192, 3), unit(64, 64, 1), unit(3, 64, 7, 2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.stem[2](x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.stem[0](self.stem[1](x)), 3, 2, ceil_mode=True)
        for row in range(9):
            x = self.rows[str(row)](x)
            if row == 1:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            if row == 6:
                x = F.max_pool2d(x, 2, ceil_mode=True)
        x = self.head(F.avg_pool2d(x, x.shape[-2:]).flatten(1))
        return x


def unit(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    norm = nn.BatchNorm2d(out_channels, eps=1e-3)
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, norm, nn.ReLU())


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def on_meta(build: Callable[..., nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
    with torch.device("meta"):
        return build(*args, **kwargs)


def matching_of(one: nn.Module, other: nn.Module, *shapes: Shape) -> Matching | None:
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    return match(canonical(trace(one, *inputs)), canonical(trace(other, *inputs)))


def map_of(one: nn.Module, other: nn.Module, *shapes: Shape) -> KeyMap:
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    source, target = canonical(trace(one, *inputs)), canonical(trace(other, *inputs))
    matching = match(source, target)
    assert matching is not None
    return key_map(source, target, matching)


def pairs(found: KeyMap) -> dict[str, str]:
    return {entry.source: entry.target for entry in found.entries}


def run(module: nn.Module, state: Mapping[str, torch.Tensor], *inputs: torch.Tensor) -> torch.Tensor:
    """What `module` computes in float64 with these weights."""
    wide = {key: tensor.double() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    with torch.inference_mode():
        result: torch.Tensor = torch.func.functional_call(module.eval(), wide, tuple(x.double() for x in inputs))
    return result


# Names and orders are not looked at


@pytest.mark.parametrize(
    ("build", "variant", "extra"),
    [
        pytest.param(FunctionalResNet50, "resnet50_v1_5", "num_batches_tracked", id="resnet50"),
        pytest.param(OwnGoogLeNet, "googlenet_torchvision", "aux", id="googlenet"),
    ],
)
def test_own_code_maps_onto_the_catalog(build: Callable[..., nn.Module], variant: str, extra: str) -> None:
    own, ours = on_meta(build, 7), on_meta(models.build, variant, num_classes=7)
    found = map_of(own, ours, (2, 3, 64, 64))
    assert not found.unmapped_source
    assert all(extra in key for key in found.unmapped_target)
    assert set(found.unmapped_target.values()) == {"no output depends on it in eval mode"}

    image = fill.image(0, 1, (3, 64, 64))
    weights = fill.conditioned(trace(own, image), state_of(own))
    mapped = found.apply(weights)
    assert set(mapped) | set(found.unmapped_target) == set(ours.state_dict())
    absent = {key: torch.zeros(ours.state_dict()[key].shape) for key in found.unmapped_target}
    expected = run(own, weights, image)
    assert expected.std() > 1e-3
    torch.testing.assert_close(run(ours, mapped | absent, image), expected, rtol=1e-10, atol=1e-10)


def attention(query: str, key: str) -> Forward:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        scores = F.linear(x, getattr(m, query)) @ F.linear(x, getattr(m, key)).transpose(-1, -2)
        return scores.softmax(-1) @ x

    return forward


def test_weights_of_one_shape_are_told_apart_by_role() -> None:
    one = Program(attention("q", "k"), q=(4, 4), k=(4, 4))
    other = Program(attention("k", "q"), q=(4, 4), k=(4, 4))
    found = map_of(one, other, (2, 3, 4))
    assert pairs(found) == {"q": "k", "k": "q"}
    x = fill.image(0, 2, (3, 4))
    assert torch.equal(run(other, found.apply(state_of(one)), x), run(one, state_of(one), x))
    assert not torch.allclose(run(other, state_of(one), x), run(one, state_of(one), x))


def test_operands_of_a_sum_pair_up_by_what_they_compute() -> None:
    one = Program(lambda m, x: F.linear(x, m.a).tanh() + F.linear(x, m.b).relu(), a=(4, 4), b=(4, 4))
    other = Program(lambda m, x: F.linear(x, m.a).relu() + F.linear(x, m.b).tanh(), a=(4, 4), b=(4, 4))
    assert pairs(map_of(one, other, (2, 4))) == {"a": "b", "b": "a"}


# Symmetry


def test_symmetric_branches_are_counted_and_either_pairing_is_right() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, m.a).relu() + F.linear(x, m.b).relu()

    one, other = Program(forward, a=(4, 4), b=(4, 4)), Program(forward, b=(4, 4), a=(4, 4))
    matching = matching_of(one, other, (2, 4))
    assert matching is not None
    assert matching.choices == 1
    x = fill.image(0, 2, (4,))
    mapped = map_of(one, other, (2, 4)).apply(state_of(one))
    assert torch.equal(run(other, mapped, x), run(one, state_of(one), x))


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(lambda m, x: F.linear(x, m.a) + F.linear(x, m.b).relu(), id="unlike operands"),
        pytest.param(lambda m, x: F.linear(x, m.a) - F.linear(x, m.b), id="a difference"),
        pytest.param(lambda m, x: F.linear(x, m.a) ** 2 - F.linear(x, m.b), id="a square"),
        pytest.param(
            lambda m, x: torch.cat([F.linear(x, m.a), F.linear(x, m.a) + F.linear(x, m.b)]), id="one used elsewhere"
        ),
    ],
)
def test_where_there_is_no_symmetry_no_choice_is_counted(forward: Forward) -> None:
    program = Program(forward, a=(4, 4), b=(4, 4))
    matching = matching_of(program, program, (2, 4))
    assert matching is not None
    assert matching.choices == 0


def crossed(first: tuple[str, str], second: tuple[str, str]) -> Forward:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        y = x.sin()
        one = F.linear(x, getattr(m, first[0])) + F.linear(x, getattr(m, first[1]))
        other = F.linear(y, getattr(m, second[0])) + F.linear(y, getattr(m, second[1]))
        return one * other

    return forward


def test_a_choice_that_fails_elsewhere_is_taken_back() -> None:
    shapes = {"a": (4, 4), "b": (4, 4)}
    one = Program(crossed(("a", "b"), ("a", "b")), **shapes)
    for first, second in ((("a", "b"), ("b", "a")), (("b", "a"), ("a", "b"))):
        assert matching_of(one, Program(crossed(first, second), **shapes), (2, 4)) is not None
    third = Program(crossed(("a", "b"), ("a", "c")), **shapes, c=(4, 4))
    assert matching_of(one, third, (2, 4)) is None
    assert matching_of(third, one, (2, 4)) is None


def test_the_search_gives_up_with_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "MAX_CHOICES", 1)
    one = Program(crossed(("a", "b"), ("a", "b")), a=(4, 4), b=(4, 4))
    other = Program(crossed(("a", "b"), ("a", "c")), a=(4, 4), b=(4, 4), c=(4, 4))
    with pytest.raises(ReproError, match=r"^gave up pairing symmetric branches after 1 choices$"):
        matching_of(one, other, (2, 4))


# What must not match

W = {"v": (4, 4), "w": (4, 4)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            lambda m, x: F.linear(F.linear(x, m.v), m.v), lambda m, x: F.linear(F.linear(x, m.v), m.w), id="one or two"
        ),
        pytest.param(
            lambda m, x: torch.cat([F.linear(x, m.v), x], 1), lambda m, x: torch.cat([x, F.linear(x, m.v)], 1), id="cat"
        ),
        pytest.param(
            lambda m, x: torch.cat([x @ m.v, (x @ m.w).relu()], 1),
            lambda m, x: torch.cat([(x @ m.v).relu(), x @ m.w], 1),
            id="order of branches",
        ),
        pytest.param(lambda m, x: (x @ m.v, x @ m.v @ m.w), lambda m, x: (x @ m.v @ m.w, x @ m.v), id="outputs"),
        pytest.param(lambda m, x: (x @ m.v, x @ m.w), lambda m, x: x @ m.v, id="one output more"),
        pytest.param(lambda m, x: F.linear(x, m.v), lambda m, _: m.v, id="the weight itself"),
        pytest.param(lambda m, x: x + m.v, lambda _, x: x + torch.ones(4, 4), id="a constant"),
        pytest.param(lambda m, x: x * m.v + m.v.t(), lambda m, x: x * m.v + m.v, id="read transposed once"),
        pytest.param(lambda m, x: x * m.v.t() + m.v, lambda m, x: x * m.v + m.v.t() @ x, id="read otherwise"),
        pytest.param(
            lambda m, x: torch.cat([x @ m.v[:2].t(), x @ m.v[2:].t()]),
            lambda m, x: torch.cat([x @ m.v[2:].t(), x @ m.v[:2].t()]),
            id="parts of one weight",
        ),
    ],
)
def test_other_programs_do_not_match(one: Forward, other: Forward) -> None:
    assert matching_of(Program(one, **W), Program(other, **W), (4, 4)) is None
    assert matching_of(Program(other, **W), Program(one, **W), (4, 4)) is None


def test_inputs_are_told_apart_by_position() -> None:
    one, other = Program(lambda _, x, y: x - y), Program(lambda _, x, y: y - x)
    assert matching_of(one, one, (2, 3), (2, 3)) is not None
    assert matching_of(one, other, (2, 3), (2, 3)) is None


def reading(rows: int, columns: int) -> Forward:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x * m.w.view(rows, columns).t().reshape(12), x.sigmoid() * m.w])

    return forward


def test_one_tensor_read_in_two_ways_is_read_so_on_both_sides() -> None:
    one, other = Program(reading(3, 4), w=(12,)), Program(reading(4, 3), w=(12,))
    assert matching_of(one, one, (12,)) is not None
    assert matching_of(one, other, (12,)) is None


# Every key is accounted for


def test_keys_no_output_depends_on_are_listed_with_the_reason() -> None:
    one = Program(lambda m, x: x * m.used, used=(3,), idle=(2,))
    other = Program(lambda m, x: x * m.w, w=(3,), spare=(5, 5))
    found = map_of(one, other, (2, 3))
    assert found.entries == (Entry("w", "used", (3,), (), "read at the same place of both graphs"),)
    assert found.unmapped_source == {"idle": "no output depends on it in eval mode"}
    assert found.unmapped_target == {"spare": "no output depends on it in eval mode"}


def norms(*names: str) -> nn.Module:
    network = nn.Sequential()
    for name in names:
        network.add_module(name, nn.BatchNorm2d(3))
    return network


def test_batch_counters_go_with_their_running_mean() -> None:
    found = map_of(norms("a", "b"), norms("b", "a"), (2, 3, 4, 4))
    counters = {entry.source: entry for entry in found.entries if "num_batches" in entry.source}
    assert {key: entry.target for key, entry in counters.items()} == {
        "a.num_batches_tracked": "b.num_batches_tracked",
        "b.num_batches_tracked": "a.num_batches_tracked",
    }
    assert {entry.reason for entry in counters.values()} == {"the batch counter beside a mapped running mean"}
    assert not found.unmapped_source
    assert not found.unmapped_target


class Heads(nn.Module):
    """Runs its second head in training only."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__()
        self.names = first, second
        self.add_module(first, nn.Linear(3, 2))
        self.add_module(second, nn.Linear(3, 2))

    def forward(self, x: torch.Tensor) -> Any:
        main = self.get_submodule(self.names[0])(x)
        return (main, self.get_submodule(self.names[1])(x)) if self.training else main


def test_what_only_training_reads_is_mapped_by_the_graph_of_training() -> None:
    one, other = Heads("main", "aux"), Heads("aux", "main")
    x = torch.empty(2, 3)
    source, target = canonical(trace(one, x)), canonical(trace(other, x))
    evaluation = match(source, target)
    training = match(canonical(trace(one, x, training=True)), canonical(trace(other, x, training=True)))
    assert evaluation is not None
    assert training is not None
    bare = key_map(source, target, evaluation)
    assert bare.unmapped_source == dict.fromkeys(("aux.weight", "aux.bias"), "no output depends on it in eval mode")
    full = key_map(source, target, evaluation, [training])
    assert pairs(full) == {
        f"{name}.{part}": f"{to}.{part}"
        for name, to in (("main", "aux"), ("aux", "main"))
        for part in ("weight", "bias")
    }
    assert {entry.source: entry.reason for entry in full.entries}["aux.bias"] == (
        "read at the same place of both graphs in train mode"
    )


class Tied(nn.Module):
    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        for name in names:
            self.add_module(name, nn.Linear(3, 3, bias=False))
            self.get_submodule(name).register_parameter("weight", self.get_submodule(names[0]).get_parameter("weight"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.get_submodule(self.names[-1])(self.get_submodule(self.names[0])(x).relu())  # type: ignore[no-any-return]


def test_every_key_of_a_tied_weight_is_mapped() -> None:
    found = map_of(Tied("a", "b"), Tied("c", "d"), (2, 3))
    assert pairs(found) == {"a.weight": "c.weight", "b.weight": "d.weight"}
    assert found.entries[1].reason == "the same tensor as c.weight"
    assert not found.unmapped_source
    assert not found.unmapped_target


def test_a_weight_tied_more_often_on_one_side_is_mapped_too() -> None:
    once = Program(lambda m, x: F.linear(F.linear(x, m.w).relu(), m.w), w=(3, 3))
    found = map_of(once, Tied("a", "b"), (2, 3))
    assert [(entry.target, entry.source) for entry in found.entries] == [("a.weight", "w"), ("b.weight", "w")]
    back = map_of(Tied("a", "b"), once, (2, 3))
    assert pairs(back) == {"a.weight": "w"}
    assert back.unmapped_source == {"b.weight": "the same tensor as a.weight"}


def test_a_tied_weight_is_not_two() -> None:
    two = Program(lambda m, x: F.linear(F.linear(x, m.v).relu(), m.w), v=(3, 3), w=(3, 3))
    assert matching_of(Tied("a", "b"), two, (2, 3)) is None
    assert matching_of(two, Tied("a", "b"), (2, 3)) is None


# A key map as data

CLASSIFIER = Program(
    lambda m, x: F.conv2d(F.conv2d(x, m.a).relu(), m.b, m.c).flatten(1) @ m.d,
    a=(4, 3, 2, 2),
    b=(5, 4, 3, 3),
    c=(5,),
    d=(5, 2),
)
FLAT = Program(
    lambda m, x: F.linear(F.linear(F.conv2d(x, m.a).relu().flatten(1), m.b, m.c), m.d),
    d=(2, 5),
    c=(5,),
    b=(5, 36),
    a=(4, 3, 2, 2),
)
IMAGES = (2, 3, 4, 4)


def test_a_weight_kept_in_another_shape_is_moved_on_the_way() -> None:
    found = map_of(CLASSIFIER, FLAT, IMAGES)
    steps = {entry.target: [str(step) for step in entry.steps] for entry in found.entries}
    assert steps == {"a": [], "b": ["reshape(5, 36)"], "c": [], "d": ["move(2, 5) reading 2@1 5@2"]}
    x = fill.image(0, 2, IMAGES[1:])
    actual = run(FLAT, found.apply(state_of(CLASSIFIER)), x)
    torch.testing.assert_close(actual, run(CLASSIFIER, state_of(CLASSIFIER), x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("one", "other"), [(CLASSIFIER, FLAT), (FLAT, CLASSIFIER)], ids=["there", "back"])
def test_the_inverse_takes_every_bit_back(one: nn.Module, other: nn.Module) -> None:
    found = map_of(one, other, IMAGES)
    state = state_of(one)
    back = found.invert().apply(found.apply(state))
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) and back[key].shape == state[key].shape for key in state)
    again = found.invert().invert()
    assert again.entries == found.entries
    assert set(found.invert().entries) == set(map_of(other, one, IMAGES).entries)


def test_the_inverse_accounts_for_the_same_keys() -> None:
    found = map_of(Program(lambda m, x: x * m.used, used=(3,), idle=(2,)), Program(lambda m, x: x * m.w, w=(3,)), (3,))
    assert found.invert().unmapped_target == found.unmapped_source
    assert found.invert().unmapped_source == found.unmapped_target


def test_what_is_not_moved_is_shared_and_not_copied() -> None:
    state = state_of(CLASSIFIER)
    assert map_of(CLASSIFIER, FLAT, IMAGES).apply(state)["a"] is state["a"]


def test_keys_nothing_is_made_of_must_be_there_too() -> None:
    found = KeyMap((Entry("a", "b", (3,)),), {"idle": "no output depends on it in eval mode"})
    with pytest.raises(MappingError, match=r"^the state_dict lacks key 'idle'; the map was made for other keys$"):
        found.apply({"b": torch.zeros(2)})


def test_a_missing_key_is_named() -> None:
    state = state_of(CLASSIFIER)
    expected = r"^the state_dict lacks key 'b' and 1 more; the map was made for other keys$"
    with pytest.raises(MappingError, match=expected):
        map_of(CLASSIFIER, FLAT, IMAGES).apply({"a": state["a"], "d": state["d"]})


def test_an_unknown_key_is_named() -> None:
    expected = r"^the state_dict has the unknown key 'extra'; the map was made for other keys$"
    with pytest.raises(MappingError, match=expected):
        map_of(CLASSIFIER, FLAT, IMAGES).apply(state_of(CLASSIFIER) | {"extra": torch.zeros(1)})


@pytest.mark.parametrize("key", ["a", "b"], ids=["as it is", "moved"])
def test_a_tensor_of_another_shape_is_named(key: str) -> None:
    state = state_of(CLASSIFIER)
    state[key] = state[key][:-1]
    with pytest.raises(MappingError, match=rf"^{key} has shape \({len(state[key])}, .*; the map expects \(\d, "):
        map_of(CLASSIFIER, FLAT, IMAGES).apply(state)


def test_steps_follow_each_other() -> None:
    entry = Entry("a", "b", (6,), (reshape((6,), (2, 3)), reshape((2, 3), (3, 2))))
    moved = KeyMap((entry,)).apply({"b": torch.arange(6)})["a"]
    assert moved.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert KeyMap((entry,)).invert().apply({"a": moved})["b"].tolist() == list(range(6))


def test_a_buffer_no_state_dict_shows_is_no_obstacle() -> None:
    def module() -> nn.Module:
        made = Program(lambda m, x: x * m.w + m.table, w=(3,))
        made.register_buffer("table", torch.ones(3), persistent=False)
        return made

    one, other = module(), module()
    other.load_state_dict(map_of(one, other, (2, 3)).apply(one.state_dict()))


# Train mode


def trained(one: nn.Module, other: nn.Module, *shapes: Shape) -> Matching | None:
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    return match(*(canonical(trace(module, *inputs, training=True)) for module in (one, other)))


class Norm(nn.Module):
    """Normalisation by the batch, with the running statistics kept by hand."""

    def __init__(self, momentum: float = 0.1, *, updates: tuple[str, ...] = ("mean", "var")) -> None:
        super().__init__()
        self.momentum, self.updates = momentum, updates
        self.weight, self.bias = nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(3))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("var", torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, var = (
            self.get_buffer(name) if name in self.updates else self.get_buffer(name).clone() for name in ("mean", "var")
        )
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, self.momentum)


def test_updates_of_partners_are_partners_too() -> None:
    network = nn.BatchNorm2d(3)
    matching = trained(network, Norm(), (4, 3, 5, 5))
    assert matching is not None
    assert matching.leaves.keys() == {
        ("weight", "weight"),
        ("bias", "bias"),
        ("running_mean", "mean"),
        ("running_var", "var"),
    }
    graph = canonical(trace(network, torch.empty(4, 3, 5, 5), training=True))
    assert graph.updates["running_mean"].node in matching.nodes
    assert graph.updates["running_var"].node in matching.nodes


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: Norm(0.2), id="momentum"),
        pytest.param(lambda: Norm(updates=()), id="no update"),
        pytest.param(lambda: Norm(updates=("mean",)), id="one update missing"),
    ],
)
def test_another_update_is_another_program_in_train_mode_only(other: Callable[[], nn.Module]) -> None:
    assert trained(Norm(), other(), (4, 3, 5, 5)) is None
    assert trained(other(), Norm(), (4, 3, 5, 5)) is None
    assert trained(other(), other(), (4, 3, 5, 5)) is not None
    assert matching_of(Norm(), other(), (4, 3, 5, 5)) is not None


def test_what_a_call_changes_in_eval_mode_is_no_part_of_a_matching() -> None:
    def counting(m: Any, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x * m.scale
        m.seen.add_(1)
        y = y + m.seen
        return y

    def still(m: Any, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x * m.scale
        y = y + (m.seen + 1)
        return y

    def module(forward: Forward) -> nn.Module:
        program = Program(forward, scale=(3,))
        program.register_buffer("seen", torch.zeros(3))
        return program

    assert matching_of(module(counting), module(still), (2, 3)) is not None
    assert trained(module(counting), module(still), (2, 3)) is None
    assert trained(module(counting), module(counting), (2, 3)) is not None


def frozen(*names: str) -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    for name in names:
        network.get_parameter(name).requires_grad_(False)
    return network


def test_a_frozen_parameter_is_the_partner_of_a_frozen_one_in_train_mode() -> None:
    one, other = frozen("0.weight"), frozen("1.weight")
    for second in (frozen(), other):
        assert trained(one, second, (2, 3)) is None
        assert trained(second, one, (2, 3)) is None
        assert matching_of(one, second, (2, 3)) is not None
    assert trained(one, frozen("0.weight"), (2, 3)) is not None


def test_where_gradients_stop_counts_in_train_mode_only() -> None:
    whole = Program(lambda m, x: F.linear(F.linear(x, m.a), m.b), a=(3, 3), b=(3, 3))
    cut = Program(lambda m, x: F.linear(F.linear(x, m.a).detach(), m.b), a=(3, 3), b=(3, 3))
    assert trained(whole, cut, (2, 3)) is None
    assert trained(cut, cut, (2, 3)) is not None
    assert matching_of(whole, cut, (2, 3)) is not None


def test_one_mask_read_twice_is_not_two_masks() -> None:
    def one(_: Any, x: torch.Tensor) -> torch.Tensor:
        mask = torch.empty_like(x).bernoulli_(0.5).div_(0.5)
        return x.exp() * mask + x.tanh() * mask

    def two(_: Any, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x.exp(), 0.5) + F.dropout(x.tanh(), 0.5)

    assert trained(Program(one), Program(two), (2, 3)) is None
    assert trained(Program(two), Program(one), (2, 3)) is None
    assert trained(Program(one), Program(one), (2, 3)) is not None
    assert trained(Program(two), Program(two), (2, 3)) is not None
