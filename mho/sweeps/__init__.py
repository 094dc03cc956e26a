"""Sweeps: chips, devices, networks, seeds, times and temperatures, all of them or the best ones, on many processors."""

from mho.sweeps.folder import Folder
from mho.sweeps.run import Sweep, run_sweep
from mho.sweeps.spec.spec import Spec, load_spec

__all__ = ["Folder", "Spec", "Sweep", "load_spec", "run_sweep"]
