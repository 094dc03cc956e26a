"""Weights on the cells of cores: which rows and columns hold what, around what is faulty."""

from mho.compiler.mapping.packing.free_lines import SkipMaps
from mho.compiler.mapping.place import place
from mho.compiler.mapping.placement import Placement

__all__ = ["Placement", "SkipMaps", "place"]
