"""Models behind the pins in a cocotb test of the user's own, as the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.cosim import macro_of
from mho.hw.config import load_chip
from mho.macro_models import Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.rtl_gen.macro.body import python_body

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "howto" / "own-model.md").read_text(encoding="utf-8")

AGAIN = """
import cocotb
import mho.cosim
from test_noisy import CODES, OPERATION, TARGETS, Host

@cocotb.test()
async def noise_is_that_of_the_operation(dut):
    # Not of when it ran: operation 0 has the same noise again, in a simulator that has long been running.
    host = Host(dut)
    await host.start_up()
    model = mho.cosim.macro_of("tnsa16-core", TARGETS, device="rram-neurram", time="1d", seed=3)
    mho.cosim.behind_pins(dut, model)
    first = await host.run(OPERATION, codes=CODES, step=512)
    assert first == await host.run(OPERATION, codes=CODES, step=512)
"""


def make(folder: Path, *words: str, core: str = "core") -> str:
    """What `make` says, called in the folder of the reader's tests."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "COCOTB_ANSI_OUTPUT": "0"}
    done = subprocess.run(
        ["make", "-f", f"../{core}/tb/Makefile", *words], cwd=folder / "mine", env=environment, capture_output=True,
        text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a reader of the page has: the design, and the tests that stand there."""
    mho.Chip.load("tnsa16-core").generate(tmp_path / "core")
    (tmp_path / "mine").mkdir()
    for name, text in re.findall(r'^```python title="([^"]+)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "mine/test_again.py").write_text(AGAIN, encoding="utf-8")
    return tmp_path


@pytest.mark.cosim
@pytest.mark.slow
def test_the_page_works_in_icarus_and_codes_are_those_of_the_model(folder: Path) -> None:
    said = make(folder, "MACRO=tnsa_macro_python.v", "COCOTB_TEST_MODULES=test_noisy,test_mine,test_again")
    assert "TESTS=3 PASS=3 FAIL=0" in said
    codes = [int(word) for word in re.search(r"half steps: \[(.*)\]", said)[1].split(", ")]  # pyright: ignore
    targets = np.random.default_rng(0).uniform(1, 40, (16, 16))
    model = macro_of("tnsa16-core", targets, device="rram-neurram", time="1d", seed=3)
    all_lines, none = np.ones(16, bool), np.zeros(16, bool)
    result = model.mvm(
        TnsaOperation(in_bits=4, in_signed=True, out_bits=8, step_code=512), Masks(all_lines, all_lines, none, none),
        np.array([[3, -1, 0, 7, 0, 0, 2, -5]]), 0)
    assert codes == result.codes[0].tolist()


@pytest.mark.cosim
@pytest.mark.slow
def test_a_law_of_the_readers_own_answers_for_another_kind(folder: Path) -> None:
    mho.Chip.load("array-32").generate(folder / "array")
    assert "PASS=1" in make(folder, "MACRO=array_macro_python.v", "COCOTB_TEST_MODULES=test_law", core="array")


@pytest.mark.cosim
@pytest.mark.slow
def test_a_macro_in_verilog_may_lie_beside_the_readers_tests(folder: Path) -> None:
    text = (folder / "core/tb/tnsa_macro.v").read_text(encoding="utf-8")
    (folder / "mine/my_macro.v").write_text(text, encoding="utf-8")
    assert "PASS=3" in make(folder, "MACRO=my_macro.v")
    with pytest.raises(AssertionError, match=r"must name files here or in .*/core/tb; there is no my_macr.v"):
        make(folder, "MACRO=my_macr.v")


@pytest.mark.cosim
@pytest.mark.long
def test_the_page_works_in_verilator(folder: Path) -> None:
    make(folder, "SIM=verilator", "MACRO=tnsa_macro_python.v", "COCOTB_TEST_MODULES=test_noisy")


@pytest.mark.cosim
@pytest.mark.slow
def test_a_bench_without_the_body_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(AssertionError, match=r"must hold one macro of the module in tb/MACRO_python.v, not 0"):
        make(folder, "COCOTB_TEST_MODULES=test_mine")


@pytest.mark.parametrize("name", ["tnsa16-core", "pwm16-core"])
def test_a_body_knows_no_shell(name: str) -> None:
    text = python_body(load_chip(name), "array")
    assert "core_tb" not in text
    assert text.count("module array (") == 1
    assert "`" not in text
