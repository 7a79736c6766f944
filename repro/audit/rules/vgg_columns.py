"""A list of widths is filed under a VGG that it does not describe.

Table 1 of the paper has the columns A, B, D and E, which everybody calls VGG-11, 13, 16 and 19. A list that was copied
and not changed, or lost a number, builds another network than its name says; its parameter count may still look right.

Limits: only tables of lists with 'M' for the pools are read, and only where another list of the same table is exactly
its column, so that thinner networks of one's own are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from repro.audit.finding import Confidence, Severity
from repro.audit.program import Program
from repro.audit.rule import Hit, rule

ZH = """一个宽度列表挂在某个 VGG 型号名下，内容却不是那个型号。

论文表 1 的 A、B、D、E 列，就是大家说的 VGG-11、13、16、19。
列表若是抄来忘了改，或漏了一个数，搭出来的就不是名字所说的网络，
而参数量看上去可能仍然正常。

局限：只看用 'M' 表示池化的列表组成的表，并且同一张表里至少有一个列表
与论文完全一致时才报告；自己设计的较窄网络不在此列。
"""

# vgg.A.config, vgg.B.config, vgg.D.config, vgg.E.config: how many convolutions of each width stand before each pool.
_WIDTHS = (64, 128, 256, 512, 512)
VGG_COLUMNS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_LETTERS = {"A": 11, "B": 13, "D": 16, "E": 19}


@rule(
    "CNN505",
    Severity.BUG,
    Confidence.HIGH,
    en="{key} is not the paper's VGG-{depth}: {actual} convolutions, expected {expected}; widths {widths}",
    zh="{key} 不是论文的 VGG-{depth}：有 {actual} 个卷积，应为 {expected} 个；宽度 {widths}",
)
def vgg_columns(program: Program) -> Iterator[Hit]:
    for table in program.nodes(ast.Dict):
        lists = [(key, _depth(key), value) for key, value in zip(table.keys, table.values, strict=True)]
        named = [(key, depth, value, _column(value)) for key, depth, value in lists if depth and key is not None]
        wrong = [each for each in named if each[3] and each[3] != column(each[1])]
        if len(wrong) == sum(1 for each in named if each[3]):
            continue
        for key, depth, value, actual in wrong:
            widths = [width for width in actual if width != "M"]
            values = {"key": ast.unparse(key), "depth": depth, "actual": len(widths), "widths": widths}
            yield Hit(value, {**values, "expected": sum(VGG_COLUMNS[depth])})


def column(depth: int) -> list[int | str]:
    """What the paper has in a column, in the usual notation."""
    found: list[int | str] = []
    for width, count in zip(_WIDTHS, VGG_COLUMNS[depth], strict=True):
        found += [*[width] * count, "M"]
    return found


def _depth(key: ast.expr | None) -> int:
    """The VGG that a key of a table names, 0 if none."""
    match key:
        case ast.Constant(value=str() as name):
            match = re.fullmatch(r"(?i:vgg)?[-_]?(11|13|16|19)", name)
            return int(match[1]) if match else _LETTERS.get(name, 0)
        case ast.Constant(value=int() as depth) if depth in VGG_COLUMNS:
            return depth
    return 0


def _column(value: ast.expr) -> list[int | str]:
    """The list in the usual notation, its pools as 'M'; empty if it is another kind of value."""
    if not isinstance(value, ast.List):
        return []
    cells = [cell.value if isinstance(cell, ast.Constant) else None for cell in value.elts]
    pools = sum(isinstance(cell, str) for cell in cells)
    if pools < 4 or not all(isinstance(cell, str) or type(cell) is int for cell in cells):
        return []
    found = [cell if isinstance(cell, int) else "M" for cell in cells]
    return found if found[-1] == "M" else [*found, "M"]  # where the last pool is made elsewhere


_GOOD = "'A': [64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M']"
VALID = (
    f"import torch\ncfg = {{{_GOOD}, 'S': [32, 'M', 64, 'M', 64, 'M', 64, 'M']}}\n",
    "import torch\ncfg = {'A': [8, 'M', 16, 'M', 32, 'M', 64, 'M', 64, 'M']}\n",
)
INVALID = (
    f"""
import torch
cfg = {{
    {_GOOD},
    'B': [64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 'M', 512, 512, 'M'],  # <- bug
}}
""",
)
