"""A driver in C for chips of tiles: one text for all of them, beside what `mho export` writes of a network."""

from collections.abc import Mapping

from mho.hw.chip.map import CHIP_MAGIC, MAP_VERSION, QUEUE, chip_page
from mho.hw.core.write_verify import WriteVerifyParameters
from mho.hw.host.core.write_map import WORD_FLAG, write_entries
from mho.hw.host.registers import PlacedField, Register, Window
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.interface.words import UNIT, credit_tag
from mho.hw.tile.loading import RESET, START, STATUS_AT
from mho.hw.tile.rtl.host import Event
from mho.rtl_gen.templates import fill, template

__all__ = ["TILES_HEADER", "tile_driver"]

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
