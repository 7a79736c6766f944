"""`F.dropout` is called without `training=`, and drops in evaluation too.

The function knows nothing of the network's mode, and its default is `training=True`: `net.eval()` does not switch it
off. Predictions are random, and worse than they could be.

Write `F.dropout(x, p, training=self.training)`, or use `nn.Dropout`.

Fix: `training=self.training` is added where the method has the network; train mode stays as it was.

Limits: calls in the methods of a network. `training=True` that is written out, for Monte Carlo dropout, is meant; so
is a call under a test of `self.training`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.fixes.edit import Edit, given
from repro.audit.meaning.analysis import Analysis
from repro.audit.meaning.nesting import is_inside
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """调用 `F.dropout` 时没有写 `training=`，评估时也会随机置零。

这个函数不知道网络处于什么模式，默认值是 `training=True`，
`net.eval()` 关不掉它。预测结果会随机变化，也比应有的差。

应写成 `F.dropout(x, p, training=self.training)`，或使用 `nn.Dropout`。

修复：方法里能用到网络自身时，加上 `training=self.training`；训练模式不变。

局限：只看网络的方法中的调用。明确写出的 `training=True`
（蒙特卡洛 dropout）视为有意；先判断过 `self.training` 的也不报告。
"""

_FUNCTIONS = {f"torch.nn.functional.dropout{end}" for end in ("", "1d", "2d", "3d")}


@rule(
    "CNN209",
    Severity.BUG,
    Confidence.HIGH,
    en="{name} drops in evaluation too: give it training=self.training",
    zh="{name} 在评估时也会随机置零：应传入 training=self.training",
)
def dropout_in_eval(program: Program) -> Iterator[Hit]:
    networks = [kind.node for kind in Analysis.of(program).classes()]
    for call in program.nodes(ast.Call):
        if program.dotted(call.func) not in _FUNCTIONS or len(call.args) > 2:
            continue
        given = {each.arg: each.value for each in call.keywords}
        p = given.get("p", call.args[1] if len(call.args) > 1 else None)
        if given.keys() & {"training", None} or (isinstance(p, ast.Constant) and p.value == 0):
            continue
        if any(is_inside(call, each) for each in networks) and not _asked(program, call):
            yield Hit(call, {"name": ast.unparse(call.func)})


def _asked(program: Program, call: ast.Call) -> bool:
    """Whether a call runs by a condition on the network's mode."""
    for node in program.nodes(ast.If, ast.IfExp):
        if any(isinstance(each, ast.Attribute) and each.attr == "training" for each in ast.walk(node.test)):
            if is_inside(call, node):
                return True
            leaves = isinstance(node, ast.If) and isinstance(node.body[-1], ast.Return)
            if leaves and node.lineno < call.lineno and program.symbol(node) == program.symbol(call):
                return True
    return False


def fix(program: Program, hit: Hit) -> Iterator[Edit]:
    """The network's own mode, where the method has the network: in train mode nothing changes."""
    call = hit.at
    assert isinstance(call, ast.Call)
    around = [each for each in program.named if is_inside(call, each)]
    at = max(i for i, each in enumerate(around) if isinstance(each, ast.ClassDef))
    functions = [each for each in around[at + 1 :] if isinstance(each, ast.FunctionDef)]
    if len(functions) == 1 and not functions[0].decorator_list and functions[0].args.args:
        yield from given(program, call, f"training={functions[0].args.args[0].arg}.training")


VALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        x = F.dropout(x, 0.5, self.training)
        x = F.dropout(x, training=True)
        x = F.dropout(x, p=0.0)
        return F.dropout(x, p=0.5, training=self.training)
""",
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        if self.training:
            x = F.dropout(x, 0.5)
        x = F.dropout(x, 0.2) if self.training else x
        if not self.training:
            return x
        return F.dropout(x)
""",
)
INVALID = (
    """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        x = F.dropout(x, p=0.5)  # <- bug
        return F.dropout2d(x)  # <- bug
""",
)
FIXED = (
    (
        """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        x = F.dropout(x, p=0.5)
        x = F.dropout(
            self.fc(x),  # of a hidden layer
            0.2,
        )
        return F.dropout2d(x)
""",
        """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        x = F.dropout(x, p=0.5, training=self.training)
        x = F.dropout(
            self.fc(x),  # of a hidden layer
            0.2, training=self.training,
        )
        return F.dropout2d(x, training=self.training)
""",
    ),
    (
        """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    @staticmethod
    def drop(x):
        return F.dropout(x)
""",
        """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    @staticmethod
    def drop(x):
        return F.dropout(x)
""",
    ),
    (
        """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        return F.dropout((x))
""",
        """
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        return F.dropout((x))
""",
    ),
)
