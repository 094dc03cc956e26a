"""The vector unit: lanes of one formula, their parameters, tables and accumulators."""

from mho.hw.tile.lanes.unit import VectorUnit

__all__ = ["VectorUnit"]
