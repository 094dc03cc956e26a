"""What somebody else's host has to know of a compiled network: what it writes, sends and takes, as C and as data."""

from mho.sim.export.c_files import build_files, c_files, data_files
from mho.sim.export.listing import Listing, list_network

__all__ = ["Listing", "build_files", "c_files", "data_files", "list_network"]
