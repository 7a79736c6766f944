"""The BN-Inception of Caffe2's model zoo: Figure 5 with the printed maps, and windows that begin at the edge."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.models import _catalog
from repro.models.bn_inception import BNInception, Downsampling
from repro.models.bn_inception_caffe2 import BNInceptionCaffe2

# Figure 5 as printed, but for the sides of 3c and 4e, which are those of their input
MAPS = {
    "conv1": (64, 112, 112),
    "conv2": (192, 56, 56),
    "inception_3a": (256, 28, 28),
    "inception_3b": (320, 28, 28),
    "inception_3c": (576, 14, 14),
    "inception_4a": (576, 14, 14),
    "inception_4b": (576, 14, 14),
    "inception_4c": (576, 14, 14),
    "inception_4d": (576, 14, 14),
    "inception_4e": (1024, 7, 7),
    "inception_5a": (1024, 7, 7),
    "inception_5b": (1024, 7, 7),
}


def on_meta(name: str = "bn_inception_caffe2") -> BNInception:
    with torch.device("meta"):
        network = _catalog.build(name).eval()
    assert isinstance(network, BNInception)
    return network


def images(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_maps_of_figure_5() -> None:
    network = on_meta()
    seen: dict[str, tuple[int, ...]] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.__setitem__(name, tuple(output.shape[1:]))
        )
    network(images(1, 3, 224, 224))
    assert {name: seen[name] for name in MAPS} == MAPS


def test_it_departs_from_the_printed_filters_in_4c_and_4d_only() -> None:
    ours, figure = (
        {k: tuple(v.shape) for k, v in on_meta(n).state_dict().items()} for n in ("bn_inception_caffe2", "bn_inception")
    )
    assert ours.keys() == figure.keys()
    filters = {key for key in ours if key.endswith("conv.weight") and ours[key][0] != figure[key][0]}
    assert filters == {f"inception_{row}.branch_pool.1.conv.weight" for row in ("4c", "4d")}
    assert {ours[key][0] for key in filters} == {96}


def test_poolings_of_stride_2_begin_at_the_edge() -> None:
    network = on_meta()
    pools = [module.pool for module in network.modules() if isinstance(module, BNInceptionCaffe2 | Downsampling)]
    assert len(pools) == 3
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    for pool in pools:
        assert isinstance(pool, nn.MaxPool2d)
        assert pool(x)[0, 0].tolist() == [[14, 16, 17], [26, 28, 29], [32, 34, 35]]


@pytest.mark.parametrize("side", range(31, 64))
def test_a_size_is_taken_or_refused_with_the_reason(side: int) -> None:
    network = on_meta()
    taken = ((side + 1) // 2 // 2 // 2) % 4 == 0
    assert taken == (side in (*range(31, 39), *range(63, 71)))
    if taken:
        assert network(images(2, 3, side, 224)).shape == (2, 1000)
        return
    with pytest.raises(
        ValueError, match=rf"a {side}x224 image gives \({(side + 1) // 8}, 28\) pixels in 3a; multiples of 4"
    ):
        network(images(2, 3, side, 224))
    with pytest.raises(RuntimeError, match="Sizes"):  # the bound is that of the arithmetic
        BNInception.forward(network, images(2, 3, side, 224))
