import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen import emit_core
from mho.sim.core.bench.timed import timed_netlist
from mho.sim.core.bench.verify import verify_core
from mho.sim.core.bench.waves import groups
from mho.sim.core.cosim_core import CosimCore

CHIP = load_chip("tnsa16-core")


# Random operations, each on three vectors; half of them on noisy cells, a quarter also strobe by strobe.
@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "operations"),
    [
        ("tnsa16-core", 300), pytest.param("tnsa64-core", 130, marks=pytest.mark.long),
        pytest.param("neurram-core", 60, marks=pytest.mark.long),
    ],
)
def test_the_core_in_verilator_equals_the_model(preset, operations):
    report = verify_core(load_chip(preset), operations=operations, seed=1)
    assert report.operations == operations
    assert report.pin_level >= operations / 4
    assert report.transposed == 4
    assert report.counts["device"]["rram-neurram"] == operations // 2
    assert set(report.counts["direction"]) == {"forward", "backward"}
    assert set(report.counts["converter"]) == {"count", "binary"}
    assert len(report.counts["input"]) == 16
    assert len(report.counts["output"]) == 8
    codes = report.counts["codes"]
    assert min(codes.values()) > 0.03 * codes.total(), "codes spread over the range"


@pytest.mark.cosim
@pytest.mark.long
def test_a_core_of_constants_and_synchronisers_equals_the_model():
    chip = load_chip("tnsa16-core", {"core.trim": False, "core.synchronise": ["cmp", "hold", "verify_valid"]})
    report = verify_core(chip, operations=20, seed=4)
    assert (report.operations, report.runs > 0) == (20, True)


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
def test_the_core_in_icarus_equals_the_model():
    report = verify_core(CHIP, simulator="icarus", operations=40, seed=2)
    assert report.operations == report.pin_level == 40
    assert "tnsa16-core, generated RTL, in icarus: equal to the model bit for bit" in str(report)


@pytest.mark.cosim("cocotb", "yosys", "iverilog", "vvp")
@pytest.mark.long
def test_the_gates_after_synthesis_equal_the_model(tmp_path):
    cells = Path(shutil.which("yosys") or "").parent.parent / "share" / "yosys" / "simcells.v"
    if not cells.exists():
        pytest.skip("the models of Yosys' cells were not found")
    files = emit_core(CHIP, tmp_path / "rtl")
    ports = ", ".join(
        f"{'output' if member.flow is In else 'input'} [{Shape.cast(member.shape).width - 1}:0] {name}"
        for name, member in MacroPins.from_chip(CHIP).members.items()
    )
    (tmp_path / "stub.v").write_text(f"(* blackbox *) module tnsa_macro (input clk, {ports}); endmodule\n")
    script = tmp_path / "synthesis.ys"
    script.write_text(
        "".join(f"read_verilog {path}\n" for path in files)
        + f"read_verilog -lib {tmp_path / 'stub.v'}\nsynth -flatten -top mho_core\nabc -g AND,OR,XOR,MUX\nopt_clean\n"
        f"delete t:$scopeinfo\nwrite_verilog -noattr -noexpr {tmp_path / 'gates.v'}\n"
    )
    subprocess.run(["yosys", "-q", "-s", str(script)], check=True, capture_output=True)
    assert "$_AND_" in (tmp_path / "gates.v").read_text()
    report = verify_core(CHIP, simulator="icarus", operations=12, netlist=tmp_path / "gates.v", cells=cells)
    assert report.source == "gates.v"


def one_file(tmp_path, chip, old="", new="") -> Path:
    text = "".join(path.read_text() for path in emit_core(chip, tmp_path / "rtl"))
    assert old in text
    path = tmp_path / "core.v"
    path.write_text(text.replace(old, new) if old else text)
    return path


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        pytest.param(".wl_en(wl_en)", ".wl_en(~wl_en)", "code", marks=pytest.mark.long),
        (".step_code(step_code)", ".step_code(step_code << 2)", "code"),
    ],
)
@pytest.mark.slow
def test_a_wrong_core_is_found_with_all_that_reproduces_it(tmp_path, old, new, what):
    netlist = one_file(tmp_path, CHIP, old, new)
    sentence = (
        rf"^{what} of the core of tnsa16-core in icarus \(pin level\) at \(\d, \d+\) must be as in the model: -?\d+ "
        r"instead of -?\d+; seed 0, operation \d+ on core \d: direction=\d, .*, step_code=\d+, "
        r"converter=\d, early_stop=\w+, gap \d+, stall \d+, hold \d+$"
    )
    with pytest.raises(ToolError, match=sentence):
        verify_core(CHIP, simulator="icarus", netlist=netlist, operations=10)


