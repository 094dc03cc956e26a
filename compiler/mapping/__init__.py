"""Weights on the cells of cores: which rows and columns hold what, around what is faulty."""

from compiler.mapping.free_lines import SkipMaps
from compiler.mapping.place import place
from compiler.mapping.placement import Placement
from compiler.mapping.size import Shape

__all__ = ["Placement", "Shape", "SkipMaps", "place"]
