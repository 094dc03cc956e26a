"""Design for test, in the Verilog of a block: the pin ``test_mode``, and what it reaches.

Every flip-flop is on the one clock and its reset comes from a pin, so that a scan chain can be put in; this adds what a
chain cannot do: clock gates that are open, no flip-flop that another signal clears, memories that a self-test reaches,
and a ring around the macro, which has no model for a test generator.
"""

import re
from collections.abc import Collection, Mapping

from amaranth.hdl import Shape
from amaranth.lib.wiring import Out

from mho.hw.macro.contract import ContractPins
from mho.rtl_gen.macro.supplies import Through, pass_through
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.module.gating import CLOCK_GATE
from mho.rtl_gen.verilog.names import range_text, wrap
from mho.rtl_gen.verilog.netlist import PERMISSION
from mho.rtl_gen.verilog.ports import Port

TEST_MODE = "test_mode"
"""The pin."""

BYPASS = "macro_bypass"
"""Name of the module around the adapter of the macro, without the prefix."""

_GATE = "open = enable;", f"open = enable | {TEST_MODE};"
_CLEAR = "negedge enable", "negedge kept"
_CLEARED = "if (~enable)", "if (~kept)"


def with_test(
    texts: Mapping[str, str], prefix: str, adapter: str, pins: ContractPins | None, resets: tuple[str, ...] = ()
) -> dict[str, str]:
    """Verilog of a block that can be tested: its modules with the pin, which the first one has too.

    Parameters
    ----------
    texts
        Modules of the block, the top first.
    adapter, pins
        Module of the adapter of the macro, and the macro's pins; None: there is no macro.
    resets
        Resets that the adapter has, which are connected with what else passes to it.
    """
    changed = dict(texts)
    inner = [f"{prefix}{name}" for name in (CLOCK_GATE, PERMISSION) if f"{prefix}{name}" in changed]
    for name in inner:
        changed[name] = _with_pin(changed[name])
    bypass = f"{prefix}{BYPASS}"
    around = re.compile(rf"^  {re.escape(adapter)} (\w+) \(\n", re.MULTILINE)
    if pins is not None and any(around.search(text) for text in changed.values()):
        connected = "".join(f"    .{reset}({reset}),\n" for reset in resets)
        changed = {k: around.sub(lambda m: f"  {bypass} {m[1]} (\n{connected}", text) for k, text in changed.items()}
        changed[bypass] = write_bypass(bypass, adapter, pins, resets)
        inner.append(bypass)
    return pass_through(changed, inner, Through(extra={TEST_MODE: Port(TEST_MODE, "input")}))


def _with_pin(text: str) -> str:
    """A clock gate that the pin opens, or flip-flops that it keeps from being cleared."""
    port = "  input  wire enable,"
    text = text.replace(*_GATE).replace(port, f"  input  wire {TEST_MODE},\n{port}", 1)
    if _CLEAR[0] in text:
        text = text.replace(*_CLEAR).replace(*_CLEARED)
        text = text.replace("  reg [1:0] held;\n", f"  wire kept = enable | {TEST_MODE};\n  reg [1:0] held;\n")
    return text


def write_bypass(name: str, adapter: str, pins: ContractPins, resets: tuple[str, ...]) -> str:
    """Verilog of the ring around the macro: see its head."""
    widths = {pin: Shape.cast(member.shape).width for pin, member in pins.members.items()}
    driven = {pin: size for pin, size in widths.items() if pins.members[pin].flow is Out}
    answers = {pin: size for pin, size in widths.items() if pin not in driven}
    rings, heads = _rings(pins.lines, pins.strobes, driven, answers)
    ports = [f"input  wire {range_text(size)}{pin}" for pin, size in driven.items()]
    ports += [f"output wire {range_text(size)}{pin}" for pin, size in answers.items()]
    ports = [f"input  wire {TEST_MODE}", "input  wire clk", *(f"input  wire {reset}" for reset in resets), *ports]
    declared = [f"  wire {range_text(size)}macro_{pin};" for pin, size in answers.items()]
    declared += [f"  reg {range_text(size)}{pin}_ring;" for pin, size in answers.items()]
    clocked = [wrap(f"{pin}_ring <= {' ^ '.join(part for row in rings[pin] for part in row)};", 2) for pin in answers]
    shown = [f"  assign {pin} = {TEST_MODE} ? {pin}_ring : macro_{pin};" for pin in answers]
    off = f"~{TEST_MODE}"
    connections = [f".{pin}({pin} & {off if size == 1 else f'{{{size}{{{off}}}}}'})" for pin, size in driven.items()]
    connections += [f".{pin}(macro_{pin})" for pin in answers]
    text = "\n".join
    return fill(template("macro_bypass.v"), {
        "NAME": name, "ADAPTER": adapter, "HEADS": heads, "PORTS": _joined(ports), "DECLARED": text(declared),
        "CLOCKED": text(clocked), "SHOWN": text(shown),
        "CONNECTIONS": _joined([".clk(clk)", *connections], "    "), "TEST_MODE": TEST_MODE,
    })


def _rings(
    lines: int, strobes: Collection[str], driven: Mapping[str, int], answers: Mapping[str, int]
) -> tuple[dict[str, list[list[str]]], str]:
    """What comes back at each answer: vectors that are joined bit by bit; and the same in words.

    An answer of a bit a line takes the pins of the lines, ``hold`` the strobes, the other answers all others.
    """
    by_line = next((pin for pin, size in answers.items() if size == lines), "")
    wide = [pin for pin, size in driven.items() if size == lines and pin not in _AMOUNTS and by_line]
    single = [pin for pin in driven if pin in strobes and "hold" in answers]
    rings = {pin: [pins] for pin, pins in ((by_line, wide), ("hold", single)) if pins}
    parts = [(pin, k) for pin, size in driven.items() if pin not in (*wide, *single) for k in range(size)]
    spread = [pin for pin in answers if pin not in rings] or [by_line or next(iter(answers))]
    bits = sum(answers[pin] for pin in spread)
    for pin in spread:
        # A row of bits is as wide as all answers that take them; where there are less, some come back twice.
        low = sum(answers[before] for before in spread[: spread.index(pin)])
        rows = [parts[k + low : min(k + low + answers[pin], k + bits)] for k in range(0, len(parts), bits)]
        rows = [row for row in rows if row] or ([] if pin in rings else [parts[: answers[pin]]])
        rings.setdefault(pin, []).extend([_row(row, answers[pin], driven)] for row in rows)
    heads = [f"a line's pins together at {by_line}"] * bool(wide) + ["strobes at hold"] * bool(single)
    return rings, ", ".join([*heads, f"all others at {' and '.join(spread)}"])


def _row(bits: list[tuple[str, int]], width: int, sizes: Mapping[str, int]) -> str:
    """Bits of pins, in their order, as one vector, the first one lowest."""
    listed = [f"{width - len(bits)}'d0"] if len(bits) < width else []
    for pin in reversed(dict.fromkeys(pin for pin, _ in bits)):
        numbers = [k for name, k in bits if name == pin]
        high, low = numbers[-1], numbers[0]
        part = "" if len(numbers) == sizes[pin] else f"[{high}:{low}]" if high > low else f"[{low}]"
        listed.append(f"{pin}{part}")
    return f"{{{', '.join(listed)}}}" if len(listed) > 1 else listed[0]


_AMOUNTS = ("step_code", "op_id")
"""Pins that are as wide as some cores have lines, and belong to none."""


def _joined(ports: list[str], before: str = "  ") -> str:
    return ",\n".join(f"{before}{port}" for port in ports)
