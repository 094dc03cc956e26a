"""What a network file holds of tiles: their programs, what joins them, and what the host sends and gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network.file.archive import Arrays
from mho.compiler.program import Program as NetworkProgram
from mho.compiler.types import Array, Facts, Lanes
from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import Flow, Joined, Place, Reduction
from mho.hw.tile.isa import STREAMS
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError
from mho.macro_models.files.schema import FLAG, TEXT, Choice, ListOf, Optional, Table, Whole


@dataclass(frozen=True, kw_only=True)
class HeldValue:
    """How a value lies in the rings of tiles: pixel by pixel, an element in one byte or, ``wide``, in two."""

    channels: int
    pixels: int
    wide: bool
    signed: bool = True

    @property
    def block(self) -> int:
        """Bytes of a pixel."""
        return self.channels * (2 if self.wide else 1)

    def blocks(self, lanes: Lanes) -> NDArray[np.uint8]:
        """Pixels of images, row by row: from (images, elements) to (images * pixels, block)."""
        pixels = lanes.reshape(len(lanes), self.channels, self.pixels).transpose(0, 2, 1)
        kind = "<i2" if self.wide else "u1"
        return np.ascontiguousarray(pixels.reshape(-1, self.channels).astype(kind)).view(np.uint8)

    def lanes(self, blocks: NDArray[np.uint8]) -> Lanes:
        """Inverse of :meth:`blocks`."""
        kind = "<i2" if self.wide else "i1" if self.signed else "u1"
        pixels = np.ascontiguousarray(blocks).view(kind).astype(np.int16)
        images = pixels.reshape(-1, self.pixels, self.channels).transpose(0, 2, 1)
        return images.reshape(-1, self.pixels * self.channels)


@dataclass(frozen=True, kw_only=True)
class TileCode:
    """All that tiles are loaded with for a network."""

    programs: Mapping[str, Program]
    """By tile, ``column,row``; the number of the first image is 0."""
    flows: Sequence[Flow]
    reductions: Sequence[Reduction]
    """What joins them."""
    given: Sequence[tuple[str, int, int]]
    """The remote streams that the host sends every pixel of a value to: (tile, stream, value)."""
    inputs: Mapping[int, HeldValue]
    """How they hold it, by the numbers of values: 0 is the network's input, others the host makes of it."""
    values: Mapping[int, tuple[str, int, HeldValue]]
    """What the host gets, by the numbers of values: who sends it, in which flow, and how it is held."""
    before: Sequence[int]
    behind: Sequence[int]
    instructions: int
    """Instructions of all tiles for one image."""
    between: Sequence[int] = ()
    """Stages that the host does ``before`` it sends, ``between``, with what it got and sends again, and ``behind``."""
    ahead: Mapping[str, int] = field(default_factory=dict)
    """Tiles that do some of their nodes for the next image: the first node for which they do not."""

    def joined(self, cfgs: Mapping[str, TileConfig]) -> Joined:
        """The tiles for the interpreter, of some sizes, without cores."""
        places = {tile: Place(program=program, cfg=cfgs[tile]) for tile, program in self.programs.items()}
        return Joined(tiles=places, flows=tuple(self.flows), reductions=tuple(self.reductions))


def write_tiles(code: TileCode, put: Callable[[str, Array], str]) -> Facts:
    """The JSON of a network's tiles; programs are arrays."""
    for tile, program in code.programs.items():
        put(f"tile{tile}.program", np.frombuffer(program.pack(), np.uint8))
    return {
        "programs": sorted(code.programs),
        "flows": [{"sender": f.sender, "number": f.number, "to": list(f.to), "slot": f.slot} for f in code.flows],
        "reductions": [{"context": r.context, "members": list(r.members), "root": r.root} for r in code.reductions],
        "given": [{"tile": tile, "stream": stream, "value": value} for tile, stream, value in code.given],
        "inputs": [{"value": value, **asdict(layout)} for value, layout in sorted(code.inputs.items())],
        "before": list(code.before), "behind": list(code.behind),
        **({"between": list(code.between)} if code.between else {}),
        "values": [{"value": value, "sender": sender, "flow": flow, **asdict(layout)}
                   for value, (sender, flow, layout) in sorted(code.values.items())],
        "instructions": code.instructions,
        **({"ahead": [{"tile": tile, "node": node} for tile, node in sorted(code.ahead.items())]}
           if code.ahead else {}),
    }


