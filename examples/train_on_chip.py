"""A perceptron learns digits in the cells of a chip, by pulses without reads.

    python examples/train_on_chip.py [--cosim]

Products go forward and backward through the array, gradients are summed by the host, and a cell gets a pulse when its
sum has come to a step. The cells have 40 steps, larger down than up. ``--cosim``: the first 100 images in the
functional model and in the generated Verilog, whose pins must see the same pulses.
"""

import sys
from dataclasses import replace

import numpy as np

import mho
from mho.data import load_sample
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.train import Perceptron

CHIP = {"mesh.columns": 2, "core.lines": 136, "core.corelet": 4, "programming.pulses": True, "cells.g_max_uS": 21.0}
CELLS = Update(model="soft", g_min_uS=1.0, g_max_uS=21.0, up_uS=1.0, down_uS=1.2, cycle_spread=0.3, cell_spread=0.3)


def learner(backend: mho.Functional | mho.Cosim | None = None) -> Perceptron:
    """64 - 48 - 10 on a chip of two cores of 136 lines."""
    device = mho.Device(replace(load_device("ecram"), update=CELLS))
    return Perceptron(mho.Chip.load("neurram-core", **CHIP), (64, 48, 10), device, backend, bits=6)


def main(epochs: int = 8) -> float:
    """Learn from 400 digits, and judge by 100 others."""
    digits = load_sample("digits")
    x, y = digits.x.reshape(-1, 64) / 16.0, digits.y
    net, accuracy = learner(), 0.0
    for epoch in range(epochs):
        done = net.fit(x[:400], y[:400], batch=4)
        accuracy = float((net.outputs(x[400:]).argmax(axis=1) == y[400:]).mean())
        print(f"{epoch + 1}: {accuracy:.1%}, {done.pulses_per_image:.1f} pulses an image")
    return accuracy


def compare(images: int = 100) -> int:
    """Pulses at the pins of the Verilog, which must be those of the model, cell by cell."""
    digits = load_sample("digits")
    x, y = digits.x[:images].reshape(-1, 64) / 16.0, digits.y[:images]
    nets = [learner(mho.Functional()), learner(mho.Cosim())]
    for net in nets:
        net.fit(x, y, batch=4)
        net.close()
    for layer, same in zip(*(net.layers for net in nets), strict=True):
        np.testing.assert_array_equal(layer.cells.g_uS, same.cells.g_uS)
    print(f"{nets[1].counts.pulses} pulses in {nets[1].counts.cycles} cycles, the same in both")
    return nets[1].counts.pulses


if __name__ == "__main__":
    compare() if "--cosim" in sys.argv else main()
