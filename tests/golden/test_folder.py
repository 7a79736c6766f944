"""A folder of goldens: what is missing, stale, damaged or left over is told, and an update changes what moved."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from repro import cli, models
from repro.api import check_golden, update_golden
from repro.errors import ReproError
from repro.golden import store
from repro.golden.folder import check_one, update
from repro.golden.golden import Golden
from repro.golden.making import make
from repro.golden.naming import expected, golden_name, specification
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


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs x86-64, whose kernels these are")
def test_other_kernels_compute_what_these_did() -> None:
    plain = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
    command = [sys.executable, "-m", "repro", "golden", "check", "lenet5", "resnet20_cifar", "--golden-dir", str(OURS)]
    ran = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_names_of_goldens() -> None:
    assert golden_name(specification("resnet18_v1_5")) == "resnet18"
    assert golden_name("torchvision:resnet18") == "torchvision.resnet18"
    assert golden_name("my.nets:net") == "my.nets.net"
    with pytest.raises(models.UnknownVariantError, match="closest: resnet18"):
        specification("resnet181")


def test_what_is_expected_of_a_folder(tmp_path: Path) -> None:
    store.save(tmp_path, "mine", {"network": "my:net"}, {})
    assert expected(tmp_path) == ["mine"]
    catalog = list(models.catalog())
    for name in catalog[: len(catalog) // 2]:
        store.save(tmp_path, name, {"network": f"repro:{name}"}, {})
    assert expected(tmp_path) == sorted([*catalog[: len(catalog) // 2], "mine"])
    for name in catalog[len(catalog) // 2 : -3]:
        store.save(tmp_path, name, {"network": f"repro:{name}"}, {})
    assert expected(tmp_path) == [*catalog, "mine"]


def test_a_missing_golden_is_an_error_and_says_how_it_is_made(tmp_path: Path) -> None:
    (result,) = check_one(tmp_path, "lenet5")
    assert result.outcome is Outcome.ERROR
    assert f'repro golden update lenet5 --golden-dir {tmp_path} --reason "..."' in result.message


def test_a_stale_golden_is_an_error_and_says_what_to_remove(tmp_path: Path, golden: Golden) -> None:
    dataclasses.replace(golden, network="repro:resnet9000").save(tmp_path, "resnet9000")
    (result,) = check_one(tmp_path, "resnet9000")
    assert result.outcome is Outcome.ERROR
    assert "stale" in result.message


def test_a_golden_of_a_live_module_is_for_a_test_to_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = check_one(folder, "net")
    assert result.outcome is Outcome.SKIP
    assert cli.main(["golden", "check", "net", "--golden-dir", str(folder)]) == 0
    assert "was made in a test or script; that alone has the network" in " ".join(capsys.readouterr().out.split())
    assert [each.outcome for each in check_one(folder, "net", source())] == [Outcome.PASS] * 6


def damage_numbers(folder: Path, name: str) -> None:
    file = next(folder.glob(f"{name}.*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])


def damage_seal(folder: Path, name: str) -> None:
    file = folder / f"{name}.json"
    file.write_text(file.read_text().replace("the first one", "the last one"))


def damage_all(folder: Path, name: str) -> None:
    (folder / f"{name}.json").write_text("{}")


@pytest.mark.parametrize(
    ("network", "damage", "remedy"),
    [
        ("mynets:net", damage_numbers, 'repro golden update mynets.net --golden-dir {} --reason "..."'),
        (
            "mynets:net",
            damage_seal,
            'repro golden update mynets:net --input-size 3x12x11 --golden-dir {} --reason "..."',
        ),
        ("net (Net)", damage_numbers, 'make it anew: the test that made it, with pytest --repro-golden-update "..."'),
        ("net (Net)", damage_seal, 'make it anew: the test that made it, with pytest --repro-golden-update "..."'),
        ("mynets:net", damage_all, "(NETWORK: what it is of, such as mynets:resnet50)"),
        ("mynets:net", damage_all, "repro golden update NETWORK --input-size CxHxW --golden-dir {}"),
    ],
)
def test_a_damaged_golden_is_an_error_and_says_what_to_do(
    network: str, damage: Callable[[Path, str], None], remedy: str, golden: Golden, tmp_path: Path
) -> None:
    dataclasses.replace(golden, network=network).save(tmp_path, "mynets.net")
    damage(tmp_path, "mynets.net")
    (result,) = check_one(tmp_path, "mynets.net")
    assert result.outcome is Outcome.ERROR
    assert "restore it from version control" in result.message
    assert remedy.format(tmp_path) in result.message


def test_an_update_keeps_what_holds_and_tells_what_moved(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert update(folder, "net", source(), None, "why", "how") == "kept: nothing moved"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    told = update(folder, "net", source(other_eps), None, "the eps of the paper", "how")
    assert told.startswith("written, for 3x12x11: blocks.1.norm: moved by")
    assert Golden.load(folder, "net").reason == "the eps of the paper"
    assert len(list(folder.iterdir())) == 2
    assert [result.outcome for result in check_one(folder, "net", source(other_eps))] == [Outcome.PASS] * 6
    assert update(folder, "net", source(), (3, 14, 9), "another size", "how") == (
        "written, for 3x14x9: it was of net (Net) for 3x12x11"
    )
    assert Golden.load(folder, "net").size == (3, 14, 9)


def test_an_update_needs_a_reason(folder: Path) -> None:
    with pytest.raises(ReproError, match="the reason is empty"):
        update(folder, "net", source(other_eps), None, " ", "how")


def test_a_damaged_golden_may_have_lost_its_size(folder: Path) -> None:
    damage_all(folder, "net")
    with pytest.raises(ReproError, match="expected it as --input-size CxHxW, or input_size in Python"):
        update(folder, "net", source(), None, "it was damaged", "how")
    assert (folder / "net.json").read_text() == "{}"


@pytest.mark.parametrize("damaged", ["{", "[]", '{"network": 3, "size": "x"}', "\xff"])
def test_what_a_damaged_golden_says_is_not_believed(damaged: str, folder: Path) -> None:
    (folder / "net.json").write_bytes(damaged.encode("latin1"))
    (result,) = check_one(folder, "net")
    assert "repro golden update NETWORK --input-size CxHxW" in result.message


def test_lost_json_is_told(folder: Path) -> None:
    (folder / "net.json").unlink()
    (result,) = check_one(folder, "net", source())
    assert "there is no such golden; there are numbers of it, which cannot be used alone" in result.message
    told = update(folder, "net", source(), SIZE, "it was lost", "how")
    assert told == "written, for 3x12x11: new; numbers whose JSON was lost are removed"
    assert len(list(folder.iterdir())) == 2


def test_a_golden_of_a_test_is_not_replaced_by_one_of_the_catalog(golden: Golden, tmp_path: Path) -> None:
    dataclasses.replace(golden, network="lenet5 (function)").save(tmp_path, "lenet5")
    (result,) = check_one(tmp_path, "lenet5")
    assert result.outcome is Outcome.SKIP
    with pytest.raises(ReproError, match=r"is a golden of lenet5 \(function\), and not of repro:lenet5"):
        update(tmp_path, "lenet5", resolve("repro:lenet5"), None, "why", "how")
    assert Golden.load(tmp_path, "lenet5").network == "lenet5 (function)"


def test_one_network_under_the_name_of_another_is_told(golden: Golden, tmp_path: Path) -> None:
    dataclasses.replace(golden, network="repro:alexnet").save(tmp_path, "lenet5")
    (result,) = check_one(tmp_path, "lenet5")
    assert result.outcome is Outcome.ERROR
    assert "named as one of repro:lenet5, and is a golden of repro:alexnet" in result.message


def test_another_size_is_asked_for_where_one_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ReproError, match="--input-size CxHxW, or input_size in Python, asks for another size"):
        update(tmp_path, "net", source(), (1, 12, 12), "why", "how")


def test_a_golden_under_a_name_of_its_own_is_updated_under_it(
    golden: Golden, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--golden-dir", str(tmp_path)]
    update(tmp_path, "mine", resolve("repro:lenet5"), (1, 34, 34), "the first one", "how")
    damage_numbers(tmp_path, "mine")
    assert cli.main(["golden", "check", *folder]) == 2
    assert f'make it anew: repro golden update mine --golden-dir {tmp_path} --reason "..."' in told(capsys)
    assert cli.main(["golden", "update", "mine", *folder, "--reason", "it was damaged"]) == 0
    assert "written, for 1x34x34: in place of a damaged one" in told(capsys)
    assert store.names(tmp_path) == ["mine"]
    (tmp_path / "mine.json").write_text((tmp_path / "mine.json").read_text().replace("damaged", "damage"))
    assert cli.main(["golden", "check", *folder]) == 2
    call = f"repro.update_golden('repro:lenet5', 'mine', input_size=[1, 34, 34], golden_dir='{tmp_path}', reason"
    assert call in told(capsys)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_aliases_are_one_network_in_either_spelling(tmp_path: Path) -> None:
    assert specification("repro:resnet18_v1_5") == "repro:resnet18"
    assert golden_name("repro:resnet18_v1_5") == "resnet18"


def test_a_golden_of_another_format_can_be_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FORMAT", 2)
    (result,) = check_one(folder, "net", source())
    assert "it has format 1, and this version of repro reads 2; restore it" in result.message
    assert update(folder, "net", source(), SIZE, "another format", "how").endswith("in place of a damaged one")
    assert [result.outcome for result in check_one(folder, "net", source())] == [Outcome.PASS] * 6


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not read everything")
def test_a_folder_that_cannot_be_read_is_told(folder: Path) -> None:
    folder.chmod(0)
    try:
        with pytest.raises(ReproError, match="it cannot be read: Permission denied"):
            store.names(folder)
    finally:
        folder.chmod(0o700)


def test_what_to_do_about_a_change_is_told_with_the_folder(
    golden: Golden, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(resolve("repro:lenet5"), (1, 34, 34), "why", "how")
    dataclasses.replace(made, sums=made.sums * 1.001).save(tmp_path, "lenet5")
    assert cli.main(["golden", "check", "--golden-dir", str(tmp_path)]) == 1
    hint = f'If a change was meant: repro golden update NAME --golden-dir {tmp_path} --reason "..." and look at the'
    assert hint in told(capsys)


def test_a_golden_with_damaged_numbers_has_its_size(folder: Path) -> None:
    damage_numbers(folder, "net")
    told = update(folder, "net", source(), None, "it was damaged", "how")
    assert told == "written, for 3x12x11: in place of a damaged one"


def test_an_update_mends_a_damaged_golden(folder: Path) -> None:
    (folder / "net.json").write_text("{}")
    assert (
        update(folder, "net", source(), SIZE, "it was damaged", "how")
        == "written, for 3x12x11: in place of a damaged one"
    )
    assert [result.outcome for result in check_one(folder, "net", source())] == [Outcome.PASS] * 6
    assert len(list(folder.iterdir())) == 2


# --- the commands ------------------------------------------------------------------------------------------------


def test_the_command_checks_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "mine")
    assert cli.main(["golden", "update", "lenet5", "--golden-dir", folder, "--reason", "the first one"]) == 0
    assert capsys.readouterr().out.split() == ["lenet5", "written,", "for", "1x32x32:", "new"]
    assert cli.main(["golden", "check", "lenet5", "--golden-dir", folder]) == 0
    out = capsys.readouterr().out
    assert "1 golden; checks: 6 pass, 0 fail" in out
    assert max(map(len, out.splitlines())) <= 80
    assert cli.main(["golden", "update", "lenet5", "--golden-dir", folder, "--reason", "again"]) == 0
    assert "kept: nothing moved" in capsys.readouterr().out


def test_the_command_reports_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "left.0123456789ab.safetensors").write_bytes(b"")
    assert cli.main(["golden", "check", "lenet5", "--golden-dir", str(tmp_path), "--format", "json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert [result["outcome"] for result in report["results"]] == ["error"]
    assert report["unused"] == [str(tmp_path / "left.0123456789ab.safetensors")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "--golden-dir", "nowhere"], "nowhere: no such folder"),
        (["check", "resnet181"], "closest: resnet18"),
        (["check", "nets.lenet5"], "closest: lenet5"),
        (["update", "lenet5", "--reason", ""], "the reason is empty"),
        (["update", "lenet5", "--reason", "caf\udce9"], "expected text in UTF-8"),
        (["update", "lenet5", "--reason", "x", "--golden-dir", "file"], "it is a file; expected a folder"),
        (["check", "--golden-dir", "file"], "file: it is a file"),
        (["update", "lenet5", "--reason", "x", "--input-size", "3x8x8"], "repro:lenet5"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["golden", *arguments]) == 2
    assert told in " ".join(" ".join(capsys.readouterr()).split())
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


NETS = """
import torch
from torch import nn

