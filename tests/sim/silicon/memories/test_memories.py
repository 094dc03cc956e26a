"""Memories on macros: what is read of Liberty files, tilings, and energies against sums by hand."""

from pathlib import Path

import pytest

from mho.macro_models.errors import InputError
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.memories.macro import MemoryMacro, MemoryPort, read_memory_macros
from mho.sim.silicon.memories.tiling import Memories, MemoryWork, Shape, cheapest

HEAD = """library (macros) {
  capacitive_load_unit (1, pf); voltage_unit : "1V"; leakage_power_unit : "1uW";
  type (word) { bit_width : 8; } type (place) { bit_width : 4; } type (parts) { bit_width : 2; }
"""


def power(when: str, rise: float, fall: float) -> str:
    """Internal power of a pin under a condition."""
    values = f'rise_power (scalar) {{ values ("{rise}"); }} fall_power (scalar) {{ values ("{fall}"); }}'
    return f'internal_power () {{ when : "{when}"; {values} }}'


def setup(when: str) -> str:
    """When a bus has to be there."""
    return f'timing () {{ timing_type : setup_rising; related_pin : "A_CLK"; when : "{when}" }}'


FOUNDRY = HEAD + f"""
  cell (one_port) {{
    memory () {{ type : ram; address_width : 4; word_width : 8; }}
    area : 500; cell_leakage_power : 3;
    bus (A_ADDR) {{ bus_type : place; direction : input; {setup("(WEN | REN) & MEN")} {power("MEN", 0.01, 0.03)} }}
    bus (A_DIN) {{
      bus_type : word; direction : input; memory_write () {{ address : A_ADDR; clocked_on : A_CLK; }}
      pin (A_DIN[7:0]) {{ {setup("WEN & MEN")} {power("MEN", 0.1, 0.2)} {power("!MEN", 0.3, 0.4)} }}
    }}
    bus (A_BM) {{ bus_type : word; direction : input; {power("MEN", 0.5, 0.7)} }}
    bus (A_BIST_ADDR) {{ bus_type : place; direction : input; }}
    bus (A_BIST_DIN) {{
      bus_type : word; direction : input; memory_write () {{ address : A_BIST_ADDR; clocked_on : A_CLK; }}
    }}
    pin (A_CLK) {{
      direction : input; clock : true;
      {power("!MEN & !WEN & !REN", 0.5, 0.25)} {power("!MEN & WEN & !REN", 2, 0)} {power("MEN & WEN & !REN", 60, 4)}
      {power("MEN & WEN & REN", 70, 4)} {power("MEN & !WEN & REN", 50, 2)}
    }}
    bus (A_DOUT) {{
      bus_type : word; direction : output; memory_read () {{ address : A_ADDR; }}
      timing () {{ related_pin : "A_CLK"; timing_type : rising_edge; }}
    }}
  }}
}}
"""
OPENRAM = HEAD + f"""
  cell (two_ports) {{
    memory () {{ type : ram; address_width : 4; word_width : 8; }}
    area : 900; leakage_power () {{ value : 5; }} cell_leakage_power : 7;
    bus (din0) {{ bus_type : word; direction : input; memory_write () {{ address : addr0; clocked_on : clk0; }} }}
    bus (dout0) {{
      bus_type : word; direction : output; memory_read () {{ address : addr0; }}
      pin (dout0[7:0]) {{ timing () {{ related_pin : "clk0"; }} }}
    }}
    bus (wmask0) {{ bus_type : parts; direction : input; }}
    bus (addr0) {{ bus_type : place; direction : input; }}
    bus (dout1) {{
      bus_type : word; direction : output; memory_read () {{ address : addr1; }}
      pin (dout1[7:0]) {{ timing () {{ related_pin : "clk1"; }} }}
    }}
    bus (addr1) {{ bus_type : place; direction : input; }}
    pin (clk0) {{
      clock : true; direction : input;
      {power("!csb0 & !web0", 8, 1)} {power("csb0 & !web0", 2, 1)}
      {power("!csb0 & web0", 6, 1)} {power("csb0 & web0", 1, 1)}
    }}
    pin (clk1) {{ clock : true; direction : input; {power("!csb1", 5, 1)} {power("csb1", 0.5, 0.5)} }}
  }}
}}
"""
WORK = MemoryWork(cycles=100, writes=10, reads=20, both=5, data=40, address=60, lanes=8)


