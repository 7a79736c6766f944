"""Making the network fails, with its own defaults or as the text itself does.

Nothing of it can work then. The error is the one that Python raised, and the line is where the text was at that moment.

Limits: what needs arguments that neither the text nor their names tell is not built; files, downloads and libraries
that are not there are no defect of the network, nor is what a computer without a GPU refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.probe import Seen, Subject, probe

_OF_THE_CODE = re.compile("(NameError|UnboundLocalError|TypeError): |AttributeError: (?!'Namespace')")

ZH = """用默认参数，或者照文本自己的写法，都建不出这个网络。

这样什么都运行不了。错误信息是 Python 报的，行号是当时执行到的地方。

局限：参数既没写明、名字也看不出的不建；缺文件、缺下载、缺库不算网络的缺陷，
没有 GPU 的机器拒绝的也不算。
"""


@probe(
    "CNN801",
    Severity.RISK,
    Confidence.MEDIUM,
    en="{call} fails: {error}",
    zh="{call} 会报错：{error}",
    confirms=("CNN110", "CNN202", "CNN205", "CNN215", "CNN221", "CNN222"),
)
def cannot_be_built(subject: Subject) -> Iterator[Seen]:
    if subject.module is None and subject.is_sure and not subject.is_part and _OF_THE_CODE.match(subject.error):
        yield Seen({"call": subject.call, "error": subject.error}, subject.failed_at or None)


VALID = (
    """
import torch
from torch import nn
class Needing(nn.Module):
    def __init__(self, plan):
        super().__init__()
        self.conv = nn.Conv2d(3, plan[0], 3)
class Reading(nn.Module):
    def __init__(self, path="/no/such/file"):
        super().__init__()
        self.names = open(path).read()
""",
)
INVALID = (
    """
import torch
from torch import nn
class Early(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(3, 4, 3)  # <- risk
        super().__init__()
    def forward(self, x):
        return self.conv(x)
""",
)
