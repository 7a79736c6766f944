"""Obtaining networks: what each form gives, and what is said of a form that gives nothing."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from repro.canonical import canonical
from repro.errors import MissingLibraryError, ReproError
from repro.graph import trace
from repro.mapping import match
from repro.models import UnknownVariantError
from repro.references import resolve

NETS = """
import sys
import warnings

import torch
from torch import nn

print("printed by the import")
warnings.warn("warned by the import")
calls = []
instance = nn.ReLU()
number = 7


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 1)
        self.dropout = nn.Dropout()

    def forward(self, x):
        return self.conv(x)


class Namespace:
    wide = staticmethod(lambda: Net(5))


def loud():
    print("printed by the callable")
    warnings.warn("warned by the callable")
    calls.append("loud")
    return Net()


def needs(width, depth, activation="relu"):
    return Net(width)


def none():
    return None


def raising():
    raise RuntimeError("no luck\\nsecond line")


def variadic(*args, **kwargs):
    return Net()
"""

Write = Callable[..., str]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Write:
    """Writes a module into the current directory, an empty one; returns its name, which no other test has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    name = "nets_" + re.sub(r"\W", "_", tmp_path.name)
    monkeypatch.setitem(sys.modules, name, sys)  # so that what the test imports is forgotten again
    monkeypatch.delitem(sys.modules, name)

    def write(text: str = NETS) -> str:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return name

    return write


def error(spec: str) -> str:
    """The message of the error that obtaining `spec` raises."""
    with pytest.raises(ReproError) as caught:
        resolve(spec).module()
    return str(caught.value)


# --- the forms ---------------------------------------------------------------------------------------------------


def test_a_name_of_ours_gives_the_variant() -> None:
    source = resolve("repro:lenet5_28")
    assert source.input_size == (1, 28, 28)
    assert type(source.module()).__name__ == "LeNet5On28"
    assert not source.module().training


def test_a_network_can_be_had_without_values() -> None:
    source = resolve("torchvision:resnet18")
    assert {parameter.device.type for parameter in source.module(with_values=False).parameters()} == {"meta"}
    assert {parameter.device.type for parameter in source.module().parameters()} == {"cpu"}


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ("torchvision:resnet18", (3, 224, 224)),
        ("torchvision:inception_v3", (3, 299, 299)),
        ("timm:resnet18", (3, 224, 224)),
        ("timm:inception_v3", (3, 299, 299)),
    ],
)
def test_the_libraries_networks_know_the_size_they_were_made_for(spec: str, size: tuple[int, ...]) -> None:
    assert resolve(spec).input_size == size


@pytest.mark.parametrize("name", ["Net", "loud", "variadic", "Namespace.wide"])
def test_a_callable_beside_the_user_is_found(write: Write, name: str) -> None:
    source = resolve(f"{write()}:{name}")
    module = source.module()
    assert type(module).__name__ == "Net"
    assert not module.training
    assert source.input_size is None


