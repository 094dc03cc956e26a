"""Words of the load port on their way to cells, tables and noise."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream

from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import CELLS, NOISE, NOISE_KEY, NOISE_STEP, TABLES, TAGS
from mho.hw.emulator.vector.tables import TableStore
from mho.macro_models.integer.shift_register import STEP_BITS

__all__ = ["CellChunk", "load_noise", "load_words"]


@dataclass(frozen=True, eq=False)
class CellChunk:
    """A write to the memory of the cells: which word, its parts (none, or one), and what for each of them."""

    word: Value
    parts: Value
    value: Value


def load_words(m: Module, cfg: EmulatorConfig, load: stream.Interface, tables: TableStore) -> CellChunk:
    """Bring words for tables and tags there; those for cells are returned. A word counts while it is valid."""
    word = load.p
    parts = cfg.word_bits // cfg.chunk_bits
    part_bits = (parts - 1).bit_length()
    stride = 32 // cfg.chunk_cells
    here = Signal()
    m.d.comb += [
        here.eq(load.valid & (word.region == CELLS)),
        tables.write.eq(load.valid & (word.region == TABLES)),
        tables.field.eq(word.index), tables.write_line.eq(word.index[2:]), tables.value.eq(word.data),
        tables.tag_write.eq(load.valid & (word.region == TAGS)),
        tables.tag_slot.eq(word.index), tables.tag.eq(word.data),
    ]
    return CellChunk(
        word=word.index[part_bits:],
        parts=Cat(here & ((word.index & (parts - 1)) == part) for part in range(parts)),
        value=Cat(word.data.word_select(k, stride)[: cfg.g_bits] for k in range(cfg.chunk_cells)).replicate(parts),
    )


def load_noise(m: Module, cfg: EmulatorConfig, load: stream.Interface) -> tuple[Signal, Signal]:
    """Key and step of the shift register that were loaded. Neither knows reset."""
    word = load.p
    slots = []
    for index, width in ((NOISE_KEY, 32), (NOISE_STEP, STEP_BITS)):
        value = Signal(width, name=f"noise_{index}", reset_less=True)
        with m.If(load.valid & (word.region == NOISE) & (word.index == cfg.noise_base + index)):
            m.d.sync += value.eq(word.data)
        slots.append(value)
    return slots[0], slots[1]
