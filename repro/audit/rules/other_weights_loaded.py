"""A network with another normalisation loads the weights of its twin with batch normalisation.

The names of the parameters are the same, so nothing fails (or only the running statistics are missing), but batch
normalisation's scales were fitted to its own statistics. A network with group normalisation that starts from them is
not a pretrained network.

Limits: seen by the names: a function whose name says `gn`, `group`, `ln` or `in` asks for the address of the same name
without it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """换了归一化方式的网络，加载的却是用批归一化的那个网络的权重。

参数名相同，所以不会报错（或者只是缺少运行统计量），
但批归一化的缩放系数是配合它自己的统计量训练出来的。
从这些数出发的组归一化网络，并不是预训练好的网络。

局限：按名字判断：函数名带有 `gn`、`group`、`ln` 或 `in`，
取的却是去掉它之后那个名字的地址。
"""

_NORM = re.compile(r"_(?:gn|group_?norm|ln|layer_?norm|in|instance_?norm)(?=_|$)", re.IGNORECASE)


@rule(
    "CNN504",
    Severity.BUG,
    Confidence.MEDIUM,
    en="{function} loads the weights of {key}, which has another normalisation",
    zh="{function} 加载的是 {key} 的权重，而两者的归一化方式不同",
)
def other_weights_loaded(program: Program) -> Iterator[Hit]:
    twins = {node.name: _NORM.sub("", node.name) for node in program.nodes(ast.FunctionDef) if _NORM.search(node.name)}
    if not twins:
        return
    for node in program.nodes(ast.Subscript):
        function = program.symbol(node).rpartition(".")[2]
        match node.slice:
            case ast.Constant(value=str() as key) if twins.get(function) == key:
                yield Hit(node, {"function": function, "key": key})


VALID = (
    """
import torch
def net_gn(pretrained=False):
    net = Net(norm="group")
    if pretrained:
        net.load_state_dict(torch.hub.load_state_dict_from_url(urls["net_gn"]))
    return net
""",
)
INVALID = (
    """
import torch
def net_gn(pretrained=False):
    net = Net(norm="group")
    if pretrained:
        net.load_state_dict(torch.hub.load_state_dict_from_url(urls["net"]))  # <- bug
    return net
""",
)
