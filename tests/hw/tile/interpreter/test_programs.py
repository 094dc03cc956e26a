"""The programs of ``examples/tile`` against the layers that they are, in the numpy arithmetic of networks."""

from pathlib import Path

import numpy as np
import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place, Reduction
from mho.hw.tile.interpreter.state import FunctionCore
from mho.hw.tile.interpreter.tiles import Tiles
from mho.macro_models.integer.vector import Requantise, Root, WeightedSum, scale_leaf, sum_leaves
from tests.hw.tile.interpreter.networks import with_blocks

EXAMPLES = Path(__file__).parents[4] / "examples" / "tile"
IMAGES = 3


def program(name):
    path = EXAMPLES / f"{name}.s"
    return assemble(path.read_text(encoding="utf-8"), path.name)


class Matrix(FunctionCore):
    """A core that multiplies by a matrix (columns, rows) and rounds to codes of 8 bits."""

    def __init__(self, seed, columns, rows):
        self.weight = np.random.default_rng(seed).integers(-8, 9, (columns, rows))
        super().__init__(lambda codes: self.codes(codes.view(np.int8)[None])[0])

    def codes(self, x):
        """Codes for input codes (batch, rows or more)."""
        return np.clip(x[:, : self.weight.shape[1]].astype(int) @ self.weight.T // 4, -127, 127)


def leaf(codes, multiplier, shift):
    columns = codes.shape[1]
    target = np.arange(columns)
    return sum_leaves([(scale_leaf(codes, np.broadcast_to(multiplier, columns), shift), target)], columns)


def patches(image, kernel):
    """Windows with a border of zeros, (positions, kernel * kernel * channels), channels last."""
    height, width, _ = image.shape
    wide = np.pad(image, ((kernel // 2,) * 2, (kernel // 2,) * 2, (0, 0)))
    return np.stack([wide[y : y + kernel, x : x + kernel].ravel() for y in range(height) for x in range(width)])


def blocks_of(values):
    return [row.tobytes() for row in values]


def lanes_of(blocks):
    return np.array([np.frombuffer(block, "<i2") for block in blocks])


def order(seed):
    rng = np.random.default_rng(seed)
    return lambda names: rng.permutation(names).tolist()


@pytest.mark.parametrize("most", [1, 100])
def test_perceptron(most):
    core, x = Matrix(1, 8, 16), np.random.default_rng(2).integers(-7, 8, (IMAGES, 16)).astype(np.int8)
    tiles = Tiles(Joined(tiles={"a": Place(program=program("perceptron"), core=core)},
                         flows=(Flow(sender="a", number=0, to=(HOST,)),)), images=IMAGES)
    tiles.give("a", 0, blocks_of(x))
    assert tiles.run(most=most)
    total = leaf(core.codes(x), np.array([900, 1000, 1100, 950, 1050, 980, 1020, 1000]), 4)
    root = Root(bias=np.arange(20, 12, -1, dtype=np.int16), relu=True, requantise=None)
    np.testing.assert_array_equal(lanes_of(tiles.received["a", 0]), root.compute(total))


def convolve(core, image, multiplier, root):
    return root.compute(leaf(core.codes(patches(image, 3)), multiplier, 3)).reshape(*image.shape[:2], -1)


def test_convolution_with_pooling():
    core = Matrix(3, 4, 18)
    x = np.random.default_rng(4).integers(-7, 8, (IMAGES, 8, 8, 2)).astype(np.int8)
    tiles = Tiles(Joined(tiles={"a": Place(program=program("conv_pool"), core=core)},
                         flows=(Flow(sender="a", number=0, to=(HOST,)),)), images=IMAGES)
    tiles.give("a", 0, blocks_of(x.reshape(-1, 2)))
    assert tiles.run()
    root = Root(bias=np.arange(40, 36, -1, dtype=np.int16), relu=True,
                requantise=Requantise(shift=7, low=0, high=7))
    convolved = np.stack([convolve(core, image, 700, root) for image in x])
    largest = convolved.reshape(IMAGES, 4, 2, 4, 2, 4).max(axis=(2, 4))
    outputs = np.array([np.frombuffer(block, np.int8) for block in tiles.received["a", 0]])
    np.testing.assert_array_equal(outputs, largest.reshape(-1, 4))
    assert outputs.any()


def residual(skip_blocks=None):
    first, second = program("residual_first"), program("residual_second")
    if skip_blocks:
        second = with_blocks(second, 1, skip_blocks)
    cores = Matrix(5, 4, 36), Matrix(6, 4, 36)
    joined = Joined(
        tiles={"first": Place(program=first, core=cores[0]), "second": Place(program=second, core=cores[1])},
        flows=(Flow(sender="first", number=0, to=("second",), slot=0),
               Flow(sender="first", number=1, to=("second",), slot=1),
               Flow(sender="second", number=0, to=(HOST,))),
    )
    return joined, cores


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_residual_block_over_two_tiles_in_any_order(seed):
    joined, cores = residual()
    x = np.random.default_rng(7).integers(-7, 8, (IMAGES, 8, 8, 4)).astype(np.int8)
    tiles = Tiles(joined, images=IMAGES)
    tiles.give("first", 0, blocks_of(x.reshape(-1, 4)))
    assert tiles.run(most=seed + 1, order=order(seed))
    codes = Requantise(shift=8, low=0, high=7)
    first = Root(bias=np.arange(16, 12, -1, dtype=np.int16), relu=True, requantise=codes)
    expected = []
    for image in x:
        total = leaf(cores[1].codes(patches(convolve(cores[0], image, 600, first), 3)), 600, 3)
        both = np.concatenate([total + np.arange(16, 12, -1), image.reshape(-1, 4)], axis=1)
        index = np.arange(4)[:, None] + [0, 4]
        join = WeightedSum(index=index, multiplier=np.tile([1, 500], (4, 1)), shift=8, offset=np.zeros(4, np.int32))
        expected.append(np.clip(join.compute(both), 0, 7))
    outputs = np.array([np.frombuffer(block, np.int8) for block in tiles.received["second", 0]])
    np.testing.assert_array_equal(outputs, np.concatenate(expected))
    assert outputs.any()


@pytest.mark.parametrize("seed", range(4))
def test_layer_split_over_four_tiles_with_reduction(seed):
    x = np.random.default_rng(8).integers(-7, 8, (IMAGES, 64)).astype(np.int8)
    cores = [Matrix(10 + k, 8, 16) for k in range(4)]
    names = ["root", "b", "c", "d"]
    joined = Joined(
        tiles={name: Place(program=program("split_root" if name == "root" else "split_member"), core=core)
               for name, core in zip(names, cores, strict=True)},
        flows=(Flow(sender="root", number=0, to=(HOST,)),),
        reductions=(Reduction(context=0, members=tuple(names), root="root"),),
    )
    tiles = Tiles(joined, images=IMAGES)
    for k, name in enumerate(names):
        tiles.give(name, 0, blocks_of(x[:, 16 * k : 16 * k + 16]))
    assert tiles.run(most=1, order=order(seed))
    leaves = [(scale_leaf(core.codes(x[:, 16 * k : 16 * k + 16]), np.full(8, 1000), 4), np.arange(8))
              for k, core in enumerate(cores)]
    root = Root(bias=np.arange(20, 12, -1, dtype=np.int16), relu=True, requantise=None)
    np.testing.assert_array_equal(lanes_of(tiles.received["root", 0]), root.compute(sum_leaves(leaves, 8)))
