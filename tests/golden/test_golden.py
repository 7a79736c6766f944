"""A golden holds what a network does: it passes what is the same, and tells what moved and where first."""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from repro import models
from repro.errors import ReproError
from repro.faults import Fault, faults
from repro.golden import subject as module
from repro.golden.check import CHECKS, check
from repro.golden.folder import update
from repro.golden.golden import Golden
from repro.golden.inputs import inputs
from repro.golden.making import golden_size, make
from repro.golden.recording import stages
from repro.golden.subject import Subject
from repro.graph import trace
from repro.references import Source, resolve
from repro.result import Outcome, Result
from tests.golden.conftest import SIZE, Block, Net, source


def outcomes(results: list[Result]) -> list[Outcome]:
    return [result.outcome for result in results]


def test_what_is_the_same_passes_every_check(golden: Golden) -> None:
    results = list(check(golden, source()))
    assert [result.check for result in results] == list(CHECKS)
    assert outcomes(results) == [Outcome.PASS] * len(CHECKS), [result.message for result in results]


def test_a_golden_comes_back_from_the_disk(golden: Golden, folder: Path) -> None:
    loaded = Golden.load(folder, "net")
    for field in dataclasses.fields(Golden):
        ours, theirs = getattr(loaded, field.name), getattr(golden, field.name)
        if field.name == "outputs":
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        else:
            assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs


def test_the_stages_are_the_modules_as_they_come(golden: Golden) -> None:
    parts = ("conv", "norm", "relu")
    expected = ["stem", *(f"blocks.{i}{part}" for i in range(2) for part in (*(f".{p}" for p in parts), ""))]
    assert list(golden.stages) == [*expected, "pool", "fc", "output 0"]
    assert golden.stages["blocks.0.conv"]["shape"] == "6x5x5"
    assert golden.sums.shape == (len(golden.stages), 5, 4)
    assert golden.outputs.keys() == {"output 0 noise", "output 0 photograph"}


def test_outputs_are_kept_in_full(golden: Golden) -> None:
    subject = Subject(source(), SIZE)
    subject.network.install({key: x.double() for key, x in subject.network.conditioned(SIZE, 0).items() if x.ndim})
    with torch.no_grad():
        expected = subject.network.module(torch.stack(list(subject.inputs.values())).double())
    assert torch.equal(golden.outputs["output 0 noise"], expected[1])
    assert torch.equal(golden.outputs["output 0 photograph"], expected[2])


