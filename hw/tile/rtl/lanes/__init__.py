"""The vector unit: lanes of one formula, their parameters, tables and accumulators."""

from mho.hw.tile.rtl.lanes.datapath import VectorDatapath

__all__ = ["VectorDatapath"]
