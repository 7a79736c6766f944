"""Whether a call fits the parameters of what it calls, and if it does not, in what."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from repro.audit.finding import Words


class Misfit(NamedTuple):
    """Why Python raises TypeError at a call.

    parameters  the ones that are in question; none where there are too many arguments
    why         as a message says it, behind the name of what is called
    """

    parameters: list[str]
    why: Words


def misfit(
    positions: Sequence[str],
    required: Collection[str],
    given: int,
    keywords: Sequence[str | None],
    *,
    others: Collection[str] = (),
    takes_more: bool = False,
    takes_any: bool = False,
) -> Misfit | None:
    """In what a call does not fit; None if it fits, or may.

    positions   the parameters that are given by position, in order
    required    the parameters without a default
    given       how many arguments the call gives by position
    keywords    the names that it gives others by; None: `**kwargs`, whatever they are
    others      the parameters that are given by name only
    takes_more  whether there is `*args`, and `takes_any` whether there is `**kwargs`
    """
    if given > len(positions) and not takes_more:
        most = len(positions)
        arguments = "1 argument" if most == 1 else f"{most} arguments"
        return Misfit(
            [], Words(f"takes {arguments} and is given {given}", f"接受 {most} 个参数，得到的却是 {given} 个")
        )
    named = [each for each in keywords if each is not None]
    twice = [each for each in named if each in positions[:given]]
    unknown = [] if takes_any else [each for each in named if each not in positions and each not in others]
    left = [each for each in (*positions[given:], *others) if each in required and each not in named]
    if unknown:
        return Misfit(unknown, _said("has no parameter {}", "没有参数 {}", unknown))
    if twice:
        return Misfit(twice, _said("is given {} twice", "得到了两次 {}", twice))
    if left and None not in keywords:
        return Misfit(left, _said("is not given {}", "缺少参数 {}", left))
    return None


def _said(en: str, zh: str, parameters: Sequence[str]) -> Words:
    return Words(en.format(" and ".join(parameters)), zh.format("、".join(parameters)))
