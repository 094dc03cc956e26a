"""Programs that run for ever without the host, and what they make, in plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.hw.chip.map import ChipParts
from mho.hw.config import Chip
from mho.hw.noc.flit import Destinations
from mho.hw.noc.registers.map import write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.asm import assemble
from mho.hw.tile.host_map import START, program_writes
from mho.hw.tile.rtl.host import BUFFER, CONTROL
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.templates import fill, template

RESULT_AT = 512
"""Byte of the buffer of the second tile at which its results are, in two places in turn."""

_START = (1, -2, 3, -4, 5, -6, 7, -7)


@dataclass(frozen=True)
class Made:
    """What is in a buffer after so many images: where, by tile and byte, and what it is in words."""

    node: int
    at: int
    data: bytes
    what: str


class Programs:
    """The two programs on a chip, and what they make.

    The first tile is at column 0 and row 0, the second one node behind it.

    Parameters
    ----------
    chip
        A chip of at least two tiles.

    Attributes
    ----------
    parts
        What it is made of.
    inputs
        Codes of a state.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip, self._texts = chip, macro_texts_of(chip)
        self.parts, self.inputs = ChipParts.from_chip(chip), self._texts.between(chip)
        self._out_bits = self._texts.operation(chip, 4, 8).out_bits

    forms: tuple[str, ...] = ("states_first.s", "states_second.s")
    """Templates of the programs, of the first tile and so on."""

    def texts(self) -> tuple[str, ...]:
        """The programs."""
        n = self.inputs
        values = {
            "N": n, "DOUBLE": 2 * n, "WORDS": n // 4 - 1, "HALF": n // 2 - 1,
            "STEP": self._texts.step_code(self._chip), "START": " ".join(map(str, self._start)),
            "RESULT": RESULT_AT, "BEHIND": max(256, 2 * n), "OUT_BITS": self._out_bits, "SHIFT": self._shift,
        }
        return tuple(fill(template(form), values) for form in self.forms)

    def joined(self) -> list[tuple[int, int, int]]:
        """Writes to nodes by which a host sets up the network."""
        mesh = self.parts.mesh
        return [
            (0, *write_flow(mesh, 0, Destinations.one(*mesh.position(1)), 0)), (0, *write_members(mesh, 0, 1)),
            (1, *write_slot(mesh, 0, 0, 0)),
        ]

    def writes(self) -> list[tuple[int, int]]:
        """Byte addresses and words by which a host sets up the network, loads the programs and starts them."""
        mesh, writes = self.parts.mesh, self.joined()
        for node, text in enumerate(self.texts()):
            program = program_writes(assemble(text), self.parts.tiles[node])
            writes += [(node, address, word) for address, word in program]
        writes += [(node, CONTROL, START) for node in reversed(range(len(self.forms)))]
        return [(host_address(mesh, node, address), word) for node, address, word in writes]

    @property
    def counted(self) -> int:
        """Flits that reach the tile :func:`mho.sim.chip.traffic.idle_tile` with these writes: that has no program."""
        return 0

    @property
    def _shift(self) -> int:
        """By which codes are states of 4 bits again."""
        return max(self._out_bits - 4, 0)

    @property
    def _start(self) -> list[int]:
        return [*_START * (self.inputs // len(_START))]

    def product(self, codes: Sequence[int]) -> list[int]:
        """Codes of a core of the ideal model, in half steps."""
        return self._texts.product(self._chip, codes)

    def states(self, images: int) -> list[list[int]]:
        """States of the first tile: that at the start, and after each image."""
        states = [self._start]
        following: dict[tuple[int, ...], list[int]] = {}
        for _ in range(images):
            key = tuple(states[-1])
            if key not in following:
                following[key] = [
                    min(7, max(-7, (code + (1 << self._shift >> 1)) >> self._shift)) for code in self.product(key)
                ]
            states.append(following[key])
        return states

    def result_after(self, images: int) -> bytes:
        """What the second tile makes of its last image."""
        codes = self.product(self.states(images - 1)[-1])
        return b"".join(code.to_bytes(2, "little", signed=True) for code in codes)

    def made(self, images: int) -> list[Made]:
        """What is in buffers after so many images: each is at one of two places, in turn."""
        state = b"".join(code.to_bytes(1, "little", signed=True) for code in self.states(images)[-1])
        second = RESULT_AT + 2 * self.inputs * ((images - 1) % 2)
        return [
            Made(0, BUFFER + self.inputs * (images % 2), state, "state of the first program"),
            Made(1, BUFFER + second, self.result_after(images), "result of the second program"),
        ]


class LoneProgram(Programs):
    """The first of the two programs without what it sends, on a chip of one tile."""

    forms = ("states_alone.s",)

    def joined(self) -> list[tuple[int, int, int]]:
        """None: the tile sends nothing."""
        return []

    @property
    def counted(self) -> int:
        """Two of each write."""
        return 2 * len(self.writes())

    def made(self, images: int) -> list[Made]:
        """The state alone."""
        return super().made(images)[:1]


def programs_of(chip: Chip) -> Programs:
    """Programs for the first two tiles of a chip, or for the only one."""
    return LoneProgram(chip) if chip.cores == 1 else Programs(chip)
