"""Weights on the cells of cores: which rows and columns hold what, around what is faulty."""

from mho.compiler.mapping.place import Placement, place

__all__ = ["Placement", "place"]
