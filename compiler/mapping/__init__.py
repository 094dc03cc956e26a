"""Weights on the cells of cores: which rows and columns hold what, around what is faulty."""

from mho.compiler.mapping.free_lines import SkipMaps
from mho.compiler.mapping.place import place
from mho.compiler.mapping.placement import Placement
from mho.compiler.mapping.size import Shape

__all__ = ["Placement", "Shape", "SkipMaps", "place"]
