"""The same small table as CSV and in the formats of laboratories."""

from pathlib import Path

import numpy as np

__all__ = ["columns", "written"]


def columns() -> dict[str, np.ndarray]:
    """30 cells at three targets, read twice."""
    r = np.random.default_rng(0)
    target = np.tile(np.repeat([5.0, 20.0, 40.0], 10), 2)
    return {
        "cell": np.tile(np.arange(30), 2), "t_s": np.repeat([0.0, 3600.0], 30),
        "g_uS": target + r.normal(size=60), "g_target_uS": target,
    }


def written(folder: Path) -> Path:
    """As CSV."""
    table = columns()
    path = folder / "lab.csv"
    rows = [",".join(repr(float(v)) for v in row) for row in zip(*table.values(), strict=True)]
    path.write_text("\n".join([",".join(table), *rows]) + "\n")
    return path
