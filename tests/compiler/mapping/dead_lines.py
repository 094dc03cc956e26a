"""Cores whose cells are sound and some of whose lines are dead."""

import numpy as np

from mho.compiler.mapping.faults import CoreFaults
from mho.macro_models.types import Flags


def dead_lines(rows: Flags, columns: Flags) -> CoreFaults:
    """A core with dead bit lines and source lines."""
    return CoreFaults(rows=rows, columns=columns, g_uS=np.full((len(rows), len(columns)), np.nan))
