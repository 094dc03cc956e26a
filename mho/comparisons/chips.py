"""Chips side by side: keys of their descriptions, and the sizes, times and efficiencies that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.dotted import KeyDifference, description_differences, key_differences
from mho.hw.chip.rating import rate
from mho.hw.config import Chip, sizes
from mho.macro_models.shown import Shown

__all__ = ["ChipDifference", "compare_chips", "ratios"]

_RATED = ("snr_dB", "time_us", "tops", "tops_per_W", "tops_per_mm2", "total_pJ")


@dataclass(frozen=True, kw_only=True, repr=False)
class ChipDifference(Shown):
    """What is not the same of two chips.

    Attributes
    ----------
    keys
        Of the descriptions.
    sizes
        What follows from them, in words with units.
    rated
        Figures of all cores busy at the precisions that both chips name: ``4b in, 6b out: tops``. Numbers.
    """

    keys: Sequence[KeyDifference]
    sizes: Sequence[KeyDifference]
    rated: Sequence[KeyDifference]

    def _facts(self) -> dict[str, object]:
        differs = ", ".join(row.key for row in self.keys)
        return {"differs": differs, "sizes": len(self.sizes), "rated": len(self.rated)}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "differs": [row.to_dict() for row in self.keys], "sizes": [row.to_dict() for row in self.sizes],
            "rated": [row.to_dict() for row in self.rated],
        }


def compare_chips(first: Chip, second: Chip) -> ChipDifference:
    """The difference of two chips. A description is exact: nothing of it is chance."""
    # Numbers of one source differ by what they follow, which is among the keys.
    follow = [name for name in ("energy", "area") if getattr(first, name).source == getattr(second, name).source]
    differing = description_differences(first.to_dict(), second.to_dict())
    keys = [row for row in differing if row.key.split(".")[0] not in follow]
    return ChipDifference(
        keys=keys, sizes=key_differences(dict(sizes(first)), dict(sizes(second))),
        rated=key_differences(_rated(first), _rated(second)),
    )


def ratios(difference: ChipDifference) -> dict[str, float]:
    """What a figure shows: the ratio of each number that both have, of descriptions and of figures that are no dB."""
    both = (*difference.keys, *difference.rated)
    return {row.key: row.ratio for row in both if row.ratio is not None and not row.key.endswith("_dB")}


def _rated(chip: Chip) -> dict[str, float]:
    """Figures by precision and name; those that are not known are left out."""
    figures: dict[str, float] = {}
    for precision, op in chip.rated_operations():
        rating = rate(chip, precision, op)
        values = {name: getattr(rating, name) for name in _RATED}
        figures |= {f"{precision}: {name}": value for name, value in values.items() if value}
    return figures
