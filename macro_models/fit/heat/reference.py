"""The temperature at which the law itself is fitted."""

import numpy as np

from mho.macro_models.fit.tables.measurements import Measurements

__all__ = ["reference_temperature", "usual_reading"]


def reference_temperature(data: Measurements) -> float:
    """Temperature at which the law is fitted: the lowest of those with the most times, unless it has few readings."""
    temps, count = np.unique(data.temp_C, return_counts=True)
    temps = temps[count > 0.2 * count.max()]
    times = [len(np.unique(data.time_index[data.temp_C == t])) for t in temps]
    return float(temps[int(np.argmax(times))])


def usual_reading(data: Measurements, temp_C: float) -> float:
    """Temperature at which most readings of the cells that were kept at ``temp_C`` were made."""
    temps, count = np.unique(data.read_C[data.temp_C == temp_C], return_counts=True)
    return float(temps[int(np.argmax(count))])
