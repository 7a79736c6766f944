"""What the modules and functions of torch are: their parameters in order, and what kind of operation each is.

Facts of torch's documented interface, written down so that a static audit need not import torch; a test holds them
against the torch that is installed.
"""

from __future__ import annotations

from typing import NamedTuple


class Signature(NamedTuple):
    """What a module of torch.nn is: the kind of its operation, and its parameters, those without a default first.

    required  how many of them have no default
    """

    kind: str
    parameters: tuple[str, ...]
    required: int


def _signature(kind: str, parameters: str, required: int = 0) -> Signature:
    return Signature(kind, tuple(parameters.split()), required)


_CONV = "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode device dtype"
_TRANSPOSED = (
    "in_channels out_channels kernel_size stride padding output_padding groups bias dilation padding_mode device dtype"
)
_BATCH = "num_features eps momentum affine track_running_stats device dtype bias"
_MAX = "kernel_size stride padding dilation return_indices ceil_mode"
_LOSS = "size_average reduce reduction"

MODULES: dict[str, Signature] = {
    **{f"Conv{n}d": _signature("conv", _CONV, 3) for n in "123"},
    **{f"ConvTranspose{n}d": _signature("conv", _TRANSPOSED, 3) for n in "123"},
    **{f"LazyConv{n}d": _signature("conv", _CONV.partition(" ")[2], 2) for n in "123"},
    "Linear": _signature("linear", "in_features out_features bias device dtype", 2),
    "LazyLinear": _signature("linear", "out_features bias device dtype", 1),
    "Bilinear": _signature("linear", "in1_features in2_features out_features bias device dtype", 3),
    **{f"BatchNorm{n}d": _signature("norm", _BATCH, 1) for n in "123"},
    **{f"InstanceNorm{n}d": _signature("norm", _BATCH, 1) for n in "123"},
    "SyncBatchNorm": _signature(
        "norm", "num_features eps momentum affine track_running_stats process_group device dtype bias", 1
    ),
    "GroupNorm": _signature("norm", "num_groups num_channels eps affine device dtype bias", 2),
    "LayerNorm": _signature("norm", "normalized_shape eps elementwise_affine bias device dtype", 1),
    "LocalResponseNorm": _signature("lrn", "size alpha beta k", 1),
    "CrossMapLRN2d": _signature("lrn", "size alpha beta k", 1),
    "ReLU": _signature("activation", "inplace"),
    "ReLU6": _signature("activation", "inplace"),
    "LeakyReLU": _signature("activation", "negative_slope inplace"),
    "PReLU": _signature("activation", "num_parameters init device dtype"),
    "RReLU": _signature("activation", "lower upper inplace"),
    "ELU": _signature("activation", "alpha inplace"),
    "SELU": _signature("activation", "inplace"),
    "CELU": _signature("activation", "alpha inplace"),
    "GELU": _signature("activation", "approximate"),
    "SiLU": _signature("activation", "inplace"),
    "Mish": _signature("activation", "inplace"),
    "Hardswish": _signature("activation", "inplace"),
    "Hardsigmoid": _signature("activation", "inplace"),
    "Hardtanh": _signature("activation", "min_val max_val inplace min_value max_value"),
    "Softplus": _signature("activation", "beta threshold"),
    "Softsign": _signature("activation", ""),
    "Tanh": _signature("activation", ""),
    "Sigmoid": _signature("sigmoid", ""),
    "LogSigmoid": _signature("sigmoid", ""),
    "Softmax": _signature("softmax", "dim"),
    "Softmax2d": _signature("softmax", ""),
    "LogSoftmax": _signature("log_softmax", "dim"),
    **{f"MaxPool{n}d": _signature("pool", _MAX, 1) for n in "123"},
    "AvgPool1d": _signature("pool", "kernel_size stride padding ceil_mode count_include_pad", 1),
    "AvgPool2d": _signature("pool", "kernel_size stride padding ceil_mode count_include_pad divisor_override", 1),
    "AvgPool3d": _signature("pool", "kernel_size stride padding ceil_mode count_include_pad divisor_override", 1),
    "LPPool2d": _signature("pool", "norm_type kernel_size stride ceil_mode", 2),
    **{f"AdaptiveAvgPool{n}d": _signature("pool", "output_size", 1) for n in "123"},
    **{f"AdaptiveMaxPool{n}d": _signature("pool", "output_size return_indices", 1) for n in "123"},
    **{name: _signature("dropout", "p inplace") for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")},
    **{name: _signature("dropout", "p inplace") for name in ("AlphaDropout", "FeatureAlphaDropout")},
    "Flatten": _signature("flatten", "start_dim end_dim"),
    "Unflatten": _signature("view", "dim unflattened_size", 2),
    "Identity": _signature("identity", ""),
    "Upsample": _signature("resize", "size scale_factor mode align_corners recompute_scale_factor"),
    **{f"{kind}Pad2d": _signature("pad", "padding", 1) for kind in ("Zero", "Reflection", "Replication", "Circular")},
    "ConstantPad2d": _signature("pad", "padding value", 2),
    "Embedding": _signature(
        "embedding",
        "num_embeddings embedding_dim padding_idx max_norm norm_type scale_grad_by_freq sparse _weight _freeze "
        "device dtype",
        2,
    ),
    "CrossEntropyLoss": _signature("loss", "weight size_average ignore_index reduce reduction label_smoothing"),
    "NLLLoss": _signature("loss", "weight size_average ignore_index reduce reduction"),
    "BCELoss": _signature("loss", "weight size_average reduce reduction"),
    "BCEWithLogitsLoss": _signature("loss", "weight size_average reduce reduction pos_weight"),
    "MSELoss": _signature("loss", _LOSS),
    "L1Loss": _signature("loss", _LOSS),
    "SmoothL1Loss": _signature("loss", f"{_LOSS} beta"),
    "MultiMarginLoss": _signature("loss", "p margin weight size_average reduce reduction"),
    "KLDivLoss": _signature("loss", f"{_LOSS} log_target"),
}

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})

