"""A netlist as Amaranth gives it, with the names that its nets and instances have in Verilog.

Nothing but names is changed, so that what Yosys reads of it owes nothing to our own reader of netlists. A wrong name
makes a proof fail; it cannot make one succeed.
"""

import re
from collections.abc import Iterator, Mapping

from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog.module.writer import Written
from mho.rtl_gen.verilog.rtlil import NAMED_CONSTANT

__all__ = ["NETLIST", "instances_of", "reset_low", "twins_of", "with_names", "with_test_pins"]

NETLIST = "netlist"
"""Name of the module of a netlist."""

_NAME = re.compile(r"[\\$]\S+")


def instances_of(rtlil: str) -> dict[str, str]:
    """Modules of the instances of a netlist, by the names that these have there."""
    cells = (line.split() for line in rtlil.splitlines() if line.startswith("  cell \\"))
    return {name: kind[1:] for _, kind, name in cells if kind != f"\\{NAMED_CONSTANT}"}


def twins_of(rtlil: str) -> tuple[str, ...]:
    """Outputs of a netlist that are registers as a whole."""
    states = set(re.findall(r"^  cell \$a?dff .*\n(?:    .*\n)*?    connect \\Q (\S+)\n", rtlil, re.MULTILINE))
    widths = {name: int(size) for size, name in re.findall(r"^  wire width (\d+) .*?(\S+)\n", rtlil, re.MULTILINE)}
    outputs = set(re.findall(r"^  wire width \d+ output .*?(\S+)\n", rtlil, re.MULTILINE))
    whole = {f"{name} [{widths[name] - 1}:0]" if widths[name] > 1 else f"{name} [0]": name for name in states}
    connects = re.findall(r"^connect (\S+) (.*)\n", rtlil, re.MULTILINE)
    return tuple(target[1:] for target, value in connects if value in whole and target in outputs)


def with_names(rtlil: str, written: Written) -> str:
    """The netlist of one module, called ``netlist``, with the names of its Verilog.

    Raises
    ------
    ToolError
        If an instance has parameters, which no proof would compare.
    """
    lines = (line.strip() for line in rtlil.splitlines())
    return "".join(f"{line}\n" for line in _renamed(lines, written))


def reset_low(rtlil: str) -> str:
    """A netlist of :func:`with_names` with the input ``rst_n``, which is 0 in a reset; blocks within get it."""
    inverts = """\
cell $not $reset_low
parameter \\A_SIGNED 0
parameter \\A_WIDTH 1
parameter \\Y_WIDTH 1
connect \\A \\rst_n
connect \\Y \\rst
end
"""
    text = re.sub(r"^(wire width 1) (input \d+) +\\rst$", r"\1 \\rst\n\1 \2 \\rst_n", rtlil, flags=re.MULTILINE)
    text = re.sub(r"^connect \\rst \\rst(?= |$)", r"connect \\rst_n \\rst_n", text, flags=re.MULTILINE)
    head, _, tail = text.rpartition("end\n")
    return f"{head}{inverts}end\n{tail}"


def with_test_pins(rtlil: str, texts: Mapping[str, str], ring: str, adapter: str) -> str:
    """A netlist with the pin ``test_mode``, which reaches all that has it, and with test ports of memories tied off.

    ``ring`` is the module that is in the place of that of ``adapter``, both without their prefix.
    """
    lines, kind = [], ""
    for line in rtlil.splitlines():
        words = line.split()
        if words[:1] == ["module"]:
            line = f"{line}\nwire width 1 input 9999 \\test_mode"
        elif words[:1] == ["cell"]:
            kind = words[1].removeprefix("\\")
            inside = kind.removesuffix(adapter) + ring
            if kind.endswith(adapter) and inside in texts:
                line, kind = line.replace(f"\\{kind} ", f"\\{inside} "), inside
        elif words == ["end"] and kind in texts:
            ports = re.findall(r"^  input +wire (?:\[(\d+):0\] )?(test_mode|bist_\w+)", texts[kind], re.MULTILINE)
            tied = [(port, f"{int(high or 0) + 1}'{'0' * (int(high or 0) + 1)}") for high, port in ports]
            line = "".join(f"connect \\{port} {chr(92) + port if port == 'test_mode' else zeros}\n"
                           for port, zeros in tied) + line
            kind = ""
        elif words == ["end"]:
            kind = ""
        lines.append(line)
    return "\n".join([*lines, ""])


def _renamed(lines: Iterator[str], written: Written) -> Iterator[str]:
    def named(text: str) -> str:
        # What has no name in Verilog gets one that nothing has there.
        return _NAME.sub(lambda m: "\\" + written.nets.get(m[0], f"unnamed:{m[0][1:]}"), text)

    within = ""
    for line in lines:
        word, _, rest = line.partition(" ")
        key, _, value = rest.partition(" ")
        if line == f"cell \\{NAMED_CONSTANT} {value}":
            parts = dict(inner.split(" ", 2)[1:] for inner in iter(lambda: next(lines), "end"))
            yield f"connect {named(parts[chr(92) + 'o'])} {parts[chr(92) + 'VALUE']}"
        elif word == "module":
            yield f"module \\{NETLIST}"
        elif word == "cell":
            within = key
            yield f"cell {key} \\{written.instances[value]}" if key[0] == "\\" else line
        elif word == "parameter" and within.startswith("\\"):
            raise ToolError(f"an instance of {within[1:]} has parameters, which are not compared")
        elif word == "wire":
            options, _, name = line.rpartition(" ")
            yield f"{options} {named(name)}"
        elif word == "connect" and within:
            yield f"connect {key} {named(value)}"
        elif word in ("connect", "assign", "switch"):
            yield named(line)
        elif not line.startswith("attribute \\init "):
            # A value at power-on is no business of Verilog without `initial`.
            within = "" if line == "end" else within
            yield line
