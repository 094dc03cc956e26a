"""Every pair of choices of ``[verilog]``, kind, engine and host: Verilog that three tools take and a bench runs."""

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.rtl_gen import generate
from tests.rtl_gen.test_generate import run_bench

CHOICES = {
    "chip": ("tnsa16-core", "pwm16-core"),
    "wrap": ("wishbone", "axil", "none"),
    "verilog.test": (False, True),
    "verilog.clock_gate": ("none", "module"),
    "verilog.reset": ("sync", "async_low"),
    "programming.engine": (True, False),
}
"""Tiles are among the tests of minutes, with all combinations."""

Choice = dict[str, object]


def _pairs(choice: Choice) -> set[tuple[object, ...]]:
    return set(itertools.combinations(choice.items(), 2))


def _all(**more: tuple[object, ...]) -> Iterator[Choice]:
    choices = CHOICES | more
    return (dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values()))


def covering() -> list[Choice]:
    """Few combinations in which each pair of choices is."""
    everything = list(_all())
    missing = set.union(*map(_pairs, everything))
    rows: list[Choice] = []
    while missing:
        rows.append(max(everything, key=lambda choice: len(_pairs(choice) & missing)))
        missing -= _pairs(rows[-1])
    return rows


def _word(choice: Choice) -> str:
    return " ".join(f"{name.rpartition('.')[2]}={value}" for name, value in choice.items())


def accepted(choice: Choice, folder: Path) -> str:
    """The top of a combination whose Verilog Verilator, Icarus and Yosys take without a word."""
    chip, wrap, *settings = choice.items()
    design = generate(load_chip(str(chip[1]), dict(settings)), folder, wrap=str(wrap[1]))
    top, rtl = design.top, (folder / f"{design.top}.f").read_text().split()
    (stub,) = (str(path.relative_to(folder)) for path in (folder / "stubs").iterdir())
    script = f"read_verilog {' '.join([*rtl, stub])}; hierarchy -check -top {top}; proc; check -assert"
    for command in (
        ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", stub, "--top-module", top],
        ["iverilog", "-g2005", "-Wall", "-o", "sim", *rtl, stub],
        ["yosys", "-q", "-p", script],
    ):
        run = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, ""), command[0]
    return top


def test_rows_hold_every_pair_and_are_few() -> None:
    rows = covering()
    assert set.union(*map(_pairs, rows)) == set.union(*map(_pairs, _all()))
    assert len(rows) <= 9


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys", "cocotb")
@pytest.mark.parametrize("choice", covering(), ids=_word)
def test_a_combination_is_taken_by_all_tools_and_runs(choice: Choice, tmp_path: Path) -> None:
    accepted(choice, tmp_path)
    assert "FAIL=0" in run_bench(tmp_path, ["make", "SIM=icarus"])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.cosim("verilator", "iverilog", "yosys", "cocotb")
@pytest.mark.parametrize("programs", [False, True], ids=["core", "tile"])
@pytest.mark.parametrize("choice", list(_all(chip=(*CHOICES["chip"], "array-32"))), ids=_word)
def test_every_combination_is_taken_by_all_tools(choice: Choice, programs: bool, tmp_path: Path) -> None:
    accepted(choice | {"tile.programs": programs}, tmp_path)
    assert "FAIL=0" in run_bench(tmp_path, ["make", "SIM=icarus"])


@pytest.mark.slow
@pytest.mark.cosim("verilator")
def test_waivers_name_signals(tmp_path: Path) -> None:
    """No rule is off for a whole file but that of the file's name; what is new in a file is said."""
    top = generate(load_chip("tnsa16-core"), tmp_path).top
    rules = [line for line in (tmp_path / f"{top}.vlt").read_text().splitlines() if line.startswith("lint_off")]
    assert all(" -match " in line or "DECLFILENAME -file" in line for line in rules)
    path = tmp_path / "rtl/decision.v"
    text = path.read_text()
    assert text.count("\nendmodule") == 1
    path.write_text(text.replace("\nendmodule", "\n  wire never_read = 1'b0;\nendmodule"))
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", "stubs/tnsa_macro.v",
            "--top-module", top]
    run = subprocess.run(lint, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "'never_read'" in run.stderr
    assert run.stderr.count("%Warning-") == 1