def test_a_callable_is_looked_for_in_the_directory_of_the_moment(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f"importing {name} raised ModuleNotFoundError" in error(f"{name}:Net")


def test_a_callable_is_called_once_and_never_on_the_meta_device(write: Write) -> None:
    name = write()
    module = resolve(f"{name}:loud").module(with_values=False)
    assert {parameter.device.type for parameter in module.parameters()} == {"cpu"}
    assert sys.modules[name].calls == ["loud"]


def test_what_foreign_code_prints_stays_off_stdout_and_its_warnings_out_of_sight(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        resolve(f"{write()}:loud").module()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "printed by the import\nprinted by the callable\n"
    assert not seen


# --- what is refused ---------------------------------------------------------------------------------------------


def test_a_bare_name_of_the_catalog_is_answered_with_its_form() -> None:
    assert error("resnet18").endswith("; did you mean repro:resnet18?")


@pytest.mark.parametrize("spec", ["", "resnet_18", ":", "torchvision:", ":resnet18", "timm"])
def test_what_is_no_form_is_refused_with_the_forms(spec: str) -> None:
    libraries = ("torchvision", "timm", "pytorchcv", "keras", "onnx", "repro")
    forms = ", ".join(f"{library}:NAME" for library in libraries)
    assert error(spec) == f"{spec!r} names no network; expected {forms} or package.module:callable"


@pytest.mark.parametrize(
    ("spec", "closest"), [("torchvision:resnet5", "resnet50"), ("timm:resnet5", "resnet50"), ("timm:vgg61", "vgg16")]
)
def test_an_unknown_name_is_answered_with_the_closest(spec: str, closest: str) -> None:
    message = error(spec)
    library, _, name = spec.partition(":")
    assert message.startswith(f"{spec!r}: {library} has no network called {name!r}; closest: ")
    assert closest in message


def test_a_name_close_to_nothing_is_answered_without_suggestions() -> None:
    assert error("torchvision:@@@@") == "'torchvision:@@@@': torchvision has no network called '@@@@'"


def test_an_unknown_name_of_ours_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownVariantError, match=r"no network is called 'resnet5'; closest: .*resnet50"):
        resolve("repro:resnet5")


def test_detection_networks_are_not_among_torchvisions() -> None:
    assert "torchvision has no network called" in error("torchvision:fasterrcnn_resnet50_fpn")


def test_an_unknown_module_is_named() -> None:
    message = error("torchvsion:resnet18")
    assert message == (
        "'torchvsion:resnet18': importing torchvsion raised ModuleNotFoundError: No module named 'torchvsion'"
    )


def test_a_library_that_cannot_be_imported_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # what Python itself does to forbid an import
    assert re.fullmatch(
        r"timm cannot be imported \(ModuleNotFoundError: .*\); install the release that goes with torch \S+",
        error("timm:resnet18"),
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lod", "{module} has no 'lod'; closest: loud"),
        ("Namespace.narrow", "{module} has no 'narrow'"),
        ("number", "is a int; expected something to call that returns a torch.nn.Module"),
        ("instance", "is a module already; expected something to call that returns one"),
        ("needs", "needs the arguments width, depth; expected a callable without required arguments (wrap it: `def"),
        ("none", "returned a NoneType; expected a torch.nn.Module"),
        ("raising", "building it raised RuntimeError: no luck"),
    ],
)
def test_a_callable_that_gives_no_module_is_refused_with_the_reason(write: Write, name: str, message: str) -> None:
    module = write()
    told = error(f"{module}:{name}")
    assert f"{module}:{name}" in told
    assert message.format(module=module) in told
    assert "\n" not in told


def test_a_module_that_fails_to_import_is_told_in_one_line(write: Write) -> None:
    name = write("raise ValueError('first line\\nsecond line')")
    told = error(f"{name}:Net")
    assert f"importing {name} raised ValueError: first line" in told
    assert "\n" not in told


@pytest.mark.parametrize("text", ["import sys\nsys.exit(0)", "import sys\ndef Net(): sys.exit(0)"])
def test_foreign_code_that_exits_is_an_error_and_ends_nothing(write: Write, text: str) -> None:
    assert "SystemExit" in error(f"{write(text)}:Net")


# --- amendments --------------------------------------------------------------------------------------------------


def strides(spec: str) -> dict[str, tuple[int, ...]]:
    modules = resolve(spec).module(with_values=False).named_modules()
    return {name: tuple(module.stride) for name, module in modules if isinstance(module, nn.Conv2d)}


def test_v1_moves_the_strides_of_bottlenecks_and_nothing_else() -> None:
    before, after = strides("torchvision:resnet50"), strides("torchvision:resnet50+v1")
    moved = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    first, second = ((1, 1), (2, 2)), ((2, 2), (1, 1))
    assert moved == {
        **{f"layer{stage}.0.conv1": first for stage in (2, 3, 4)},
        **{f"layer{stage}.0.conv2": second for stage in (2, 3, 4)},
    }


def test_v1_leaves_every_tensor_and_the_output_shape_alone() -> None:
    plain, amended = (resolve(f"torchvision:resnet50{x}").module(with_values=False) for x in ("", "+v1"))
    shapes = [{key: value.shape for key, value in net.state_dict().items()} for net in (plain, amended)]
    assert shapes[0] == shapes[1]
    assert amended(torch.empty(1, 3, 71, 97, device="meta")).shape == (1, 1000)


def test_an_amended_network_says_so() -> None:
    assert resolve("torchvision:resnet50").note == ""
    assert resolve("torchvision:resnet50+v1").note == (
        "torchvision's network with each bottleneck's stride moved to its first 1x1"
    )


