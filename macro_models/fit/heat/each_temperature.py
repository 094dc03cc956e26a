"""A law of its own at each temperature, where no one law of temperature agrees."""

from dataclasses import replace

import numpy as np

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.sections.heat import Heat
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.fit.law.statistics import rounded
from mho.macro_models.fit.rows.law_rows import LawRows
from mho.macro_models.fit.tables.measurements import Measurements

LEAST_READINGS = 20
"""Of a temperature at a time."""


def own_laws(data: Measurements, device: Device) -> Heat:
    """Rows of the laws of all temperatures besides that of the device's law, at its levels."""
    law = device.law
    heat = Heat(onset_s=law.onset_s)
    for temp in np.unique(data.temp_C):
        at = data.temp_C == temp
        if temp == law.temp_C or at.sum() < LEAST_READINGS:
            continue
        job = LawRows(data.where(at), law.model)
        rows, shares, times = job.fit(None)
        tables = np.array([row.table() for row in rows])
        fitted = Law(
            model="empirical",
            levels_uS=rounded(job.levels),
            times_s=rounded(times),
            kept=rounded(shares),
            quantiles_uS=tuple(tuple(tuple(level) for level in row) for row in tables.tolist()),
        )
        here = [fitted.at(table, law.levels_uS) for table in fitted.table]
        heat = replace(
            heat,
            row_C=(*heat.row_C, *(float(temp) for _ in times)),
            row_s=(*heat.row_s, *rounded(times)),
            kept=(*heat.kept, *rounded(shares)),
            quantiles_uS=(*heat.quantiles_uS, *(tuple(rounded(level) for level in row) for row in here)),
        )
    return heat
