"""The ways in which a sentence says how large a network is, in English and Chinese; it is silent rather than wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repro.audit.claims.claim import Quantity
from repro.audit.claims.networks import mentions
from repro.audit.claims.numbers import AMOUNT, COUNT, count, quantity
from repro.audit.claims.passage import clause


@dataclass(frozen=True)
class Said:
    """What a stretch of a sentence says: kind, number, and of how many fully connected layers, 0 of all."""

    kind: str
    start: int
    end: int
    quantity: Quantity
    layers: int = 0


_I = re.IGNORECASE
_NUMBER = rf"(?P<n>{AMOUNT})"
_PARAMETERS = (
    re.compile(rf"\bnumber of (?:\w+ )?param(?:eter)?s (?:of|in) [\w .-]{{3,24}} is (?:\w+ )?{_NUMBER}", _I),
    re.compile(rf"{_NUMBER}\s*(?:trainable |learnable |free |model |total |network )*param(?:eter)?s\b", _I),
    re.compile(rf"{_NUMBER}\s*个?(?:左右|以上)?的?(?:模型|可训练|可学习|训练|网络|总)?参数", _I),
    re.compile(
        r"(?:\bparam(?:eter)?s|parameter count)\s*(?:count\s*)?(?:is|are|of|reach(?:es)?|totals?)?\s*[:=]?\s*"
        rf"(?:about|around|approximately|roughly|nearly|almost|over|only|more than|less than|up to|[~≈])?\s*{_NUMBER}"
        r"(?!\s*(?:%|percent|times|x\b|[MG]i?B))",
        _I,
    ),
    re.compile(
        rf"参数(?:总?数?量|总数|个数|数目|总计|规模)?[^，,。；;、\d]{{0,8}}?{_NUMBER}(?!\s*(?:倍|%|％|层|[MG]i?B|分之))",
        _I,
    ),
)
_SIZE = re.compile(rf"{_NUMBER}\s*(?P<unit>[MG])i?B(?![A-Za-z/])", _I)
_OF_WEIGHTS = re.compile(
    r"参数|权重|权值|模型(?:大小|文件|体积)"
    r"|weights?\b|param(?:eter)?s\b|model (?:size|file)|size of the model|checkpoint",
    _I,
)
_OTHER_BYTES = re.compile(
    r"显存|内存|GPU|memory|RAM\b|数据|data\b|dataset|download|下载|图片|图像|images?\b|activation|特征图|cache|每秒|bandwidth|disk",
    _I,
)
_OPERATIONS = (
    re.compile(rf"{_NUMBER}\s*(?:FLOPs?|MACs?|MAdds?|multiply[- ]adds?|floating[- ]point operations)\b(?!/)", _I),
    re.compile(rf"(?P<n>{AMOUNT}(?:\s*[GM])?)(?=\s*(?:FLOPs?|MACs?)\b)(?!/)", _I),
    re.compile(rf"{_NUMBER}\s*次?(?:浮点(?:运算|计算|操作)|乘加|乘法)", _I),
)
_LAYERS = (
    re.compile(rf"(?P<n>{COUNT})[- ]layers?[- ]deep\b", _I),
    re.compile(
        rf"(?P<n>{COUNT})-layers?\s+(?:deep |convolutional |neural |weight |CNN )*(?:model|network|net|CNN|ConvNet)\b",
        _I,
    ),
    re.compile(
        r"(?:has|have|with|contains?|consists of|comprises|is)\s+(?:a total of )?"
        rf"(?P<n>{COUNT})\s+(?:weight |learnable |learned )?layers\b",
        _I,
    ),
    re.compile(
        rf"(?:有|包含|共|使用了?|采用了?|达到?|为|由|是|深达)\s*(?P<n>{COUNT})\s*层(?:变换|深|的?(?:深度)?(?:卷积)?(?:神经)?网络(?!的)|结构|$)",
        _I,
    ),
)
_FC = r"(?:fully[- ]?connected(?: linear)?|linear|dense|FC|全连接)"
_CONVOLUTIONS = (
    re.compile(rf"(?P<n>{COUNT})\s+conv(?:olution(?:al)?)?\s+layers\b", _I),
    re.compile(
        rf"(?P<n>{COUNT})\s*(?:个|层)\s*(?:卷积层|卷积(?=\s*(?:$|[+＋、和与及以，,）)]))|conv(?:层|\b)(?!\w))", _I
    ),
)
_FULLY_CONNECTED = (
    re.compile(rf"(?P<n>{COUNT})\s+{_FC}\s+layers\b", _I),
    re.compile(
        rf"(?P<n>{COUNT})\s*(?:个|层)\s*(?:全连接层|全连接(?=\s*(?:$|[+＋、和与及，,）)]))|FC(?:层|\b)(?!\w))", _I
    ),
)
_DROPOUTS = (
    re.compile(
        rf"前(?P<n>{COUNT})\s*(?:个|层)?\s*全连接层?(?:中|上|里|后)?(?:引入|使用|加入|应用|采用|添加)了?\s*Dropout", _I
    ),
    re.compile(
        rf"dropout (?:is |was |are )?(?:\w+ )?(?:in|to|on|after) the (?:first )?(?P<n>{COUNT}) {_FC} layers", _I
    ),
    re.compile(rf"(?P<n>{COUNT})\s*(?:个\s*)?dropout(?: layers\b|层)", _I),
)
_COUNTED = {
    "layers": _LAYERS,
    "convolutions": _CONVOLUTIONS,
    "fully_connected": _FULLY_CONNECTED,
    "dropouts": _DROPOUTS,
}
_NOT = re.compile(r"(?:没有?|不再?|未|无|\bnot|n't|\bno longer|\bnever)\s*$", _I)
_LRN = re.compile(
    r"(?:使用|引入|采用|提出|加入|用)了?[^，,。不没]{0,6}?(?:局部响应归一化|LRN)"
    r"|\b(?:uses|used|applies|introduced|employs) (?:\w+ )?(?:local response normali[sz]ation|LRN)",
    _I,
)

_MAY_SAY = re.compile(r"param|参数|层|layer|[MG]i?B|FLOP|MAC|multiply|operations|运算|乘|dropout|LRN|response|卷积", _I)

# A number of layers behind these is that of a part, or of what is added; so is one in a clause that speaks of a part.
_PARTIAL = re.compile(
    r"(?:第|前|后|最后|末|头|每一?|各|其余|剩余|余下|另外?|再|连续|堆叠|单|新增|多|接|跟|加|加上|这|那|[这那]些|替换|的|冻结|取|[由对将把]?用)\s*(?:的|有|了|上)?\s*$"
    r"|\b(?:first|last|next|each|every|additional|another|more|other|these|those|final|remaining|consecutive|stacked"
    r"|following"
    r"|top|extra|(?<!consists )(?<!composed )(?<!made up )of|by|using|replaced?|freeze"
    r"|add(?:ed|ing)?|two|three|between|through|after|only|these)\s+(?:the\s+)?(?:\w+\s+)?$",
    _I,
)
_PART = re.compile(
    r"块|模块|单元|阶段|分支|支路|线路|支线|残差结构|瓶颈|\bblocks?\b|\bmodules?\b|\bstages?\b|\bbranch|\bunits?\b|\bpath\b|\bstem\b|\bhead\b|bottleneck|串联|stack",
    _I,
)
_LAYER = re.compile(
    r"层|\blayers?\b|\bfc\d|\bconv\d|\bconvolution|filter|卷积核|\bkernel|通道|每个|\beach\b|\bper\b", _I
)
_CHANGE = re.compile(
    r"减少|减小|降低|降到|节省|节约|压缩|增加|增大|相差|倍|reduc|\bsav(?:es?|ed|ing)\b|fewer(?! than)"
    r"|increas|decreas|compress|instead of|\btimes\b|差距|达不到|剪枝|prun"
    r"|冻结|微调|freez|on top|fine-?tun|\btrain\b|后面接|加了"
    r"|如果|假设|假如|若|\bif\b|\bwould\b|suppose|assume|say we",
    _I,
)
STILL = re.compile(r"它|也|其|\bits?\b|\bwhich\b", re.IGNORECASE)  # a clause that goes on about the same network
_THAN = re.compile(
    r"(?:(?<!less )(?<!fewer )(?<!more )\bthan|\bcompared (?:to|with)|versus|vs\.?|from)\s*\S*\s*$"
    r"|(?:相比|比)\S{0,3}\s*$",
    _I,
)
_OF_LAYERS = (
    re.compile(rf"(?P<n>{COUNT})\s*(?:个|层)?(?:[^，,。\d]{{0,4}}的)?\s*(?:全连接层|FC层)", _I),
    re.compile(rf"(?P<n>{COUNT})\s+(?:\w+\s+)?{_FC}\s+layers\b", _I),
)
_TITLE = re.compile(r"https?://|\barxiv\b", _I)  # numbers of a paper's title
_SMALLEST = 1000  # parameters of a network


def said(sentence: str) -> Iterator[Said]:
    """What a sentence says of whatever network it is about."""
    if not _MAY_SAY.search(sentence):
        return
    yield from _amounts(sentence)
    for kind, patterns in _COUNTED.items():
        yield from _counts(sentence, kind, patterns)
    for found in _LRN.finditer(sentence):
        if not _NOT.search(sentence[: found.start()]):
            yield Said("lrn", *found.span(), Quantity(1, bound="least"))


def _counts(sentence: str, kind: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[Said]:
    """Layers of one kind that a network has in all, each number once."""
    taken: set[int] = set()
    for found in (each for pattern in patterns for each in pattern.finditer(sentence)):
        before, end = clause(sentence, *found.span())
        part = sentence[before:end]
        partial = _PART.search(part) or _CHANGE.search(part) or _PARTIAL.search(sentence[: found.start()][-24:])
        value = count(found["n"])
        if value > 1 and found.start("n") not in taken and (kind == "dropouts" or not partial):
            taken.add(found.start("n"))  # a single layer is one of several more often than the only one
            yield Said(kind, *found.span(), Quantity(value))


def _amounts(sentence: str) -> Iterator[Said]:
    """Parameters, bytes and operations, each stretch once."""
    taken: list[tuple[int, int]] = []
    for kind, patterns in (("size", (_SIZE,)), ("multiply_adds", _OPERATIONS), ("parameters", _PARAMETERS)):
        for found in (each for pattern in patterns for each in pattern.finditer(sentence)):
            start, end = found.span("n")
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            said = _amount(sentence, kind, found)
            if said is not None:
                taken.append((start, end))
                yield said


def _amount(sentence: str, kind: str, found: re.Match[str]) -> Said | None:
    start, end = found.span("n")
    first, last = clause(sentence, *found.span())
    part = sentence[first:last]
    if _TITLE.search(sentence) or (
        kind == "size" and (not _OF_WEIGHTS.search(sentence) or _OTHER_BYTES.search(sentence))
    ):
        return None
    if _CHANGE.search(part) or _THAN.search(sentence[:start]):
        return None
    wide = part if STILL.search(part) or mentions(part) else sentence[_named_last(sentence, start) : last]
    layers = next((count(each["n"]) for pattern in _OF_LAYERS if (each := pattern.search(part))), 0)
    if (kind == "multiply_adds" and layers) or (not layers and (_LAYER.search(wide) or _PART.search(wide))):
        return None
    unit = f"{found['unit'].upper()}B" if kind == "size" else ""
    number = quantity(found["n"], sentence[:start], sentence[end:], unit)
    if number is None or (kind != "size" and number.value < _SMALLEST):
        return None
    return Said(kind, *found.span(), number, layers)


def _named_last(sentence: str, before: int) -> int:
    """Where the last network begins that is named before a place; where the sentence does if none is."""
    return max((each.start for each in mentions(sentence[:before])), default=0)
