"""What is compared of a chip: each module of its Verilog with what Yosys reads of the same block without our writer."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import ClockDomain, Instance, Module, Signal

from mho.hw.chip.tops import build_chip, build_top, configurations, top_name
from mho.hw.config import Chip
from mho.hw.core.write_verify.joined import ProgrammingPermission
from mho.hw.kinds import core_blocks
from mho.rtl_gen.emit import ADAPTER, module_texts
from mho.rtl_gen.macro.adapter import module_name, write_stub
from mho.rtl_gen.macro.contract import contract_signals
from mho.rtl_gen.macro.pin_check import macro_map
from mho.rtl_gen.testable import BYPASS, TEST_MODE
from mho.rtl_gen.verilog.module.gating import CLOCK_GATE
from mho.rtl_gen.verilog.module.writer import Written
from mho.rtl_gen.verilog.netlist import PERMISSION, netlists
from tests.proofs.equivalence.memory import memory_pair
from tests.proofs.equivalence.naming import NETLIST, instances_of, reset_low, twins_of, with_names, with_test_pins
from tests.proofs.equivalence.proof import WRITTEN, Pair, reading

__all__ = ["block_pair", "pairs_of"]


def pairs_of(chip: Chip) -> Iterator[Pair]:
    """All modules of a chip behind Wishbone, as ``mho generate`` writes them, the top first.

    The chip has no macro of its own, as all presets. Of ``verilog.test`` the pin is looked at while it is 0, and that
    it reaches all that has it; of the ring around the macro also while it is 1.
    """
    wrap, part, prefix = "wishbone", "chip" if chip.tiled else "core", chip.verilog.prefix
    texts = module_texts(chip, wrap, part=part)
    top = (build_chip if chip.tiled else build_top)(chip, wrap)
    read = netlists(
        top, name=f"{prefix}{top_name(wrap, part)}", prefix=prefix, configs=configurations(chip, part),
        clock_gates=chip.verilog.clock_gate == "module",
    )
    for name, (netlist, written) in read.blocks.items():
        yield block_pair(name, netlist, written, texts)
    for name, shape in read.memories.items():
        yield memory_pair(name, shape, texts[name])
    if (permission := f"{prefix}{PERMISSION}") in texts:
        yield _permission_pair(permission, texts[permission])
    if (gate := f"{prefix}{CLOCK_GATE}") in texts:
        yield gate_pair(gate, texts[gate])
    if (bypass := f"{prefix}{BYPASS}") in texts:
        yield bypass_pair(chip, bypass, texts)
    yield _adapter_pair(chip, adapter := f"{prefix}{ADAPTER}", texts[adapter])


def block_pair(name: str, netlist: str, written: Written, texts: Mapping[str, str]) -> Pair:
    """A block: its netlist, what was written of it, and the Verilog of all modules."""
    text = _ungated(texts[name])
    named, low = with_names(netlist, written), bool(re.search(r"^  input +wire rst_n,", text, re.MULTILINE))
    if TEST_MODE in text:
        netlist, named = (with_test_pins(design, texts, BYPASS, ADAPTER) for design in (netlist, named))
    kinds = instances_of(netlist)
    inner = "".join(_header(texts[kind]) for kind in sorted(set(kinds.values())))
    # An asynchronous reset is looked at where the clock finds it: next states, and all that follows from states.
    read = reading(name, "inner.v") + ("techmap -map reset.v written\n" if low else "")
    return Pair(
        name=name, read=read, registers=written.registers, twins=twins_of(netlist),
        files={"netlist.il": reset_low(named) if low else named, "written.v": text, "inner.v": inner},
        instances={written.instances[cell]: kind for cell, kind in kinds.items()},
        start=None if "\\rst" not in written.nets else ("rst_n", 0) if low else ("rst", 1),
    )


_GATE = re.compile(
    r"^  \w+_clock_gate \w+ \(\n(?:    \.test_mode\(test_mode\),\n)?    \.clk\(clk\),\n"
    r"    \.enable\(((?:.|\n)*?)\),\n    \.gated\((\w+)\)\n  \);\n",
    re.MULTILINE,
)


def _ungated(text: str) -> str:
    """A module whose registers with a gate of their clock take their enable instead, which is what a gate does.

    A gate of the clock of blocks stays: it is a block in the netlist, too.
    """
    for gate in list(_GATE.finditer(text)):
        enable, gated = gate.groups()
        if (clocked := f"always @(posedge {gated}) begin") in text:
            text = text.replace(clocked, f"always @(posedge clk) if ({enable}) begin").replace(gate[0], "")
    return text


def _header(text: str) -> str:
    """A module without its body."""
    return re.sub(r"\n\);\n.*\nendmodule", "\n);\nendmodule", text, flags=re.DOTALL).replace("output reg ", "output ")


def _adapter_pair(chip: Chip, name: str, text: str) -> Pair:
    """The adapter of the contract's macro: each signal is the pin of its name."""
    m = Module()
    ports = {signal: (Signal(size, name=signal), driven)
             for signal, (size, driven) in contract_signals(core_blocks(chip).pins).items()}
    pins = {f"{'o' if driven else 'i'}_{signal}": port for signal, (port, driven) in ports.items()}
    m.submodules.macro = Instance(macro := module_name(chip), **pins)
    return Pair(
        name=name, read=reading(name, "inner.v"), instances={"macro": macro},
        files={
            "netlist.il": rtlil.convert(m, name=NETLIST, ports=[port for port, _ in ports.values()], emit_src=False),
            "written.v": text, "inner.v": write_stub(chip, macro_map(chip)),
        },
    )


