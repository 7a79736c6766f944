"""What a departure is called, in both languages: as a teacher would say it, with the names of the paper's layers."""

# ruff: noqa: ARG002  # all tellers have one signature, and are called by the kind of the cause
from __future__ import annotations

import re
from collections.abc import Sequence

from repro.audit.finding import Words
from repro.running.departures.changes import Change
from repro.running.departures.grouping import Cause
from repro.running.departures.names import places, plain
from repro.running.departures.phrases import NORM_ZH, UNIT, blocks, by, constants, edge, layer, pooling, rates, spread
from repro.running.departures.reading import JOINS, Part

_BETWEEN = re.compile(r"(?<=[\u4e00-\u9fff\uff09]) (?=[\u4e00-\u9fff])")  # Chinese has no spaces; names in it have


class Teller:
    """Puts causes into words.

    here, there              the parts of the two networks
    names_here, names_there  id of a part -> what it is called
    title                    the proper name of the network of the catalog
    """

    def __init__(
        self,
        here: Sequence[Part],
        there: Sequence[Part],
        names_here: dict[int, str],
        names_there: dict[int, str],
        title: str,
    ) -> None:
        self._here, self._there = here, there
        self._names = names_there | names_here
        self._title = title

    def words(self, cause: Cause) -> Words:
        """The sentence for a cause."""
        first = cause.changes[0]
        at = self._places(cause.parts)
        told = getattr(self, f"_{cause.kind.replace(' ', '_').replace('.', '_')}")(cause, first, at)
        assert isinstance(told, Words)
        return told

    def _places(self, parts: Sequence[Part]) -> Words:
        distinct = list({id(part): part for part in parts}.values())
        known = {id(part) for part in self._there}
        every = self._there if id(distinct[0]) in known else self._here
        at = places(distinct, every, self._names)
        return at

    def _own(self, change: Change) -> str:
        """What the program itself calls the part, if that is another name."""
        if change.here is None or change.there is None:
            return ""
        own = change.here.path
        return own if own and plain(own) != self._names[id(change.there)] else ""

    def _site(self, cause: Cause, at: Words) -> Words:
        """The place, with the program's own name for it where there is one place only."""
        own = self._own(cause.changes[0]) if len(cause.changes) == 1 else ""
        return Words(f"{at.en} ({own} here)", f"{at.zh}（这里的 {own}）") if own else at

    def _say(self, en: str, zh: str, /, **values: object) -> Words:
        told = Words(en, zh).format(title=self._title, **values)
        return Words(told.en, _BETWEEN.sub("", told.zh))

    def _width(self, cause: Cause, first: Change, at: Words) -> Words:
        unit = UNIT[first.part.kind]
        verb = "has" if len(cause.changes) == 1 else "have"
        return self._say(
            "{at} {verb} {has} {unit}; {title} has {expected}",
            "{at} 有 {has} {unit}，而 {title} 是 {expected}",
            at=self._site(cause, at),
            verb=verb,
            has=first.has,
            expected=first.expected,
            unit=unit,
        )

    def _kernel(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{at}: {has} instead of {expected}",
            "{at}：卷积核是 {has}，而 {title} 是 {expected}",
            at=self._site(cause, at),
            has=by(first.has),
            expected=by(first.expected),
        )

    def _stride(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._number("stride", "步幅", cause, first, at)

    def _groups(self, cause: Cause, first: Change, at: Words) -> Words:
        if first.has == 1:
            return self._say(
                "no groups in {at}; {title} has {n}", "{at} 没有分组，而 {title} 分 {n} 组", at=at, n=first.expected
            )
        if set(first.part.kernel) == {1} and first.expected == 1:
            return self._say(
                "{at}: a 1x1 convolution in {n} groups, so that its channels do not meet; {title} has no groups there",
                "{at}：1x1 卷积分成了 {n} 组，通道之间不再混合；{title} 在此处不分组",
                at=self._site(cause, at),
                n=first.has,
            )
        return self._number("groups", "分组数", cause, first, at)

    def _padding(self, cause: Cause, first: Change, at: Words) -> Words:
        if set(first.has) == {0}:
            verb, zh = ("has" if len(cause.changes) == 1 else "have"), by(first.expected, "")
            return self._say(
                "{at} {verb} no padding; {title} has {n}",
                "{at} 没有填充，而 {title} 是 {n}",
                at=self._site(cause, at),
                verb=verb,
                n=zh,
            )
        return self._number("padding", "填充", cause, first, at)

    def _number(self, what: str, zh: str, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{at}: {what} {has} instead of {expected}",
            "{at}：{zh}是 {has}，而 {title} 是 {expected}",
            at=self._site(cause, at),
            what=what,
            zh=zh,
            has=by(first.has, ""),
            expected=by(first.expected, ""),
        )

    def _bias(self, cause: Cause, first: Change, at: Words) -> Words:
        if first.has:
            return self._say("a bias in {at}; {title} has none there", "{at} 有偏置，而 {title} 没有", at=at)
        if all(change.here is not None and change.here.norm is not None for change in cause.changes):
            return self._say(
                "no bias in {at} (the normalisation behind has one)", "{at} 没有偏置（其后的归一化自带偏置）", at=at
            )
        return self._say("no bias in {at}; {title} has one there", "{at} 没有偏置，而 {title} 有", at=at)

    def _norm(self, cause: Cause, first: Change, at: Words) -> Words:
        has, expected = first.has, first.expected
        if not expected:
            return self._say("{has} added after {at}", "{at} 之后加了{zh}", at=at, has=has, zh=NORM_ZH[has])
        if not has:
            return self._say(
                "no {expected} after {at}",
                "{at} 之后没有{zh}",
                at=self._site(cause, at),
                expected=expected,
                zh=NORM_ZH[expected],
            )
        return self._say(
            "{has} in place of {expected} after {at}",
            "{at} 之后用{zh}代替了{zh2}",
            at=at,
            has=has,
            expected=expected,
            zh=NORM_ZH[has],
            zh2=NORM_ZH[expected],
        )

    def _epsilon(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "the normalisation after {at} has an epsilon of {has}; {title}'s is {expected:g}",
            "{at} 之后的归一化的 epsilon 是 {has}，而 {title} 是 {expected:g}",
            at=at,
            has=spread([change.has[0] for change in cause.changes]),
            expected=first.expected[0],
        )

    def _activation(self, cause: Cause, first: Change, at: Words) -> Words:
        has, expected = first.has, first.expected
        if not has:
            return self._say(
                "no {expected} after {at}; {title} has one there",
                "{at} 之后没有 {expected}，而 {title} 有",
                at=self._site(cause, at),
                expected=expected,
            )
        if not expected:
            return self._say(
                "{has} after {at}, where {title} has none",
                "{at} 之后有 {has}，而 {title} 没有",
                at=self._site(cause, at),
                has=has,
            )
        return self._say(
            "{has} in place of {expected} after {at}",
            "{at} 之后用 {has} 代替了 {expected}",
            at=at,
            has=has,
            expected=expected,
        )

    def _bare(self, cause: Cause, first: Change, at: Words) -> Words:
        expected = {change.kind: change.expected for change in cause.changes}
        own = self._own(first) if len(cause.changes) == 2 else ""
        site = Words(f"{at.en} ({own} here)", f"{at.zh}（这里的 {own}）") if own else at
        return self._say(
            "neither {norm} nor {act} after {at}",
            "{at} 之后既没有{zh}也没有 {act}",
            at=site,
            norm=expected["norm"],
            act=expected["activation"],
            zh=NORM_ZH[expected["norm"]],
        )

    def _dropout(self, cause: Cause, first: Change, at: Words) -> Words:
        lost = [change for change in cause.changes if change.has is None]
        extra = [change for change in cause.changes if change.expected is None]
        if lost and extra:
            here, there = (self._places([change.part for change in changes]) for changes in (extra, lost))
            return self._say(
                "dropout {n} after {here}, not after {there}",
                "dropout {n} 在 {here} 之后，而不在 {there} 之后",
                n=rates(extra, "has"),
                here=here,
                there=there,
            )
        has, expected = rates(cause.changes, "has"), rates(cause.changes, "expected")
        if lost:
            return self._say(
                "no dropout after {at}; {title} has {n}", "{at} 之后没有 dropout，而 {title} 是 {n}", at=at, n=expected
            )
        if extra:
            return self._say(
                "dropout {n} after {at}, where {title} has none",
                "{at} 之后有 dropout {n}，而 {title} 没有",
                at=at,
                n=has,
            )
        return self._say(
            "dropout {n} after {at}; {title} has {m}",
            "{at} 之后的 dropout 是 {n}，而 {title} 是 {m}",
            at=at,
            n=has,
            m=expected,
        )

    def _lrn(self, cause: Cause, first: Change, at: Words) -> Words:
        if first.has is None:
            return self._say(
                "no local response normalisation after {at}; {title} has one there",
                "{at} 之后没有局部响应归一化，而 {title} 有",
                at=at,
            )
        if first.expected is None:
            return self._say(
                "local response normalisation after {at}, where {title} has none",
                "{at} 之后有局部响应归一化，而 {title} 没有",
                at=at,
            )
        return self._say(
            "local response normalisation after {at}: {has}; {title} has {expected}",
            "{at} 之后的局部响应归一化：{has}，而 {title} 是 {expected}",
            at=at,
            has=constants(first.has, first.expected),
            expected=constants(first.expected, first.has),
        )

    def _softmax(self, cause: Cause, first: Change, at: Words) -> Words:
        if first.has is None:
            return self._say("no softmax at the end", "末尾没有 softmax")
        return self._say("a {name} at the end", "末尾有 {name}", name=first.has.name)

    def _pool(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{at}: {has} instead of {expected}",
            "{at}：是{has}，而 {title} 是{expected}",
            at=self._site(cause, at),
            has=pooling(first.has),
            expected=pooling(first.expected),
        )

    def _edge(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{at}: {has} at the edge instead of {expected}",
            "{at}：边缘处理是{has}，而 {title} 是{expected}",
            at=at,
            has=edge(*first.has),
            expected=edge(*first.expected),
        )

    def _branches(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{at}: {has} operands instead of {expected}",
            "{at}：{has} 个输入，而 {title} 是 {expected} 个",
            at=at,
            has=first.has,
            expected=first.expected,
        )

    def _v1_5(self, cause: Cause, first: Change, at: Words) -> Words:
        strided = self._places([change.part for change in cause.changes if max(change.has) > 1])
        where = self._places([change.part for change in cause.changes if max(change.expected) > 1])
        return self._say(
            "the stride in {here} instead of {there}", "步幅在 {here}，而 {title} 在 {there}", here=strided, there=where
        )

    def _scale(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{n} layers are {factor:g} times as wide as in {title}",
            "{n} 层的宽度是 {title} 的 {factor:g} 倍",
            n=len(cause.changes),
            factor=round(first.has / first.expected, 4),
        )

    def _projection(self, cause: Cause, first: Change, at: Words) -> Words:
        if first.kind == "missing":
            return self._say("no projection in the shortcut: {at}", "捷径中没有投影：{at}", at=at)
        return self._say(
            "a projection in the shortcut ({at}), where {title} has none",
            "捷径中有投影（{at}），而 {title} 没有",
            at=at,
        )

    def _widths(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "other widths than in {title}: {at}; {one} has {has}, not {expected}",
            "宽度与 {title} 不同：{at}；{one} 是 {has}，而不是 {expected}",
            at=at,
            one=self._places([first.part]),
            has=first.has,
            expected=first.expected,
        )

    def _auxiliary(self, cause: Cause, first: Change, at: Words) -> Words:
        if first.kind == "missing":
            return self._say("no auxiliary classifiers", "没有辅助分类器")
        return self._say("auxiliary classifiers, which {title} has not", "有辅助分类器，而 {title} 没有")

    def _missing_addition(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "no addition at the end of {at}: the shortcut is missing",
            "{at} 末尾没有相加：缺少捷径连接",
            at=self._places([change.part for change in cause.changes if change.kind == "missing"]),
        )

    def _extra_addition(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "two maps are added, which {title} does nowhere there", "把两组特征图相加，而 {title} 此处没有"
        )

    def _missing(self, cause: Cause, first: Change, at: Words) -> Words:
        verb = "is" if len({id(part) for part in cause.parts}) == 1 else "are"
        return self._say(
            "{at} {verb} missing: {what}", "缺少 {at}：{what}", at=at, verb=verb, what=self._layers(cause.parts)
        )

    def _extra(self, cause: Cause, first: Change, at: Words) -> Words:
        return self._say(
            "{at}: {what}, which {title} has not",
            "{at}：多出{what}，{title} 没有",
            at=at,
            what=self._layers(cause.parts),
        )

    def _missing_branch(self, cause: Cause, first: Change, at: Words) -> Words:
        joins = [part for part in cause.parts if part.kind in JOINS]
        return self._say(
            "{n} less than {title} has: {blocks}, each with {what}",
            "比 {title} 少 {n}：{blocks}，每个含{what}",
            n=blocks(joins),
            blocks=self._places(joins),
            what=self._layers(cause.parts),
        )

    def _extra_branch(self, cause: Cause, first: Change, at: Words) -> Words:
        joins = [part for part in cause.parts if part.kind in JOINS]
        if any(part.kind == joins[0].kind for part in self._there):
            return self._say(
                "{n} more than {title} has, each with {what}",
                "比 {title} 多 {n}，每个含{what}",
                n=blocks(joins),
                what=self._layers(cause.parts),
            )
        return self._say(
            "another branch, {joined} to the first: {what}; {title} has one way there",
            "多出一个分支并与原分支{zh}：{what}；{title} 此处只有一路",
            joined="added" if joins[0].kind == "add" else "concatenated",
            zh="相加" if joins[0].kind == "add" else "拼接",
            what=self._layers(cause.parts),
        )

    def _layers(self, parts: Sequence[Part]) -> Words:
        told = [layer(part) for part in parts if part.kind not in ("add", "cat")]
        distinct = list(dict.fromkeys(told))[:4]
        more = " ..." if len(dict.fromkeys(told)) > 4 else ""
        return Words(", ".join(x.en for x in distinct) + more, "、".join(x.zh for x in distinct) + more)
