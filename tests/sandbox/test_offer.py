"""What a machine offers, and what is said where it is too little."""

from __future__ import annotations

import pytest

from repro.sandbox.offer import Offer


@pytest.mark.parametrize(
    ("offer", "level"),
    [
        (Offer(3, True, "/usr/bin/bwrap", True), "bubblewrap"),
        (Offer(7, True, "", True), "namespaces"),
        (Offer(7, True), "base"),
        (Offer(2, True, "/usr/bin/bwrap", True), "none"),
        (Offer(0, True, "/usr/bin/bwrap", True), "none"),
        (Offer(7, False, "/usr/bin/bwrap", True), "none"),
        (Offer(), "none"),
    ],
)
def test_a_level_is_the_strongest_that_is_whole(offer: Offer, level: str) -> None:
    assert offer.level == level
    assert bool(offer.missing) == (level == "none")


def test_what_is_missing_is_named() -> None:
    assert Offer(2, True).missing == ["version 2 of Landlock; version 3 or later is needed, which Linux 6.2 has"]
    both = Offer().missing
    assert len(both) == 2
    assert "no Landlock" in both[0]
    assert "seccomp" in both[1]
