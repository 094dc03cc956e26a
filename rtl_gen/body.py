"""The macro's body for a simulator without DPI: Verilog that passes strobes on, and what Python answers back."""

from importlib.resources import files

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.rtl_gen.kinds import macro_texts_of

__all__ = ["python_body", "shell_body"]

_SHELL = "core_tb."
"""Where the pins stand in co-simulation: in its shell."""

_HEAD = """\
// Body of {module} for a cocotb test: Python answers for it (mho.cosim.behind_pins). It does not program its cells.
"""
_OWN = """\

    // What Python sees: `strobed` changes behind each strobe, `pins` holds what was at the pins and takes the answer.
    {kind}_pins pins ();
    reg strobed;
    wire slow = 1'b0;
    initial strobed = 1'b0;
"""


def shell_body(chip: Chip) -> str:
    """The body in the shell of co-simulation, which has its pins; empty if the kind has none."""
    name = macro_texts_of(chip).body
    return (files("mho.rtl_gen") / "templates" / f"{name}.v.txt").read_text(encoding="utf-8") if name else ""


def python_body(chip: Chip, module: str) -> str:
    """The body alone, as the module ``module``, for a bench of the user's own; empty if the kind has none."""
    text, kind, blocks = shell_body(chip), chip.core.kind, core_blocks(chip)
    if not text:
        return ""
    defines = {"MHO_LINES": chip.lines, **macro_texts_of(chip).defines(chip)}
    if blocks.pins.verify_bits is not None:
        defines["MHO_VERIFY_BITS"] = blocks.pins.verify_bits
    text = text[text.index("\n\n") + 2 :]  # the remark on co-simulation
    body, members = f"module {kind}_macro (", _OWN.format(kind=kind)
    head, tail = text.split(body)
    ports, rest = tail.split(");\n", 1)
    text = f"{head}module {module} ({ports});\n{members}{rest}".replace(_SHELL, "")
    lines = [f"`define {name} {value}".rstrip() for name, value in defines.items()]
    return _HEAD.format(module=module) + "\n".join(lines) + "\n\n" + text
