"""``mho verify core`` fails for macros that are wrong in one thing: more than 20 of each kind whose cells are given."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError, ToolError
from mho.sim.build import simulators
from mho.sim.build.simulators import Simulator
from mho.sim.core.bench import verify
from tests.sim.core.bench.mutants import Mutant, mutant_chip
from tests.sim.core.test_generated_macro import as_users

OPERATIONS = 6

CHIPS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "array": ("array-32", {"core.rows": 16, "core.columns": 16, "adc.columns": 4}),
    "pwm": ("pwm16-core", {}),
    "engine": ("pwm16-core", {"programming.engine": True}),
    "sram": ("sram-64", {"core.rows": 16, "core.columns": 32}),
}


def wires(**pins: str) -> Mutant:
    return Mutant(pins=pins)


def quick(said: str = "must be as in the model", **pins: str) -> Mutant:
    return Mutant(pins=pins, said=said, quick=True)


def law(right: str, wrong: str, *, quick: bool = False) -> Mutant:
    return Mutant(law=[(right, wrong)], said="must be as in the model", quick=quick)


ROWS = {
    "rows of the other polarity": quick(row_pos="row_neg", row_neg="row_pos"),
    "rows reversed": wires(row_pos="turned(row_pos)", row_neg="turned(row_neg)"),
    "rows off by one": wires(row_pos="next(row_pos)", row_neg="next(row_neg)"),
    "negative rows not connected": wires(row_neg="16'd0"),
    "positive rows not connected": wires(row_pos="16'd0"),
    "a row stuck at 0": wires(row_pos="row_pos & 16'hffdf"),
    "a row stuck at 1": wires(row_pos="row_pos | 16'h0020"),
    "word lines inverted": wires(wl_en="~wl_en"),
    "word lines reversed": quick(wl_en="turned(wl_en)"),
    "word lines off by one": wires(wl_en="next(wl_en)"),
    "a word line stuck off": wires(wl_en="wl_en & ~64'd2"),
    "a word line follows another": quick(wl_en="{wl_en[14], wl_en[14:0]}"),
    "capture never": wires(capture="1'b0"),
    "hold stuck": wires(hold="1'b1"),
}
STEPS = {
    "step_code shifted": wires(step_code="{step_code[14:0], 1'b0}"),
    "step_code reversed": wires(step_code="turned(step_code)"),
    "step_code with a bit stuck": wires(step_code="step_code | 16'h0100"),
    "a step is rounded down": law("wanted - step > 0.5 || (wanted - step == 0.5 && step[0])", "1'b0"),
    "a step is rounded up at a half": law(
        "wanted - step > 0.5 || (wanted - step == 0.5 && step[0])", "wanted - step >= 0.5", quick=True),
}
SAMPLES = {
    "sample never": wires(sample="1'b0"), "sample inverted": wires(sample="~sample"),
    "sample a cycle late": wires(sample="late_sample"), "capture inverted": wires(capture="~capture"),
    "group stuck": wires(group="1'b0"), "group inverted": wires(group="~group"),
    "group a cycle late": wires(group="late_group"),
}
MUTANTS: Mapping[str, Mapping[str, Mutant]] = {
    "array": ROWS | STEPS | SAMPLES | {
        "codes reversed": wires(codes="turned(inner_codes)"),
        "columns swapped": quick(codes="{inner_codes[31:16], inner_codes[7:0], inner_codes[15:8]}"),
        "codes with a bit stuck": wires(codes="inner_codes | 32'h00000200"),
        "codes a bit off": wires(codes="next(inner_codes)"),
        "a half is rounded down": law("2 * q + step", "2 * q + step - 1", quick=True),
        "codes are rounded down": law("2 * q + step", "2 * q"),
        "codes have one end": law("code > 128 - 1 ? 128 - 1 : code < -128 ? -128 : code", "code"),
        "the least code is never given": law(
            "code < -128 ? -128 : code", "code < -127 ? -127 : code", quick=True),
        "columns of a pair swapped": law("level * weight", "-level * weight"),
        "charges are kept": law("charges[1 * column + side] + q", "charges[1 * column + side] + q + 1"),
        "write_mode never": wires(write_mode="1'b0"),
        "write_wl off by one": quick(
            "verify reads must be the codes of the cells", write_wl="next(write_wl)"),
        "write_wl reversed": wires(write_wl="turned(write_wl)"),
        "write_sl reversed": wires(write_sl="turned(write_sl)"),
        "write_sl stuck": wires(write_sl="16'd1"),
        "write_sl with a pair swapped": wires(write_sl="{write_sl[15:2], write_sl[0], write_sl[1]}"),
        "SET inverted": wires(set_pulse="~set_pulse"),
        "SET never": quick("SET pulses changed no cell", set_pulse="1'b0"),
        "RESET never": wires(reset_pulse="1'b0"),
        "SET and RESET swapped": quick(
            "SET pulses must raise cells", set_pulse="reset_pulse", reset_pulse="set_pulse"),
        "FORM lowers": wires(form_pulse="1'b0", reset_pulse="reset_pulse | form_pulse"),
        "amplitude stuck": wires(amplitude="8'd16"),
        "amplitude reversed": wires(amplitude="turned(amplitude)"),
        "verify never": wires(verify="1'b0"),
        "verify reads are 8 codes too high": Mutant(
            law=[("cells[selected] / 4", "cells[selected] / 4 + 8")], said="+8 off in the mean", quick=True),
        "verify reads are halves": Mutant(
            law=[("cells[selected] / 4", "cells[selected] / 8")], said="codes of the cells that it was given"),
        "verify_code reversed": wires(verify_code="turned(inner_verify_code)"),
        "verify_code with a bit stuck": wires(verify_code="inner_verify_code | 32'd32"),
    },
    "pwm": ROWS | STEPS | {
        "word lines all on": wires(wl_en="~64'd0"),
        "positive devices always driven": quick(device_pos="1'b1"),
        "negative devices not driven": wires(device_neg="1'b0"),
        "positive devices not driven": wires(device_pos="1'b0"),
        "start never": wires(start="1'b0"), "start inverted": wires(start="~start"),
        "capture inverted": wires(capture="~capture"), "capture early": wires(capture="start"),
        "shift stuck": wires(shift="3'd0"), "shift reversed": wires(shift="turned(shift)"),
        "count_row stuck": wires(count_row="1'b0"), "count_row inverted": wires(count_row="~count_row"),
        "counters swapped": quick(count_pos="inner_count_neg", count_neg="inner_count_pos"),
        "counters reversed": wires(count_pos="turned(inner_count_pos)"),
        "counters with a bit stuck": wires(count_pos="inner_count_pos | 24'h8"),
        "columns swapped": wires(
            count_pos="{inner_count_pos[11:0], inner_count_pos[23:12]}",
            count_neg="{inner_count_neg[11:0], inner_count_neg[23:12]}"),
        "currents are rounded up": law("(q << 17) / (192 * step)", "((q << 17) + 192 * step - 1) / (192 * step)"),
        "a phase begins at 0": law("524288", "0", quick=True),
        "a window is left out": law("grown(nn)", "0"),
        "no highest frequency": law("u > 64'd442499072 ? 64'd442499072 : u", "u"),
        "pulses are twice as long": law("ticks_pp[row] + device_pos", "ticks_pp[row] + 2 * device_pos"),
    },
    "engine": {
        "pulses never": quick("must count less after a pulse of 255 than of 0", pulse="1'b0"),
        "devices are never read": wires(verify="1'b0"), "products read devices": wires(verify="1'b1"),
        "amplitudes never written": wires(amplitude_write="1'b0"),
        "amplitudes of the first column alone": wires(amplitude_column="4'd0"),
        "amplitudes of columns reversed": quick(
            "must change in the columns that pulses are for", amplitude_column="turned(amplitude_column)"),
        "amplitudes of columns off by one": wires(amplitude_column="next(amplitude_column)"),
        "amplitudes reversed": wires(amplitude_data="{amplitude_data[8], turned(amplitude_data)}"),
        "amplitudes inverted": wires(amplitude_data="amplitude_data ^ 9'h0ff"),
        "amplitudes stuck": wires(amplitude_data="{amplitude_data[8], 8'd100}"),
        "a larger amplitude leaves more": Mutant(law=[("~amplitude[k][7:0]", "amplitude[k][7:0]")]),
        "devices come to no target": Mutant(law=[("~amplitude[k][7:0]", "{8{~amplitude[k][7]}}")],
                                            said="less than half of them did"),
        "counters swapped": wires(count_pos="inner_count_neg", count_neg="inner_count_pos"),
        "another line is pulsed": Mutant(
            law=[("wl_en[line]", "wl_en[line ^ 1]")], said="after a pulse of 255 than of 0", quick=True),
        "the first line is pulsed": Mutant(law=[("wl_en[line]", "line == 0")]),
        "word lines off by one": wires(wl_en="next(wl_en)"),
        "negative devices not driven": wires(device_neg="1'b0"),
    },
    "sram": ROWS | SAMPLES | {
        "plane stuck": quick(plane="3'd0"), "plane inverted": wires(plane="~plane"),
        "plane a cycle late": wires(plane="late_plane"),
        "sums reversed": wires(sums="turned(inner_sums)"), "sums with a bit stuck": wires(sums="inner_sums | 8'h10"),
        "columns swapped": quick(sums="{inner_sums[63:32], inner_sums[15:0], inner_sums[31:16]}"),
        "the highest bit counts up": law("-(1 << k)", "1 << k", quick=True),
        "bits from the other end": law("(8 * row + column) * 4 + k", "(8 * row + column) * 4 + 3 - k"),
        "sums are kept": law("totals[column] + ((level * weight) <<< plane_of)",
                             "totals[column] + ((level * weight) <<< plane_of) + 1"),
        "no row is negative": law("level * weight", "weight"),
    },
}


@cache
def wrong_chip(kind: str, folder: Path) -> Chip:
    return mutant_chip(load_chip(*CHIPS[kind]), list(MUTANTS[kind].values()), folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return {kind: tmp_path_factory.mktemp(f"mutants_{kind}") for kind in CHIPS}


def verified(chip: Chip, number: int, monkeypatch: pytest.MonkeyPatch, simulator: str = "verilator") -> str:
    name = f"{simulator}_build"
    build = getattr(simulators, name)

    def with_mutant(*chips: Chip, **options: object) -> Simulator:
        program = build(*chips, **options)
        return replace(program, program=(*program.program, f"+mutant={number}"))

    monkeypatch.setattr(verify, name, with_mutant)
    return verify.verify_core(chip, operations=OPERATIONS, simulator=simulator).macro


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kind", CHIPS)
def test_the_ideal_macro_is_verified(kind: str, folders: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    said = verified(wrong_chip(kind, folders[kind]), 0, monkeypatch)
    assert "behind its pins; cells given" in said
    assert ("32 devices programmed" in said) == (kind == "engine")
    assert kind != "array" or "256 of 256 programmed: the verify codes are the codes that multiply" in said


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("kind", ["sram", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("array", "pwm"))])
def test_icarus_says_the_same(kind: str, folders: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    chip = wrong_chip(kind, folders[kind])
    assert "cells given" in verified(chip, 0, monkeypatch, "icarus")
    wrong = list(MUTANTS[kind]).index("rows of the other polarity") + 1
    with pytest.raises(ToolError, match="must be as in the model"):
        verified(chip, wrong, monkeypatch, "icarus")


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(("kind", "name"), [
    pytest.param(kind, name, marks=() if mutant.quick else pytest.mark.long)
    for kind, mutants in MUTANTS.items() for name, mutant in mutants.items()
])
def test_a_wrong_macro_is_not(
    kind: str, name: str, folders: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ToolError) as error:
        verified(wrong_chip(kind, folders[kind]), list(MUTANTS[kind]).index(name) + 1, monkeypatch)
    assert "\n" not in str(error.value)
    assert MUTANTS[kind][name].said in str(error.value)


def test_a_model_that_takes_no_cells_is_refused(tmp_path: Path) -> None:
    chip = as_users(load_chip("pwm16-core"), tmp_path)
    model = tmp_path / "start_macro.v"
    model.write_text(model.read_text().replace("CELLS_FILE", "ANOTHER"))
    with pytest.raises(InputError, match=r"start_macro that takes its cells from \+cells=FILE where CELLS_FILE is def"):
        verify.verify_core(chip, operations=2)