@pytest.mark.parametrize("amendment", ["v2", "V1", "v1+v1"])
def test_an_unknown_amendment_is_refused(amendment: str) -> None:
    assert error(f"torchvision:resnet50+{amendment}") == (
        f"'torchvision:resnet50+{amendment}': the amendment {amendment!r} is unknown; the only one is +v1"
    )


@pytest.mark.parametrize("with_values", [True, False])
@pytest.mark.parametrize("name", ["resnet18", "alexnet"])
def test_v1_of_a_network_without_bottlenecks_is_refused(name: str, with_values: bool) -> None:
    source = resolve(f"torchvision:{name}+v1")
    with pytest.raises(ReproError, match=r"\+v1 moves the stride of bottlenecks, and this network has none"):
        source.module(with_values)


def test_an_amendment_of_timm_is_an_argument() -> None:
    assert "the amendment 'v1' cannot be read; expected KEY=VALUE" in error("timm:resnet50+v1")
    assert "cannot be read" in error("timm:resnet50+drop_rate=open('x')")
    head = resolve("timm:resnet18+drop_rate=0.25+num_classes=7").module(with_values=False)
    assert getattr(head, "num_classes", 0) == 7


def test_a_name_with_the_tag_of_its_weights_is_answered_with_the_name_without() -> None:
    assert error("timm:resnet50.a1_in1k").endswith("write timm:resnet50")


def test_a_file_is_answered_with_the_module_that_it_is() -> None:
    assert error("nets/mine.py:net").endswith("expected a module, as in an import: nets.mine:net")
    with pytest.raises(UnknownVariantError):
        resolve("repro:resnet50+v1")


# --- optional libraries ------------------------------------------------------------------------------------------


@pytest.fixture
def pytorchcv() -> None:
    """Skips the test if pytorchcv is not installed."""
    try:
        resolve("pytorchcv:resnet18")
    except MissingLibraryError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("library", ["pytorchcv", "keras", "onnx"])
def test_a_library_that_is_not_installed_is_named_with_how_to_get_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingLibraryError) as caught:
        resolve(f"{library}:resnet18")
    assert caught.value.library == library
    assert str(caught.value) == f'{library} is not installed; in a clone: python -m pip install ".[{library}]"'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('too old\\nfor this')", "RuntimeError: too old"),
    ],
)
def test_a_library_that_is_installed_and_broken_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "pytorchcv.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pytorchcv"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ReproError) as caught:
        resolve("pytorchcv:resnet18")
    assert str(caught.value) == f"pytorchcv cannot be imported ({told})"
    assert not isinstance(caught.value, MissingLibraryError)


@pytest.mark.usefixtures("pytorchcv")
@pytest.mark.parametrize(
    ("spec", "size", "classes"),
    [
        ("pytorchcv:resnet18", (3, 224, 224), 1000),
        ("pytorchcv:inceptionv3", (3, 299, 299), 1000),
        ("pytorchcv:resnet20_cifar10", (3, 32, 32), 10),
        ("pytorchcv:resnet20_cifar100", (3, 32, 32), 100),
        ("pytorchcv:get_wrn_cifar+blocks=16+width_factor=1", (3, 32, 32), 10),
        ("pytorchcv:get_wrn_cifar+blocks=16+width_factor=1+num_classes=7", (3, 32, 32), 7),
    ],
)
def test_pytorchcvs_networks_know_the_size_they_were_made_for(spec: str, size: tuple[int, ...], classes: int) -> None:
    source = resolve(spec)
    assert (source.input_size, source.note) == (size, "")
    assert source.module(with_values=False)(torch.empty(2, *size, device="meta")).shape == (2, classes)


@pytest.mark.usefixtures("pytorchcv")
@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("pytorchcv:resnet5", "pytorchcv has no network called 'resnet5'; closest: "),
        ("pytorchcv:get_resnets", "pytorchcv has no network called 'get_resnets'; closest: get_resnet"),
        ("pytorchcv:resnet18+v2", "the amendment 'v2' cannot be read; expected KEY=VALUE"),
        ("pytorchcv:resnet18+depth=3", "unexpected keyword argument 'depth'"),
        ("pytorchcv:resnet18+pretrained=True", "multiple values for keyword argument 'pretrained'"),
        ("pytorchcv:get_wrn_cifar+blocks=16", "missing 1 required positional argument: 'width_factor'"),
        ("pytorchcv:vgg11+v1", "a VGG has no PreResBottleneck, which the amendment is for"),
    ],
)
def test_what_pytorchcv_does_not_have_is_refused_with_the_reason(spec: str, told: str) -> None:
    assert told in error(spec)


