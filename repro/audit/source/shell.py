"""Blocks of commands, which a page shows in the same way as its code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from repro.audit.source.line import Line

_PROMPT = re.compile(r"\s*(?:\([\w.-]+\)\s*)?\$ ")  # of an environment too: (torch) $
_COMMAND = re.compile(
    r"\s*(?:sudo )?(?:apt(?:-get)?|brew|cd|conda|cp|curl|docker|echo|export|git|ls|mamba|mkdir|mv|nvidia-smi|pip3?"
    r"|poetry|python[0-9.]*|rm|source|tar|tensorboard|torchrun|unzip|uv|wget)(?: +[\w./~$@\"'-].*)?$"
)


def is_shell(lines: Sequence[Line]) -> bool:
    """Whether every line is a command, or the first has the prompt of a shell."""
    written = [line.text for line in lines if line.text.strip()]
    if written and _PROMPT.match(written[0]):
        return True
    commands = [text for text, before in zip(written, ["", *written], strict=False) if not before.endswith("\\")]
    return any(map(_COMMAND.match, commands)) and all(
        _COMMAND.match(text) or text.lstrip()[0] == "#" for text in commands
    )
