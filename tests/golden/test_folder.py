"""A folder of goldens: what is missing, stale, damaged or left over is told, and an update changes what moved."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from repro import cli, models
from repro.api import check_golden, update_golden
from repro.errors import ReproError
from repro.golden import store
from repro.golden.folder import check_all, check_one, expected, golden_name, specification, update
from repro.golden.golden import Golden
from repro.references import resolve
from repro.result import Outcome
from tests.golden.conftest import SIZE, source
from tests.golden.test_golden import other_eps

OURS = Path(__file__).parents[2] / "golden"


def test_every_network_of_the_catalog_has_a_golden_and_no_file_is_left_over() -> None:
    assert set(store.names(OURS)) == set(models.catalog())
    assert store.strays(OURS) == []


def test_the_goldens_take_less_than_three_megabytes() -> None:
    assert sum(file.stat().st_size for file in OURS.rglob("*") if file.is_file()) < 3_000_000


def test_every_golden_says_why_it_was_made() -> None:
    for name in store.names(OURS):
        golden = Golden.load(OURS, name)
        assert golden.network == f"repro:{name}"
        assert golden.reason.strip()


@pytest.mark.parametrize("name", ["lenet5", "lenet5_28", "nin_cifar10", "resnet20_cifar"])
def test_small_networks_do_what_they_did(name: str) -> None:
    assert check_golden(f"repro:{name}", golden_dir=OURS).passed


def test_names_of_goldens() -> None:
    assert golden_name(specification("resnet18_v1_5")) == "resnet18"
    assert golden_name("torchvision:resnet18") == "torchvision.resnet18"
    assert golden_name("my.nets:net") == "my.nets.net"
    with pytest.raises(models.UnknownVariantError, match="closest: resnet18"):
        specification("resnet181")


def test_what_is_expected_of_a_folder(tmp_path: Path) -> None:
    store.save(tmp_path, "mine", {"network": "my:net"}, {})
    assert expected(tmp_path) == ["mine"]
    store.save(tmp_path, "resnet18", {"network": "repro:resnet18"}, {})
    assert expected(tmp_path) == [*models.catalog(), "mine"]


def test_a_missing_golden_fails_and_says_how_it_is_made(tmp_path: Path) -> None:
    (result,) = check_one(tmp_path, "lenet5")
    assert result.outcome is Outcome.FAIL
    assert f'repro golden update lenet5 --golden-dir {tmp_path} --reason "..."' in result.message


def test_a_stale_golden_fails_and_says_what_to_remove(tmp_path: Path, golden: Golden) -> None:
    dataclasses.replace(golden, network="repro:resnet9000").save(tmp_path, "resnet9000")
    (result,) = check_one(tmp_path, "resnet9000")
    assert result.outcome is Outcome.FAIL
    assert "stale" in result.message


def test_a_golden_of_a_live_module_is_for_a_test_to_check(folder: Path) -> None:
    (result,) = check_one(folder, "net")
    assert result.outcome is Outcome.SKIP
    assert [each.outcome for each in check_one(folder, "net", source())] == [Outcome.PASS] * 6


def test_a_damaged_golden_fails_and_says_what_to_do(folder: Path) -> None:
    file = next(folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])
    (result,) = check_one(folder, "net", source())
    assert result.outcome is Outcome.FAIL
    assert "restore it from version control" in result.message


def test_an_update_keeps_what_holds_and_tells_what_moved(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert update(folder, "net", source(), None, "why", "how") == "kept: nothing moved"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert update(folder, "net", source(other_eps), None, "the eps of the paper", "how").startswith(
        "blocks.1.norm: moved"
    )
    assert Golden.load(folder, "net").reason == "the eps of the paper"
    assert len(list(folder.iterdir())) == 2
    assert [result.outcome for result in check_one(folder, "net", source(other_eps))] == [Outcome.PASS] * 6
    assert update(folder, "net", source(), (3, 14, 9), "another size", "how") == f"was of net (Net) at {SIZE}"
    assert Golden.load(folder, "net").size == (3, 14, 9)


def test_an_update_needs_a_reason(folder: Path) -> None:
    with pytest.raises(ReproError, match="no reason was given"):
        update(folder, "net", source(other_eps), None, " ", "how")


def test_an_update_mends_a_damaged_golden(folder: Path) -> None:
    (folder / "net.json").write_text("{}")
    assert update(folder, "net", source(), SIZE, "it was damaged", "how") == "written over a damaged one"
    assert [result.outcome for result in check_one(folder, "net", source())] == [Outcome.PASS] * 6
    assert len(list(folder.iterdir())) == 2


def test_processes_give_what_one_gives(tmp_path: Path) -> None:
    names = ["lenet5", "lenet5_28", "missing", "nin_cifar10"]
    alone, shared = (list(check_all(OURS, names, jobs)) for jobs in (1, 2))
    assert [[(r.check, r.subject, r.outcome) for r in each] for each in alone] == [
        [(r.check, r.subject, r.outcome) for r in each] for each in shared
    ]


# --- the commands ------------------------------------------------------------------------------------------------


def test_the_command_checks_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "mine")
    assert cli.main(["golden", "update", "lenet5", "--golden-dir", folder, "--reason", "the first one"]) == 0
    assert capsys.readouterr().out.split() == ["lenet5", "new"]
    assert cli.main(["golden", "check", "lenet5", "--golden-dir", folder]) == 0
    out = capsys.readouterr().out
    assert "1 golden; checks: 6 pass, 0 fail" in out
    assert max(map(len, out.splitlines())) <= 80
    assert cli.main(["golden", "update", "lenet5", "--golden-dir", folder, "--reason", "again"]) == 0
    assert "kept: nothing moved" in capsys.readouterr().out


def test_the_command_reports_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "left.0123456789ab.safetensors").write_bytes(b"")
    assert cli.main(["golden", "check", "lenet5", "--golden-dir", str(tmp_path), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [result["outcome"] for result in report["results"]] == ["fail"]
    assert report["unused"] == [str(tmp_path / "left.0123456789ab.safetensors")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "--golden-dir", "nowhere"], "nowhere: no such folder"),
        (["check", "resnet181"], "closest: resnet18"),
        (["update", "lenet5", "--reason", ""], "no reason was given"),
        (["update", "lenet5", "--reason", "x", "--input-size", "3x8x8"], "repro:lenet5"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["golden", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["golden", "check", "--golden-dir", str(tmp_path)]) == 2
    assert "there is no golden" in capsys.readouterr().err


# --- the library -------------------------------------------------------------------------------------------------


def test_a_module_of_ones_own(tmp_path: Path) -> None:
    network = source().build()
    assert not check_golden(network, "mine", golden_dir=tmp_path).passed
    assert update_golden(network, "mine", reason="first", golden_dir=tmp_path, input_size=SIZE) == "new"
    report = check_golden(network, "mine", golden_dir=tmp_path)
    assert report.passed
    other_eps(network)
    report = check_golden(network, "mine", golden_dir=tmp_path)
    assert not report.passed
    assert "blocks.1.norm: moved by" in str(report)


@pytest.mark.parametrize("name", [None, "", "../elsewhere", "a/b", ".hidden/", "net."])
def test_a_name_must_be_one_of_a_file(tmp_path: Path, name: str | None) -> None:
    with pytest.raises(ReproError, match="expected one that can be a file's"):
        update_golden(source().build(), name, reason="why", golden_dir=tmp_path)


def test_a_specification_names_its_golden(tmp_path: Path) -> None:
    assert update_golden("repro:lenet5", reason="first", golden_dir=tmp_path) == "new"
    assert store.names(tmp_path) == ["lenet5"]
    assert resolve("repro:lenet5").spec == Golden.load(tmp_path, "lenet5").network