def gate_pair(name: str, text: str) -> Pair:
    """A gate of a clock: registers behind it change as those that have its enable, which comes from the clock.

    Both sides are looked at in steps that are shorter than a cycle, with any clock.
    """
    pin, pins = (f".{TEST_MODE}({TEST_MODE}), ", f"input {TEST_MODE}, ") if TEST_MODE in text else ("", "")
    head = f"({pins}input clk, input next, input data, output reg q);\n  reg enable;\n"
    enabled = f"enable | {TEST_MODE}" if pins else "enable"
    body = "  always @(posedge clk) enable <= next;\n"
    plain = f"module {NETLIST} {head}{body}  always @(posedge clk) if ({enabled}) q <= data;\nendmodule\n"
    gated = f"  wire gated;\n  {name} gate ({pin}.clk(clk), .enable(enable), .gated(gated));\n"
    written = f"module {name}_bench {head}{body}{gated}  always @(posedge gated) q <= data;\nendmodule\n"
    read = "\n".join([
        "read_verilog plain.v", "read_verilog written.v", f"rename {name}_bench {WRITTEN}", "proc -norom",
        f"flatten {WRITTEN}", f"delete {name}", "clk2fflogic", "opt_clean", "",
    ])
    return Pair(
        name=name, read=read, files={"plain.v": plain, "written.v": text + written}, matched=False, clocked=False,
    )


def bypass_pair(chip: Chip, name: str, texts: Mapping[str, str]) -> Pair:
    """The ring around the macro: with the pin at 0 it is not there; with 1 the macro has no inputs, registers answer.

    What the registers hold is not compared.
    """
    adapter = f"{chip.verilog.prefix}{ADAPTER}"
    signals = {pin: size for pin, size in contract_signals(core_blocks(chip).pins).items() if pin != "clk"}
    ports = [f"input {TEST_MODE}", "input clk"]
    ports += [f"{'output' if driven else 'input'} [{size - 1}:0] {pin}" for pin, (size, driven) in signals.items()]
    inner = [f".{pin}({f'macro_{pin}' if driven else f'{TEST_MODE} ? {size}{chr(39)}d0 : {pin}'})"
             for pin, (size, driven) in signals.items()]
    wires = [f"  wire [{size - 1}:0] macro_{pin};\n  reg [{size - 1}:0] {pin}_ring;\n"
             f"  always @(posedge clk) {pin}_ring <= {size}'dx;\n"
             f"  assign {pin} = {TEST_MODE} ? {pin}_ring : macro_{pin};"
             for pin, (size, driven) in signals.items() if driven]
    plain = "\n".join([
        f"module {NETLIST} ({', '.join(ports)});", *wires, f"  {adapter} adapter (.clk(clk), {', '.join(inner)});",
        "endmodule", "",
    ])
    read = "\n".join([
        "read_verilog -lib inner.v", "read_verilog plain.v", "read_verilog written.v", f"rename {name} {WRITTEN}",
        "proc -norom", "",
    ])
    return Pair(
        name=name, read=read, instances={"adapter": adapter},
        registers=tuple(f"{pin}_ring" for pin, (_, driven) in signals.items() if driven),
        files={"plain.v": plain, "written.v": texts[name], "inner.v": _header(texts[adapter])},
    )


def _permission_pair(name: str, text: str) -> Pair:
    """The permission to program: two registers that a pin clears, in Amaranth at the next edge, in Verilog at once.

    They are compared where the pin is 1, from a cycle on in which it was 0.
    """
    m = Module()
    clock: Any = ClockDomain("sync", reset_less=True)
    m.domains.sync = clock
    m.submodules.permission = permission = ProgrammingPermission()
    granted = Signal(name="granted")
    m.d.comb += granted.eq(permission.granted & permission.enable)
    ports = [clock.clk, permission.enable, permission.busy, granted]
    port = f"  input  wire {TEST_MODE},\n"
    if port in text:
        text = text.replace(port, "").replace("  wire kept", f"  wire {TEST_MODE} = 1'b0;\n  wire kept")
    return Pair(
        name=name, read=f"{reading(name)}async2sync\nflatten {NETLIST}\nopt_clean\n",
        start=("enable", 0), matched=False,
        files={"netlist.il": rtlil.convert(m, name=NETLIST, ports=ports, emit_src=False), "written.v": text},
    )
