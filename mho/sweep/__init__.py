"""Sweeps: chips, devices, networks, seeds, times and temperatures, all of them or the best ones, on many processors."""

from mho.sweep.folder import Folder
from mho.sweep.run import Sweep, run_sweep
from mho.sweep.spec.spec import Spec, load_spec

__all__ = ["Folder", "Spec", "Sweep", "load_spec", "run_sweep"]