LATE = """(DELAYFILE (SDFVERSION "3.0") (DIVIDER .) (TIMESCALE 1ns)
 (CELL (CELLTYPE "LATE") (INSTANCE INSTANCE_PATH) (DELAY (ABSOLUTE (IOPATH A X (DELAY::DELAY) (DELAY::DELAY))))))
"""


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.slow
def test_delays_of_a_netlist_are_those_of_its_sdf(tmp_path):
    """A cell before a pin of the macro: half a cycle late changes nothing, two cycles late are found."""
    netlist = one_file(tmp_path, CHIP)
    head, instance, rest = netlist.read_text().partition("  tnsa_macro macro (")
    rest = rest.replace(".decrement(decrement)", ".decrement(late)", 1)
    netlist.write_text(f"{head}  wire late;\n  LATE path (.A(decrement), .X(late));\n{instance}{rest}")
    cells, sdf = tmp_path / "cells.v", tmp_path / "delays.sdf"
    cells.write_text("`timescale 1ns/1ps\nmodule LATE (input A, output X);\n"
                     "  buf (X, A);\n  specify (A => X) = 0; endspecify\nendmodule\n")
    chosen = {"simulator": "icarus", "netlist": netlist, "cells": cells, "sdf": sdf, "operations": 4}
    sdf.write_text(LATE.replace("INSTANCE_PATH", "macro.path").replace("DELAY::DELAY", "5.000::5.000"))
    assert verify_core(CHIP, **chosen).operations == 4
    sdf.write_text(LATE.replace("INSTANCE_PATH", "macro.path").replace("DELAY::DELAY", "5.000::25.000"))
    with pytest.raises(ToolError, match="must be as in the model"):
        verify_core(CHIP, **chosen)
    with pytest.raises(InputError, match="delays are those of a netlist in icarus, not in verilator"):
        verify_core(CHIP, netlist=netlist, sdf=sdf)
    with pytest.raises(InputError, match=r"none\.sdf: must be a file"):
        verify_core(CHIP, **chosen | {"sdf": tmp_path / "none.sdf"})


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "must be a whole SDF file"), ("junk", "must be a whole SDF file"), (LATE[:-20], "must be a whole SDF file"),
    ('(DELAYFILE (SDFVERSION "(CELL"))', "must be a whole SDF file"),
    (LATE.replace("(DIVIDER .)", '(DESIGN "mho_decision")'), "must have the delays of mho_core, not of 'mho_decision'"),
])
def test_a_file_that_has_no_delays_of_the_netlist_is_refused(tmp_path, text, sentence):
    """Icarus would take none of them, say so in its log, and the netlist would pass."""
    (tmp_path / "core.v").write_text("module mho_core (input clk);\n  tnsa_macro macro ();\nendmodule\n")
    (tmp_path / "delays.sdf").write_text(text)
    (tmp_path / "work").mkdir()
    with pytest.raises(InputError, match=rf"delays\.sdf: {sentence}"):
        timed_netlist(CHIP, tmp_path / "core.v", tmp_path / "delays.sdf", tmp_path / "work")


STILL = "stands still after 0 of"
WRONG_LINES = (".wl_en(wl_en)", ".wl_en(~wl_en)")


@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        pytest.param([(".op_ready(op_ready)", ".op_ready()")], rf"op_ready {STILL} 3 operations; see .*",
                     marks=pytest.mark.long),
        pytest.param([(".i_ready(i_ready)", ".i_ready()")], rf"i_ready {STILL} \d+ input words; see .*",
                     marks=pytest.mark.long),
        ([(".o_valid(o_valid)", ".o_valid()")], rf"o_valid {STILL} 24 output words; see .*; no output had differed"),
        pytest.param([(".status_done(status_done)", ".status_done()"), WRONG_LINES],
                     rf"status_done {STILL} 3 ends of an operation; see .*; the first output that differs: "
                     r"code \(\d, \d+\) is -?\d+ instead of -?\d+", marks=pytest.mark.long),
    ],
)
@pytest.mark.slow
def test_a_core_that_stands_still_is_told_with_the_output_that_does(monkeypatch, tmp_path, changes, what):
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(CosimCore, "_patience_of", lambda *_: 4000)
    netlist = one_file(tmp_path, CHIP)
    text = netlist.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    netlist.write_text(text)
    sentence = rf"^the simulated core made no progress for \d+ cycles: {what}; seed 0, operation \d+ on core \d: "
    with pytest.raises(ToolError, match=sentence):
        verify_core(CHIP, simulator="icarus", netlist=netlist, operations=10)


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "vvp", "cocotb")
def test_a_core_of_other_timing_is_found(tmp_path):
    # Durations that are registers come from the bench.
    constants = {"core.trim": False}
    netlist = one_file(tmp_path, load_chip("tnsa16-core", {**constants, "timing.t_sample_ns": 110}))
    with pytest.raises(ToolError, match=r"^analog cycles of the core of tnsa16-core in icarus"):
        verify_core(load_chip("tnsa16-core", constants), simulator="icarus", netlist=netlist, operations=3)


