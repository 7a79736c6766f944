"""The inputs of goldens: what they are, and that their bits stay what they are."""

from __future__ import annotations

import hashlib
import math

import pytest
import torch

from repro.golden.inputs import CONSTANT, LARGE, inputs, photograph

SEALS: dict[tuple[int, ...], str] = {  # sha256 of the float32 values, row by row
    (3, 64, 64): "fd525cc446077acc4266b51931279ccc52c4c1f7708cdbafc06a110e79382c11",
    (3, 71, 97): "2818a36627d1041f93eba860b08e8a87924bc11863797861cacaddbbd9989113",
    (1, 32, 32): "f060b188825410651518cce3c27837d38643b4b33e020b607b9a69509301e8b0",
}


def seal(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().astype("<f4").tobytes()).hexdigest()


@pytest.mark.parametrize("size", SEALS)
def test_the_photograph_is_the_one_it_was(size: tuple[int, ...]) -> None:
    assert seal(photograph(size)) == SEALS[size]


def test_the_photograph_has_the_scale_of_what_networks_are_given() -> None:
    image = photograph((3, 64, 64))
    assert image.dtype == torch.float32
    assert 0.3 < float(image.std()) < 1.5
    assert float(image.abs().max()) <= 2


def test_a_larger_photograph_is_mirrored_at_the_edges() -> None:
    small, large = photograph((3, 64, 64)), photograph((3, 150, 70))
    assert torch.equal(large[:, :64, :64], small)
    assert torch.equal(large[:, 64:128, :64], small.flip(1))
    assert torch.equal(large[:, 128:, :64], small[:, :22])
    assert torch.equal(large[:, :64, 64:], small[:, :, -6:].flip(2))


def test_one_channel_is_the_luma_and_a_fourth_is_red_again() -> None:
    red, green, blue = photograph((3, 8, 8)) * 64 + 128
    grey = photograph((1, 8, 8))[0] * 64 + 128
    assert torch.equal(grey, ((299 * red + 587 * green + 114 * blue) / 1000).floor())
    assert torch.equal(photograph((4, 8, 8))[3], photograph((3, 8, 8))[0])


def test_the_five_inputs_are_what_they_are_called() -> None:
    found = inputs((3, 16, 17), 0)
    assert list(found) == ["zeros", "noise", "photograph", "constant", "large"]
    assert all(image.shape == (3, 16, 17) and image.dtype == torch.float32 for image in found.values())
    assert not found["zeros"].any()
    assert (found["constant"] == CONSTANT).all()
    assert math.isclose(float(found["noise"].square().mean()), 1, rel_tol=0.1)
    assert math.isclose(float(found["large"].square().mean().sqrt()), LARGE, rel_tol=0.1)
    assert not torch.equal(found["large"], LARGE * found["noise"])


def test_what_is_no_image_has_more_noise_for_a_photograph() -> None:
    assert list(inputs((7,), 0)) == ["zeros", "noise", "noise2", "constant", "large"]
