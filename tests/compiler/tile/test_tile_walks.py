"""Walks against the index arrays of random convolutions."""

import numpy as np

from mho.compiler.model.windows import windows
from mho.compiler.program import Call
from mho.compiler.tile.lowering.geometry import Image, layer_walk, rows_of
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Axis, Window


def convolution(rng):
    """A random convolution of ONNX: image, its windows, and the index array over all of its channels."""
    rank = 1 if rng.random() < 0.15 else 2
    groups = int(rng.choice([1, 1, 2, 3]))
    channels = groups * int(rng.integers(1, 5))
    size = [int(n) for n in rng.integers(3, 15, rank)]
    kernel = [int(rng.integers(1, 5)) for _ in size]
    attrs = {"strides": rng.integers(1, 4, rank).tolist(), "dilations": rng.integers(1, 4, rank).tolist()}
    mode = rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "NOTSET"])
    if mode == "NOTSET":
        attrs["pads"] = rng.integers(0, 4, 2 * rank).tolist()
    else:
        attrs["auto_pad"] = str(mode).encode()
    try:
        view = windows(size, kernel, attrs)
    except ValueError:
        return None
    area = int(np.prod(size))
    patches = np.concatenate(
        [np.where(view.index == PAD, PAD, view.index + c * area) for c in range(channels)], axis=1).astype(np.int32)
    return (channels, *([1] if rank == 1 else []), *size), view, patches, groups


def walk_over(window, channels, height, width):
    """The walk of a layer that takes a window of an image."""
    patches = window.indices()
    call = Call(layer=0, patches=patches, pad=np.zeros(patches.shape[1], np.int16), window=window)
    return layer_walk(call, Image(channels=channels, height=height, width=width))


def test_a_walk_takes_what_the_index_array_of_a_convolution_says():
    rng, done, refused = np.random.default_rng(7), 0, 0
    while done < 500:
        case = convolution(rng)
        if case is None:
            continue
        image, view, patches, groups = case
        window = view.recover(patches, image[0], groups)
        if window is None:  # every window is in the padding
            refused += 1
            continue
        walk = walk_over(window, *image)
        assert walk is not None, (image, window)
        rows = rows_of(walk, 0, walk.run)
        assert sorted(rows) == list(range(patches.shape[1]))
        # Element by element: pixel and channel of the ring are the element of the value.
        pixels = walk.pixels.repeat(walk.run, axis=1)
        channel = walk.channel + np.tile(np.arange(walk.run), walk.terms)
        element = np.where(pixels < 0, PAD, channel * image[1] * image[2] + pixels)
        np.testing.assert_array_equal(element, patches[:, rows])
        done += 1
    assert refused < 50


def test_what_is_no_walk():
    y = Axis(size=6, step=6, kernel=2, positions=5)
    x = Axis(size=6, step=1, kernel=2, positions=5)
    window = Window(first=0, channels=2, channel_step=36, axes=(y, x))
    assert walk_over(window, 2, 6, 6) is not None
    assert walk_over(window, 2, 4, 9) is None
    cut = Window(first=7, channels=1, channel_step=36, axes=(y, x))
    assert walk_over(cut, 2, 6, 6) is None
    deep = Window(first=0, channels=1, channel_step=216, axes=(y, y, x))
    assert walk_over(deep, 1, 36, 6) is None


def test_an_image_of_one_channel_that_is_flattened_is_one_window():
    """Its elements are those of a pixel of as many channels, but a ring has no such block."""
    flat = Window(first=0, channels=64, channel_step=1)
    whole, pixel = walk_over(flat, 1, 8, 8), walk_over(flat, 64, 1, 1)
    assert whole is not None
    assert pixel is not None
    assert (whole.run, whole.terms) == (1, 64)
    assert (pixel.run, pixel.terms) == (64, 1)