@pytest.mark.slow
def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^simulator must be one of verilator, icarus, not 'vcs'$"):
        verify_core(CHIP, simulator="vcs")
    with pytest.raises(InputError, match=r"^netlist must be a Verilog file, and .*none\.v is none$"):
        verify_core(CHIP, netlist=tmp_path / "none.v")
    (tmp_path / "other.v").write_text("module other; endmodule")
    with pytest.raises(InputError, match=r"other\.v must have the module mho_core, which is the top of tnsa16-core$"):
        verify_core(CHIP, netlist=tmp_path / "other.v")


@pytest.mark.slow
def test_a_netlist_of_another_chip_is_refused_by_its_ports(tmp_path):
    netlist = one_file(tmp_path, load_chip("tnsa64-core"))
    with pytest.raises(InputError, match=r"core\.v: is no core of tnsa16-core, module mho_core has .* bits instead of"):
        verify_core(CHIP, simulator="icarus", netlist=netlist)
    ports = "input clk; input rst; input [3:0] in_payload;"
    (tmp_path / "gates.v").write_text(f"module mho_core(clk, rst, in_payload); {ports} endmodule")
    with pytest.raises(InputError, match=r"gates\.v: is no core of tnsa16-core, module mho_core lacks \w+, lacks "):
        verify_core(CHIP, simulator="icarus", netlist=tmp_path / "gates.v")


def lz4_block(block: bytes) -> bytes:
    out, i = bytearray(), 0

    def length(start: int) -> int:
        nonlocal i
        total = start
        while start == 15:
            total += block[i]
            i += 1
            if block[i - 1] != 255:
                break
        return total

    while i < len(block):
        token = block[i]
        i += 1
        literals = length(token >> 4)
        out += block[i : i + literals]
        i += literals
        if i >= len(block):
            break
        offset = block[i] | block[i + 1] << 8
        i += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-offset])
    return bytes(out)


def fst_signals(path: Path) -> dict[str, int]:
    """Paths and widths of the signals of an FST file, from its block of the hierarchy (gzip or LZ4)."""
    data, at, hierarchy = path.read_bytes(), 0, b""
    while at < len(data):
        kind, size = data[at], struct.unpack(">Q", data[at + 1 : at + 9])[0]
        body = data[at + 17 : at + 1 + size]
        hierarchy = zlib.decompress(body, 31) if kind == 4 else lz4_block(body) if kind == 6 else hierarchy
        at += 1 + size
    signals: dict[str, int] = {}
    scope: list[str] = []
    i = 0

    def text() -> str:
        nonlocal i
        end = hierarchy.index(0, i)
        i, start = end + 1, i
        return hierarchy[start:end].decode()

    def number() -> int:
        nonlocal i
        value = shift = 0
        while True:
            value |= (hierarchy[i] & 127) << shift
            i, shift = i + 1, shift + 7
            if hierarchy[i - 1] < 128:
                return value

    while i < len(hierarchy):
        tag = hierarchy[i]
        i += 1
        if tag == 254:
            i += 1
            scope.append(text())
            text()
        elif tag == 255:
            scope.pop()
        elif tag == 252:
            i += 2
            text()
            number()
        else:
            i += 1
            name = text().split(" ")[0]
            signals[".".join([*scope, name])] = number()
            number()
    return signals


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("verilator", marks=[pytest.mark.cosim, pytest.mark.long]),
        pytest.param("icarus", marks=[pytest.mark.cosim("iverilog", "vvp", "cocotb"), pytest.mark.slow]),
    ],
)
def test_waves_hold_every_signal_of_the_save_file(tmp_path, simulator):
    verify_core(CHIP, simulator=simulator, operations=3, waves=tmp_path / "core.fst")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["core.fst", "core.gtkw"]
    signals = fst_signals(tmp_path / "core.fst")
    scope = "core_tb.core_0" if simulator == "verilator" else "core_tb"
    shown = groups(CHIP, scope)
    assert list(shown)[-4:] == ["sequencer", "line counters", "macro pins", "status"]
    for name, members in shown.items():
        for path, width in members:
            assert signals.get(path) == width, (name, path)
    save = (tmp_path / "core.gtkw").read_text()
    assert f'[dumpfile] "{tmp_path / "core.fst"}"' in save
    assert re.findall(r"^-(.*)$", save, re.M) == [name for name in shown for _ in range(2)]
    assert f"{scope}.core.macro.bl_pos[15:0]" in save
