"""The snippets as they were published, taken out of their documents: not ours, and not part of this project.

REPRO_SEEDS names the folder that the documents are in. What is in them runs only where the whole document, byte for
byte, is one that we have read. Two documents have lost their indentation; it is restored from a table of levels, one
digit a line of code. A document that OCR has damaged, 001, is searched and never run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import nn

FOLDER = "REPRO_SEEDS"

# Document -> its file, and the SHA-256 of what we have read.
FILES = {
    "000": ("000_ec84800fbfb980e7.txt", "b18f5baec325ad06d7a49672f432d3a6148dfe325133b2431e58e7841a1b34cb"),
    "001": ("001_a0d5d85d3bf4667f.txt", "e0c56682ddbc2bd50e08ef38559727b0c3e5af5de1bd165a33f6786d01953eea"),
    "002": ("002_31153c23497b1dfe.txt", "7fa6aab840269627ffc7ba00b6679e1cb315941a26a902c49ae9420c4f0c6ae1"),
    "003": ("003_1918f3270e0b92d1.txt", "442b36b9d48eb854289055ec55b476d9893de0be8fb1ae06c3d24d10cbaa25a1"),
}

# Snippet -> its lines, first and last of each stretch, counted from 1.
LINES = {
    ("000", "VGG"): [(82, 158)],
    ("002", "LeNet"): [(100, 120)],
    ("002", "AlexNet"): [(287, 317)],
    ("002", "VGG"): [(359, 394)],
    ("002", "ResNet"): [(469, 498), (502, 550), (554, 627)],
    ("003", "AlexNet"): [(11, 72)],
    ("003", "VGG"): [(80, 161)],
    ("003", "ResNet"): [(172, 248)],
}

# Snippet -> the level of each of its lines that is not empty, where the document has lost it.
LEVELS = {
    ("000", "VGG"): "".join(
        (
            "0000" "0" "0" "111" "1" + "2" * 12,  # imports, a comment, the class, its constructor
            "122" "34" "333" "2",  # a stage
            "1" + "2" * 14,  # forward
            "01" * 4,  # the four depths
            "0111",  # the demonstration
            "01",
        )
    ),
    ("003", "AlexNet"): "".join(
        (
            "0111" "1" + "2" * 5,
            "2" * 5 + "3" * 15 + "2",  # the convolutions
            "22" + "3" * 7 + "22",  # the classifier
            "12" "3" "44" "2222",  # the initial values
            "1" + "2" * 10,  # forward
        )
    ),
    ("003", "VGG"): "".join(
        (
            "000" "000" "0110" "0" "111",
            "1222" + "3" * 7 + "2" + "22" "3" "444",
            "1222" "2",
            "0111" "2" "3" "2" "33" "4" "3" "4" "3" "1",
            "011111" "0",
            "011" * 8,
        )
    ),
    ("003", "ResNet"): "".join(
        (
            # The loop over the stages may have been in the `if` before it, as here, or after it; both are Python.
            "0000" "01" "23" "23" "2" "23" "3" "44",
            "0" "1111" "1" "1" "2" "1",
            "0" "1111" "1" "1" "2" "1",
            "0" "1111" "1" "1" "2" "1",
            "0" "1111" "1" "1" "2" "1",
            "0" "1111" "1" "1" "2" "1",
            "0" "1111" "1" "1",
            "0" "1111" "1" "1" "2" "1",
        )
    ),
}  # fmt: skip

# What the text around the code takes for granted.
GIVEN: Mapping[str, Any] = {"torch": torch, "nn": nn, "F": F}


@dataclass(frozen=True)
class Original:
    """A snippet of a document: its text as code, or the whole document where there is no code to be had."""

    document: str
    snippet: str
    text: str

    def run(self, **names: Any) -> SimpleNamespace:
        """What the snippet defines, with these names beside it. Raises ValueError for what is never run.

        torchsummary, which only a demonstration uses, is a stand-in that prints nothing.
        """
        if (self.document, self.snippet) not in LINES:
            raise ValueError(f"{self.document} {self.snippet} is searched and not run")
        stand_in = ModuleType("torchsummary")
        stand_in.__dict__["summary"] = lambda *_: None
        namespace = {**GIVEN, **names, "__name__": f"original_{self.document}_{self.snippet}"}
        with patch.dict(sys.modules, {"torchsummary": stand_in}):
            exec(compile(self.text, f"{self.document} {self.snippet}", "exec"), namespace)
        return SimpleNamespace(**namespace)


def missing() -> str:
    """Why the documents cannot be had; empty where they can."""
    if FOLDER not in os.environ:
        return f"{FOLDER} is not set: the documents are not part of this project; set it to a folder that has them"
    lost = [name for name, _ in FILES.values() if not (Path(os.environ[FOLDER]) / name).is_file()]
    return f"{FOLDER} names a folder without {', '.join(lost)}" if lost else ""


def original(document: str, snippet: str) -> Original:
    """A snippet out of its document. Raises ValueError for a document that is not the one that we have read."""
    name, digest = FILES[document]
    content = (Path(os.environ[FOLDER]) / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{name} is not the document that was read: its SHA-256 is another; it is not run")
    text = content.decode("utf-8")
    stretches = LINES.get((document, snippet))
    if stretches is None:
        return Original(document, snippet, text)
    lines = text.split("\n")
    code = [line for first, last in stretches for line in lines[first - 1 : last] if line.strip()]
    return Original(document, snippet, indented(code, LEVELS.get((document, snippet))))


def indented(code: list[str], levels: str | None) -> str:
    """Lines of code at their levels; as they are where no levels are given."""
    if levels is None:
        return "\n".join(code) + "\n"
    if len(levels) != len(code):
        raise ValueError(f"{len(code)} lines and {len(levels)} levels")
    return "".join(f"{'    ' * int(level)}{line}\n" for level, line in zip(levels, code, strict=True))
