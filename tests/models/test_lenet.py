"""LeNet-5 against what its paper prints."""

from __future__ import annotations

import math

import pytest
import torch

from repro.models import _catalog
from repro.models.lenet import DIGITS, LeNet5, Squash, Subsampling, lecun_uniform, lenet5, lenet5_28

# Table I, as the rows of crosses: for each map of S2, the maps of C3 that read it.
TABLE_1 = (
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
)


def trainable(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(**arguments: int) -> LeNet5:
    with torch.device("meta"):
        return lenet5(**arguments)


@pytest.mark.parametrize(
    ("layer", "expected"), [("c1", 156), ("s2", 12), ("c3", 1516), ("s4", 32), ("c5", 48120), ("f6", 10164)]
)
def test_each_layer_has_the_printed_number_of_parameters(layer: str, expected: int) -> None:
    assert trainable(on_meta().get_submodule(layer)) == expected


def test_the_network_has_sixty_thousand_parameters() -> None:
    assert trainable(on_meta()) == 60_000


def test_each_layer_has_the_printed_size() -> None:
    network = on_meta()
    sizes: dict[str, tuple[int, ...]] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: sizes.__setitem__(name, tuple(output.shape[1:]))
        )
    network(torch.empty(1, 1, 32, 32, device="meta"))
    del sizes["squash"]
    assert sizes == {
        "c1": (6, 28, 28),
        "s2": (6, 14, 14),
        "c3": (16, 10, 10),
        "s4": (16, 5, 5),
        "c5": (120, 1, 1),
        "f6": (84,),
        "output": (10,),
    }


def test_every_layer_up_to_f6_is_squashed() -> None:
    network = on_meta()
    order: list[str] = []
    for name, module in network.named_children():
        module.register_forward_hook(lambda module, inputs, output, name=name: order.append(name))
    network(torch.empty(1, 1, 32, 32, device="meta"))
    assert " ".join(order) == "c1 squash s2 squash c3 squash s4 squash c5 squash f6 squash output"


def test_c3_reads_exactly_the_maps_of_table_1() -> None:
    c3 = lenet5().c3
    for s2_map, crosses in enumerate(TABLE_1):
        x = torch.zeros(1, 6, 14, 14)
        changed = x.clone()
        changed[:, s2_map] = 1
        moved = (c3(changed) - c3(x)).abs().amax(dim=(0, 2, 3)) > 0
        assert "".join("X" if reads else "." for reads in moved) == crosses
    assert "".join(TABLE_1).count("X") == 60


def test_c3_convolves_each_set_of_maps_with_its_own_weights() -> None:
    c3 = lenet5().c3
    x = torch.randn(2, 6, 14, 14)
    for convolution, index, inputs, c3_map in ((c3.three, 4, [0, 4, 5], 4), (c3.four, 6, [0, 1, 3, 4], 12)):
        assert convolution.bias is not None
        weight, bias = convolution.weight[index : index + 1], convolution.bias[index : index + 1]
        expected = torch.nn.functional.conv2d(x[:, inputs], weight, bias)
        torch.testing.assert_close(c3(x)[:, c3_map : c3_map + 1], expected)


def test_subsampling_adds_its_four_inputs() -> None:
    layer = Subsampling(1)
    torch.nn.init.constant_(layer.coefficient, 0.5)
    torch.nn.init.constant_(layer.bias, 3.0)
    assert layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item() == 0.5 * (1 + 2 + 3 + 4) + 3


def test_the_squashing_function_is_one_at_one_and_most_curved_there() -> None:
    squash = Squash()
    assert squash(torch.tensor(1.0)).item() == pytest.approx(1, abs=1e-4)
    assert squash(torch.tensor(100.0)).item() == pytest.approx(1.7159)
    a = torch.linspace(0, 2, 2001, dtype=torch.float64)
    curvature = squash(a).diff(n=2).abs()
    assert a[1 + curvature.argmax()].item() == pytest.approx(1, abs=0.02)


