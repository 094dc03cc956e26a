"""What a host reaches of a tile: the map of its registers and memories, and what it writes before a tile starts."""

import numpy as np

from mho.hw.core.masks import BL_SKIP, LINE_MASK, SL_SKIP, WL_MASK, MaskFile
from mho.hw.core.shape import CoreShape
from mho.hw.host.registers import Access, Field, Register, RegisterMap, Window, value_register
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTOR_WORDS, STATUS, TABLE_ENTRIES, TABLES, Cause
from mho.hw.tile.isa.program import Program
from mho.hw.tile.rtl.host import (
    BUFFER,
    CONTROL,
    CORE_AT,
    DESCRIPTORS_AT,
    INSTRUCTIONS_AT,
    MASKS_AT,
    PARAMETERS_AT,
    TABLES_AT,
    Event,
)
from mho.macro_models.integer.operation import Masks


def _value(name: str, address: int, width: int, doc: str, access: Access = Access.RW) -> Register:
    return value_register(name, CONTROL + address, width, doc, access)


def _status() -> tuple[Register, ...]:
    """The words of the status, as the instruction set has them."""
    docs = {
        "cause": "Why: " + ", ".join(f"{cause.value} {cause.name.lower()}" for cause in Cause) + ".",
        "engine": "Which engine.", "pc": "Address of the instruction.", "stream": "The stream, where there is one.",
        "image": "Number of the image.",
    }
    return tuple(
        Register(name=f"status_{word}", address=CONTROL + 24 + 4 * word, doc="Of a program that trapped.", fields=tuple(
            Field(name=field.name, width=field.width, doc=docs[field.name])
            for field in STATUS.fields if field.word == word
        ))
        for word in range(STATUS.words)
    )


def _interrupts() -> tuple[Register, ...]:
    """What has happened, and what of it raises the interrupt."""
    docs = {
        Event.DONE: "A program has ended, and its engines have done what they had in hand.",
        Event.TRAP: "A program has trapped: see `status_0`.", Event.WATCHDOG: "The watchdog has ended a program.",
    }

    def register(name: str, address: int, access: Access, doc: str) -> Register:
        return Register(name=name, address=CONTROL + address, doc=doc, fields=tuple(
            Field(name=event.name.lower(), access=access, doc=docs[event]) for event in Event
        ))

    return (
        register("interrupt", 32, Access.RW1C, "What has happened since a 1 was written there."),
        register("interrupt_enable", 36, Access.RW, "What of that raises the interrupt, as long as it lasts."),
    )


def tile_map(cfg: TileConfig) -> RegisterMap:
    """Registers and memories of a tile, from its byte 0 on; behind them are those of its core."""
    stop = "End the program at its next IMAGE, until the next write."
    return RegisterMap(
        name="_".join(filter(None, ("tile", cfg.verilog_word))), address_width=CORE_AT.bit_length() - 1,
        doc="One tile: its program and its memories. Words are 32 bits, little endian, and written whole; addresses "
        "count bytes.",
        entries=(
            Register(name="control", address=CONTROL, doc="Commands, and what goes on.", fields=(
                Field(name="run", access=Access.RW1S, doc="Written: start the program; answered when it runs. An error "
                      "while one runs, and before `program` was written. Read: it runs."),
                Field(name="busy", access=Access.RW1S, doc="Written: reset the tile and its core. Read: an engine is "
                      "at work."),
                Field(name="stop", access=Access.W, doc=stop),
            )),
            _value("image", 4, 32, "Number of the first image."),
            *(_value(f"count_{k}", 8 + 4 * k, 16, f"Host register {k + 1}, by which loops count.") for k in range(3)),
            _value("watchdog", 20, 5, "A trap when nothing has retired for 2**k cycles; 0: never."),
            *_status(), *_interrupts(),
            *(_value(f"draw_key_{k}", 40 + 4 * k, 32, f"Word {k} of the key of random numbers.", Access.W)
              for k in range(2 * cfg.draws)),
            Window(
                name="program", address=INSTRUCTIONS_AT, words=cfg.instructions, access=Access.RW,
                doc="Instructions. An error while a program runs.",
            ),
            Window(
                name="descriptors", address=DESCRIPTORS_AT, words=DESCRIPTOR_WORDS, access=Access.RW,
                doc="Descriptors of streams, walks, products and vector operations. To write them while a program runs "
                "is an error.",
            ),
            Window(
                name="parameters", address=PARAMETERS_AT, words=2 * cfg.parameters, access=Access.W,
                doc="Parameters of 64 bits: the low word first, the high word writes both.",
            ),
            Window(
                name="tables", address=TABLES_AT, words=TABLES * TABLE_ENTRIES, access=Access.W,
                doc=f"{TABLES} tables of {TABLE_ENTRIES} entries of 16 bits, a word each.",
            ),
            Window(
                name="buffer", address=BUFFER, words=cfg.buffer_bytes // 4, access=Access.RW,
                doc="Where the rings of the streams are.",
            ),
        ),
    )


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
