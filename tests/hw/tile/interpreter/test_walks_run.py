"""What a core and the vector unit get of an image through a ring, against the image itself."""

import numpy as np

from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place
from mho.hw.tile.interpreter.state import FunctionCore, Wait
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, Op, Operand, encode
from mho.hw.tile.isa.program import Program
from mho.hw.tile.isa.window import sliding_window

CFG = TileConfig(lines=256, buffer_kib=4)
IMAGES, PAD, TAIL = 2, 3000, (77, 78, 79)


def random_walk(rng, channels):
    run = int(rng.integers(1, channels + 1))
    values = {"run": run, "channel": int(rng.integers(0, channels - run + 1)), "repeat": int(rng.integers(1, 3)),
              "width": int(rng.integers(1, 8)), "height": int(rng.integers(1, 8)), "tail": int(rng.integers(0, 4)),
              "stream": 0, "pad": PAD}
    for side in "xy":
        values |= {f"kernel_{side}": int(rng.integers(1, 4)), f"dilation_{side}": int(rng.integers(1, 3)),
                   f"stride_{side}": int(rng.integers(1, 4)), f"pad_{side}": int(rng.integers(0, 3)),
                   f"positions_{side}": int(rng.integers(1, 6))}
    return values


def window(image, w, y, x):
    """Pixels under the kernel, one after the other."""
    pixels = []
    for ky in range(w["kernel_y"]):
        for kx in range(w["kernel_x"]):
            row = y * w["stride_y"] - w["pad_y"] + ky * w["dilation_y"]
            column = x * w["stride_x"] - w["pad_x"] + kx * w["dilation_x"]
            inside = 0 <= row < w["height"] and 0 <= column < w["width"]
            pixels.append(image[row, column, w["channel"] :][: w["run"]] if inside else np.arange(100, 100 + w["run"]))
    return np.array(pixels)


def tile(w, channels, vec, words):
    """A program over a ring that is as small as the walk allows."""
    memory = [0] * DESCRIPTOR_WORDS
    blocks = max(sliding_window(w).least, 2)
    for kind, values in (
        ("stream", {"block": channels, "blocks": blocks, "remote": 1}), ("walk", w), ("vec", vec),
        ("mvm", {"conversions": 1, "i_last": 63, "o_first": 0, "o_last": 0}),
    ):
        memory[DESCRIPTORS[kind].at(0)] = DESCRIPTORS[kind].layout.pack(values)
    memory[DESCRIPTORS["stream"].at(1)] = DESCRIPTORS["stream"].layout.pack(
        {"base": 3500, "block": 16, "blocks": 2})
    buffer = bytes(PAD) + bytes(range(100, 100 + w["run"])) + bytes(TAIL[: w["tail"]])
    loop = [encode(Op.LOOP, body=len(words) + 2), encode(Op.LOOP, body=len(words), n=sliding_window(w).positions)]
    return Program(words=(*loop, *words, encode(Op.IMAGE)), descriptors=tuple(memory), buffer=buffer)


def run(program, core, images, channels):
    tiles = Tiles(Joined(tiles={"t": Place(program=program, cfg=CFG, core=core)},
                         flows=(Flow(sender="t", number=0, to=(HOST,)),)), images=IMAGES)
    tiles.give("t", 0, [pixel.astype(np.uint8).tobytes() for pixel in images.reshape(-1, channels)])
    assert tiles.run(), tiles.tiles["t"].status
    return tiles


def positions(w):
    return [(y, x) for y in range(w["positions_y"]) for x in range(w["positions_x"])]


def test_a_core_gets_the_patches_of_an_image_from_the_smallest_ring():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        channels = int(rng.integers(1, 7))
        w, got = random_walk(rng, channels), []
        images = rng.integers(0, 100, (IMAGES, w["height"], w["width"], channels))

        def record(codes, got=got):
            got.append(codes.copy())
            return np.zeros(256, np.int16)

        vec = {"kind": 1, "a": Operand.DRAIN, "a_format": 2, "b": Operand.NONE, "target": 1, "elements": 2, "period": 1}
        words = [encode(Op.MVM, advance=1, free=1), encode(Op.VEC)]
        run(tile(w, channels, vec, words), FunctionCore(record), images, channels)
        expected = [np.concatenate([np.tile(window(image, w, y, x).ravel(), w["repeat"]), TAIL[: w["tail"]]])
                  for image in images for y, x in positions(w)]
        assert len(got) == len(expected)
        for codes, right in zip(got, expected, strict=True):
            np.testing.assert_array_equal(codes[: len(right)], right)
            assert not codes[len(right) :].any()


def test_the_vector_unit_takes_the_largest_of_each_window():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        channels = int(rng.integers(1, 7))
        w = random_walk(rng, channels) | {"repeat": 1, "tail": 0}
        images = rng.integers(0, 100, (IMAGES, w["height"], w["width"], channels))
        vec = {"kind": 1, "a": Operand.WALK, "b": Operand.NONE, "target": 1, "elements": w["run"], "period": 1,
               "hi": 255}
        words = [encode(Op.VEC, advance_a=1, free_a=1, push=1), encode(Op.SEND, stream=1, n=1, free=1)]
        tiles = run(tile(w, channels, vec, words), None, images, channels)
        expected = [window(image, w, y, x).max(axis=0) for image in images for y, x in positions(w)]
        outputs = [np.frombuffer(block, np.uint8)[: w["run"]] for block in tiles.received["t", 0]]
        np.testing.assert_array_equal(outputs, expected)


def test_walk_that_waits_for_what_it_is_to_give_back_stands_still() -> None:
    program = assemble("""
    stream in: block 4, blocks 4, remote
    stream out: block 4, blocks 4
    walk corner: stream in, run 4, width 2, height 2, positions_x 1, positions_y 1
    vec keep: kind max, a corner, target out, elements 4
    vec keep, advance_a, free_a, push
    """)
    tiles = Tiles(Joined(tiles={"t": Place(program=program)}))
    tiles.give("t", 0, [bytes(4)])
    assert not tiles.run()
    tile = tiles.tiles["t"]
    assert (tile.waits, tile.moves) == (Wait("blocks", 0, 1), 1)
