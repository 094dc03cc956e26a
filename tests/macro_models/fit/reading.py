"""Tables of readings over time, without pulses."""

from pathlib import Path
from typing import Any

from mho.macro_models.fit import Measurements, read_data


def read_measurements(path: Path, **options: Any) -> Measurements:
    measured, _ = read_data(path, **options)
    assert measured is not None
    return measured
