"""The three pictures: a tile, a convolution in its ring, what two tiles do one after the other."""

from pathlib import Path

import numpy as np

from mho.hw.tile.asm import assemble
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place
from mho.hw.tile.interpreter.state import FunctionCore, Retired
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.isa import Engine, Op
from mho.hw.tile.isa.window import sliding_window
from tests.hw.tile.documents.svg import Picture

__all__ = ["pictures"]

EXAMPLES = Path(__file__).parents[4] / "examples" / "tile"


def pictures() -> dict[str, str]:
    """SVG by the name of its file in ``docs``."""
    return {"tile.svg": _tile(), "tile-ring.svg": _ring(), "tile-turns.svg": _turns()}


def _tile() -> str:
    p = Picture(900, 380, "A tile: sequencer, three engines, streams in the buffer, the core, the node")
    p.box("plane", 10, 30, 880, 340)
    p.text(22, 22, "A tile", "name left")
    p.box("state", 30, 50, 190, 66, "instructions", "512 words")
    p.box("logic", 30, 150, 190, 66, "sequencer", "loops, waits, issue")
    p.box("state", 30, 250, 190, 90, "descriptors", "16 streams, 8 walks", "8 mvm, 16 vec")
    p.flow((125, 116), (125, 148))
    p.flow((125, 250), (125, 218))
    for k, (name, line) in enumerate((("load engine", "MVM, CORE, IMAGE"), ("vector engine", "VEC"),
                                      ("send engine", "SEND"))):
        y = 60 + 105 * k
        p.box("logic", 280, y, 150, 60, name, line)
        p.flow((220, 170 + 13 * k), (250, 170 + 13 * k), (250, y + 30), (278, y + 30))
        p.flow((490, y + 22), (432, y + 22))
    p.box("queue", 492, 50, 130, 290, "buffer", "rings of blocks:", "streams")
    p.flow((430, 205), (490, 205))
    p.box("state", 680, 50, 190, 90, "core", "one array,", "its converters")
    p.flow((430, 72), (460, 72), (460, 40), (655, 40), (655, 80), (678, 80))
    p.text(560, 36, "codes", "small")
    p.flow((680, 120), (650, 120), (650, 352), (266, 352), (266, 213), (278, 213))
    p.text(370, 347, "drain: output codes", "small")
    p.box("state", 280, 240, 150, 26, "parameters, tables")
    p.flow((355, 240), (355, 227))
    p.box("logic", 680, 230, 190, 110, "node", "flows, slots, credits", "reduction")
    p.flow((430, 308), (470, 308), (470, 360), (775, 360), (775, 342))
    p.flow((680, 285), (624, 285))
    p.text(652, 278, "receive", "small")
    return p.svg()


def _ring() -> str:
    """The image of the example with its walk at one position, and the ring that holds it."""
    program = assemble((EXAMPLES / "conv_pool.s").read_text(encoding="utf-8"))
    walk, stream = sliding_window(program.descriptor("walk", 0)), program.descriptor("stream", 0)
    position = 4 * walk.positions_x + 3
    low, need, window = int(walk.low[position]), int(walk.need[position]), set(walk.window(position).tolist())
    p = Picture(900, 330, "A convolution reads its patch from a ring of pixels")
    cell = 30

    def kind(pixel: int) -> str:
        if pixel in window:
            return "strong"
        return "gone" if pixel < low else "queue" if pixel < need else "empty"

    p.text(22, 22, f"The image, {walk.width} x {walk.height} pixels, at position {position}", "name left")
    for pixel in range(walk.image):
        y, x = divmod(pixel, walk.width)
        p.box(kind(pixel), 20 + cell * x, 36 + cell * y, cell - 3, cell - 3, str(pixel))
    for k, (which, text) in enumerate((("strong", "under the kernel"), ("queue", "kept for later positions"),
                                       ("gone", "given back"), ("empty", "not needed yet"))):
        p.box(which, 20 + 130 * (k % 2), 284 + 20 * (k // 2), 14, 14)
        p.text(40 + 130 * (k % 2), 295 + 20 * (k // 2), text, "small left")
    p.text(330, 22, f"Its ring: {stream['blocks']} blocks, of which {walk.least} are the least", "name left")
    for block in range(stream["blocks"]):
        newest = low + (block - low) % stream["blocks"]
        arrived = newest < need
        x, y = 330 + 55 * (block % 10), 50 + 70 * (block // 10)
        p.box(kind(newest) if arrived else "empty", x, y, 50, 36, f"{newest}" if arrived else "")
        p.text(x + 25, y + 50, f"block {block}", "small")
    p.text(330, 220, f"oldest: pixel {low}, in block {low % stream['blocks']}", "left")
    p.text(330, 240, f"waited for: pixel {need - 1}, in block {(need - 1) % stream['blocks']}", "left")
    p.text(330, 260, f"with the next position pixel {low} is given back" if walk.low[position + 1] > low else
           "the next position gives nothing back", "left")
    return p.svg()


_SHOWN = {Op.MVM: ("strong", "M"), Op.VEC: ("logic", "V"), Op.SEND: ("queue", "S"), Op.IMAGE: ("state", "I")}


def _turns() -> str:
    """What the two tiles of the residual block retire, turn by turn."""
    first, last, cell = 88, 150, 13
    events: list[tuple[int, str, Retired]] = []
    turn = 0

    def count(names: list[str]) -> list[str]:
        nonlocal turn
        turn += 1
        return names

    programs = [assemble((EXAMPLES / f"residual_{name}.s").read_text(encoding="utf-8")) for name in ("first", "second")]
    core = FunctionCore(lambda codes: np.zeros(64, np.int16))
    joined = Joined(
        tiles={
            name: Place(program=program, core=core)
            for name, program in zip(("first", "second"), programs, strict=True)
        },
        flows=(Flow(sender="first", number=0, to=("second",), slot=0),
               Flow(sender="first", number=1, to=("second",), slot=1), Flow(sender="second", number=0, to=(HOST,))),
    )
    tiles = Tiles(joined, images=1, watch=lambda name, event: events.append((turn, name, event)))
    tiles.give("first", 0, [bytes(4)] * 64)
    tiles.run(most=1, order=count)
    p = Picture(900, 170, "What two tiles of a residual block do, turn by turn, from a trace")
    p.text(22, 22, f"Instructions of two tiles, one a turn, turns {first} to {last - 1}", "name left")
    for row, name in enumerate(("first", "second")):
        p.text(14, 62 + 42 * row, name, "left")
        for when, who, event in events:
            if who == name and first <= when < last and event.engine is not Engine.SEND and event.op in _SHOWN:
                which, letter = _SHOWN[event.op]
                p.box(which, 78 + cell * (when - first), 44 + 42 * row, cell - 1, 28, letter)
    p.text(78, 146, "M: product   V: vector operation   S: send.   A gap: the tile waits for a pixel.", "small left")
    return p.svg()