class Casts(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm((x.half().float() @ x.transpose(2, 3)).half())

class Draws(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)

class Whole(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)).tanh()
"""


@pytest.mark.parametrize(
    ("name", "told"), [("Draws", "draws random numbers in eval mode"), ("Casts", "cannot be computed in float64")]
)
def test_what_cannot_be_held_still_is_told(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nets_to_hold.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.main(["golden", "update", f"nets_to_hold:{name}", "--reason", "why", "--input-size", "8"]) == 2
    assert told in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "golden").exists()


def test_a_network_of_ones_own_by_either_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nets_to_hold.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.main(["golden", "update", "nets_to_hold:Whole", "--reason", "why", "--input-size", "8"]) == 0
    capsys.readouterr()
    assert cli.main(["golden", "check", "Whole"]) == 2
    assert "is called 'Whole'; closest: nets_to_hold.Whole" in capsys.readouterr().err
    for arguments in ([], ["nets_to_hold:Whole"], ["nets_to_hold.Whole"]):
        assert cli.main(["golden", "check", *arguments]) == 0
        assert "1 golden; checks: 6 pass, 0 fail" in capsys.readouterr().out
    assert "--input-size 3x8x8" in (tmp_path / "golden" / "nets_to_hold.Whole.json").read_text()
    assert cli.main(["golden", "update", "nets_to_hold.Whole", "--reason", "again"]) == 0
    assert "kept: nothing moved" in capsys.readouterr().out


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["golden", "check", "--golden-dir", str(tmp_path)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "there is no golden" in told
    assert f"repro golden update NETWORK --input-size CxHxW --golden-dir {tmp_path}" in told


def test_what_was_asked_for_is_what_the_remedy_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["golden", "check", "torchvision:resnet18", "--golden-dir", str(tmp_path)]) == 2
    told = " ".join(capsys.readouterr().out.split())
    assert f"repro golden update torchvision:resnet18 --golden-dir {tmp_path}" in told
    assert cli.main(["golden", "check", "mynets:net", "--golden-dir", str(tmp_path)]) == 2
    assert "there is no golden of it, and " in " ".join(capsys.readouterr().out.split())


def test_one_that_cannot_be_made_leaves_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["torchvision:nothing", "lenet5"]
    arguments = ["golden", "update", *names, "--golden-dir", str(tmp_path), "--reason", "why", "--format", "json"]
    assert cli.main(arguments) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["updated"].keys() == {"lenet5"}
    assert report["failed"].keys() == {"torchvision.nothing"}


# --- the library -------------------------------------------------------------------------------------------------


def test_a_module_of_ones_own(tmp_path: Path) -> None:
    network = source().build()
    assert not check_golden(network, "mine", golden_dir=tmp_path).passed
    assert (
        update_golden(network, "mine", reason="first", golden_dir=tmp_path, input_size=SIZE)
        == "written, for 3x12x11: new"
    )
    report = check_golden(network, "mine", golden_dir=tmp_path)
    assert report.passed
    report = check_golden(network, "mine", golden_dir=tmp_path, input_size=16)
    assert "the golden is for inputs of 3x12x11, not of 3x16x16" in str(report)
    other_eps(network)
    report = check_golden(network, "mine", golden_dir=tmp_path)
    assert not report.passed
    assert "blocks.1.norm: moved by" in str(report)


@pytest.mark.parametrize("name", [None, "", "../elsewhere", "a/b", ".hidden/", "net."])
def test_a_name_must_be_one_of_a_file(tmp_path: Path, name: str | None) -> None:
    with pytest.raises(ReproError, match="expected one that can be a file's"):
        update_golden(source().build(), name, reason="why", golden_dir=tmp_path)


def test_a_specification_names_its_golden(tmp_path: Path) -> None:
    assert update_golden("repro:lenet5", reason="first", golden_dir=tmp_path) == "written, for 1x32x32: new"
    assert store.names(tmp_path) == ["lenet5"]
    assert resolve("repro:lenet5").spec == Golden.load(tmp_path, "lenet5").network