# Functions of torch and torch.nn.functional, and methods of tensors -> the kind of their operation.
FUNCTIONS: dict[str, str] = {
    **{f"conv{n}d": "conv" for n in "123"},
    "linear": "linear",
    "batch_norm": "norm",
    "group_norm": "norm",
    "layer_norm": "norm",
    "instance_norm": "norm",
    "local_response_norm": "lrn",
    **dict.fromkeys(
        "relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ selu celu gelu silu mish hardswish hardtanh tanh tanh_ "
        "softplus softsign prelu rrelu hardsigmoid threshold".split(),
        "activation",
    ),
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    "logsigmoid": "sigmoid",
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    **{f"{kind}_pool{n}d": "pool" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in "123"},
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"), "dropout"),
    "flatten": "flatten",
    "view": "view",
    "reshape": "view",
    "squeeze": "squeeze",
    "unsqueeze": "view",
    "permute": "permute",
    "transpose": "permute",
    "pad": "pad",
    "interpolate": "resize",
    "add": "add",
    "add_": "add",
    "sub": "add",
    "mul": "mul",
    "mul_": "mul",
    "cat": "cat",
    "concat": "cat",
    "concatenate": "cat",
    "stack": "cat",
    "chunk": "split",
    "split": "split",
    "mean": "mean",
    "sum": "sum",
    **dict.fromkeys(
        "contiguous clone detach cuda cpu to float half double type requires_grad_ type_as data".split(), "identity"
    ),
    **dict.fromkeys(
        "cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits mse_loss l1_loss "
        "smooth_l1_loss kl_div multi_margin_loss".split(),
        "loss",
    ),
}

# Functions and modules of losses -> what they take: `logits`, `log-probabilities`, `probabilities` or any `values`.
LOSSES: dict[str, str] = {
    "CrossEntropyLoss": "logits",
    "cross_entropy": "logits",
    "NLLLoss": "log-probabilities",
    "nll_loss": "log-probabilities",
    "BCEWithLogitsLoss": "logits of one class each",
    "binary_cross_entropy_with_logits": "logits of one class each",
    "BCELoss": "probabilities",
    "binary_cross_entropy": "probabilities",
    "MSELoss": "values",
    "mse_loss": "values",
}
