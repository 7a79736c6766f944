"""Images that OpenCV read go to a network that expects red first.

`cv2.imread` gives blue, green, red. Networks with ImageNet's statistics and weights expect red, green, blue; with the
channels exchanged they still answer, and more often wrongly.

Turn them around: `cv2.cvtColor(image, cv2.COLOR_BGR2RGB)`, or `image[:, :, ::-1]`.

Limits: anything in the document that may turn channels around counts as doing it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """用 OpenCV 读入的图片直接给了要求红色在前的网络。

`cv2.imread` 给出的顺序是蓝、绿、红。使用 ImageNet 统计量和权重的网络要求
红、绿、蓝；通道颠倒了仍会给出答案，只是更容易错。

应当换过来：`cv2.cvtColor(image, cv2.COLOR_BGR2RGB)`，或 `image[:, :, ::-1]`。

局限：文档里只要有可能颠倒通道的写法，就当作已经换过。
"""

_TURNING = frozenset({"cvtColor", "COLOR_BGR2RGB", "IMREAD_GRAYSCALE", "flip", "split", "IMREAD_COLOR_RGB"})
_IMAGENET = 0.485  # its mean of red, which nothing else has


@rule(
    "CNN711",
    Severity.RISK,
    Confidence.MEDIUM,
    en="cv2.imread gives blue first, ImageNet's statistics are for red first, and nothing turns the channels around",
    zh="cv2.imread 的顺序是蓝绿红，而 ImageNet 的统计量是红绿蓝；这里没有转换通道",
)
def blue_first_images(program: Program) -> Iterator[Hit]:
    if "cv2" not in program.text:
        return
    reading = [node for node in program.nodes(ast.Call) if program.dotted(node.func) == "cv2.imread"]
    if not reading or not any(node.value == _IMAGENET for node in program.nodes(ast.Constant)):
        return
    turned = any(node.attr in _TURNING for node in program.nodes(ast.Attribute))
    turned = turned or any(node.step is not None for node in program.nodes(ast.Slice))
    if not turned and all(len(node.args) == 1 and not node.keywords for node in reading):
        yield Hit(reading[0])


VALID = (
    """
import cv2, torch
from torchvision import transforms as T
image = cv2.cvtColor(cv2.imread("cat.jpg"), cv2.COLOR_BGR2RGB)
x = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(T.ToTensor()(image))
""",
)
INVALID = (
    """
import cv2, torch
from torchvision import transforms as T
image = cv2.imread("cat.jpg")  # <- risk
x = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(T.ToTensor()(image))
""",
)
