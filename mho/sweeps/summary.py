"""Rows of a sweep by designs: means over seeds, and how sure they are."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.special import ndtri, stdtrit

from mho.results.uncertainty import LEVEL
from mho.sweeps.evaluate import Row
from mho.sweeps.spec.measures import MEASURES

__all__ = ["half_interval", "summarise_design"]


def half_interval(values: Sequence[float], images: int, *, share: bool) -> float | None:
    """Half of the 90 % interval of a mean over chips; None of a single chip whose values say nothing of their scatter.

    The scatter from chip to chip (Student's t) and, of a share of a finite set of images, that of the images, with one
    right and one wrong added (Agresti, Coull). What images do to the scatter of chips is in both: the interval is
    rather wide than narrow.
    """
    chips = images_half = 0.0
    if len(values) > 1:
        student = float(stdtrit(len(values) - 1, 0.5 + LEVEL / 2.0))
        chips = student * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    elif not share:
        return None
    if share:
        padded = (float(np.mean(values)) * images + 1.0) / (images + 2.0)
        images_half = float(ndtri(0.5 + LEVEL / 2.0)) * math.sqrt(padded * (1.0 - padded) / images)
    return math.hypot(chips, images_half)


def summarise_design(columns: Mapping[str, object], rows: Iterable[Row]) -> Row:
    """A design in one row.

    Its columns, how many chips, whether one holds the network (``fits``; if not, figures are of several), and for each
    measure ``NAME`` (mean), ``NAME_deviation`` and ``NAME_half`` (half of the 90 % interval); ``extrapolated`` as its
    rows have it; ``error`` where none of its rows has results.
    """
    rows = list(rows)
    good = [row for row in rows if not row["error"]]
    summary: Row = {**columns, "chips": len(good), "images": rows[0]["images"] if rows else 0}
    if good:
        summary["fits"] = all(row["fits"] for row in good)
    for name, measure in MEASURES.items():
        values = [row[name] for row in good if name in row]
        if not values:
            continue
        half = half_interval(values, rows[0]["images"], share=measure.share)
        summary[name] = float(np.mean(values))
        summary[f"{name}_deviation"] = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        if half is not None:
            summary[f"{name}_half"] = half
    if good and "extrapolated" in good[0]:
        summary["extrapolated"] = good[0]["extrapolated"]
    return summary | {"error": "" if good or not rows else rows[0]["error"]}
