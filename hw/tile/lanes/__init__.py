"""The vector unit: lanes of one formula, their parameters, tables and accumulators."""

from hw.tile.lanes.unit import VectorUnit

__all__ = ["VectorUnit"]
