"""Weights carried over: bit for bit there and back, the same outputs, and a refusal wherever one could be wrong."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from repro import checkpoint
from repro.errors import ReproError
from repro.graph import TraceError, digest
from repro.models import build
from repro.parity.convert import Conversion, UnequalError, convert, map_state_dict
from repro.references import Size, resolve

SIZE = (2, 8, 8)
IMAGES = torch.zeros(3, *SIZE)


class Net(nn.Module):
    """Two layers of each shape, and statistics."""

    stride = 1

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, self.stride, padding=1)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.bn1(self.conv1(x)).relu())
        x = self.fc(self.conv3(x).mean((2, 3)))
        return x


class Copy(nn.Module):
    """The same with other names, defined from the last to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 5)
        self.b = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
        self.c = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.b[0](self.b[1](self.c(x)))
        x = self.a(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return x


class Strided(Net):
    stride = 2


class Unused(Net):
    """With a parameter that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.ones(7))


class Named(Net):
    """With something in its state_dict that is no tensor of the module's."""

    def get_extra_state(self) -> torch.Tensor:
        return torch.ones(1)

    def set_extra_state(self, state: object) -> None:
        pass


class Swapping(Net):
    """Its two layers of one shape change places in larger images."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers = (self.conv2, self.conv3) if x.shape[-1] == 8 else (self.conv3, self.conv2)
        x = layers[1](layers[0](self.bn1(self.conv1(x)).relu()))
        x = self.fc(x.mean((2, 3)))
        return x


class ConvHead(nn.Module):
    """VGG's head as timm has it: its first fully connected layer as a convolution over the whole 4x4 map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, 2, 1)
        self.head = nn.Conv2d(3, 6, 4)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.head(self.conv(x).relu()).relu().flatten(1))
        return x


