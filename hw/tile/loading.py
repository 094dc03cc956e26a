"""What a host writes into a tile before it starts: its program, and the masks of its core."""

import numpy as np

from mho.hw.core.masks import BL_SKIP, LINE_MASK, SL_SKIP, WL_MASK, MaskFile
from mho.hw.core.shape import CoreShape
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa.program import Program
from mho.hw.tile.rtl.host import BUFFER, CONTROL, DESCRIPTORS_AT, INSTRUCTIONS_AT, MASKS_AT, PARAMETERS_AT, TABLES_AT
from mho.macro_models.integer.operation import Masks

IMAGE_AT, REGISTERS_AT, WATCHDOG_AT, STATUS_AT = CONTROL + 4, CONTROL + 8, CONTROL + 20, CONTROL + 24
"""Byte addresses of the number of the first image, of registers that loops count by, of the watchdog, of the status."""

_KEY_AT = CONTROL + 40
"""That of the key of random numbers, low word first, of tiles that have them."""

START, RESET = 1, 2
"""What is written to the control register."""

Write = tuple[int, int]


def program_writes(program: Program, cfg: TileConfig) -> list[Write]:
    """Byte addresses within the tile, and words, by which a host loads a program; memories may hold another one."""
    end = min(len(program.words) + 2, cfg.instructions)
    words = [*program.words, *[0] * (end - len(program.words))]
    writes = [(INSTRUCTIONS_AT + 4 * k, word) for k, word in enumerate(words)]
    writes += [(DESCRIPTORS_AT + 4 * k, word) for k, word in enumerate(program.descriptors)]
    for k, word in enumerate(program.parameters.tolist()):
        writes += [(PARAMETERS_AT + 8 * k, word & 0xFFFFFFFF), (PARAMETERS_AT + 8 * k + 4, word >> 32)]
    for k, table in enumerate(program.tables):
        if table.any():
            first = TABLES_AT + 4 * k * len(table)
            writes += [(first + 4 * at, entry) for at, entry in enumerate(table.astype(np.uint16).tolist())]
    for k in range(0, len(program.buffer), 4):
        writes.append((BUFFER + k, int.from_bytes(program.buffer[k : k + 4].ljust(4, b"\0"), "little")))
    if cfg.draws:
        writes += [(_KEY_AT, program.key & 0xFFFFFFFF), (_KEY_AT + 4, program.key >> 32)]
    return [*writes, (IMAGE_AT, program.image), *((REGISTERS_AT + 4 * k, v) for k, v in enumerate(program.registers))]


def mask_writes(core: CoreShape, masks: Masks) -> list[Write]:
    """Byte addresses and words that differ from the masks that a core has after its reset."""
    before = MaskFile(core)
    tables = [(WL_MASK + k, row) for k, row in enumerate(masks.wl)]
    tables += [(LINE_MASK + k, row) for k, row in enumerate(masks.lines)]
    tables += [(BL_SKIP, masks.bl_skip), (SL_SKIP, masks.sl_skip)]
    return [(MASKS_AT + 4 * at, word) for number, row in tables
            if not np.array_equal(row, before.masks[number, : len(row)])
            for at, word in before.words(number, row)]
