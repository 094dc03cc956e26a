"""Learning on the chip: cells are moved by pulses while a network learns from examples."""

from mho.train.mixed import Epoch, Perceptron

__all__ = ["Epoch", "Perceptron"]
