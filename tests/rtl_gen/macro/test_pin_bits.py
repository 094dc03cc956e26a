"""Every bit of a user's pins is where its own number says: in simulators, and after synthesis with the black box."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rtl_gen.macro.bitwise import (
    Case,
    run_icarus,
    run_netlist,
    run_verilator,
    signals,
    write_bench,
    write_case,
)


def _signal(name: str, k: int, inverted: bool = False):
    return lambda values: values[name] >> k & 1 ^ inverted


def _pin(name: str, number: int | None, inverted: bool = False):
    return lambda values: values[name, number] ^ inverted


def random_case(seed: int) -> Case:
    """A port list and a map of it: ranges of any direction and offset, buses shared and split, bits inverted, tied."""
    rng, case, count = random.Random(seed), Case(), [0]

    def port(direction: str, bits: int, *, scalar: bool = True) -> tuple[str, list[int | None], bool]:
        name, low = f"{rng.choice('ABYZ')}{count[0]}", rng.choice([0, 0, 1, 5])
        count[0] += 1
        limits = None if bits == 1 and scalar and rng.random() < 0.6 else (low, low + bits - 1)
        if limits is not None and rng.random() < 0.5:
            limits = (limits[1], limits[0])
        case.ports.append((name, direction, limits))
        return name, case.numbers(name), limits is not None and limits[0] < limits[1]

    def place(name: str, numbers: list[int | None], signal: str, bits: range, turned: bool, inverted: bool) -> None:
        """Bits of a signal on bits of a pin, the lowest number first or, turned, last."""
        for k, number in zip(bits, reversed(numbers) if turned else numbers, strict=True):
            if signals()[signal][1]:
                case.outputs[signal, k] = _pin(name, number, inverted)
            else:
                case.inputs[name, number] = _signal(signal, k, inverted)

    for signal, (width, driven) in signals().items():
        direction = "output" if driven else "input"
        parts, at = [], 0
        while at < width:
            size = min(width - at, rng.choice([width, width, max(1, width // 2), 3]))
            pad = rng.choice([0, 0, 0, 2])
            name, numbers, upwards = port(direction, size + pad, scalar=not pad)
            below = rng.randrange(pad + 1)
            used = numbers[below : below + size]
            text = name
            if pad or (used[0] is not None and rng.random() < 0.3):
                ends = (used[0], used[-1]) if upwards else (used[-1], used[0])
                text = f"{name}[{ends[0]}]" if size == 1 else f"{name}[{ends[0]}:{ends[1]}]"
            for number in numbers:
                if number not in used and not driven:
                    value = rng.randrange(2)
                    case.others += f'"{name}[{number}]" = {value}\n'
                    case.inputs[name, number] = lambda values, value=value: value
            turned, inverted = rng.random() < 0.3, rng.random() < 0.3
            text = f"{'!' if inverted else ''}{f'reverse({text})' if turned else text}"
            place(name, used, signal, range(at, at + size), turned, inverted)
            parts.insert(0, text)
            at += size
        case.pins.append(f"{signal} = \"{parts[0] if len(parts) == 1 else '{' + ', '.join(parts) + '}'}\"")
    case.others = f"[macro.ties]\n{case.others}" if case.others else ""
    rng.shuffle(case.ports)
    return case


def foundry_case() -> Case:
    """Reversed and offset ranges, split buses, binary addresses, a narrow converter of amplitudes, shared outputs."""
    case = Case(ports=[
        ("CK", "input", None), ("YP", "input", (0, 15)), ("YN", "input", (1, 16)), ("XP", "input", (15, 0)),
        ("XN", "input", (16, 1)), ("WLE_HI", "input", (7, 0)), ("WLE_LO", "input", (0, 7)), ("PRE_B", "input", None),
        ("PRE_R", "input", None), ("SMP", "input", None), ("PL", "input", (0, 2)), ("CTL", "input", (0, 3)),
        ("STEP", "input", (11, 0)), ("SC", "input", (2, 0)), ("TRIM", "input", (0, 5)), ("CMPB", "output", (0, 15)),
        ("ROW", "input", (0, 3)), ("ROW_EN_B", "input", None), ("COL_HI", "input", (1, 0)), ("COL_LO", "input", (0, 1)),
        ("W_MODE", "input", None), ("SETP", "input", None), ("RSTP_B", "input", None), ("FRM", "input", None),
        ("DAC", "input", (5, 0)), ("VFY", "input", None), ("CODE", "output", (0, 11)), ("RDY", "output", None),
    ])
    case.pins = [
        'clk = "CK"', 'backward = "CTL[0]"', 'bl_pos = "XP"', 'bl_neg = "XN"', 'sl_pos = "YP"', 'sl_neg = "YN"',
        'wl_en = "{WLE_HI, WLE_LO}"', 'precharge = ["!PRE_B", "PRE_R"]', 'sample = "SMP"', 'plane = "PL"',
        'compare = "CTL[2]"', 'latch = "CTL[3]"', 'decrement = "CTL[1]"', 'dec_scale = "SC"',
        'step_code = "saturate(STEP)"', 'cmp = "!CMPB"', 'hold = "!RDY"', 'write_mode = "W_MODE"',
        'write_wl = "binary(ROW, !ROW_EN_B)"', "write_bl = 0", 'write_sl = "binary({COL_HI, COL_LO})"',
        'set_pulse = "SETP"', 'reset_pulse = "!RSTP_B"', 'form_pulse = "FRM"', 'amplitude = "{DAC, open(2)}"',
        'verify = "VFY"', 'verify_code = "CODE[2:11]"', 'verify_valid = "RDY"',
    ]
    case.others = '[macro.ties]\n"TRIM[0:3]" = 6\n"TRIM[4]" = 1\n"TRIM[5]" = 0\n'
    bit = case.inputs
    bit["CK", None] = _signal("clk", 0)
    for k in range(16):
        for pin, offset, signal in (("XP", 0, "bl_pos"), ("XN", 1, "bl_neg"), ("YP", 0, "sl_pos"), ("YN", 1, "sl_neg")):
            bit[pin, k + offset] = _signal(signal, k)
        bit["WLE_HI" if k > 7 else "WLE_LO", k % 8] = _signal("wl_en", k)
        case.outputs["cmp", k] = _pin("CMPB", k, True)
    for name, signal, inverted in (
        ("PRE_B", "precharge", True), ("PRE_R", "precharge", False), ("SMP", "sample", False),
        ("W_MODE", "write_mode", False), ("SETP", "set_pulse", False), ("RSTP_B", "reset_pulse", True),
        ("FRM", "form_pulse", False), ("VFY", "verify", False),
    ):
        bit[name, None] = _signal(signal, 0, inverted)
    for k, signal in enumerate(("backward", "decrement", "compare", "latch")):
        bit["CTL", k] = _signal(signal, 0)
    for k in range(3):
        bit["PL", k], bit["SC", k] = _signal("plane", k), _signal("dec_scale", k)
    for k in range(12):
        bit["STEP", k] = lambda values, k=k: min(values["step_code"], 4095) >> k & 1
    for k, value in enumerate((0, 1, 1, 0, 1, 0)):
        bit["TRIM", k] = lambda values, value=value: value
        bit["DAC", k] = _signal("amplitude", k + 2)
    for k in range(4):
        bit["ROW", k] = lambda values, k=k: _number(values["write_wl"]) >> k & 1
    for k in range(2):
        bit["COL_LO", k] = lambda values, k=k: _number(values["write_sl"]) >> k & 1
        bit["COL_HI", k] = lambda values, k=k: _number(values["write_sl"]) >> k + 2 & 1
    bit["ROW_EN_B", None] = lambda values: int(values["write_wl"].bit_count() != 1)
    for k in range(10):
        case.outputs["verify_code", k] = _pin("CODE", k + 2)
    case.outputs["hold", 0], case.outputs["verify_valid", 0] = _pin("RDY", None, True), _pin("RDY", None)
    return case


def _number(lines: int) -> int:
    """Number of the selected line; of several, all bits that any of them has."""
    value = 0
    for line in range(16):
        value |= line if lines >> line & 1 else 0
    return value


@pytest.mark.cosim("iverilog", "yosys")
def test_bits_of_a_foundrys_macro_in_icarus_and_after_synthesis(tmp_path: Path) -> None:
    case = foundry_case()
    texts = write_case(case, tmp_path)
    assert "input  wire [0:15] YP" in texts["stub.v"]
    assert "input  wire [1:16] YN" in texts["stub.v"]
    write_bench(case, tmp_path, seed=1)
    assert run_icarus(tmp_path) == "equal\n"
    assert run_netlist(tmp_path) == "equal\n"


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
def test_bits_of_a_foundrys_macro_in_verilator(tmp_path: Path) -> None:
    case = foundry_case()
    write_case(case, tmp_path)
    write_bench(case, tmp_path, seed=2)
    assert run_verilator(tmp_path).startswith("equal\n")


@pytest.mark.cosim("iverilog")
def test_a_bit_in_a_wrong_place_is_noticed(tmp_path: Path) -> None:
    case = foundry_case()
    write_case(case, tmp_path)
    case.inputs["YP", 3], case.inputs["YP", 4] = case.inputs["YP", 4], case.inputs["YP", 3]
    write_bench(case, tmp_path, seed=1)
    assert "YP[3]" in run_icarus(tmp_path)


@pytest.mark.cosim("iverilog", "yosys")
@pytest.mark.slow
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_bits_of_random_macros_in_icarus_and_after_synthesis(tmp_path: Path, seed: int) -> None:
    case = random_case(seed)
    write_case(case, tmp_path)
    write_bench(case, tmp_path, seed)
    assert run_icarus(tmp_path) == "equal\n"
    assert run_netlist(tmp_path) == "equal\n"
