"""The published snippets have the bugs that their specimens show. Skipped where the documents are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.specimens import vgg_001
from tests.specimens._bug import Bug
from tests.specimens._originals import FILES, FOLDER, Original, indented, missing, original
from tests.specimens._properties import parses
from tests.specimens.test_specimens import every_bug


@pytest.mark.skipif(bool(missing()), reason=missing())
@every_bug
def test_the_original_has_the_bug_of_its_specimen(bug: Bug) -> None:
    it = original(bug.document, bug.snippet)
    assert bug.shows in bug.complaint(lambda: bug.original(it))


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_damaged_statement_is_python_once_it_compares() -> None:
    parses(vgg_001.statement(original("001", "VGG")).replace("v = M", "v == M"))


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_parameters_of_the_originals_are_those_that_are_told() -> None:
    with torch.device("meta"):
        resnet = original("002", "ResNet").run()
        built = {
            "LeNet": original("002", "LeNet").run().Net(),
            "ResNet-18": resnet.ResNet(resnet.BasicBlock, [2, 2, 2, 2]),
            "ResNet-18 in groups": resnet.ResNet(resnet.BasicBlock, [2, 2, 2, 2], groups=32, width_per_group=4),
            "VGG-16 of 003": original("003", "VGG").run().vgg16(),
        }
    assert {name: sum(parameter.numel() for parameter in network.parameters()) for name, network in built.items()} == {
        "LeNet": 44_426,
        "ResNet-18": 11_689_512,
        "ResNet-18 in groups": 11_689_512,
        "VGG-16 of 003": 15_245_130,
    }


def test_a_document_that_was_not_read_does_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    name, _ = FILES["000"]
    (tmp_path / name).write_text("import os\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is not the document that was read"):
        original("000", "VGG")


def test_a_document_that_ocr_has_damaged_does_not_run() -> None:
    with pytest.raises(ValueError, match="001 VGG is searched and not run"):
        Original("001", "VGG", "a = 1\n").run()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    assert missing().startswith(
        "REPRO_SEEDS is not set: the documents are not part of this project; set it to a folder"
    )
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert missing() == f"REPRO_SEEDS names a folder without {', '.join(name for name, _ in FILES.values())}"


def test_levels_indent_and_must_be_as_many_as_the_lines() -> None:
    assert indented(["if a:", "b"], "01") == "if a:\n    b\n"
    with pytest.raises(ValueError, match="2 lines and 3 levels"):
        indented(["if a:", "b"], "011")