def read(folder: Path, text: str) -> MemoryMacro:
    """The one macro of a text."""
    (folder / "macro.lib").write_text(text)
    [macro] = read_memory_macros(folder / "macro.lib")
    return macro


def test_a_macro_of_a_foundry_is_read_by_the_conditions_of_its_setup_times(tmp_path: Path) -> None:
    """The self-test is no port of its own; of what is the same to an access the least is taken."""
    macro = read(tmp_path, FOUNDRY)
    assert (macro.depth, macro.width, macro.granularity, macro.area) == (16, 8, 1, 500)
    [port] = macro.ports
    assert (port.write, port.read, port.idle) == pytest.approx((64e-12, 52e-12, 0.75e-12))
    assert (macro.data, macro.address, macro.mask) == pytest.approx((0.25e-12, 0.02e-12, 0.6e-12))
    assert macro.leakage == pytest.approx(3e-6)
    assert macro.pair is None


def test_a_macro_of_openram_is_read_by_the_names_of_its_enables(tmp_path: Path) -> None:
    macro = read(tmp_path, OPENRAM)
    assert (macro.depth, macro.width, macro.granularity, macro.leakage) == (16, 8, 4, pytest.approx(5e-6))
    first, second = macro.ports
    assert (first.write, first.read, first.idle) == pytest.approx((9e-12, 7e-12, 2e-12))
    assert second.write is None
    assert (second.read, second.idle) == pytest.approx((6e-12, 1e-12))
    assert macro.pair == (first, second)


def test_energy_on_macros_of_one_port_is_that_by_hand(tmp_path: Path) -> None:
    """24 words of 16 bits in two halves: two columns of two macros; the first of each has 16 of 24 words."""
    tiling = cheapest(Shape(depth=24, width=16, lanes=2, registered=True), [read(tmp_path, FOUNDRY)])
    assert tiling is not None
    assert tiling.named() == "4 x one_port"
    assert (tiling.area, tiling.leakage) == pytest.approx((2000, 12e-6))
    accesses = 10 * 64 + 20 * 52
    # Of each row its part of 25 cycles is at work; all others rest, in both columns.
    idle = (2 * 100 - (10 + 20 - 5)) * 0.75
    pins = 40 * 0.25 * 2 + 60 * 0.02 * 4 + 8 * 8 * 0.6 * 2
    assert tiling.energy(WORK) == pytest.approx(1e-12 * (2 * (accesses + idle) + pins))
    assert tiling.still(100) == pytest.approx(1e-12 * 4 * 100 * 0.75)
    assert not tiling.two_ports


def test_a_macro_of_two_ports_reads_at_the_other_one(tmp_path: Path) -> None:
    tiling = cheapest(Shape(depth=16, width=8, lanes=1, registered=True), [read(tmp_path, OPENRAM)])
    assert tiling is not None
    assert tiling.two_ports
    assert tiling.energy(WORK) == pytest.approx(1e-12 * (10 * 9 + 90 * 2 + 20 * 6 + 80 * 1))


def made(name: str, depth: int, width: int, area: float, granularity: int = 1) -> MemoryMacro:
    """A macro of one port."""
    port = MemoryPort(write=1e-12, read=1e-12, idle=0.0)
    return MemoryMacro(name=name, depth=depth, width=width, granularity=granularity, area=area, leakage=0.0,
                       ports=(port,), data=0.0, address=0.0, mask=0.0)