def test_a_reused_module_is_a_stage_each_time_it_runs() -> None:
    class Twice(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.fc(self.pool(self.blocks(self.blocks(self.stem(x)))).flatten(1))
            return x

    found = make(source(network=Twice), SIZE, "why", "how").stages
    assert "blocks.1.relu" in found
    assert "blocks.1.relu#2" in found


def test_a_module_may_have_the_name_of_a_second_call(tmp_path: Path) -> None:
    def rename(net: Any) -> None:
        net.blocks[0].add_module("relu#2", nn.ReLU())
        net.blocks[0].register_forward_hook(lambda block, _, x: block.get_submodule("relu#2")(x))

    made = make(source(rename), SIZE, "why", "how")
    assert "blocks.0.relu#2" in made.stages
    assert all(result.outcome is Outcome.PASS for result in check(made, source(rename)))


@pytest.mark.parametrize(("name", "deepest"), [("resnet152", 3), ("resnet18", 4), ("lenet5", 2)])
def test_stages_are_as_deep_as_there_is_room(name: str, deepest: int) -> None:
    variant = models.get(name)
    with torch.device("meta"):
        graph = trace(models.build(name).eval(), torch.empty(2, *variant.input_size))
    found = stages(graph)
    assert len(found) <= 64
    assert max(path.count(".") + 1 for path in found) == deepest


# --- what moves --------------------------------------------------------------------------------------------------


def other_eps(net: Any) -> None:
    net.blocks[1].norm.eps = 1e-3


def other_padding(net: Any) -> None:
    net.blocks[0].conv = nn.Conv2d(6, 6, 3, padding=1, padding_mode="replicate", bias=False)


def other_shape(net: Any) -> None:
    net.stem = nn.Conv2d(3, 6, 3)


def without_activation(net: Any) -> None:
    net.blocks[1].relu = nn.Identity()


def without_normalisation(net: Any) -> None:
    net.blocks[1].norm = nn.Identity()


def one_class_more(net: Any) -> None:
    net.fc = nn.Linear(6, 5)


class Once(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.pool(self.blocks[0](self.stem(x))).flatten(1))
        return x


class Again(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.pool(self.blocks[1](self.blocks(self.stem(x)))).flatten(1))
        return x


class Last(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).softmax(1)


CHANGES: dict[str, tuple[Source, str]] = {
    "eps": (source(other_eps), "blocks.1.norm"),
    "padding": (source(other_padding), "blocks.0.conv"),
    "shape": (source(other_shape), "stem"),
    "activation": (source(without_activation), "blocks.1.relu"),
    "normalisation": (source(without_normalisation), "blocks.1.norm"),
    "classes": (source(one_class_more), "fc"),
    "one block less": (source(network=Once), "blocks.1.conv"),
    "one block more": (source(network=Again), "blocks.1.norm"),  # whose statistics are now those of its second run
    "softmax": (source(network=Last), "output 0"),
}


@pytest.mark.control("golden.float64")
@pytest.mark.parametrize("name", CHANGES)
def test_the_first_stage_that_moved_is_named(golden: Golden, name: str) -> None:
    changed, place = CHANGES[name]
    results = {result.check: result for result in check(golden, changed)}
    for way in ("golden.float64", "golden.float64.2-threads"):
        assert results[way].outcome is Outcome.FAIL
        assert results[way].evidence["place"] == place, results[way].message
        assert results[way].message.startswith(f"{place}: ")
    narrow = [result.outcome for result in results.values() if "float32" in result.check]
    assert narrow == [Outcome.SKIP] * 3


@pytest.mark.control("golden.float64.2-threads")
def test_what_moves_on_two_threads_only_is_told(golden: Golden) -> None:
    class Careless(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = super().forward(x)
            return x * (1 + 1e-6) if torch.get_num_threads() == 2 else x

    def careless(net: Any) -> None:
        net.blocks[1].forward = functools.partial(Careless.forward, net.blocks[1])
        net.blocks[1].__class__ = Careless

    results = {result.check: result for result in check(golden, source(careless))}
    assert results["golden.float64"].outcome is Outcome.PASS
    assert results["golden.float64.2-threads"].outcome is Outcome.FAIL
    assert results["golden.float64.2-threads"].evidence["place"] == "blocks.1"


@pytest.mark.control("golden.float64.2-threads")
def test_what_moves_on_two_threads_in_further_images_only_is_told(golden: Golden) -> None:
    class Careless(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = super().forward(x)
            return torch.cat([x[:1], x[1:] * (1 + 1e-6)]) if torch.get_num_threads() == 2 else x

    def careless(net: Any) -> None:
        net.blocks[1].forward = functools.partial(Careless.forward, net.blocks[1])
        net.blocks[1].__class__ = Careless

    results = {result.check: result for result in check(golden, source(careless))}
    assert results["golden.float64"].outcome is Outcome.PASS
    assert results["golden.float64.2-threads"].outcome is Outcome.FAIL


@pytest.mark.parametrize("kind", ["noise", "photograph", "large", "zeros", "constant"])
def test_what_breaks_in_float32_for_any_input_is_told(golden: Golden, kind: str) -> None:
    image = inputs(SIZE, 0)[kind]

    def breaking(net: Any) -> None:
        def change(_module: nn.Module, args: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
            if output.dtype == torch.float32 and torch.is_inference_mode_enabled():
                broken = [math.nan if torch.equal(row, image) else 1.0 for row in args[0]]
                output = output * torch.tensor(broken)[:, None, None, None]
            return output

        net.stem.register_forward_hook(change)

    results = {result.check: result for result in check(golden, source(breaking))}
    wide = [result.outcome for name, result in results.items() if "float64" in name]
    assert wide == [Outcome.PASS] * 2
    failed = [result for name, result in results.items() if "float32" in name and result.outcome is Outcome.FAIL]
    assert failed
    assert all(f"for {kind}:" in result.message for result in failed)


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_a_table_with_as_many_rows_as_some_ways_have_images_is_no_stage(rows: int, tmp_path: Path) -> None:
    class Positioned(Net):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(rows, 4))
            self.mix = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.mix(super().forward(x) + self.mix(self.table).sum(0))
            return logits

    assert update(tmp_path, "net", source(network=Positioned), SIZE, "why", "how").endswith("new")
    found = Golden.load(tmp_path, "net").stages
    assert "mix#2" in found
    assert "mix" not in found, "its first call is of the table"


def less_precise(net: Any, only: str) -> None:
    """Have float32 computed less exactly, as by a kernel that rounds its operands."""

    def round_off(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        (x,) = args
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        here = {"": True, "channels_last": last, "2 threads": torch.get_num_threads() == 2 and not last}[only]
        return (
            (x.bfloat16().float(),) if x.dtype == torch.float32 and here and torch.is_inference_mode_enabled() else args
        )

    net.blocks[0].conv.register_forward_pre_hook(round_off)


@pytest.mark.control("golden.float32", "golden.float32.2-threads", "golden.float32.channels_last")
@pytest.mark.parametrize(
    ("only", "failing"),
    [
        ("", ["golden.float32", "golden.float32.2-threads", "golden.float32.channels_last"]),
        ("2 threads", ["golden.float32.2-threads"]),
        ("channels_last", ["golden.float32.channels_last"]),
    ],
)
def test_less_precision_than_there_was_is_told(golden: Golden, only: str, failing: list[str]) -> None:
    results = list(check(golden, source(functools.partial(less_precise, only=only))))
    assert [result.check for result in results if result.outcome is Outcome.FAIL] == failing
    worst = next(result for result in results if result.check == failing[0])
    assert worst.evidence["ratio"] > 100
    assert "blocks.0.conv" in worst.message


def test_nan_in_float32_is_told(golden: Golden) -> None:
    class Pool(nn.AdaptiveAvgPool2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = super().forward(x)
            here = x.dtype == torch.float32 and torch.is_inference_mode_enabled()
            return x * torch.tensor([math.nan, 1, 1, 1, 1, 1]).reshape(6, 1, 1) if here else x

    def spoil(net: Any) -> None:
        net.pool = Pool(1)

    results = {result.check: result for result in check(golden, source(spoil))}
    assert results["golden.float64"].outcome is Outcome.PASS
    assert results["golden.float32"].outcome is Outcome.FAIL
    assert results["golden.float32"].message.startswith("pool for zeros: inf times")


@pytest.mark.control("golden.recipe")
@pytest.mark.parametrize(
    ("change", "told"),
    [(one_class_more, "weights names"), (other_eps, "weights buffers"), (None, "weights parameters")],
)
def test_other_weights_are_told(golden: Golden, monkeypatch: pytest.MonkeyPatch, change: Any, told: str) -> None:
    if change is None:
        monkeypatch.setattr(module, "SEED", 1)
    if told == "weights buffers":  # the statistics of a normalisation that follows it: add one
        change = other_padding
    result = next(iter(check(golden, source(*([change] if change else [])))))
    assert result.outcome is Outcome.FAIL
    assert told in result.evidence["changed"]


def test_modules_that_are_new_or_gone_are_named(golden: Golden) -> None:
    class Renamed(Net):
        def __init__(self) -> None:
            super().__init__()
            self.root = self.stem
            del self.stem
            self.extra = nn.Conv2d(6, 6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.fc(self.pool(self.blocks(self.extra(self.root(x)))).flatten(1))
            return x

    result = next(iter(check(golden, source(network=Renamed))))
    assert result.message.endswith("; new: extra, root; gone: stem")
    result = next(iter(check(golden, source(one_class_more))))
    assert result.message.endswith("another order of them")


def test_another_seed_moves_the_inputs(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEED", 1)
    result = next(iter(check(golden, source())))
    assert {"inputs noise", "inputs large"} <= set(result.evidence["changed"])


@pytest.mark.parametrize("names", [["photograph", "noise"], ["noise"]])
def test_inputs_are_those_of_the_golden_in_its_order(golden: Golden, names: list[str]) -> None:
    others = [name for name in golden.inputs if name not in ("noise", "photograph")]
    other = dataclasses.replace(golden, inputs={name: golden.inputs[name] for name in [*names, *others]})
    result = next(iter(check(other, source())))
    assert result.outcome is Outcome.FAIL
    assert result.evidence["changed"] == ["inputs order"]


def test_one_element_of_one_output_is_enough(golden: Golden) -> None:
    outputs = {key: tensor.clone() for key, tensor in golden.outputs.items()}
    outputs["output 0 photograph"][2] *= 1 + 1e-8
    result = list(check(dataclasses.replace(golden, outputs=outputs), source()))[2]
    assert result.outcome is Outcome.FAIL
    assert result.evidence["place"] == "output 0 photograph"
    assert "at [2]" in result.message


def test_one_element_on_two_threads_is_enough(golden: Golden) -> None:
    def off(net: Any) -> None:
        def change(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output[2:, 3, 2, 1] += 1e-3 * (torch.get_num_threads() == 2)
            return output

        net.blocks[0].conv.register_forward_hook(change)

    results = {result.check: result for result in check(golden, source(off))}
    assert results["golden.float64"].outcome is Outcome.PASS
    assert results["golden.float64.2-threads"].evidence["place"] in ("blocks.0.conv", "blocks.0.norm")
    assert "for large;" in results["golden.float64.2-threads"].message


class Bare(nn.Module):
    """Without biases and padding: what is the same everywhere stays so, and nothing stays nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, bias=False)
        self.second = nn.Conv2d(4, 4, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(self.first(x).relu()).mean((2, 3))
        return x


@pytest.fixture(scope="module")
def bare() -> Golden:
    return make(source(network=Bare), SIZE, "why", "how")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("wrong", ["flipped", "shifted", "scaled"])
def test_what_goes_wrong_with_the_further_images_of_a_batch_is_told(
    bare: Golden, threads: int, first: int, wrong: str
) -> None:
    def spoil(net: Any) -> None:
        def change(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            head, rest = output[:first], output[first:]
            spoiled = {"flipped": rest.flip(-1), "shifted": rest.roll(1, -1), "scaled": rest * (1 + 1e-8)}[wrong]
            return torch.cat([head, spoiled]) if torch.get_num_threads() == threads else output

        net.first.register_forward_hook(change)

    way = {1: "golden.float64", 2: "golden.float64.2-threads"}[threads]
    results = {result.check: result for result in check(bare, source(spoil, network=Bare))}
    assert results[way].outcome is Outcome.FAIL
    assert results[way].evidence["place"] == "first"


def test_what_is_nothing_is_measured_by_what_noise_makes(bare: Golden) -> None:
    """A stage that is zero for an input without light may be a rounding error of its size for another one."""

    def spoil(net: Any, size: float) -> None:
        net.first.register_forward_hook(lambda _module, _inputs, output: output + size * (output == 0))

    moved = {
        size: list(check(bare, source(functools.partial(spoil, size=size), network=Bare)))[1].outcome
        for size in (1e-15, 1e-11)
    }
    assert moved == {1e-15: Outcome.PASS, 1e-11: Outcome.FAIL}


def test_a_module_that_runs_twice_is_told_where_it_does(golden: Golden) -> None:
    class Doubled(Block):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x + self.relu(self.relu(self.norm(self.conv(x))))
            return x

    def doubled(net: Any) -> None:
        net.blocks[0].__class__ = Doubled

    results = list(check(golden, source(doubled)))
    assert [result.evidence["place"] for result in results[1:3]] == ["blocks.0.relu#2"] * 2
    assert results[1].message == (
        "blocks.0.relu#2: it was not there; all before it are as they were, the last of them blocks.0.relu; "
        "1 of 12 stages moved"
    )


def test_what_breaks_in_float32_only_gets_no_golden() -> None:
    """Without an error to be compared with, any later one would be allowed."""

    def breaking(net: Any) -> None:
        def change(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            single = output.dtype == torch.float32 and torch.is_inference_mode_enabled()
            return output * (math.nan if single else 1.0)

        net.blocks[0].conv.register_forward_hook(change)

    with pytest.raises(ReproError, match=r"blocks.0.conv holds NaN or infinity for the input"):
        make(source(breaking), SIZE, "why", "how")


def test_precision_is_measured_with_as_many_images_as_it_is_checked_with() -> None:
    def careless(net: Any) -> None:
        def round_off(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            (x,) = args
            here = x.dtype == torch.float32 and len(x) == 3 and torch.is_inference_mode_enabled()
            return (x.bfloat16().float(),) if here else args

        net.blocks[0].conv.register_forward_pre_hook(round_off)

    made = make(source(careless), SIZE, "why", "how")
    assert outcomes(list(check(made, source(careless)))) == [Outcome.PASS] * len(CHECKS)


def test_images_are_in_the_layout_of_the_way(golden: Golden) -> None:
    seen: set[bool] = set()

    def watch(net: Any) -> None:
        def note(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            if args[0].dtype == torch.float32 and torch.is_inference_mode_enabled():
                seen.add(args[0].is_contiguous(memory_format=torch.channels_last))

        net.stem.register_forward_pre_hook(note)

    assert outcomes(list(check(golden, source(watch)))) == [Outcome.PASS] * len(CHECKS)
    assert seen == {False, True}


def test_a_network_that_mixes_images_gets_no_golden() -> None:
    class Mixing(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = super().forward(x)
            return x + 1e-3 * x.roll(1, 0)

    with pytest.raises(ReproError, match="what output 0 makes of one image depends on the others in the batch"):
        make(source(network=Mixing), SIZE, "why", "how")


def test_one_element_of_one_stage_is_enough(golden: Golden) -> None:
    def off(net: Any) -> None:
        def change(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output[0, 3, 2, 1] += 1e-6
            return output

        net.blocks[0].conv.register_forward_hook(change)

    result = list(check(golden, source(off)))[1]
    assert result.outcome is Outcome.FAIL
    assert result.evidence["place"] in ("blocks.0.conv", "blocks.0.norm")
    assert "for zeros;" in result.message


def test_a_network_with_nan_gets_no_golden() -> None:
    def break_off(net: Any) -> None:
        net.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), Root())

    class Root(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sqrt()

    with pytest.raises(ReproError, match=r"pool.1 holds NaN or infinity for the input"):
        make(source(break_off), SIZE, "why", "how")


def test_an_output_without_rows_is_told() -> None:
    class Mean(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).mean(0)

    with pytest.raises(ReproError, match=r"output 0 has shape \(4,\) for a batch of 5"):
        make(source(network=Mean), SIZE, "why", "how")


def test_a_golden_is_made_for_the_smallest_size_at_which_convolutions_see_a_map() -> None:
    assert golden_size(resolve("repro:resnet18"), None) == (3, 35, 48)  # 17x24 gives maps of 1x1
    assert golden_size(resolve("repro:lenet5"), None) == (1, 32, 32)  # which does not take 16x16
    assert golden_size(resolve("repro:resnet20_cifar"), None) == (3, 8, 8)
    assert golden_size(resolve("repro:lenet5"), (1, 40, 40)) == (1, 40, 40)
    assert golden_size(source(), None) == (3, 224, 224)


# --- the faults of the catalog of faults -------------------------------------------------------------------------

SMALL = ("lenet5", "nin_cifar10", "resnet20_cifar")


@functools.cache
def kept(name: str) -> Golden:
    found = resolve(f"repro:{name}")
    return make(found, golden_size(found, None), "why", "how")


def planted(name: str) -> list[Fault]:
    found = resolve(f"repro:{name}")
    candidates = faults(found.module(with_values=False), kept(name).size)
    return [fault for fault in candidates if fault.plant is not None and "eval" in fault.modes]


@pytest.mark.parametrize("name", SMALL)
def test_every_fault_that_eval_mode_shows_moves_the_golden_where_it_is(name: str) -> None:
    tried = planted(name)
    assert len(tried) > 15
    for fault in tried:
        result = list(check(kept(name), faulty(name, fault)))[1]
        assert result.outcome is Outcome.FAIL, fault
        place = result.evidence["place"].partition("#")[0]
        within = f"{place}.".startswith(f"{fault.path}.") or f"{fault.path}.".startswith(f"{place}.")
        # Where only the faulty network computes something, the next stage has it.
        assert within or fault.side == "actual" or not fault.path, (fault.kind, fault.path, result.message)


def faulty(name: str, fault: Fault) -> Source:
    def build() -> nn.Module:
        network = models.build(name)
        assert fault.plant is not None
        fault.plant(network)
        return network

    return dataclasses.replace(resolve(f"repro:{name}"), build=build)


# --- programs of other kinds -------------------------------------------------------------------------------------


class Several(Net):
    def forward(self, x: torch.Tensor) -> Any:
        logits = super().forward(x)
        return {"scores": logits, "best": logits.argmax(1), "large": logits > 0, "pair": torch.complex(logits, logits)}


class Renamed(Net):
    def forward(self, x: torch.Tensor) -> Any:
        logits = super().forward(x)
        return {"points": logits, "best": logits.argmax(1), "large": logits > 0, "pair": torch.complex(logits, logits)}


def test_outputs_of_every_kind_are_held_and_their_names(tmp_path: Path) -> None:
    found = make(source(network=Several), SIZE, "why", "how")
    assert len([name for name in found.stages if name.startswith("output ")]) == 4
    assert outcomes(list(check(found, source(network=Several)))) == [Outcome.PASS] * len(CHECKS)
    result = next(iter(check(found, source(network=Renamed))))
    assert result.outcome is Outcome.FAIL
    assert "points" in result.message


class Ordered(Net):
    first, second = "a", "b"

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 3), nn.Linear(6, 50)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.blocks(self.stem(x))).flatten(1)
        found = {name: getattr(self, name)(x) for name in (self.first, self.second)}
        return torch.cat([found["a"], found["b"]], 1)


class Reordered(Ordered):
    first, second = "b", "a"


def test_branches_may_run_in_another_order() -> None:
    found = make(source(network=Ordered), SIZE, "why", "how")
    assert outcomes(list(check(found, source(network=Reordered)))) == [Outcome.PASS] * len(CHECKS)


class Unused(Net):
    def __init__(self) -> None:
        super().__init__()
        self.left_over = nn.Linear(3, 3)


class Sequence(Net):
    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Sequential(nn.Linear(6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.blocks(self.stem(x)).flatten(2)[:, :, :5].permute(2, 0, 1)  # five places first, then the images
        x = self.fc(self.weigh(rows).mean(0))
        return x


@pytest.mark.parametrize("network", [Unused, Sequence])
def test_what_no_output_reads_and_what_has_no_row_for_each_input_is_not_held(network: type[nn.Module]) -> None:
    found = make(source(network=network), SIZE, "why", "how")
    assert "weigh.0" not in found.stages
    assert outcomes(list(check(found, source(network=network)))) == [Outcome.PASS] * len(CHECKS)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("inputs", [37, 128])
def test_a_network_of_few_outputs_holds_when_it_is_made(tmp_path: Path, inputs: int, outputs: int) -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))

    assert update(tmp_path, "few", Source("few (few)", build, on_meta=False), (inputs,), "why", "how").endswith("new")
