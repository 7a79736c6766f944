"""What the document says of a network in numbers is not so.

Numbers of parameters, sizes in memory, layers, multiply-adds, shapes beside layers and printed networks, in prose,
comments and docstrings, are held against what was measured of the code and of the networks of the papers. A sentence
that is true of the paper and not of the code beside it is told as such.

Limits: a sentence must name its network, or stand in a section about one; how a number is rounded is allowed for.
"""

from __future__ import annotations

import sys

from repro.audit.described import Described
from repro.audit.finding import Confidence, Severity, Words

ZH = """文中关于网络的数字不对。

正文、注释和 docstring 里的参数量、占用的内存、层数、乘加次数、
各层旁边的形状、打印出来的网络，都与代码和论文里的网络的实测值对照。
对论文成立、对旁边的代码不成立的，也会照实说明。

局限：句子里要说出网络的名字，或者在讲某个网络的一节里；数字的取舍位会考虑在内。
"""

VALID = (
    """
from torch import nn
class Net(nn.Module):
    \"\"\"A network with 1,792 parameters.\"\"\"
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3))
""",
)
INVALID = (
    """
from torch import nn
class Net(nn.Module):
    \"\"\"A network with 5,000 parameters.\"\"\"  # <- bug
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3))
""",
)

REFUTED = Described(
    "CNN816",
    "refuted",
    Severity.BUG,
    Confidence.MEDIUM,
    Words("it says {said}: {measured}", "文中说“{said}”：{measured}"),
    sys.modules[__name__],
)
