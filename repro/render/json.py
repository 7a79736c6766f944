"""Results as one JSON object."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

import repro
from repro.result import Result, summary

_PACKAGES = ("torch", "torchvision", "timm", "numpy")


def environment() -> dict[str, str]:
    """The versions a verdict depends on."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def report(results: Sequence[Result], extra: Mapping[str, Any] | None = None) -> str:
    """The report on results: tool, version, environment, results, summary."""
    return document(
        environment=environment(),
        results=[asdict(result) for result in results],
        summary=summary(results),
        **(extra or {}),
    )


def document(**content: Any) -> str:
    """Any of our JSON outputs: one object that begins with the tool and its version. NaN and infinity become text.

    All of it is ASCII, and so is JSON whatever encoding standard output has.
    """
    whole = {"tool": "repro", "version": repro.__version__, **content}
    return json.dumps(_plain(whole), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