def read_tiles(entry: Mapping[str, Any], arrays: Arrays, chip: Chip, program: NetworkProgram) -> TileCode:
    """Inverse of :func:`write_tiles`, for the tiles of a chip and the stages of a network.

    Raises InputError if a program is none, is not for these tiles, or what joins them does not fit.
    """
    where, cfgs = str(arrays.path), TileConfig.of_tiles(chip)
    programs = {}
    for tile in entry["programs"]:
        Choice(tuple(cfgs)).read(f"{where}: tiles.programs", tile)
        name = f"{where}: tile{tile}.program"
        programs[tile] = Program.unpack(arrays.take(f"tile{tile}.program", np.uint8, (None,)).tobytes(), name)
        programs[tile].check(cfgs[tile], name)
    code = TileCode(
        programs=programs, flows=tuple(Flow(**{**f, "to": tuple(f["to"])}) for f in entry["flows"]),
        reductions=tuple(Reduction(**{**r, "members": tuple(r["members"])}) for r in entry["reductions"]),
        given=tuple((g["tile"], g["stream"], g["value"]) for g in entry["given"]),
        inputs={v["value"]: HeldValue(**{n: v[n] for n in _HELD}) for v in entry["inputs"]},
        values={v["value"]: (v["sender"], v["flow"], HeldValue(**{n: v[n] for n in _HELD})) for v in entry["values"]},
        before=entry["before"], between=tuple(entry.get("between") or ()), behind=entry["behind"],
        instructions=entry["instructions"], ahead={a["tile"]: a["node"] for a in entry.get("ahead") or ()},
    )
    code.joined(cfgs)
    last = len(program.stages)
    # The sizes of other values follow from what the stages make of these.
    ends = [(0, code.inputs.get(0), len(program.input.scale))]
    ends += [(last, code.values[last][2], len(program.output.scale))] if last in code.values else []
    for value, layout, elements in ends:
        if layout is not None and layout.channels * layout.pixels != elements:
            raise InputError(f"{where}: tiles must hold value {value} in {elements} elements")
    for tile, stream, value in code.given:
        remote = tile in programs and programs[tile].descriptor("stream", stream)["remote"]
        if not remote or value not in code.inputs:
            raise InputError(f"{where}: tiles.given must be remote streams of its tiles, not {stream} of {tile!r}")
    return code


_HELD = {"channels": Whole(1, 1 << 16), "pixels": Whole(1, 1 << 16), "wide": FLAG, "signed": FLAG}
TILES = Table({
    "programs": ListOf(TEXT, least=1),
    "flows": ListOf(Table({"sender": TEXT, "number": Whole(0, 15), "to": ListOf(TEXT, least=1), "slot": Whole(0, 15)})),
    "reductions": ListOf(Table({"context": Whole(0, 3), "members": ListOf(TEXT, least=1), "root": TEXT})),
    "given": ListOf(Table({"tile": TEXT, "stream": Whole(0, STREAMS - 1), "value": Whole()}), least=1),
    "inputs": ListOf(Table({"value": Whole(), **_HELD}), least=1),
    "before": ListOf(Whole()), "between": Optional(ListOf(Whole())), "behind": ListOf(Whole()),
    "values": ListOf(Table({"value": Whole(1), "sender": TEXT, "flow": Whole(0, 15), **_HELD}), least=1),
    "instructions": Whole(), "ahead": Optional(ListOf(Table({"tile": TEXT, "node": Whole(1)}))),
})
"""What the JSON of tiles may hold."""
