"""The pytest plugin, in suites of its own: what a user writes, and what a user then reads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torchvision  # noqa: F401  # a suite run in this process gives back what it imports, and torch cannot be imported twice

import repro.api

pytest_plugins = ["pytester"]

ROOT = Path(repro.__file__).parents[1]

REPOSITORY = Path(__file__).parents[1]  # the package itself may be installed elsewhere

# The check of a port that the README shows.
PORT = "import torch, torchvision\nimport mynets\n\n" + next(
    block
    for block in re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    if "def test_" in block
)

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, stride=1):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, stride, padding=1)
        self.third = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.third(self.second(self.first(x).sigmoid()).sigmoid()).mean((2, 3))

torch.manual_seed(0)
expected = Net()
images = torch.randn(2, 2, 8, 8)

def port(**changes):
    actual = Net(**changes)
    actual.load_state_dict(expected.state_dict())
    return actual
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite with the plugin and no other, whether or not the distribution is installed, on 80 columns."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    nets = pytester.mkdir("mine") / "nets.py"
    nets.write_text(NETS, encoding="utf-8")
    monkeypatch.syspath_prepend(nets.parent)
    pytester.makeini(
        """
        [pytest]
        addopts = -p repro.pytest_plugin -p no:cacheprovider
        filterwarnings =
            error
            ignore::pytest.PytestAssertRewriteWarning
        """  # the plugin is loaded here already where it is installed
    )
    return pytester


def run(suite: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """In this process, where torch is loaded already."""
    suite.makepyfile(test_it=test)
    return suite.runpytest_inprocess(*options)


def read(result: pytest.RunResult) -> str:
    """What is on the screen, without line ends: reports of at most 80 columns, and nothing of our own code."""
    long = [line for line in result.outlines if len(line) > 80]
    assert [line for line in long if "Error: " not in line and not line.startswith("rootdir: ")] == []
    text = " ".join(" ".join(line.removeprefix("E  ") for line in result.outlines).split())
    for internal in ("repro/", "Traceback", "_told_briefly", "def assert_equivalent", "with_traceback"):
        assert internal not in text
    return text


def test_the_port_of_the_readme_passes(suite: pytest.Pytester) -> None:
    suite.makepyfile(mynets="from repro.models import build\n\ndef resnet18():\n    return build('resnet18')")
    run(suite, PORT).assert_outcomes(passed=1)


def test_a_port_with_swapped_weights_fails_with_the_report(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        from nets import expected, images, port

        def test_port(assert_equivalent):
            actual = port()
            second, third = actual.second, actual.third
            second.weight, third.weight = third.weight, second.weight
            assert_equivalent(actual, expected, images)
        """,
    )
    result.assert_outcomes(failed=1)
    text = read(result)
    assert "> assert_equivalent(actual, expected, images)" in text
    assert "AssertionError: actual (Net) is not equivalent to expected (Net)" in text
    assert "values fail second.weight and third.weight are swapped" in text
    assert "actual.load_state_dict(repro.map_state_dict(expected, actual, inputs))" in text


def test_a_port_with_another_stride_fails_with_the_place(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        from nets import expected, images, port

        def test_port(assert_equivalent):
            assert_equivalent(port(stride=2), expected, images)
        """,
    )
    result.assert_outcomes(failed=1)
    text = read(result)
    assert "structure fail different for 3x2x8x8: convolution stride 2 here, 1 there; here second (" in text
    assert "(mine/nets.py:13)" in text


def test_a_mistake_is_told_in_a_sentence(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        from nets import expected, images

        def test_several_inputs(assert_equivalent):
            assert_equivalent(expected, expected, [images, images])

        def test_of_another_shape(compare_networks):
            compare_networks(expected, expected, images[:, :1])

        def test_of_another_network(map_state_dict):
            map_state_dict(expected, expected.first, images)
        """,
    )
    result.assert_outcomes(failed=3)
    text = read(result)
    assert "repro.errors.ReproError: inputs is a list; expected one tensor" in text
    assert "repro.graph.TraceError: first (Net): forward failed on an input of 3x1x8x8 in module 'first'" in text
    assert "repro.parity.convert.UnequalError: source and target are different for" in text
    assert "direct cause" not in text


