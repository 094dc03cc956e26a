"""The contract of the macro's pins: legal pins raise nothing, and each assertion fails on a fault of its own."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mho.hw.config import Chip, load_chip
from mho.rtl_gen.emit import boundary, module_texts
from mho.rtl_gen.kinds.tnsa import write_contract
from mho.rtl_gen.verilog.ports import module_ports

SHORT = {
    "timing.t_reset_ns": 30, "timing.t_plane_ns": 20, "timing.t_sample_ns": 30, "timing.t_compare_ns": 20,
    "timing.t_decrement_ns": 20, "programming.t_setup_ns": 20, "programming.t_verify_ns": 30,
}
RESET, PLANE, SAMPLE, COMPARE, DECREMENT, SETUP, VERIFY = 3, 2, 3, 2, 2, 2, 3
Row = dict[str, int]


def contract_text(chip: Chip) -> str:
    modules = module_texts(chip, "none")
    core = next(iter(modules))
    return write_contract(chip, core, modules[core], boundary(chip, "mho_"), "contract")


class Pins:
    """Rows of pins, one a cycle."""

    def __init__(self) -> None:
        self.now: Row = {"in_reset": 1, "wl_en": 0xFFFF, "step_code": 9, "programming_enable": 1}
        self.rows: list[Row] = []
        self.wait(2)
        self.now["in_reset"] = 0
        self.wait(2)

    def wait(self, count: int) -> None:
        self.rows += [dict(self.now) for _ in range(count)]

    def strobe(self, cycles: int, **pins: int) -> None:
        """An operation: pins that are high in its first cycle."""
        self.rows.append(self.now | pins)
        self.wait(cycles - 1)

    def conversion(self, *, backward: int, binary: int, planes: int, steps: int) -> None:
        side, negative = ("sl_pos", "sl_neg") if backward else ("bl_pos", "bl_neg")
        self.now |= {"backward": backward, "step_code": self.now["step_code"] + 1, "wl_en": 0xFF ^ planes}
        self.strobe(RESET, precharge=1)
        for plane in reversed(range(planes)):
            self.now |= {side: 0x0F0F >> plane, negative: 0xF0F0 & 0xF0F0 << plane & ~(0x0F0F >> plane), "plane": plane}
            self.wait(PLANE)
            for _ in range(2**plane):
                self.strobe(SAMPLE, sample=1)
        self.now |= {side: 0, negative: 0}
        for step in range(steps + 1):
            if step:
                self.now["dec_scale"] = steps - step if binary else 0
                self.strobe(DECREMENT, decrement=1)
            self.rows.append(self.now | {"compare": 1, "latch": int(binary or not step)})
            self.now["cmp"] = self.now.get("cmp", 0) * 5 + 3 & 0xFFFF
            self.wait(COMPARE - 1)
        self.wait(1)

    def programming(self) -> None:
        self.now |= {"write_mode": 1, "write_wl": 1, "write_bl": 1, "write_sl": 1}
        for amplitude, kind in ((40, "set_pulse"), (48, "reset_pulse")):
            self.strobe(VERIFY, verify=1)
            self.now["amplitude"] = amplitude
            self.wait(SETUP)
            self.rows += [self.now | {kind: 1} for _ in range(3)]
        self.strobe(VERIFY, verify=1)
        self.now["write_sl"] = 2
        self.strobe(VERIFY, verify=1)
        self.now |= {"write_mode": 0, "write_wl": 0, "write_bl": 0, "write_sl": 0}
        self.wait(2)


def legal() -> list[Row]:
    pins = Pins()
    pins.conversion(backward=0, binary=0, planes=4, steps=4)
    pins.conversion(backward=1, binary=1, planes=2, steps=3)
    pins.programming()
    return pins.rows


def at(rows: list[Row], pin: str, number: int = 0) -> int:
    """Row in which a pin is 1 for the ``number``-th time."""
    return [k for k, row in enumerate(rows) if row.get(pin)][number]


def put(pin: str, number: int = 0, after: int = 0, **values: int) -> Callable[[list[Row]], None]:
    """A fault: values in the row that is ``after`` that in which a pin is 1 for the ``number``-th time."""

    def fault(rows: list[Row]) -> None:
        rows[at(rows, pin, number) + after] |= values

    return fault


def cut(pin: str, number: int, after: int) -> Callable[[list[Row]], None]:
    """A fault: a row is missing."""

    def fault(rows: list[Row]) -> None:
        del rows[at(rows, pin, number) + after]

    return fault


def insert(pin: str, number: int, after: int, **values: int) -> Callable[[list[Row]], None]:
    """A fault: one more row, like the one at its place but for some values."""

    def fault(rows: list[Row]) -> None:
        place = at(rows, pin, number) + after
        rows.insert(place, rows[place] | values)

    return fault


def longer(rows: list[Row]) -> None:
    pins = Pins()
    pins.conversion(backward=0, binary=0, planes=1, steps=128)
    rows[:] = pins.rows


def every(condition: str, **values: int) -> Callable[[list[Row]], None]:
    def fault(rows: list[Row]) -> None:
        for row in rows:
            if row.get(condition):
                row |= values

    return fault


def without_pulses_between(rows: list[Row]) -> None:
    del rows[at(rows, "verify", 1) : at(rows, "verify", 1) + VERIFY]


FAULTS: dict[str, Callable[[list[Row]], None]] = {
    "one_operation_at_a_time": put("sample", compare=1),
    "no_operation_before_the_last_has_ended": cut("decrement", 0, 1),
    "precharge_begins_a_conversion": put("compare", 1, precharge=1, compare=0),
    "sample_after_precharge_or_sample": put("decrement", 0, sample=1, decrement=0),
    "compare_after_sample_or_decrement": put("decrement", 1, compare=1, decrement=0),
    "decrement_after_compare": put("compare", 1, decrement=1, compare=0),
    "never_both_polarities": put("sample", 0, bl_pos=3, bl_neg=1),
    "only_the_driven_side": put("sample", 0, sl_pos=1),
    "lines_rest_while_nothing_is_sampled": put("precharge", 0, bl_pos=1),
    "lines_rest_while_compared": put("compare", 0, 1, bl_pos=1),
    "lines_are_set_up_before_a_sample": cut("sample", 0, -1),
    "lines_are_stable_while_sampled": put("sample", 0, 1, bl_pos=2),
    "plane_is_stable_while_sampled": put("sample", 0, 1, plane=1),
    "side_is_stable_in_a_conversion": put("compare", 0, backward=1),
    "word_lines_are_stable_in_a_conversion": put("sample", 1, 1, wl_en=1),
    "step_is_stable_in_a_conversion": put("decrement", 0, step_code=77),
    "planes_from_the_top_down": put("sample", 8, plane=1),
    "plane_k_is_sampled_2_to_the_k_times": put("sample", 7, sample=0),
    "compare_after_all_planes": put("sample", 14, sample=0),
    "first_compare_sets_the_direction": put("compare", 0, latch=0),
    "converter_does_not_change": put("compare", 3, latch=1),
    "scale_of_a_count_is_0": put("decrement", 2, dec_scale=1),
    "scale_of_a_search_falls_by_one": put("decrement", 5, dec_scale=2),
    "at_most_127_decrements": longer,
    "cmp_is_kept_until_the_next_compare": put("decrement", 0, cmp=77),
    "programming_needs_its_enable": put("verify", 0, programming_enable=0),
    "one_pulse_at_a_time": put("set_pulse", 1, reset_pulse=1),
    "pulses_and_reads_need_the_mode": put("precharge", 0, -1, verify=1),
    "no_read_while_pulsed": put("set_pulse", 1, verify=1),
    "one_cell_is_selected": put("verify", 0, write_wl=3, write_bl=3),
    "word_line_and_bit_line_belong_together": put("verify", 0, write_bl=2),
    "array_belongs_to_one": put("write_mode", 1, precharge=1),
    "pulse_is_set_up": cut("set_pulse", 0, -1),
    "amplitude_is_stable_while_pulsed": put("set_pulse", 1, amplitude=41),
    "kind_of_pulse_does_not_change": put("set_pulse", 1, set_pulse=0, form_pulse=1),
    "cell_is_read_before_each_pulse": without_pulses_between,
    "read_lasts_its_time": put("verify", 0, 1, verify=1),
    "cell_is_stable_while_read": put("verify", 0, 1, write_sl=2),
}

BENCH = """
module bench;
  reg clk = 1'b0;
  reg [{top}:0] rows [0:4095];
  reg [{top}:0] row = 0;
  reg [1023:0] file;
  integer k, count;
  contract contract (.clk(clk), {connections});
  initial begin
    if ($value$plusargs("rows=%s", file) && $value$plusargs("count=%d", count)) begin
      $readmemh(file, rows);
      for (k = 0; k < count; k = k + 1) begin
        row = rows[k];
        #5 clk = 1'b1;
        #5 clk = 1'b0;
      end
    end
    $finish;
  end
