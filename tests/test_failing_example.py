"""A failure of hypothesis is printed as a line to add to the suite, in ./run long as in any other run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.failing_example import line_to_add

ROOT = Path(__file__).parent.parent

_REPORT = """\
E       assert (70000 < 70000 or 2 < 2)
E       Failing test case: test_a(
E           x=70000,
E           chip='tnsa16-core',
E           xs=[0, 0],
E       )
E
E       You can reproduce this test case by temporarily adding @reproduce_failure('6.170.17', b'AEMB') as a decorator
"""

_SUITE = """\
import pytest
from hypothesis import given, strategies as st

@pytest.mark.parametrize("limit", [1000])
@given(x=st.integers())
def test_small(limit, x):
    assert x < limit
"""


def test_values_become_an_example() -> None:
    assert line_to_add(_REPORT, {"x", "xs"}) == "@example(x=70000, xs=[0, 0])"
    assert line_to_add(_REPORT.replace("70000,", "data(...),"), {"x"}) == "@reproduce_failure('6.170.17', b'AEMB')"
    assert line_to_add(_REPORT.replace("70000,", "<object at 0x1>,"), {"x"}).startswith("@reproduce_failure")
    assert line_to_add("E       assert False", {"x"}) == ""


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["mho", "new"])
def test_a_failure_prints_it(profile: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    (tmp_path / "test_small.py").write_text(_SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c",
               "/dev/null", "-m", "hypothesis", f"--hypothesis-profile={profile}", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\n@example(x=1000)\n" in done.stdout
