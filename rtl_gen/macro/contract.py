"""What every contract of a macro's pins needs, and the contract of a kind that says no more than its strobes."""

import re

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import ToolError
from mho.rtl_gen.templates import fill, template

__all__ = ["connections", "write_pins_contract"]


def connections(text: str, module: str) -> dict[str, str]:
    """Nets of the instance of ``module`` in a text as this package writes it, by port."""
    instance = re.search(rf"^  {re.escape(module)} \w+ \(\n(.*?)^  \);", text, re.MULTILINE | re.DOTALL)
    if instance is None:
        raise ToolError(f"no instance of {module} was found")
    return dict(re.findall(r"\.(\w+)\((\w*)\)", instance[1]))


def write_pins_contract(chip: Chip, core: str, text: str, adapter: str, name: str) -> str:
    """SystemVerilog of the contract ``name`` and its binding: no strobe in reset, and each is met.

    Parameters
    ----------
    chip
        The chip.
    core, text
        Module that holds the adapter of the macro, and its Verilog.
    adapter
        Module of the adapter.
    """
    pins = core_blocks(chip).pins
    strobes = [name for name in pins.strobes if name in pins.members]
    reset = "~rst_n" if chip.verilog.reset == "async_low" else "rst"
    nets = connections(text, adapter)
    bound = {"clk": "clk", "in_reset": f"{reset} | soft_reset{' | test_mode' if chip.verilog.test else ''}"}
    bound |= {strobe: nets[strobe] for strobe in strobes}
    return fill(template("macro_contract_pins.sv"), {
        "NAME": name, "CORE": core, "PORTS": ",\n".join(f"  input wire {strobe}" for strobe in strobes),
        "STROBES": ", ".join(strobes),
        "COVERS": "\n".join(f"    {strobe}_is_met: cover ({strobe});" for strobe in strobes),
        "CONNECTIONS": ",\n".join(f"  .{port}({net})" for port, net in bound.items()),
    })
