"""Families of FPGAs, a module each: what their tools, files and cells are like."""

from collections.abc import Mapping
from types import MappingProxyType

from mho.fpga.families.ecp5 import ECP5
from mho.fpga.families.family import Family, Loop
from mho.fpga.families.gowin import GOWIN
from mho.fpga.families.ice40 import ICE40

__all__ = ["FAMILIES", "Family", "Loop"]

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (ICE40, ECP5, GOWIN)})
"""All families, by name."""
