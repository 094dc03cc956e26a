"""Chips, and devices, side by side: which keys and figures differ, and whether measurements tell devices apart."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from mho.dotted import KeyDifference, description_differences, key_differences
from mho.hw.chip.rating import rate
from mho.hw.config import Chip, sizes
from mho.macro_models.devices import Device
from mho.macro_models.devices.resampled import resampled
from mho.macro_models.devices.sections.fit import LEVEL_OF_CONFIDENCE
from mho.macro_models.errors import InputError, nearest
from mho.macro_models.files import FileKind, read_toml
from mho.macro_models.shown import Shown
from mho.macro_models.types import Reals

_RATED = ("snr_dB", "time_us", "tops", "tops_per_W", "tops_per_mm2", "total_pJ")


@dataclass(frozen=True, kw_only=True, repr=False)
class ChipDifference(Shown):
    """What is not the same of two chips."""

    keys: Sequence[KeyDifference]
    """Of the descriptions."""
    sizes: Sequence[KeyDifference]
    """What follows from them, in words with units."""
    rated: Sequence[KeyDifference]
    """Figures of all cores busy at the precisions that both chips name: ``4b in, 6b out: tops``. Numbers."""

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

TIMES_S = (3600.0, 86400.0, 30 * 86400.0)
"""Times since programming at which devices are compared, in seconds."""
_TARGETS = 4
_DRAWS = 100


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Mean or standard deviation of ``g - target`` of both devices, at one target and one time."""

    of: str
    """``mean`` or ``deviation``."""
    target_uS: float
    time_s: float
    """Where."""
    first: float
    second: float
    """In uS."""
    low: float | None
    high: float | None
    """Ends of the 90 % interval of the second less the first, in uS; None where a device does not say how sure it
    is."""

    @property
    def difference(self) -> float:
        """Of the second less the first, in uS."""
        return self.second - self.first

    @property
    def sure(self) -> bool | None:
        """Whether it is more than chance; None if nothing says so."""
        return None if self.low is None or self.high is None else not self.low <= 0.0 <= self.high

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**vars(self), "difference": self.difference, "more_than_chance": self.sure}


@dataclass(frozen=True, kw_only=True, repr=False)
class DeviceDifference(Shown):
    """What is not the same of two devices."""

    keys: Sequence[KeyDifference]
    """Of the files, without those of their fits."""
    moments: Sequence[Moment]
    """At :data:`TIMES_S`, over the targets that both take."""
    temp_C: float
    """Of both."""

    def _facts(self) -> dict[str, object]:
        differs = ", ".join(row.key for row in self.keys)
        sure = sum(bool(row.sure) for row in self.moments)
        return {"differs": differs, "temp_C": self.temp_C, "more than chance": f"{sure} of {len(self.moments)}"}

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "temp_C": self.temp_C, "moments": [row.to_dict() for row in self.moments],
            "differs": [row.to_dict() for row in self.keys],
        }


def compare_devices(first: Device, second: Device, temp_C: float | None = None) -> DeviceDifference:
    """The difference of two devices, at the temperature of the first one's data if none is given.

    The interval of a difference is that of devices which the same two measurements could as well have given
    (:func:`mho.macro_models.devices.resampled.resampled`), drawn for both apart.

    Raises InputError if there is no target that both take.
    """
    temp_C = first.data_temp_C if temp_C is None else temp_C
    targets = _targets(first, second)
    first_moments, second_moments = (_moments(device, targets, temp_C) for device in (first, second))
    low = high = None
    if first.confidence.known and second.confidence.known:
        away = _drawn(second, targets, temp_C, 1) - _drawn(first, targets, temp_C, 0)
        tail = (1.0 - LEVEL_OF_CONFIDENCE) / 2.0
        low, high = np.quantile(away, (tail, 1.0 - tail), axis=0)
    moments = [
        Moment(
            of=of, target_uS=float(target), time_s=time_s,
            first=float(first_moments[k, t, g]), second=float(second_moments[k, t, g]),
            low=None if low is None else float(low[k, t, g]), high=None if high is None else float(high[k, t, g]),
        )
        for k, of in enumerate(("mean", "deviation")) for t, time_s in enumerate(TIMES_S)
        for g, target in enumerate(targets)
    ]
    keys = description_differences(first.to_dict(), second.to_dict())
    return DeviceDifference(keys=keys, moments=moments, temp_C=temp_C)


def _targets(first: Device, second: Device) -> Reals:
    """Some targets over the range that both have."""
    low = max(device.range.g_min_uS for device in (first, second))
    high = min(device.g_max_uS or device.relaxation.g_ref_uS for device in (first, second))
    if not low < high:
        raise InputError(
            f"{first.name} and {second.name} have no target in common: one ends at {high:g} uS, the other begins at "
            f"{low:g} uS"
        )
    return low + (high - low) * np.linspace(0.05, 0.95, _TARGETS)


def _moments(device: Device, targets: Reals, temp_C: float) -> Reals:
    """Means and deviations in uS, of shape (2, times, targets)."""
    return np.array([
        [of(targets, time_s, temp_C) for time_s in TIMES_S] for of in (device.mean_uS, device.sigma_uS)
    ])


def _drawn(device: Device, targets: Reals, temp_C: float, which: int) -> Reals:
    """The same of devices drawn anew, (draws, 2, times, targets); the two devices take draws of their own."""
    return np.array([_moments(resampled(device, 2 * k + which), targets, temp_C) for k in range(_DRAWS)])


KINDS = {"run": "the result of a run", "chip": "a chip", "device": "a device"}
"""The kinds, and what one of each is called."""

_TOML = FileKind("TOML file", 1 << 24)


def one_kind(paths: Sequence[str]) -> str:
    """The kind of all of them, of :data:`KINDS`.

    Raises InputError if they are not all of one, or a name is none that is known.
    """
    kinds = [kind_of(path) for path in paths]
    for path, kind in zip(paths, kinds, strict=True):
        if kind != kinds[0]:
            raise InputError(
                f"{path}: is {KINDS[kind]}, and {paths[0]} {KINDS[kinds[0]]}: things of one kind are set side by side"
            )
    return kinds[0]


def kind_of(path: str) -> str:
    """The kind of one: a preset and a shipped device by name, a TOML file by its sections, all else is a run.

    Raises InputError if it is neither a name that is known nor a file.
    """
    from mho.hw.config import preset_names
    from mho.macro_models.devices import device_names

    if path in preset_names():
        return "chip"
    if path in device_names():
        return "device"
    if path.endswith(".toml"):
        return _kind_of_tree(Path(path), read_toml(Path(path), _TOML)[1], preset_names())
    if not Path(path).suffix and not Path(path).exists():
        near = nearest(path, [*preset_names(), *device_names()])
        hint = f"; did you mean {near}?" if near else ""
        raise InputError(f"{path}: is no file, no preset of a chip and no shipped device{hint}")
    return "run"


def _kind_of_tree(path: Path, tree: dict[str, object], presets: Sequence[str]) -> str:
    """A file by the sections that only one kind has, or by what it extends."""
    from mho.hw.config import Chip
    from mho.macro_models.devices import Device

    chip, device = ({field.name for field in fields(kind)} for kind in (Chip, Device))
    votes = sum((key in device) - (key in chip) for key in tree)
    base = tree.get("extends")
    if votes or not isinstance(base, str):
        return "device" if votes > 0 else "chip"
    if not base.endswith(".toml"):
        return "chip" if base in presets else "device"
    under = path.parent / base
    return "chip" if under == path else _kind_of_tree(under, read_toml(under, _TOML)[1], presets)
