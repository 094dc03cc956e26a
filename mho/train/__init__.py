"""Learning on the chip: cells are moved by pulses while a network learns from examples."""

from mho.train.at_once import PulsedPerceptron
from mho.train.chip_arrays import ChipArrays
from mho.train.mixed import Epoch, Perceptron

__all__ = ["ChipArrays", "Epoch", "Perceptron", "PulsedPerceptron"]
