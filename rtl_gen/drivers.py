"""Drivers in C for a core and for tiles behind a bus, beside the headers of their registers."""

from collections.abc import Mapping

from mho.hw.chip.map import CHIP_MAGIC, MAP_VERSION, QUEUE, chip_page
from mho.hw.config import Chip
from mho.hw.core.write_verify import WriteVerifyParameters
from mho.hw.host.core.write_map import RESULT_PULSES, RESULT_VALID, WORD_FLAG, write_entries
from mho.hw.host.registers import PlacedField, Register, Window
from mho.hw.kinds import core_blocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.interface.words import UNIT, credit_tag
from mho.hw.tile.host_map import RESET, START, STATUS_AT
from mho.hw.tile.rtl.host import Event
from mho.macro_models.integer.operation import Direction
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.templates import fill, template


def c_driver(chip: Chip, name: str) -> str:
    """Header-only C99 that includes ``name.h`` (:func:`mho.rtl_gen.registers.c_header`); names begin with ``name``."""
    blocks, config = core_blocks(chip), chip.macro_config()
    windows = {entry.name for entry in blocks.registers.windows}
    programs, manual = "targets" in windows, "manual_cmp" in windows
    parts = {"driver_write": programs, "driver_manual": manual, "driver_manual_write": programs and manual}
    values = {
        "MORE": "".join(template(f"{part}.h") for part, is_part in parts.items() if is_part)
                + macro_texts_of(chip).driver(chip),
        "NAME": name.upper(), "name": name.lower(),
        "LINES": f"{chip.lines}u", "OUTPUTS": f"{blocks.cfg.outputs}u", "OUT_BITS": chip.operation_type.most_out_bits,
        "MASK_WORDS": f"{blocks.cfg.mask_words}u",
        "FORWARD": f"{config.inputs(Direction.FORWARD)}u", "BACKWARD": f"{config.inputs(Direction.BACKWARD)}u",
        "FLAG": str(WORD_FLAG), "VALID": str(RESULT_VALID), "PULSES": str(RESULT_PULSES),
    }
    text = fill(template("driver.h"), values)
    # The header of the registers is called after the top as it is.
    return text.replace(f'#include "{name.lower()}.h"', f'#include "{name}.h"')


TILES_HEADER = "mho_tiles.h"
"""Name of the file."""

_INTERRUPT, _INTERRUPT_ENABLE = 32, 36
"""Bytes of these registers of a tile."""


def tile_driver() -> str:
    """Header-only C99, from the register maps; names begin with ``mho_tiles``."""
    mesh = MeshConfig()
    page = {entry.name: entry for entry in chip_page(mesh, 16).entries}
    registers, windows = write_entries(16, WriteVerifyParameters(), ())
    core = {entry.name: entry for entry in (*registers, *windows)}
    return fill(template("tiles.h"), {
        "VERSION": MAP_VERSION, "MAGIC": CHIP_MAGIC, "QUEUE": QUEUE, "UNIT": UNIT, "PAYLOAD": 4,
        "CREDIT": credit_tag(mesh), "RESET": RESET, "START": START, "TRAP": STATUS_AT,
        "DONE": Event.DONE, "TRAPPED": Event.TRAP, "WATCHDOG": Event.WATCHDOG,
        "INTERRUPT": _INTERRUPT, "INTERRUPT_ENABLE": _INTERRUPT_ENABLE, "GIVEN_UP": WORD_FLAG,
        **{key: page[name].address for key, name in (
            ("ID", "id"), ("DESCRIPTION", "description"), ("STATUS", "status"), ("SEND", "send"),
            ("RECEIVE", "receive"), ("ENABLE", "interrupt_enable"))},
        "FAILED": _mask(page, "status", "refused", "lost", "overflow"),
        **{f"ENABLE_{name.upper()}": _mask(page, "interrupt_enable", name) for name in ("tile", "waiting", "error")},
        **{f"{name.upper()}_MASK": _mask(page, "status", name) for name in ("room", "waiting")},
        **{f"{name.upper()}_SHIFT": _low(page, "status", name) for name in ("room", "waiting")},
        **{name.upper(): core[name].address for name in (
            "write_control", "write_status", "write_levels", "targets", "results")},
        "WRITE_START": _mask(core, "write_control", "start"),
        "WRITE_FLAGS": _mask(core, "write_status", "done", "error", "overrun"),
        "WRITE_FAILED": _mask(core, "write_status", "error", "overrun"),
        "LEVEL_ROOM": _mask(core, "write_levels", "room"), "LEVEL_SHIFT": _low(core, "write_levels", "waiting"),
    })


def _placed(register: Register | Window, *fields: str) -> list[PlacedField]:
    assert isinstance(register, Register)
    return [bits for bits in register.placed if bits.field.name in fields]


def _low(map: Mapping[str, Register | Window], register: str, field: str) -> int:
    return _placed(map[register], field)[0].low


def _mask(map: Mapping[str, Register | Window], register: str, *fields: str) -> int:
    """Bits of fields of a register."""
    return sum((1 << bits.field.width) - 1 << bits.low for bits in _placed(map[register], *fields))