class LinearHead(nn.Module):
    """The same head as the paper's figure has it, on the flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.head = nn.Linear(48, 6)
        self.conv = nn.Conv2d(2, 3, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.head(self.conv(x).relu().flatten(1)).relu())
        return x


class Transposed(nn.Module):
    """The same head on a map whose channels come last, its weight lying across."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(48, 6))
        self.b = nn.Parameter(torch.randn(6))
        self.conv = nn.Conv2d(2, 3, 3, 2, 1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc((self.conv(x).relu().flatten(1) @ self.w + self.b).relu())
        return x


class Aux(Net):
    """With a head that only train mode reads."""

    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.conv2(self.bn1(self.conv1(x)).relu())
        main = self.fc(self.conv3(x).mean((2, 3)))
        return (main, self.aux(x.amax((2, 3)))) if self.training else main


class AuxCopy(Aux):
    """The same, its heads under each other's names."""

    def forward(self, x: torch.Tensor) -> Any:
        x = self.conv2(self.bn1(self.conv1(x)).relu())
        main = self.aux(self.conv3(x).mean((2, 3)))
        return (main, self.fc(x.amax((2, 3)))) if self.training else main


class Tied(nn.Module):
    """One tensor under two names, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(8, 8)
        self.other = self.one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.other(self.one(x).relu())
        return x


class Once(nn.Module):
    """The same under one name."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.fc(x).relu())
        return x


class Masked(Net):
    """With a buffer whose values are part of the network."""

    last = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.tensor([1.0, 1.0, 1.0, 0.3, self.last]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.get_buffer("mask")


class MaskedElsewhere(Masked):
    last = 0.5


class Offset(Net):
    """With one tensor as two buffers, of which the state_dict shows as many as are said to be persistent."""

    persistent = (False, False)

    def __init__(self) -> None:
        super().__init__()
        shared = torch.ones(5)
        for name, persistent in zip(("kept", "again"), self.persistent, strict=True):
            self.register_buffer(name, shared, persistent=persistent)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.get_buffer("kept") * self.get_buffer("again")


class HalfShown(Offset):
    persistent = (False, True)


class Failing(Net):
    """Fails when it is called."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("no luck")


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the classes above known to specifications, as `own:NAME`."""
    monkeypatch.setitem(sys.modules, "own", sys.modules[__name__])


def values(spec: str, size: Size = SIZE) -> dict[str, torch.Tensor]:
    """A state_dict with nothing left at what it is made with."""
    torch.manual_seed(0)
    net = resolve(spec).module().train()
    for tensor in net.parameters():
        nn.init.normal_(tensor, std=0.3)
    with torch.no_grad():
        net(torch.randn(4, *size))
    return net.state_dict()


def digests(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    return {key: digest(tensor) for key, tensor in state.items()}


def outputs(spec: str, state: Mapping[str, torch.Tensor], size: Size) -> torch.Tensor:
    """What a network computes in float64 with these weights."""
    net = resolve(spec).module().double()
    net.load_state_dict({k: v.double() if v.is_floating_point() else v for k, v in state.items()}, strict=True)
    torch.manual_seed(1)
    with torch.no_grad():
        found: torch.Tensor = net(torch.randn(2, *size, dtype=torch.float64))
    return found


def closeness(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference in units of the spread."""
    return float((actual - expected).abs().max() / expected.std())


# --- there and back ----------------------------------------------------------------------------------------------

PAIRS: list[tuple[str, str, Size]] = [
    ("own:Net", "own:Copy", SIZE),
    ("own:ConvHead", "own:LinearHead", SIZE),
    ("own:LinearHead", "own:ConvHead", SIZE),
    ("own:LinearHead", "own:Transposed", SIZE),
    ("own:ConvHead", "own:Transposed", SIZE),
    ("own:Tied", "own:Tied", (8, 8, 8)),
    ("own:Tied", "own:Once", (8, 8, 8)),
    ("own:Masked", "own:Masked", SIZE),
    ("own:Offset", "own:Offset", SIZE),
    ("repro:lenet5_28", "repro:lenet5_28", (1, 28, 28)),
    ("torchvision:resnet18", "timm:resnet18", (3, 64, 64)),
]


@pytest.mark.parametrize(("first", "second", "size"), PAIRS)
def test_there_and_back_again_is_the_same_bit_for_bit(tmp_path: Path, first: str, second: str, size: Size) -> None:
    state = values(first, size)
    paths = [tmp_path / name for name in ("a.pth", "b.safetensors", "c.bin")]
    checkpoint.save(paths[0], state)
    there = convert(first, second, paths[0], paths[1], [size])
    mapped = checkpoint.load(paths[1]).tensors
    assert digests(mapped) == there.digests
    assert mapped.keys() == resolve(second).module().state_dict().keys()
    assert there.size == paths[1].stat().st_size
    assert closeness(outputs(second, mapped, size), outputs(first, state, size)) < 1e-12
    convert(second, first, paths[1], paths[2], [size])
    assert digests(checkpoint.load(paths[2]).tensors) == digests(state)


def test_two_values_exchanged_would_be_noticed(tmp_path: Path) -> None:
    state = values("own:Net")
    torch.save(state, tmp_path / "a.pth")
    convert("own:Net", "own:Copy", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE])
    mapped = dict(checkpoint.load(tmp_path / "b.pth").tensors)
    mapped["b.0.weight"], mapped["b.1.weight"] = mapped["b.1.weight"], mapped["b.0.weight"]
    assert closeness(outputs("own:Copy", mapped, SIZE), outputs("own:Net", state, SIZE)) > 1e-2


def test_reshaped_tensors_are_counted(tmp_path: Path) -> None:
    torch.save(values("own:ConvHead"), tmp_path / "a.pth")
    done = convert("own:ConvHead", "own:LinearHead", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE])
    assert {entry.target: len(entry.steps) for entry in done.keys.entries if entry.steps} == {"head.weight": 1}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_of_every_tensor_is_kept(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {key: x.to(dtype) if x.is_floating_point() else x + 2**40 for key, x in values("own:Masked").items()}
    torch.save(state, tmp_path / "a.pth")
    convert("own:Masked", "own:Masked", tmp_path / "a.pth", tmp_path / "b.safetensors", [SIZE])
    found = load_file(tmp_path / "b.safetensors")
    assert digests(found) == digests(state)
    assert {x.dtype for x in found.values()} == {dtype, torch.int64}


def test_values_that_no_number_is_equal_to_are_carried_over(tmp_path: Path) -> None:
    state = values("own:Net")
    state["conv2.weight"][0, 0, 0] = torch.tensor([float("nan"), float("-inf"), -0.0])
    torch.save(state, tmp_path / "a.pth")
    convert("own:Net", "own:Copy", tmp_path / "a.pth", tmp_path / "b.safetensors", [SIZE])
    assert digest(load_file(tmp_path / "b.safetensors")["b.1.weight"]) == digest(state["conv2.weight"])


def test_heads_that_only_train_mode_reads_go_by_train_mode(tmp_path: Path) -> None:
    state = values("own:Aux")
    torch.save(state, tmp_path / "a.pth")
    convert("own:Aux", "own:AuxCopy", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE])
    mapped = checkpoint.load(tmp_path / "b.pth").tensors
    assert digest(mapped["fc.weight"]) == digest(state["aux.weight"])
    assert digest(mapped["aux.weight"]) == digest(state["fc.weight"])


def test_equality_is_proved_at_every_size_that_is_named(tmp_path: Path) -> None:
    torch.save(values("own:Net"), tmp_path / "a.pth")
    done = convert("own:Net", "own:Copy", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE, (2, 5, 11)])
    assert done.proved_for == ((3, 2, 8, 8), (3, 2, 5, 11))


@pytest.mark.parametrize(
    ("wrap", "notes"),
    [
        (lambda state: {"model": state, "epoch": 1}, ("read under 'model', without what is beside it: 'epoch'",)),
        (lambda state: {f"module.{key}": x for key, x in state.items()}, ("'module.' taken off every key",)),
    ],
)
def test_how_a_file_had_to_be_read_is_said(tmp_path: Path, wrap: Callable[[Any], Any], notes: tuple[str, ...]) -> None:
    state = values("own:Net")
    torch.save(wrap(state), tmp_path / "a.pth")
    done = convert("own:Net", "own:Net", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE])
    assert done.notes == notes
    assert done.digests == digests(state)


# --- refusals ----------------------------------------------------------------------------------------------------

Convert = Callable[..., Conversion]


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., ReproError]:
    """What a conversion of `state`, or of a checkpoint of the first network, is refused with; nothing is written."""

    def refused(first: str, second: str, state: Any = None, size: Size = SIZE) -> ReproError:
        torch.save(values(first, size) if state is None else state, tmp_path / "a.pth")
        before = (tmp_path / "a.pth").read_bytes()
        with pytest.raises(ReproError) as caught:
            convert(first, second, tmp_path / "a.pth", tmp_path / "b.pth", [size])
        assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
        assert (tmp_path / "a.pth").read_bytes() == before
        return caught.value

    return refused


def test_unequal_networks_are_refused_with_the_first_difference(refused: Callable[..., ReproError]) -> None:
    error = refused("own:Strided", "own:Copy")
    assert isinstance(error, UnequalError)
    assert "own:Strided and own:Copy are different for 3x2x8x8: convolution stride 2 here, 1 there" in str(error)
    assert error.evidence["differences"]
    assert error.evidence["differences"][0] in str(error)


def test_networks_that_are_equal_at_one_size_only_are_refused(tmp_path: Path) -> None:
    torch.save(values("own:ConvHead"), tmp_path / "a.pth")
    with pytest.raises(ReproError, match="2x16x16"):
        convert("own:ConvHead", "own:ConvHead", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE, (2, 16, 16)])
    assert not (tmp_path / "b.pth").exists()


def test_networks_that_correspond_otherwise_at_another_size_are_refused(tmp_path: Path) -> None:
    torch.save(values("own:Net"), tmp_path / "a.pth")
    message = "'conv2.weight' of own:Swapping has another partner for 3x2x9x9"
    with pytest.raises(UnequalError, match=message):
        convert("own:Net", "own:Swapping", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE, (2, 9, 9)])
    assert not (tmp_path / "b.pth").exists()
    convert("own:Net", "own:Swapping", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE])


@pytest.mark.parametrize(
    ("first", "second", "side", "key", "told"),
    [
        ("Unused", "Net", "source", "token", "no output depends on it in eval mode"),
        ("Net", "Unused", "target", "token", "no output depends on it in eval mode"),
        ("Net", "Named", "target", "_extra_state", "it is no parameter or buffer"),
        ("Named", "Net", "source", "_extra_state", "it is no parameter or buffer"),
        ("HalfShown", "Offset", "source", "again", "the same tensor as kept"),
        ("Offset", "HalfShown", "target", "again", "the same tensor as kept"),
    ],
)
def test_keys_without_a_partner_are_named_with_the_reason(
    refused: Callable[..., ReproError], first: str, second: str, side: str, key: str, told: str
) -> None:
    error = refused(f"own:{first}", f"own:{second}")
    assert isinstance(error, UnequalError)
    owner = first if side == "source" else second
    assert re.search(rf"^1 of the \d+ keys of own:{owner} without a partner: '{key}' \({told}\)$", str(error))
    assert error.evidence == {f"unmapped_{side}": {key: told}}


def test_a_head_that_only_one_side_has_is_refused_and_all_of_it_is_told(refused: Callable[..., ReproError]) -> None:
    error = refused("own:Aux", "own:Net")
    assert isinstance(error, UnequalError)
    assert "2 of the 14 keys of own:Aux without a partner: 'aux.weight' (no output depends on it" in str(error)
    assert list(error.evidence["unmapped_source"]) == ["aux.weight", "aux.bias"]


def test_buffers_that_are_part_of_the_network_must_agree(refused: Callable[..., ReproError]) -> None:
    message = "has other values than 'mask' of own:MaskedElsewhere, which are part of that network"
    assert message in str(refused("own:Masked", "own:MaskedElsewhere"))
    state = {**values("own:Masked"), "mask": torch.zeros(5)}
    assert isinstance(refused("own:Masked", "own:Masked", state), UnequalError)


def test_one_tensor_with_two_values_is_refused(refused: Callable[..., ReproError]) -> None:
    state = values("own:Tied", (8, 8, 8))
    state["other.bias"] = state["other.bias"] + 1
    message = "'one.bias' and 'other.bias' are one tensor in own:Tied and two different ones here"
    assert message in str(refused("own:Tied", "own:Once", state, (8, 8, 8)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: {k: x for k, x in s.items() if k != "fc.bias"}, "it lacks key 'fc.bias' of own:Net"),
        (lambda s: {**s, "extra": torch.ones(1)}, "it has the unknown key 'extra' of own:Net"),
        (lambda s: {**s, "fc.weight": s["fc.weight"].t()}, "'fc.weight' has shape (4, 5); own:Net has (5, 4)"),
        (lambda s: {**s, "fc.weight": s["fc.weight"].flatten()}, "'fc.weight' has shape (20,); own:Net has (5, 4)"),
        (lambda s: {**s, "object": Path}, "objects besides tensors, which are not unpickled here"),
    ],
)
def test_a_checkpoint_that_is_not_that_networks_is_refused(
    refused: Callable[..., ReproError], spoil: Callable[[Any], Any], message: str
) -> None:
    error = refused("own:Net", "own:Copy", spoil(values("own:Net")))
    assert not isinstance(error, UnequalError), "a wrong file is no finding about the networks"
    assert message in str(error)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"a{suffix}"
        checkpoint.save(path, values("own:Net"))
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(ReproError, match="cannot be read as a state_dict"):
            convert("own:Net", "own:Copy", path, tmp_path / "b.pth", [SIZE])
    assert not (tmp_path / "b.pth").exists()


def test_a_file_is_not_converted_into_itself(tmp_path: Path) -> None:
    torch.save(values("own:Net"), tmp_path / "a.pth")
    before = (tmp_path / "a.pth").read_bytes()
    with pytest.raises(ReproError, match="it is the file that is read"):
        convert("own:Net", "own:Copy", tmp_path / "a.pth", tmp_path / "a.pth", [SIZE])
    assert (tmp_path / "a.pth").read_bytes() == before


def test_a_file_that_is_there_stays_if_the_conversion_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(values("own:Net"), tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ReproError, match=r"b\.pth: cannot be written: OSError: .*No space left.*; nothing was changed"):
        convert("own:Net", "own:Copy", tmp_path / "a.pth", tmp_path / "b.pth", [SIZE])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "b.pth"]
    assert (tmp_path / "b.pth").read_bytes() == b"before"


# --- live modules ------------------------------------------------------------------------------------------------


class Chain(nn.Module):
    """Four layers of one shape, defined in one order and run in another."""

    def __init__(self, defined: Sequence[int], run: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({str(index): nn.Linear(3, 3) for index in defined})
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for index in self.run:
            x = self.layers[str(index)](x).relu() + x
        return x


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_layers_of_one_shape_go_neither_by_name_nor_by_definition(order: tuple[int, ...]) -> None:
    source, target = Chain(order, range(4)), Chain(range(4), order)
    target.load_state_dict(map_state_dict(source, target, torch.zeros(2, 3)))
    x = torch.randn(5, 3)
    assert torch.equal(source(x), target(x))


class Joined(nn.Module):
    """Two inputs of different rank; returns a dict."""

    def __init__(self, names: str) -> None:
        super().__init__()
        self.names = names
        for name in names:
            setattr(self, name, nn.Linear(4, 4))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        first, second = (self.get_submodule(name) for name in self.names)
        return {"sum": first(x).mean((1, 2)) + second(y), "other": y}


def test_modules_of_several_inputs_and_any_rank_are_mapped() -> None:
    source, target = Joined("ab"), Joined("ba")
    x, y = torch.randn(2, 3, 5, 4), torch.randn(2, 4)
    target.load_state_dict(map_state_dict(source, target, (x, y)))
    assert torch.equal(source(x, y)["sum"], target(x, y)["sum"])
    assert not torch.equal(source.get_parameter("a.weight"), target.get_parameter("a.weight"))


def test_the_modules_stay_as_they_are() -> None:
    source, target = Net(), Copy()
    source.train().bn1.eval()
    target.eval()
    before = [digests(net.state_dict()) for net in (source, target)]
    modes = [[child.training for child in net.modules()] for net in (source, target)]
    found = map_state_dict(source, target, IMAGES)
    assert [digests(net.state_dict()) for net in (source, target)] == before
    assert [[child.training for child in net.modules()] for net in (source, target)] == modes
    assert target.load_state_dict(found).missing_keys == []
    assert not any(tensor.requires_grad for tensor in found.values())
    source.eval()
    assert torch.equal(source(IMAGES + 1), target(IMAGES + 1))


def test_a_target_without_values_can_be_given_them() -> None:
    source = build("lenet5_28")
    with torch.device("meta"):
        target = build("lenet5_28")
    target.load_state_dict(map_state_dict(source, target, torch.zeros(1, 1, 28, 28)), assign=True)
    assert digests(target.state_dict()) == digests(source.state_dict())


@pytest.mark.parametrize(
    ("source", "target", "inputs", "kind", "message"),
    [
        (Strided, Copy, IMAGES, UnequalError, "source and target are different for 3x2x8x8: convolution stride 2 here"),
        (Net, Unused, IMAGES, UnequalError, "1 of the 13 keys of target without a partner: 'token' (no output depends"),
        (Masked, MaskedElsewhere, IMAGES, UnequalError, "'mask' of source has other values than 'mask' of target"),
        (Failing, Net, IMAGES, TraceError, "source: forward failed on an input of 3x2x8x8"),
        (Net, Failing, IMAGES, TraceError, "target: forward failed on an input of 3x2x8x8"),
        (Net, Copy, IMAGES[:, :1], TraceError, "source: forward failed on an input of 3x1x8x8"),
        (Net, Copy, "3x2x8x8", ReproError, "inputs is a str; expected a tensor or a tuple of tensors"),
        (Net, Copy, (), ReproError, "inputs is a tuple; expected a tensor or a tuple of tensors"),
        (Net, lambda: Copy, IMAGES, ReproError, "target is a type; expected a torch.nn.Module"),
        (lambda: Net().to("meta"), Net, IMAGES, ReproError, "source: 'conv1.weight' is on the meta device"),
    ],
)
def test_modules_that_do_not_correspond_are_refused(
    source: Callable[[], nn.Module],
    target: Callable[[], nn.Module],
    inputs: Any,
    kind: type[ReproError],
    message: str,
) -> None:
    with pytest.raises(ReproError) as caught:
        map_state_dict(source(), target(), inputs)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(message)
