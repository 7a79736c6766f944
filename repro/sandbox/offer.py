"""What a machine has to keep code to itself that nobody vouches for."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass

from repro.sandbox import bubblewrap, landlock, namespaces, seccomp


@dataclass(frozen=True)
class Offer:
    """What there is.

    landlock    the version; 0 if there is none
    seccomp     whether system calls can be filtered
    bubblewrap  the program, where it works; empty otherwise
    namespaces  whether a process may have its own network, processes and users
    """

    landlock: int = 0
    seccomp: bool = False
    bubblewrap: str = ""
    namespaces: bool = False

    @property
    def missing(self) -> list[str]:
        """What has to be there before anything is run, and is not."""
        found = []
        if self.landlock < landlock.LOWEST:
            there = f"version {self.landlock} of Landlock" if self.landlock else "no Landlock"
            found.append(f"{there}; version {landlock.LOWEST} or later is needed, which Linux 6.2 has")
        if not self.seccomp:
            found.append("no filter of system calls (seccomp) for this kind of machine")
        return found

    @property
    def level(self) -> str:
        """In a word: bubblewrap, namespaces, base, or none, at which nothing is run."""
        if self.missing:
            return "none"
        return "bubblewrap" if self.bubblewrap else "namespaces" if self.namespaces else "base"


@functools.cache
def offer() -> Offer:
    """What this machine offers, tried out."""
    if sys.platform != "linux":
        return Offer()
    return Offer(landlock.version(), seccomp.is_offered(), bubblewrap.program(), namespaces.are_offered())