endmodule
"""


class Simulator:
    """The contract alone, whose pins are rows of a file."""

    def __init__(self, folder: Path) -> None:
        text = contract_text(load_chip("tnsa16-core", SHORT)).split("\nbind ")[0]
        ports = list((module_ports(text.replace("LINES-1", "15"), "contract") or {}).values())
        self.places, low = {}, 0
        for port in ports[1:]:
            self.places[port.name] = low, port.width or 1
            low += port.width or 1
        connections = ", ".join(f".{n}(row[{low} +: {size}])" for n, (low, size) in self.places.items())
        (folder / "bench.sv").write_text(BENCH.format(top=low - 1, connections=connections))
        (folder / "contract.sv").write_text(text)
        command = ["verilator", "--binary", "--timing", "--assert", "-Wno-fatal", "-Wno-lint", "-O0", "-CFLAGS", "-O0",
                   "--top-module", "bench", "bench.sv", "contract.sv"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        self.folder = folder

    def run(self, rows: list[Row]) -> set[str]:
        """Names of the assertions that fail."""
        words = (sum(row.get(name, 0) << low for name, (low, _) in self.places.items()) for row in rows)
        (self.folder / "rows.hex").write_text("\n".join(f"{word:x}" for word in words) + "\n")
        command = ["obj_dir/Vbench", "+rows=rows.hex", f"+count={len(rows)}", "+verilator+error+limit+1000"]
        run = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        printed = run.stdout + run.stderr
        failed = set(re.findall(r"Assertion failed in \S*\.(\w+)", printed))
        assert failed or run.returncode == 0, printed
        return failed


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    return Simulator(tmp_path_factory.mktemp("contract"))


@pytest.mark.slow
@pytest.mark.cosim("verilator")
def test_legal_pins_break_nothing(simulator: Simulator) -> None:
    rows = legal()
    assert simulator.run(rows) == set()
    quiet = at(rows, "precharge") - 1
    rows[quiet:quiet] = [rows[quiet] | {"programming_enable": value} for value in (1, 0, 1)]
    assert simulator.run(rows) == set()


@pytest.mark.slow
@pytest.mark.cosim("verilator")
def test_each_assertion_fails_on_a_fault_of_its_own(simulator: Simulator) -> None:
    text = contract_text(load_chip("tnsa16-core", SHORT))
    assert set(FAULTS) == set(re.findall(r"^ *(\w+): (?:assert|assume)", text, re.MULTILINE))
    unseen = {}
    for name, fault in FAULTS.items():
        rows = legal()
        fault(rows)
        failed = simulator.run(rows)
        if name not in failed:
            unseen[name] = failed
    assert not unseen


@pytest.mark.slow
def test_contract_is_bound_to_the_pins_that_there_are() -> None:
    """Each input of the contract is bound to a net of the core, with and without programming, for both resets."""
    more = {"core.synchronise": ["cmp", "hold"], "core.manual": True, "verilog.test": True}
    for engine, reset, changes in ((True, "async_low", {}), (False, "sync", more)):
        chip = load_chip("tnsa16-core", {"programming.engine": engine, "verilog.reset": reset, **changes})
        text = contract_text(chip)
        module, binding = text.split("\nbind ")
        bound = set(re.findall(r"\.(\w+)\(", binding))
        assert bound == set(re.findall(r"^  input wire (?:\[[^\]]*\] )?(\w+)", module, re.MULTILINE))
        assert not re.search(r"@\w+@", text)
        assert ("~rst_n | soft_reset" in binding) == (reset == "async_low")
        assert ("programming_enable" in bound) == engine
        assert ("in_test" in bound, "manual_active" in binding) == (bool(changes), bool(changes))
