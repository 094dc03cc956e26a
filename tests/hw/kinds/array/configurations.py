"""Random descriptions of arrays: rows, columns, inputs, weights, converters."""

from typing import Any

import numpy as np

from mho.hw.config import chip_from_dict
from mho.hw.config.kinds.array import ArrayChip
from mho.macro_models.errors import InputError

__all__ = ["random_chip"]


def random_chip(seed: int, most_lines: int = 64) -> ArrayChip:
    """A legal description, another for each seed."""
    rng = np.random.default_rng(seed)
    while True:
        try:
            content = _content(rng, most_lines)
            if seed % 4 == 3:
                content["wires"] = {"r_row_ohm": 2.0, "r_column_ohm": 1.0, "r_driver_ohm": 100.0}
            if seed % 8 == 5:
                content["programming"] = {"engine": True, "bias": "third" if seed % 32 > 16 else "half"}
            if seed % 3 == 1:
                content["read"]["chop"] = True
            if seed % 16 in (6, 13):
                content["core"]["access"] = "none"
            return ArrayChip.of(chip_from_dict(content))
        except InputError:
            continue  # values that exclude each other


def _content(rng: np.random.Generator, most_lines: int) -> dict[str, Any]:
    def one_of(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    adc_kind = one_of("sar", "ramp", "count")
    return {
        "schema": 1,
        "core": {
            "kind": "array", "rows": 8 * int(rng.integers(2, most_lines // 8 + 1)),
            "columns": 8 * int(rng.integers(2, most_lines // 8 + 1)), "weights": one_of("pairs", "arrays", "offset"),
            "g_bits": one_of(6, 8, 12),
        },
        "input": {
            "bits": one_of(1, 1, 2, 4, 8), "drive": one_of("levels", "levels", "pulse"),
            "row_groups": one_of(1, 1, 2, 4, 8),
        },
        "read": {"accumulate": one_of("digital", "analog"), "r_clamp_ohm": one_of(0.0, 0.0, 50.0)},
        "adc": {
            "kind": adc_kind, "bits": int(rng.integers(1, 11 if adc_kind == "sar" else 6)),
            "columns": one_of(1, 2, 4, 8, 16, 32), "lanes": one_of(2, 4, 8), "range": one_of("chosen", "fixed"),
            "full_scale_uA": one_of(16.0, 64.0, 256.0),
        },
    }
