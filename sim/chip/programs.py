"""Two programs that run for ever without the host, and what they make, in plain Python."""

from collections.abc import Sequence

from hw.chip import ChipParts
from hw.config import Chip
from hw.noc.flit import Destinations
from hw.noc.registers.packet import host_address
from hw.noc.registers.setup import write_flow, write_members, write_slot
from hw.tile.host import CONTROL
from hw.tile.loading import START, program_writes
from hw.tile.text import assemble
from rtl_gen.kinds import macro_texts_of

__all__ = ["RESULT_AT", "Programs"]

RESULT_AT = 512
"""Byte of the buffer of the second tile at which its results are, in two places in turn."""

_START = (1, -2, 3, -4, 5, -6, 7, -7)

_FIRST = """\
; A layer whose inputs are its own outputs; each state goes to the second tile too.
stream state: base 0, block {n}, blocks 2, first 1
stream out: base {behind}, block {n}, blocks 2
bytes begin @ 0 {{ {start} }}
walk whole: stream state
mvm layer: i_last {words}, o_last {half}, in_bits 4, in_signed, out_bits 8, step_code {step}
parameters plain {{ 8 * m 1 }}
vec copy: kind max, a state, target out, elements {n}, lo -7, hi 7
vec next: a drain, target state, elements {n}, parameters plain, period 8, shift 4, lo -7, hi 7
loop forever {{
    vec copy, push
    send out, flow 0, free
    mvm layer, whole, advance, free
    vec next, push
    image
}}
"""
_SECOND = """\
; A layer on what the first tile sends.
stream in: base 0, block {n}, blocks 2, remote, slot 0
stream out: base {result}, block {double}, blocks 2
walk whole: stream in
mvm layer: i_last {words}, o_last {half}, in_bits 4, in_signed, out_bits 8, step_code {step}
parameters plain {{ 8 * m 1 }}
vec give: a drain, target out, wide, elements {n}, parameters plain, period 8
loop forever {{
    mvm layer, whole, advance, free
    vec give, push
    free out
    image
}}
"""


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
        self.parts, self.inputs = ChipParts.from_chip(chip), self._texts.inputs(chip.lines)

    def texts(self) -> tuple[str, str]:
        """Both programs."""
        n = self.inputs
        values = {
            "n": n, "double": 2 * n, "words": n // 4 - 1, "half": n // 2 - 1,
            "step": self._texts.step_code(self._chip.lines), "start": " ".join(map(str, self._start)),
            "result": RESULT_AT, "behind": max(256, 2 * n),
        }
        return _FIRST.format(**values), _SECOND.format(**values)

    def writes(self) -> list[tuple[int, int]]:
        """Byte addresses and words by which a host sets up the network, loads both programs and starts them."""
        mesh = self.parts.mesh
        found = [
            (0, *write_flow(mesh, 0, Destinations.one(*mesh.position(1)), 0)), (0, *write_members(mesh, 0, 1)),
            (1, *write_slot(mesh, 0, 0, 0)),
        ]
        for node, text in enumerate(self.texts()):
            found += [(node, address, word) for address, word in program_writes(assemble(text), self.parts.tiles[node])]
        found += [(1, CONTROL, START), (0, CONTROL, START)]
        return [(host_address(mesh, node, address), word) for node, address, word in found]

    @property
    def _start(self) -> list[int]:
        return [*_START * (self.inputs // len(_START))]

    def product(self, codes: Sequence[int]) -> list[int]:
        """Codes of a core of the ideal model, in half steps."""
        return self._texts.product(self._chip, codes)

    def states(self, images: int) -> list[list[int]]:
        """States of the first tile: that at the start, and after each image."""
        found = [self._start]
        seen: dict[tuple[int, ...], list[int]] = {}
        for _ in range(images):
            key = tuple(found[-1])
            if key not in seen:
                seen[key] = [min(7, max(-7, (code + 8) >> 4)) for code in self.product(key)]
            found.append(seen[key])
        return found

    def result_after(self, images: int) -> bytes:
        """What the second tile makes of its last image."""
        codes = self.product(self.states(images - 1)[-1])
        return b"".join(code.to_bytes(2, "little", signed=True) for code in codes)
