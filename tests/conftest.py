"""What all tests share: skipping where a tool is missing, and reproducible hypothesis."""

import importlib.util
import os
import shutil
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.failing_example import line_to_add

# The same examples in every run, so that a failure is a change of the code; no time limit, because machines differ.
# ./run long takes others each time (--hypothesis-profile=new), and begins with those that failed.
settings.register_profile("mho", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("new", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("mho")

# A shell that starts tests in the background has them, and all that they start, ignore interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Simulations of tests are short, and building them is most of their time. Set before anything of `sim` is imported.
os.environ.setdefault("MHO_OPTIMISE", "-O1")

_COSIM_TOOLS = ("verilator", "g++", "make", "cocotb")
"""Tools of a bare ``@pytest.mark.cosim``; ``@pytest.mark.cosim("yosys")`` names others."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print what hypothesis found as a line to add to the suite."""
    report = yield
    strategies = getattr(getattr(getattr(item, "function", None), "hypothesis", None), "_given_kwargs", {})
    if report.failed and (line := line_to_add(report.longreprtext, strategies)):
        report.sections.append(("a line to add to the suite", f"{line}\n"))
    return report


def _present(tool: str) -> bool:
    if tool == "cocotb":
        return importlib.util.find_spec("cocotb") is not None
    return shutil.which(tool) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("cosim"):
            missing = [tool for tool in marker.args or _COSIM_TOOLS if not _present(tool)]
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"{', '.join(missing)} not found on the PATH"))
