"""AlexNet's alpha is handed to torch's response normalisation, which divides it by the size first.

The paper prints k + alpha * sum with alpha = 1e-4 over n = 5 maps (NIPS 25, section 3.3). torch's `LocalResponseNorm`
computes k + alpha / n * sum, as Caffe does. With alpha=1e-4 the normalisation is five times weaker than the one that is
printed; alpha=5e-4 gives the paper's.

Caffe's own AlexNet has alpha=1e-4 with the division, and so have most copies: it is a departure, and hardly matters.

Limits: said only of the paper's constants (size 5, beta 0.75).
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.meaning.analysis import Analysis
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """把 AlexNet 论文里的 alpha 直接交给了 torch 的局部响应归一化，而后者会先除以窗口大小。

论文写的是 k + alpha * 求和，alpha = 1e-4，n = 5 个特征图（NIPS 25，3.3 节）。
torch 的 `LocalResponseNorm` 算的是 k + alpha / n * 求和，与 Caffe 相同。
写 alpha=1e-4，归一化就比论文印的弱五倍；alpha=5e-4 才与论文一致。

Caffe 自己的 AlexNet 也是 alpha=1e-4 再除以 n，多数代码照抄了它：
这是一处偏离，影响很小。

局限：只针对论文的那组常数（size 5、beta 0.75）。
"""


@rule(
    "CNN503",
    Severity.NOTE,
    Confidence.HIGH,
    en="torch divides alpha by the size: this is {effective:g} for each map, and the paper's formula has {alpha:g}",
    zh="torch 会把 alpha 除以 size：这里对每个特征图是 {effective:g}，而论文的公式是 {alpha:g}",
)
def response_normalisation_alpha(program: Program) -> Iterator[Hit]:
    for layer in Analysis.of(program).layers("LocalResponseNorm", "CrossMapLRN2d"):
        size, alpha = layer.arguments.get("size"), layer.arguments.get("alpha", 1e-4)
        if (size, alpha, layer.arguments.get("beta", 0.75)) == (5, 1e-4, 0.75):
            yield Hit(layer.call, {"alpha": alpha, "size": size, "effective": alpha / size})


VALID = (
    """
import torch.nn as nn
net = nn.Sequential(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2), nn.LocalResponseNorm(2))
""",
)
INVALID = (
    """
import torch.nn as nn
net = nn.Sequential(
    nn.Conv2d(3, 96, 11, 4),
    nn.LocalResponseNorm(size=5, alpha=0.0001, beta=0.75, k=2),  # <- note
)
""",
)