def test_the_output_is_the_squared_distance_from_the_bitmaps() -> None:
    output = lenet5().output
    assert output.targets.shape == (10, 84)
    assert set(output.targets.flatten().tolist()) == {-1.0, 1.0}
    x = torch.randn(3, 84)
    torch.testing.assert_close(output(x), torch.cdist(x, output.targets) ** 2, rtol=1e-4, atol=1e-3)
    distances = output(output.targets)
    assert distances.diag().tolist() == [0.0] * 10
    assert distances.fill_diagonal_(math.inf).min() >= 4 * 8  # two targets differ in eight pixels or more


def test_the_bitmaps_are_read_row_by_row() -> None:
    rows = DIGITS.strip().split("\n")
    assert [len(row.split()) for row in rows] == [10] * 12
    seven = lenet5().output.targets[7].reshape(12, 7)
    assert ["".join("#" if pixel > 0 else "." for pixel in row) for row in seven] == [row.split()[7] for row in rows]
    assert lenet5(num_classes=4).output.targets.equal(lenet5().output.targets[:4])


def test_targets_are_no_parameters_and_are_saved() -> None:
    network = on_meta()
    assert "output.targets" in network.state_dict()
    assert "output.targets" not in dict(network.named_parameters())


def test_the_initialisation_is_uniform_within_the_fan_in() -> None:
    torch.manual_seed(0)
    network = lenet5()
    fan_ins = {"c1": 25, "s2": 4, "c3.three": 75, "c3.four": 100, "c3.six": 150, "s4": 4, "c5": 400, "f6": 120}
    for name, fan_in in fan_ins.items():
        values = torch.cat([parameter.flatten() for parameter in network.get_submodule(name).parameters()])
        bound = 2.4 / fan_in
        assert 0.5 * bound < values.abs().max().item() <= bound, name
        if len(values) > 100:
            assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15), name


def test_a_unit_of_subsampling_has_four_inputs() -> None:
    torch.manual_seed(0)
    layer = Subsampling(1000)
    lecun_uniform(layer)
    assert layer.coefficient.max().item() == pytest.approx(2.4 / 4, rel=0.02)
    assert layer.bias.min().item() == pytest.approx(-2.4 / 4, rel=0.02)


@pytest.mark.parametrize("num_classes", [0, 11])
def test_only_the_digits_have_targets(num_classes: int) -> None:
    with pytest.raises(ValueError, match=f"num_classes={num_classes} was given; lenet5 has targets for the digits"):
        lenet5(num_classes=num_classes)


def test_other_channels_are_possible() -> None:
    assert on_meta(in_channels=3)(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lenet5", (1, 32, 32), "a 3-dimensional input of shape (1, 32, 32) was given; lenet5 takes"),
        ("lenet5", (1, 3, 32, 32), "3 channels were given"),
        ("lenet5", (1, 1, 32, 31), "a 32x31 image was given; lenet5 takes (batch, 1, height, width)"),
        ("lenet5", (1, 1, 36, 32), "height and width 32 to 35 pixels"),
        ("lenet5_28", (1, 1, 27, 28), "a 27x28 image was given"),
        ("lenet5_28", (1, 1, 28, 32), "height and width 28 to 31 pixels"),
    ],
)
def test_other_inputs_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with torch.device("meta"):
        network = _catalog.build(name)
    with pytest.raises(ValueError, match="given") as caught:
        network(torch.empty(shape, device="meta"))
    assert message in str(caught.value)


def test_lenet5_28_has_256_features_after_its_second_pooling() -> None:
    with torch.device("meta"):
        network = lenet5_28()
    assert network.fc1.in_features == 256
    assert trainable(network) == (25 + 1) * 6 + (6 * 25 + 1) * 16 + 257 * 120 + 121 * 84 + 85 * 10 == 44_426


def test_lenet5_28_uses_sigmoids_and_max_pooling() -> None:
    network = lenet5_28()
    x = torch.randn(2, 1, 28, 28)
    y = network.conv1(x).sigmoid().unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(4, 5))
    y = network.conv2(y).sigmoid().unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(4, 5))
    y = network.fc2(network.fc1(y.flatten(1)).sigmoid()).sigmoid()
    torch.testing.assert_close(network(x), network.fc3(y))


def test_lenet5_28_starts_from_glorot() -> None:
    torch.manual_seed(0)
    network = lenet5_28()
    assert network.fc1.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (256 + 120)), rel=0.01)
    assert not network.fc1.bias.any()