@pytest.mark.parametrize(("shape", "named"), [
    ((64, 64, 1, True), "small"), ((65, 64, 1, True), "2 x small"), ((192, 64, 1, True), "large"),
    ((320, 64, 1, True), "large, small"), ((256, 32, 1, True), "2 x small, 2 words a row"),
    ((64, 96, 1, True), "2 x small"), ((64, 72, 1, True), "narrow, small"), ((64, 64, 16, True), "small"),
    ((1024, 4, 1, True), "small, 16 words a row"), ((64, 64, 1, False), None),
])
def test_the_tiling_of_least_area_is_taken(shape: tuple[int, int, int, bool], named: str | None) -> None:
    """Rows and columns of several kinds, several words in a row; none for what reads in the same cycle."""
    macros = [made("small", 64, 64, 50), made("large", 256, 64, 125), made("narrow", 64, 8, 20, 8)]
    depth, width, lanes, registered = shape
    tiling = cheapest(Shape(depth=depth, width=width, lanes=lanes, registered=registered), macros)
    assert (None if tiling is None else tiling.named()) == named


def test_parts_of_a_word_need_a_mask() -> None:
    shape = Shape(depth=64, width=64, lanes=8, registered=True)
    assert cheapest(shape, [made("whole", 64, 64, 50, 64), made("halves", 64, 64, 50, 32)]) is None
    assert cheapest(shape, [made("bytes", 64, 64, 50, 8)]) is not None


def test_shapes_are_those_of_the_wrappers() -> None:
    assert Shape.of("mho_mem_1024x64_we8", "mho_") == Shape(depth=1024, width=64, lanes=8, registered=True)
    assert Shape.of("mho_mem_16x7_async", "mho_") == Shape(depth=16, width=7, lanes=1, registered=False)
    assert Shape.of("mem_64x32_we4_wt", "") == Shape(depth=64, width=32, lanes=4, registered=True)


@pytest.mark.parametrize(("text", "said"), [
    (HEAD + "cell (gate) { area : 1; } }", r"must have a memory \(a cell with a group memory\); none is there"),
    (FOUNDRY.replace("word_width : 8;", ""), "one_port must have word_width"),
    (FOUNDRY.replace("area : 500;", ""), "one_port must have area"),
    (FOUNDRY.replace("MEN & WEN", "MEN & !WEN"), "one_port must have the energy of its clock while it writes"),
    (FOUNDRY.replace('when : "WEN & MEN"', ""), "one_port must say when it writes: as the condition of a setup time"),
    (FOUNDRY.replace("memory_read", "memory_other"), r"must have a port that reads \(memory_read\)"),
    (OPENRAM.replace("clocked_on : clk0;", "").replace('related_pin : "clk0";', ""), "must name the clock of the port"),
    ("module a; endmodule", "must be a Liberty file"),
])
def test_what_is_no_memory_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path}/macro.lib: ")
    assert "\n" not in str(error.value)


def test_a_memory_that_nothing_can_be_is_one_sentence(tmp_path: Path) -> None:
    """As flip-flops it would be too large."""
    (tmp_path / "macro.lib").write_text(OPENRAM)
    cells = tmp_path / "cells.lib"
    cells.write_text('library (x) { cell (FLOP) { area : 40; ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; } } }')
    memories = Memories([tmp_path / "macro.lib"], Cells(cells))
    with pytest.raises(InputError, match=r"macro\.lib: no macro can be mem_1024x64_we32, which takes a mask of 2 bits"):
        memories.tiling("mho_mem_1024x64_we32", "mho_")
    tiling = memories.tiling("mho_mem_16x8", "mho_")
    assert tiling is not None
    assert not memories.may_be_flip_flops(tiling)  # 128 of 40 um2 beside 900
    assert memories.may_be_flip_flops(memories.tiling("mho_mem_2x8", "mho_"))
    assert memories.tiling("mho_mem_16x8_async", "mho_") is None
