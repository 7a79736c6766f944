"""The pytest plugin: fixtures that hold an implementation against the one it should be equal to.

    def test_my_port(assert_equivalent):
        assert_equivalent(my_resnet(), torchvision.models.resnet18(), torch.randn(2, 3, 64, 64))

A failure ends in the test, with the report. torch is imported by the first call, so that a suite that does not use the
fixtures pays nothing. The golden of a network is made by `pytest --repro-golden-update REASON`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import repro

WIDTH = 71  # of a report in an assertion: pytest puts eight columns before it


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("repro", "repro: proving that two networks are the same")
    group.addoption(
        "--repro-seed",
        type=int,
        default=0,
        metavar="N",
        help="of closed-form weights and images, cotangents and dropout masks (default: 0)",
    )
    group.addoption(
        "--repro-golden-dir",
        metavar="DIR",
        default="golden",
        help="the folder of goldens, from the root of the tests (default: %(default)s)",
    )
    group.addoption(
        "--repro-golden-update",
        metavar="REASON",
        help="make goldens that are missing or no longer hold, instead of failing; say why",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    """The versions that a verdict depends on, with -v."""
    if config.get_verbosity() < 1:
        return None
    from repro.render import json

    found = json.environment()
    return f"repro: {repro.__version__}, " + ", ".join(
        f"{name}-{found[name]}" for name in ("torch", "torchvision", "timm")
    )


@pytest.fixture(scope="session")
def assert_equivalent(pytestconfig: pytest.Config) -> Callable[..., repro.Report]:
    """`(actual, expected, inputs, *, checks)`: assert that two modules with their weights are the same network."""
    return _told_briefly("assert_equivalent", seed=pytestconfig.getoption("repro_seed"))


@pytest.fixture(scope="session")
def compare_networks(pytestconfig: pytest.Config) -> Callable[..., repro.Report]:
    """`(first, second, inputs, *, input_size)`: compare two networks; the report is true if they are equal."""
    return _told_briefly("compare", seed=pytestconfig.getoption("repro_seed"))


@pytest.fixture(scope="session")
def map_state_dict() -> Callable[..., dict[str, Any]]:
    """`(source, target, inputs)`: the weights of one module as a state_dict for another that is equal to it."""
    return _told_briefly("map_state_dict")


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Callable[..., repro.Report]:
    """`(network, name, *, input_size)`: assert that a network with closed-form weights does what its golden holds."""
    folder = pytestconfig.rootpath / pytestconfig.getoption("repro_golden_dir")
    reason = pytestconfig.getoption("repro_golden_update")
    check, update = _told_briefly("check_golden", golden_dir=folder), _told_briefly("update_golden", golden_dir=folder)

    def golden(network: Any, name: str | None = None, *, input_size: Any = None) -> repro.Report:
        __tracebackhide__ = True
        if reason is not None:
            update(network, name, reason=reason, input_size=input_size)
        report: repro.Report = check(
            network, name, input_size=input_size, remedy='pytest --repro-golden-update "REASON"'
        )
        if not report.passed:
            from repro.render import text
            from repro.result import Outcome

            told = "\n".join(text.verdicts(report, WIDTH))
            if any(result.outcome is Outcome.FAIL for result in report):
                told += '\nif the change was meant: pytest --repro-golden-update "why"'
                raise AssertionError(f"{report[0].subject} does not compute what its golden holds\n{told}")
            raise AssertionError(f"{report[0].subject} cannot be held against its golden\n{told}")
        return report

    return golden


def _told_briefly(name: str, **defaults: Any) -> Callable[..., Any]:
    """A function of `repro` whose errors are told without the frames in which they came about."""

    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        from repro.errors import ReproError

        try:
            return getattr(repro, name)(*args, **{**defaults, **kwargs})
        except ReproError as error:
            raise error.with_traceback(None) from None

    call.__name__ = call.__qualname__ = name  # as pytest shows it among the arguments of a test that failed
    return call
