"""What rules say of versions and of failures, held against the libraries that are installed."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from repro.audit.rules.deprecated_call import OLD
from repro.audit.rules.removed_call import GONE

WHY = "torchvision is not installed; pip install torchvision"


def has(name: str) -> bool:
    """Whether a library has what a full name says."""
    module, _, attribute = name.rpartition(".")
    if module.startswith("torchvision"):
        pytest.importorskip("torchvision", reason=WHY)
    return hasattr(importlib.import_module(module), attribute)


@pytest.mark.filterwarnings("ignore:In the future:FutureWarning")  # NumPy may take `np.object` and `np.str` up again
@pytest.mark.parametrize("name", sorted(GONE))
def test_what_is_told_to_be_gone_is(name: str) -> None:
    if name.startswith("numpy.") and GONE[name][0] == "NumPy 2.0" and np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip(f"NumPy {np.__version__} still has it; pip install 'numpy>=2'")
    assert not has(name)


@pytest.mark.parametrize("name", sorted(OLD))
def test_what_is_told_to_be_deprecated_is_still_there(name: str) -> None:
    assert has(name)


def test_a_number_cannot_be_indexed() -> None:
    with pytest.raises(IndexError, match="0-dim"):
        torch.tensor(1.0).data[0]


def test_iterators_of_loaders_have_no_method_next() -> None:
    data = torch.utils.data.TensorDataset(torch.zeros(1))
    assert not hasattr(iter(torch.utils.data.DataLoader(data)), "next")


def test_gradients_add_up_until_they_are_cleared() -> None:
    weight = torch.ones(1, requires_grad=True)
    for _ in range(2):
        torch.autograd.backward((3 * weight).sum())
    assert weight.grad is not None
    assert weight.grad.item() == 6


def test_a_network_is_in_train_mode_when_it_is_made() -> None:
    assert torch.nn.Dropout().training


def test_a_schedule_skips_its_first_rate_if_it_steps_first() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_normalisation_refuses_an_image_and_three_means_for_one_channel() -> None:
    transforms = pytest.importorskip("torchvision.transforms", reason=WHY)
    grey = Image.new("L", (4, 4))
    with pytest.raises(TypeError):
        transforms.Normalize((0.5,), (0.5,))(grey)
    with pytest.raises(RuntimeError, match="broadcast shape"):
        transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))(transforms.ToTensor()(grey))
    with pytest.raises(TypeError):
        transforms.ToTensor()(torch.zeros(1, 4, 4))
