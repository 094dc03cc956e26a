"""How precise the codes of an operation are at best: a property of its bits and of the array, not of cells."""

from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from mho.macro_models.devices import load_device
from mho.macro_models.integer.operation import STEP_WIDTH, Masks, MvmOperation
from mho.macro_models.kinds import family
from mho.macro_models.types import Integral, Reals

_VECTORS, _COLUMNS = 64, 16
"""Products that are compared."""
_CELLS, _LINES = 1 << 16, 64
"""A core of more cells than that is taken with so many lines: the ratio hardly depends on them."""


@lru_cache(maxsize=256)
def signal_to_noise_dB(config: Any, op: MvmOperation, low: float, high: float) -> float:
    """Signal over noise of the codes of ``op`` on a whole core without any error, in dB.

    Weights and inputs are uniform in their ranges, cells from ``low`` to ``high`` uS; the step of the converters is the
    power of the root of 2 with the best ratio. Signal is what an affine law of the exact products explains of the codes
    of a column, noise is what it does not.
    """
    if np.prod(config.cell_map.shape) > _CELLS:
        config = replace(config, **{"rows" if "rows" in config.__dataclass_fields__ else "lines": _LINES})
    cell_map, rng = config.cell_map, np.random.default_rng(0)
    top, shape = cell_map.top(low, high), (cell_map.rows, cell_map.columns)
    weights, targets = rng.uniform(-top, top, shape), np.zeros(cell_map.shape)
    cell_map.put(targets, np.arange(cell_map.rows), np.arange(cell_map.columns), cell_map.split(weights, low, high))
    core = family(config.kind).model(config, targets, device=load_device("ideal"), seed=0, core=0, causes=frozenset())
    x = rng.integers(*op.input_range, size=(_VECTORS, cell_map.rows), endpoint=True)
    columns = slice(min(_COLUMNS, cell_map.columns))
    exact, (driven, converted) = x @ weights[:, columns], (np.zeros(count, dtype=bool) for count in cell_map.shape)
    masks = Masks(~driven, np.arange(len(converted)) < _COLUMNS * cell_map.column_lines, driven, converted)

    @cache
    def ratio(half_octaves: int) -> float:
        of_step = replace(op, step_code=min(max(1, round(2.0 ** (half_octaves / 2))), 2**STEP_WIDTH - 1))
        return _explained(exact, core.mvm(of_step, masks, x, 0).codes[:, columns])

    best = max(range(0, 2 * STEP_WIDTH + 1, 4), key=ratio)
    for nearer in (2, 1):
        best = max((best - nearer, best, best + nearer), key=ratio)
    return float(10.0 * np.log10(ratio(best)))


def _explained(exact: Reals, codes: Integral) -> float:
    """Variance of codes that affine laws of exact products explain, column by column, over what is left of it."""
    e, c = exact - exact.mean(axis=0), codes - codes.mean(axis=0)
    explained = float(((e * c).sum(axis=0) ** 2 / (e**2).sum(axis=0)).sum())
    rest = float((c**2).sum()) - explained
    return explained / rest if rest > 0.0 else 0.0
