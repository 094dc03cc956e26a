"""The Verilog files of a chip: one module a file."""

from pathlib import Path

from amaranth.lib import wiring

from mho.hw.chip.tops import build_chip, build_tile, build_top, configurations, top_name
from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.rtl_gen.macro.adapter import through, write_adapter
from mho.rtl_gen.macro.pin_check import macro_map
from mho.rtl_gen.macro.supplies import pass_through
from mho.rtl_gen.testable import BYPASS, with_test
from mho.rtl_gen.verilog.names import identifier
from mho.rtl_gen.verilog.netlist import emit

ADAPTER = "macro_adapter"
COMMAND_PORT = "command_port"


def boundary(chip: Chip, prefix: str) -> str:
    """Module at the pins of the digital side: the adapter of the macro, or the ring around it that tests have."""
    return f"{prefix}{BYPASS if chip.verilog.test else ADAPTER}"


def module_texts(
    chip: Chip, wrap: str, *, part: str = "core", top: str | None = None, prefix: str | None = None,
    own_macro: bool = True, tile: int = 0,
) -> dict[str, str]:
    """Verilog of each module by its name, the top first, the adapter of the macro last.

    ``part`` is ``core``, ``chip``, or, with ``wrap`` none, ``tile``: that of a number.

    Supplies of the macro, and the pins of it that its user brings out, are ports of every module around it.
    """
    prefix = chip.verilog.prefix if prefix is None else prefix
    path = top_name(wrap, part)
    name = identifier(f"{prefix}{path}") if top is None else top
    adapter = f"{prefix}{ADAPTER}"
    macro = chip.macro if own_macro else None
    ports = macro_map(chip, own=own_macro)
    reset = "rst_n" if chip.verilog.reset == "async_low" else "rst"
    pins, port = core_blocks(chip).pins, f"{prefix}{COMMAND_PORT}"
    table = None if macro is None else macro.command_table
    commands = None if table is None else pins.command_port(table)
    parts = {} if commands is None else emit(commands, name=port, prefix=prefix, reset_low=reset != "rst")
    component = build_tile(chip, tile) if part == "tile" else (build_chip if part == "chip" else build_top)(chip, wrap)
    return emit_block(chip, component, name, prefix, own_macro=own_macro, part=part, wrap=wrap) | parts | {
        adapter: write_adapter(macro, pins, ports, name=adapter, reset=reset, command_port=port)
    }


def emit_block(
    chip: Chip, component: wiring.Component, name: str, prefix: str, *, own_macro: bool = True, part: str = "chip",
    wrap: str = "none",
) -> dict[str, str]:
    """Verilog of a block of a chip by the names of its modules, the top ``name`` first.

    ``part`` and ``wrap`` are what it is of, as at :func:`module_texts`. Where macros are in it, their supplies are
    ports of every module around them.
    """
    low = chip.verilog.reset == "async_low"
    texts = emit(
        component, name=name, prefix=prefix, reset_low=low, configs=configurations(chip, part, wrap),
        clock_gates=chip.verilog.clock_gate == "module", test_ports=chip.verilog.test,
        one_port=chip.memory.one_port,
    )
    macro = chip.macro if own_macro else None
    resets = ("rst_n" if low else "rst",) if macro is not None and macro.takes_reset else ()
    if chip.verilog.test:
        texts = with_test(texts, prefix, f"{prefix}{ADAPTER}", core_blocks(chip).pins, resets)
    return pass_through(texts, f"{prefix}{ADAPTER}", through(macro, macro_map(chip, own=own_macro)), resets)


def file_name(module: str, prefix: str) -> str:
    """Name of the file that holds a module: its name without the prefix."""
    return f"{module.removeprefix(prefix) or module}.v"


def emit_core(
    chip: Chip, folder: Path | str, wrap: str = "none", *, part: str = "core", own_macro: bool = False
) -> list[Path]:
    """Write only the Verilog of a chip, for a simulator.

    Raises InputError if there is no such wrap, or the chip has no such part.

    Parameters
    ----------
    folder
        Where the files go; it is made if it is missing.
    wrap
        ``none`` (top ``{prefix}core``), ``wishbone`` (``{prefix}core_wb``) or ``axil`` (``{prefix}core_axil``).
    part
        ``core``, of a chip of one core, or ``chip`` of several, whose top has that name.
    own_macro
        Take the user's own macro where the chip names one. By default the adapter holds the contract's ``tnsa_macro``,
        whose body the simulator supplies.

    Returns
    -------
    list of Path
        The files, that of the top first. ``tnsa_macro`` is not among them.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for module, text in module_texts(chip, wrap, part=part, own_macro=own_macro).items():
        path = folder / file_name(module, chip.verilog.prefix)
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files
