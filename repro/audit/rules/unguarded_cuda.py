"""Something is put on the GPU without asking whether there is one.

Where torch has no CUDA the line fails, on a Mac and on most laptops. Only the first such line is told.

Write `device = torch.device("cuda" if torch.cuda.is_available() else "cpu")` once, and `.to(device)` everywhere.

Limits: a condition that mentions a GPU, a device or the like counts as a guard, whatever it asks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """没有检查有没有 GPU，就把东西放到了 GPU 上。

如果 torch 不支持 CUDA，例如在 Mac 和大多数笔记本上，这一行就会失败。
同类的行只报告第一处。

开头写一次 `device = torch.device("cuda" if torch.cuda.is_available() else "cpu")`，
之后一律用 `.to(device)`。

局限：只要条件里提到了 GPU、device 之类的词，就当作已经检查过，不管它问的是什么。
"""

_ASKING = frozenset({"is_available", "device_count"})
_GUARD = re.compile(r"cuda|gpu|cpu|device|distributed", re.IGNORECASE)


@rule(
    "CNN701",
    Severity.RISK,
    Confidence.HIGH,
    en="{call} needs a GPU, and nothing asks torch.cuda.is_available()",
    zh="{call} 需要 GPU，而这里没有用 torch.cuda.is_available() 检查",
)
def unguarded_cuda(program: Program) -> Iterator[Hit]:
    if "cuda" not in program.text or any(node.attr in _ASKING for node in program.nodes(ast.Attribute)):
        return
    moving = [node for node in program.nodes(ast.Call) if _moves(program, node)]
    conditions: list[ast.If | ast.IfExp] = [*program.nodes(ast.If), *program.nodes(ast.IfExp)] if moving else []
    guards = [*(node for node in conditions if _GUARD.search(ast.unparse(node.test))), *program.nodes(ast.Try)]
    for node in moving:
        meant = program.symbol(node).endswith("cuda")  # a method that is there to do just that
        if not meant and not any(is_inside(node, each) for each in guards):
            shown = ast.unparse(node)
            name = ast.unparse(node.func).rpartition(".")[2]
            yield Hit(node, {"call": shown if len(shown) <= 40 else f"{name}(...)"})
            return


def _moves(program: Program, node: ast.Call) -> bool:
    if isinstance(node.func, ast.Attribute) and node.func.attr == "cuda":
        return program.dotted(node.func) is None or isinstance(node.func.value, ast.Name)
    is_to = isinstance(node.func, ast.Attribute) and node.func.attr == "to"
    is_device = program.dotted(node.func) == "torch.device"
    first = node.args[:1] if is_to or is_device else []
    given = [*first, *(keyword.value for keyword in node.keywords if keyword.arg == "device")]
    return any(isinstance(each, ast.Constant) and str(each.value).partition(":")[0] == "cuda" for each in given)


VALID = (
    """
import torch
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
net.to(device)
""",
    """
import torch
if args.gpu:
    net.cuda()
""",
)
INVALID = (
    """
import torch
net = torch.nn.Linear(2, 2).cuda()  # <- risk
x = torch.rand(2, 2).cuda()
""",
    """
import torch
x = torch.zeros(1, device="cuda:0")  # <- risk
""",
)
