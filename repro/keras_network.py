"""A model of keras.applications, on Keras's torch backend, as a module like those of other libraries.

Keras takes images with the channels last, keeps each tensor in an object of its own, and casts whatever it is given to
the dtype that a model was built for. So the tensors are parameters and buffers here, by the names of the layers, and
are handed to the model at each call; for another dtype than float32 there is a second model, which has none.

As the input has its channels first here, so has the weight of a layer that reads flattened maps: (channel, row, column)
is the order of its inputs, which it has as (row, column, channel) in Keras.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class KerasNetwork(nn.Module):
    """A Keras model under its usual interface.

    keras   the library
    make    makes the model, anew each time, under the dtype policy and on the device of the moment

    Input (batch, channels, height, width) in float32 or float64, of the model's input size; what the model returns.
    """

    def __init__(self, keras: Any, make: Callable[[], Any]) -> None:
        super().__init__()
        self._keras, self._make = keras, make
        model = self._model("float32", torch.get_default_device().type)
        self._models = {torch.float32: model}  # in a dict: their layers are children, and they are not
        self._flattened = dict(_flattened(model))
        self.layers = nn.ModuleDict({layer.name: layer for layer in model.layers})
        for layer in model.layers:
            layer._torch_params = nn.ParameterDict()  # where Keras lists its variables as torch's parameters
            if layer.variables:
                self.add_module(layer.name, _held(layer))

    @property
    def input_size(self) -> tuple[int, ...]:
        """(channels, height, width)."""
        _, height, width, channels = self._models[torch.float32].input_shape
        return channels, height, width

    def forward(self, x: torch.Tensor) -> Any:
        if x.dtype not in self._models:
            self._models[x.dtype] = self._model(str(x.dtype).removeprefix("torch."), "meta")
        model = self._models[x.dtype]
        for layer, name, variable in _variables(model):
            held = getattr(getattr(self, layer), name)
            maps = self._flattened.get(layer) if held.ndim == 2 else None
            variable._value = held if maps is None else _channels_last(held, maps)
        with self._keras.device(x.device.type), _double():
            return model(x.permute(0, 2, 3, 1), training=self.training)

    def __deepcopy__(self, memo: dict[int, Any]) -> KerasNetwork:
        with torch.device("meta"):  # Keras would write the model to a file and read it back
            copied = KerasNetwork(self._keras, self._make)
        copied.load_state_dict(copy.deepcopy(self.state_dict(), memo), assign=True)
        return copied.train(self.training)

    def _model(self, dtype: str, device: str) -> Any:
        config = self._keras.config
        before = config.floatx()
        config.set_floatx(dtype)  # of the model's input; that of its layers is the policy
        config.set_dtype_policy(dtype)
        try:
            with self._keras.device(device):
                return self._make()
        finally:
            config.set_floatx(before)
            config.set_dtype_policy(before)


@contextmanager
def _double() -> Iterator[None]:
    """Let results of float64 be float64: on torch Keras has a table by which those of some layers are float32."""
    table = importlib.import_module("keras.src.backend.common.dtypes").BIT64_TO_BIT32_DTYPE
    before = table["float64"]
    table["float64"] = "float64"
    try:
        yield
    finally:
        table["float64"] = before


def _held(layer: Any) -> nn.Module:
    """What a layer learns as parameters, and what it counts as buffers."""
    held = nn.Module()
    for variable in layer.variables:
        if variable.trainable:
            held.register_parameter(variable.name, nn.Parameter(variable.value.detach()))
        else:
            held.register_buffer(variable.name, variable.value.detach())
    return held


def _flattened(model: Any) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """The name of each layer that reads flattened maps, and the (height, width, channels) of these."""
    for layer in model.layers:
        if type(layer).__name__ == "Flatten" and len(layer.input.shape) == 4:
            yield from ((node.operation.name, tuple(layer.input.shape[1:])) for node in layer._outbound_nodes)


def _channels_last(weight: torch.Tensor, maps: tuple[int, int, int]) -> torch.Tensor:
    """A weight, (inputs, outputs), whose inputs are in the order (channel, row, column), in that which Keras has."""
    height, width, channels = maps
    return weight.reshape(channels, height, width, -1).permute(1, 2, 0, 3).flatten(0, 2)


def _variables(model: Any) -> Iterator[tuple[str, str, Any]]:
    """The name of the layer, the name in it, and the variable."""
    return ((layer.name, variable.name, variable) for layer in model.layers for variable in layer.variables)
