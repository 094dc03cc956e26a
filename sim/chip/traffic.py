"""Random accesses of a host to a chip whose tiles run programs, and what each must give.

Of what a program uses its instructions and descriptors are written, which must be refused; else registers that it does
not read, ends of memories, whole tiles without one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mho.hw.chip.map import ChipParts, tile_name
from mho.hw.host.registers import Access, Block, Register
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.interface.tables import VALUE_BITS, Counter
from mho.hw.noc.registers.packet import host_address_bits
from mho.hw.tile.isa import DESCRIPTOR_WORDS

IDLE = 2
"""The tile from which on none has a program: it counts the requests that reach it."""


def idle_tile(mesh: MeshConfig) -> int:
    """The tile whose requests are counted, and whose core the host has in the end: :data:`IDLE`, or the only one."""
    return IDLE if mesh.nodes > IDLE else 0


_SPARE_DESCRIPTORS, _SPARE_BUFFER = 16, 64
"""Words at the end of a memory that programs leave alone."""

_RUN = 0.6
"""How often the word behind the last is next, read or written as that was, if there is one: as bursts are."""

_LEFT_ALONE = ("control", "watchdog", "interrupt_enable", "power")
"""Registers whose value matters to others."""


@dataclass(frozen=True)
class Expected:
    """An access: byte address, data (``None``: it reads) and bytes that are written; and its answer.

    ``word`` is None where any will do.
    """

    address: int
    data: int | None
    strobe: int
    error: bool
    word: int | None

    def check(self, error: bool, word: int) -> str:
        """What is wrong with an answer; empty if nothing is."""
        if error != self.error:
            return f"{self.address:#x} must answer {'with' if self.error else 'without'} an error"
        if self.data is None and self.word is not None and not error and word != self.word:
            return f"{self.address:#x} must hold {self.word:#x}, not {word:#x}"
        return ""


class Traffic:
    """Draws accesses, and knows what is in every place that they reach.

    Parameters
    ----------
    parts
        The chip, of at least three tiles, of which the first two run programs, or of one that does.
    seed
        Of all that is random.
    counted
        Flits that have reached the tile :func:`idle_tile` before.

    Attributes
    ----------
    counted
        Flits that have reached that tile.
    """

    def __init__(self, parts: ChipParts, seed: int = 0, *, counted: int = 0) -> None:
        self.map, self.rng, self.counted = parts.address_map, np.random.default_rng(seed), counted
        self._node_bytes, self._mesh_end = 1 << 20, 1 << host_address_bits(parts.mesh)
        self._idle = self.map[tile_name(parts.mesh, idle_tile(parts.mesh))].base
        self._held: dict[int, int] = {}
        self._masks: dict[int, int] = {}
        self._constants: dict[int, int] = {}
        self._whole: set[int] = set()
        self._entries: list[tuple[int, int]] = []
        self._refused: list[int] = []
        tiles = [tile_name(parts.mesh, node) for node in range(parts.mesh.nodes)]
        for block in self.map.blocks:
            self._add(block, tile=block.name in tiles, runs=block.name in tiles[:IDLE])
        self._free, self._fixed = list(self._masks), list(self._constants)
        self._last, self._reads = -1, False

    def _add(self, block: Block, *, tile: bool, runs: bool) -> None:
        for entry in block.map.entries:
            at = block.base + entry.address
            self._entries.append((at, at + 4 * entry.words))
            if isinstance(entry, Register):
                self._register(at, entry, tile=tile)
        if tile:
            spare = [("buffer", block.map["buffer"].words - _SPARE_BUFFER, _SPARE_BUFFER)]
            if runs:
                windows = [block.map[name] for name in ("program", "descriptors")]
                self._refused += [
                    block.base + window.address + 4 * k for window in windows for k in range(window.words)
                ]
            else:
                spare.append(("descriptors", DESCRIPTOR_WORDS - _SPARE_DESCRIPTORS, _SPARE_DESCRIPTORS))
            for name, first, words in spare:
                for k in range(first, first + words):
                    at = block.base + block.map[name].address + 4 * k
                    self._masks[at] = 0xFFFFFFFF
                    self._whole.add(at)

    def _register(self, at: int, register: Register, *, tile: bool) -> None:
        if all(field.constant for field in register.fields):
            self._constants[at] = sum(placed.field.reset << placed.low for placed in register.placed)
        elif register.name not in _LEFT_ALONE and not any(field.limited for field in register.fields) and all(
            field.access is Access.RW for field in register.fields
        ):
            self._masks[at] = sum((1 << f.field.width) - 1 << f.low for f in register.placed)
            self._held[at] = sum(placed.field.reset << placed.low for placed in register.placed)
            if tile:
                self._whole.add(at)

    def draw(self) -> Expected:
        """The next access, which is taken to be carried out."""
        access = self._draw()
        if self._idle <= access.address < self._idle + self._node_bytes:
            self.counted += 1 if access.data is None else 2
        return access

    def _draw(self) -> Expected:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.02:
            # Programs that run, where what is written would be seen.
            at = self._refused[rng.integers(len(self._refused))]
            return Expected(at, int(rng.integers(2**32)), 15, True, None)
        if kind < 0.08:
            data = None if rng.random() < 0.5 else int(rng.integers(2**32))
            return Expected(self._nowhere(), data, 15, True, None)
        if kind < 0.15:
            at = self._fixed[rng.integers(len(self._fixed))]
            return Expected(at, None, 15, False, self._constants[at])
        if self._last + 4 in self._masks and rng.random() < _RUN:
            at, reads = self._last + 4, self._reads
        else:
            at, reads = self._free[rng.integers(len(self._free))], kind < 0.55
        # What nobody has written is not read: it is unknown.
        self._last, self._reads = at, reads and at in self._held
        if self._reads:
            return Expected(at, None, 15, False, self._held[at])
        data, strobe = int(rng.integers(2**32)), 15
        if rng.random() < 0.2:
            # Neighbouring bytes, as every master can write them.
            first = int(rng.integers(4))
            strobe = sum(1 << k for k in range(first, int(rng.integers(first + 1, 5))))
        refused = at in self._whole and strobe != 15
        if not refused:
            bits = sum(0xFF << 8 * k for k in range(4) if strobe >> k & 1)
            before = self._held.get(at, 0)
            self._held[at] = ((before & ~bits) | (data & bits)) & self._masks[at]
        return Expected(at, data, strobe, refused, None)

    def _nowhere(self) -> int:
        """An address at which there is nothing."""
        while True:
            # Half of them within or near a block, where mistakes would be.
            at = int(self.rng.integers(1 << self.map.address_width)) & ~3
            if self.rng.random() < 0.5:
                start, end = self._entries[self.rng.integers(len(self._entries))]
                at = max(0, (end if self.rng.random() < 0.5 else start - 4))
            if at >> self.map.address_width == 0 and not any(start <= at < end for start, end in self._entries):
                return at

    def last(self) -> Iterator[Expected]:
        """Reads of all that has been written, and of the requests that the idle tile has counted before this one."""
        for at, word in self._held.items():
            if self._idle <= at < self._idle + self._node_bytes:
                self.counted += 1
            yield Expected(at, None, 15, False, word)
        name = next(block.name for block in self.map.blocks if block.base == self._idle)
        at = self.map.address(f"{name}_node", Counter.RECEIVED.name.lower())
        yield Expected(at, None, 15, False, self.counted % (1 << VALUE_BITS))