GOLDEN = """
from nets import Net

def test_it_computes_what_it_did(golden):
    golden(lambda: Net(stride=STRIDE), "net", input_size=(2, 8, 8))
"""


def test_a_golden_is_made_on_request_and_then_holds(suite: pytest.Pytester) -> None:
    test = GOLDEN.replace("STRIDE", "1")
    result = run(suite, test)
    result.assert_outcomes(failed=1)
    assert 'there is no such golden; pytest --repro-golden-update "REASON"' in read(result)
    assert not (suite.path / "golden").exists()
    run(suite, test, "--repro-golden-update", "as ported").assert_outcomes(passed=1)
    assert '"reason": "as ported"' in (suite.path / "golden" / "net.json").read_text(encoding="utf-8")
    run(suite, test).assert_outcomes(passed=1)
    run(suite, test, "--repro-golden-dir", "elsewhere").assert_outcomes(failed=1)
    result = run(suite, GOLDEN.replace("STRIDE", "2"))
    result.assert_outcomes(failed=1)
    text = read(result)
    assert "does not compute what its golden holds" in text
    assert "if the change was meant: pytest --repro-golden-update" in text
    assert "golden.float64 fail second: 4x4x4, it was 4x8x8; all before it are as they were" in text


def test_the_other_fixtures_and_the_seed(suite: pytest.Pytester) -> None:
    result = run(
        suite,
        """
        import pytest, repro
        from nets import Net, expected, images, port

        @pytest.fixture(scope="session")
        def ported(map_state_dict):
            actual = Net()
            actual.load_state_dict(map_state_dict(expected, actual, images))
            return actual

        def test_map(ported, assert_equivalent):
            assert assert_equivalent(ported, expected, images, checks="values").passed

        def test_compare(compare_networks):
            assert compare_networks(Net, port, input_size=(2, 8, 8))
            assert not compare_networks(Net, port(stride=2), input_size=(2, 8, 8))

        def test_seed(compare_networks, monkeypatch):
            monkeypatch.setattr("repro.api.compare", lambda *_, seed: seed)
            assert compare_networks(1, 2) == 5
            assert compare_networks(1, 2, seed=6) == 6
        """,
        "--repro-seed=5",
    )
    result.assert_outcomes(passed=3)


def test_torch_is_imported_by_the_first_call_and_not_before(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import sys
        import pytest

        def test_of_something_else(assert_equivalent, compare_networks, map_state_dict):
            assert "torch" not in sys.modules

        def test_that_it_is_noticed(compare_networks):
            with pytest.raises(Exception, match="names no network"):
                compare_networks("x", "y")
            assert "torch" in sys.modules
        """
    )
    suite.runpytest_subprocess("-v").assert_outcomes(passed=2)


def test_versions_are_in_the_header_on_request(suite: pytest.Pytester) -> None:
    test = "def test_nothing(): pass"
    told = run(suite, test, "-v").stdout
    told.fnmatch_lines([f"repro: {repro.__version__}, torch-*, torchvision-*, timm-*"])
    run(suite, test).stdout.no_fnmatch_line("repro: *")


def test_options_and_fixtures_explain_themselves(suite: pytest.Pytester) -> None:
    suite.runpytest_inprocess("--help").stdout.fnmatch_lines(["repro: proving that two*", "*--repro-seed=N*"])
    listed = suite.runpytest_inprocess("--fixtures").stdout.str()
    for name in ("assert_equivalent", "compare_networks", "map_state_dict"):
        assert f"{name} [session scope]" in listed
    assert "assert that two modules with their weights are the same network" in " ".join(listed.split())


def test_an_installation_has_the_plugin() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"repro": "repro.pytest_plugin"}
