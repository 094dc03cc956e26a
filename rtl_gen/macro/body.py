"""The module behind the pins of a macro in a simulation, generated from its contract: Python answers for it.

It passes the pins on at the end of each cycle in which the contract says so, and drives what is answered from then on.
"""

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.hw.macro.contract import ContractPins
from mho.rtl_gen.macro.contract import contract_signals
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.names import range_text

_PINS_BITS = 8192
"""Of what one call carries: the same for macros of all sizes, since a function of C has one signature."""

_SHELL = "core_tb."
"""Where the pins stand in co-simulation: in its shell."""

_HEAD = """\
// Body of {module} for a cocotb test: Python answers for it (mho.cosim.behind_pins). It does not program its cells.
"""
_ALONE = """\
    {pins} pins ();
    reg strobed;
    wire slow = 1'b0;
    initial strobed = 1'b0;
"""
_HOLD = "    assign hold = slow_now;\n"
_TABLE = """\
    reg {range}{select}_before;
    always @(posedge clk) {select}_before <= {select};
    assign {name} = {table}[{select}_before * {width} +: {width}];
"""
_BIAS_IMPORT = """\
    import "DPI-C" function void mho_pulse_bias(
        input chandle cells, input int first, input int rows, input int columns);
"""
_BIAS_SEEN = """\
            if (pulsing | was_pulsing)
                mho_pulse_bias(cells, {31'd0, ~was_pulsing}, {24'd0, bias_rows}, {24'd0, bias_columns});
"""
_FLOAT_IMPORT = """\
    import "DPI-C" function void mho_float_lines(input chandle cells, input int floating);
"""
_FLOAT_SEEN = """\
            if (verify) mho_float_lines(cells, {31'd0, float_lines});
"""


def pins_module(pins: ContractPins) -> str:
    """Name of the module that holds what Python sees."""
    return f"{pins.module}_pins"


def _ports(pins: ContractPins, answer: str) -> str:
    signals = contract_signals(pins)
    ways = {name: "output wire" if name == "hold" or name in pins.tables else answer if driven else "input  wire"
            for name, (_, driven) in signals.items()}
    return ",\n".join(f"    {ways[name]} {range_text(width)}{name}" for name, (width, _) in signals.items())


def _seen(pins: ContractPins) -> tuple[dict[str, int], dict[str, int]]:
    """Widths of what Python sees and of what it answers."""
    signals = contract_signals(pins)
    sampled = {name: width for name, (width, driven) in signals.items() if not driven and name != "clk"}
    if pins.watched or pins.pulses:
        sampled["cycle"] = 32
    answers = {name: width for name, (width, driven) in signals.items() if driven and name != "hold"}
    return sampled, answers | {name: answers[name] << signals[select][0] for name, select in pins.tables.items()}


def _tables(pins: ContractPins, table: str) -> str:
    """What shows words of tables, whose registers have names of the form ``table``."""
    signals = contract_signals(pins)
    return "".join(
        _TABLE.format(name=name, select=select, range=range_text(signals[select][0]), width=signals[name][0],
                      table=table.format(name)) for name, select in pins.tables.items()
    )


def _watches(pins: ContractPins) -> tuple[str, str]:
    """What finds changes of pins, and when Python is asked."""
    signals = contract_signals(pins)
    strobes, watched, pulses = (
        [name for name in names if name in signals] for names in (pins.strobes, pins.watched, pins.pulses)
    )
    trigger, listed = f"(|{{{', '.join(strobes)}}}) === 1'b1", [*watched, *pulses]
    if not listed:
        return "", trigger
    text = fill(template("macro_watches.v"), {
        "TOP": sum(signals[name][0] for name in listed) - 1, "WATCHED": ", ".join(listed),
        "PULSING": f"(|{{{', '.join(pulses)}}})" if pulses else "1'b0",
    })
    return text, f"{trigger} || (^{{{', '.join(strobes)}, watched}} !== 1'bx && watched !== last)"