@pytest.mark.usefixtures("pytorchcv")
@pytest.mark.parametrize(
    ("name", "words", "notes"),
    [
        ("preresnet164bn_cifar10", "v1", "each bottleneck's stride moved to its first 1x1"),
        ("resnet20_cifar10", "option_a", "option A in place of its projections"),
        (
            "preresnet110_cifar10",
            "option_a+activated",
            "option A in place of its projections and its first unit's maps activated once, ahead of the split",
        ),
        ("preresnet152", "activated", "its first unit's maps activated once, ahead of the split"),
        ("zfnet", "figure3", "response normalisation after the pooling, with AlexNet's constants"),
        ("nin_cifar10", "max_pools", "the two poolings of the authors' file"),
        ("bninception", "edges", "padded poolings, averages of pixels only, and no biases before normalisations"),
    ],
)
def test_an_amended_network_of_pytorchcv_says_so_and_is_another(name: str, words: str, notes: str) -> None:
    plain, amended = resolve(f"pytorchcv:{name}"), resolve(f"pytorchcv:{name}+{words}")
    assert amended.note == f"pytorchcv's network with {notes}"
    assert amended.input_size == plain.input_size
    images = torch.empty(2, *(plain.input_size or ()), device="meta")
    graphs = [canonical(trace(source.module(with_values=False), images)) for source in (plain, amended)]
    assert match(*graphs) is None
    assert {len(graph.outputs) for graph in graphs} == {1}


# --- files of onnx -----------------------------------------------------------------------------------------------


def test_a_file_of_onnx_is_a_network_with_its_names() -> None:
    source = resolve("onnx:bvlc_alexnet")
    assert source.input_size == (3, 224, 224)
    assert source.note == "a file for 1 image of 3x224x224, here for any batch"
    network = source.module(with_values=False)
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
    assert list(shapes)[:2] == ["conv1_w_0", "conv1_b_0"]
    assert shapes["conv2_w_0"] == (256, 48, 5, 5)
    assert {parameter.device.type for name, parameter in network.named_parameters() if "w" in name} == {"meta"}
    assert network(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)


@pytest.mark.parametrize("name", ["densenet121", "shufflenet", "squeezenet", "vgg19"])
def test_files_that_are_no_reference_can_be_had_too(name: str) -> None:
    source = resolve(f"onnx:{name}")
    result = source.module(with_values=False)(torch.empty(2, 3, 224, 224, device="meta"))
    assert result.flatten(1).shape == (2, 1000)


def test_a_file_of_onnx_has_the_values_that_are_in_it() -> None:
    state = resolve("onnx:shufflenet").module().state_dict()
    assert state["gpu_0_pred_w_0"].unique().tolist() == [pytest.approx(0.02)]  # left out of the file
    assert len(state["gpu_0_conv3_0_bn_rm_0"].unique()) == 24


def test_amendments_of_a_file_are_told_in_their_order() -> None:
    source = resolve("onnx:bvlc_alexnet+logits+LRN.bias=2+LRN.alpha=0.0005")
    assert source.note.split("; ")[1:] == [
        "without the Softmax at the end",
        "LRN with bias 2 in place of 1.0",
        "LRN with alpha 0.0005 in place of 0.0001",
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "onnx:bvlc_alexnet+v1",
            "the amendment 'v1' is unknown; there are +logits, +one_affine, +OPERATION.ATTRIBUTE=",
        ),
        ("onnx:bvlc_alexnet+logits+logits", "this graph ends without one"),
        ("onnx:bvlc_alexnet+one_affine", "and there are none"),
        ("onnx:bvlc_alexnet+LRN.bias", "the amendment 'bias' cannot be read; expected KEY=VALUE"),
        ("onnx:bvlc_alexnet+LRN.kernel=2", "the graph has no LRN that says what its kernel is"),
        ("onnx:alexnet", "onnx has no network called 'alexnet'; closest: bvlc_alexnet"),
    ],
)
def test_what_a_file_cannot_be_is_refused(spec: str, message: str) -> None:
    told = error(spec)
    assert told.startswith(f"{spec!r}: ")
    assert message in told
    assert told.count(spec) == 1