def _body(pins: ContractPins, module: str, shell: str) -> str:
    (sampled, answers), (watches, trigger) = _seen(pins), _watches(pins)
    assigns = [f"    assign {name} = {shell}pins.{name};\n" for name in answers if name not in pins.tables]
    assigns += [_tables(pins, f"{shell}pins.{{}}")]
    assigns += [f"    wire slow_now = {shell}slow;\n", *([_HOLD] if "hold" in pins.members else [])]
    return fill(template("macro_python.v"), {
        "PINS": pins_module(pins), "MODULE": module, "SHELL": shell, "PORTS": _ports(pins, "output wire"),
        "CONSTANTS": "".join(f"    parameter {name} = {value};\n" for name, value in pins.constants.items()),
        "REGISTERS": "\n".join(f"    reg {range_text(width)}{name};" for name, width in (sampled | answers).items()),
        "ANSWERS": ", ".join(answers), "ASSIGNS": "".join(assigns), "WATCHES": watches, "ASKED": trigger,
        "INSIDE": "" if shell else _ALONE.format(pins=pins_module(pins)),
        "SAMPLES": "\n".join(f"            {shell}pins.{name} <= {name};" for name in sampled),
    })


def shell_body(chip: Chip) -> str:
    """The body in the shell of co-simulation, which has its pins, in Verilog-2005 for simulators without DPI."""
    pins = core_blocks(chip).pins
    return _body(pins, pins.module, _SHELL)


def python_body(chip: Chip, module: str) -> str:
    """The body alone, as the module ``module``, for a bench of the user's own."""
    return _HEAD.format(module=module) + _body(core_blocks(chip).pins, module, "")


def dpi_body(chip: Chip, module: str) -> str:
    """The body in SystemVerilog, of the module ``module``, for simulators with DPI."""
    pins = core_blocks(chip).pins
    (sampled, answers), (watches, trigger) = _seen(pins), _watches(pins)
    sampled, answers = ({name: width for name, width in seen.items() if name not in pins.write_names}
                        for seen in (sampled, answers))
    places = [[f"{name}:{width}" for name, width in named.items()] for named in (sampled, answers)]
    constants = [f"{name}={value}" for name, value in pins.constants.items()]
    registers = [f"    reg {range_text(answers[name])}{name}_table;\n" for name in pins.tables]
    shown = "".join((*registers, _tables(pins, "{}_table"), _HOLD * ("hold" in pins.members)))
    held = [f"{name}_table" if name in pins.tables else name for name in answers]
    return fill(template("macro_dpi.sv"), {
        "MODULE": module, "PORTS": _ports(pins, "output reg "), "TOP": _PINS_BITS - 1, "SIZE": _PINS_BITS,
        "LAYOUT": ";".join(",".join(words) for words in (*places, constants)),
        "ASSIGNS": shown, "WATCHES": watches, "ASKED": trigger,
        "DRIVEN": ", ".join(reversed(sampled)), "ANSWERS": ", ".join(reversed(held)),
        "ANSWER_TOP": sum(answers.values()) - 1, "CELLS": _cells(pins),
    })


def _cells(pins: ContractPins) -> str:
    """What answers at the pins of programming, if there are any."""
    if pins.verify_bits is None:
        return ""
    strobes = " | ".join(name for name in pins.strobes if name not in pins.write_names)
    biased, floats = "bias_rows" in pins.members, "float_lines" in pins.members
    return fill(template("macro_dpi_cells.sv"), {
        "STROBES": strobes, "VERIFY": pins.verify_bits - 1, "WORD": "write_bl" if biased else "write_wl",
        "BIAS_IMPORT": _BIAS_IMPORT * biased + _FLOAT_IMPORT * floats,
        "BIAS_SEEN": _BIAS_SEEN * biased + _FLOAT_SEEN * floats,
    })
