"""Devices: what a resistive cell does, as data.

A device is a TOML file. Every section is a frozen dataclass (:mod:`.sections`), and every number in a file carries its
source. What the numbers mean as equations is in ``docs/explanation/devices.md``;
:mod:`mho.macro_models.cells.programming` draws cells from them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.devices.extrapolated import outside_of_law, outside_of_published
from mho.macro_models.devices.grid import evaluate
from mho.macro_models.devices.memory import Drawn, Draws, mixed, shared, with_chip
from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.sections.conduction import Compact, Conduction
from mho.macro_models.devices.sections.fit import Confidence, Fit
from mho.macro_models.devices.sections.heat import Heat, Temperature
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.noise import ConverterNoise, ReadNoise, Telegraph
from mho.macro_models.devices.sections.programming import Programming, Range, Relaxation, Stuck
from mho.macro_models.devices.sections.pulse import PulseAgreement, PulseResponse
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.types import Integral, Reals


@dataclass(frozen=True, kw_only=True)
class Device:
    """A resistive device (see the module). Load one with :func:`mho.macro_models.devices.load_device`.

    The sections are documented where they are defined. A device built without arguments is ideal but for the spread of
    the chip's converters. Devices with another law of what cells do are subclasses with a section of their own
    (:mod:`mho.macro_models.devices.laws`).
    """

    MOVABLE: ClassVar[tuple[str, ...]] = ()
    """Names that :meth:`moved` takes."""
    LATER_KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "confidence": ("names", "errors", "memory"), "law": ("cell", "loss"), "programming": ("cycle",),
        "read_noise": ("flicker_read_s",), "fit": ("cycles_range",), "update": ("down_model",),
        "pulse": ("threshold_share",), "conduction": ("supply_ohm",),
    }
    """Keys of sections that are not shown where they are empty or 0."""

    name: str
    description: str = ""
    range: Range = field(default_factory=Range)
    programming: Programming = field(default_factory=Programming)
    relaxation: Relaxation = field(default_factory=Relaxation)
    law: Law = field(default_factory=Law)
    temperature: Temperature = field(default_factory=Temperature)
    heat: Heat = field(default_factory=Heat)
    read_noise: ReadNoise = field(default_factory=ReadNoise)
    telegraph: Telegraph = field(default_factory=Telegraph)
    stuck: Stuck = field(default_factory=Stuck)
    pulse: PulseResponse = field(default_factory=PulseResponse)
    converter: ConverterNoise = field(default_factory=ConverterNoise)
    fit: Fit = field(default_factory=Fit)
    confidence: Confidence = field(default_factory=Confidence)
    pulse_fit: PulseAgreement = field(default_factory=PulseAgreement)
    update: Update = field(default_factory=Update)
    conduction: Conduction = field(default_factory=Conduction)
    compact: Compact = field(default_factory=Compact)

    @property
    def relaxes(self) -> bool:
        """Whether cells change after programming."""
        return bool(self.relaxation.times_s) or len(self.law.times_s) > 1

    @property
    def errs(self) -> bool:
        """Whether programming leaves cells beside their targets."""
        return bool(np.ptp(self.law.programming())) if self.law.model else self.programming.accept_uS > 0.0

    @property
    def data_times_s(self) -> tuple[float, ...]:
        """Times after programming that the data cover, in seconds, increasing."""
        return self.law.times_s[1:] if self.law.model else self.relaxation.times_s

    @property
    def data_temp_C(self) -> float:
        """Temperature of the data, in degrees Celsius."""
        return self.law.temp_C if self.law.model else self.relaxation.temp_C

    def programmed(
        self, target_uS: Reals, draws: Draws, time_s: float, temp_C: float, causes: frozenset[str]
    ) -> Drawn | None:
        """Cells ``time_s`` seconds after programming, with the causes "programming" and "relaxation" or without.

        None of a device that is described by the sections above: :mod:`mho.macro_models.cells.programming` draws it.
        """
        return None

    def settled(self, g_uS: Reals, draws: Draws, time_s: float, temp_C: float) -> Reals | None:
        """What cells that pulses left with ``g_uS`` are ``time_s`` > 0 seconds later, in uS; None as above."""
        return None

    @property
    def redraws(self) -> bool:
        """Whether a cell that is programmed again differs from what it was, and by how much is known."""
        return bool(self.law.cell)

    def moved(self, by: Mapping[str, float]) -> "Device":
        """The device with numbers of its law moved, by names of :attr:`Confidence.names`; of other laws only."""
        return self

    @property
    def g_min_uS(self) -> float | None:
        """Smallest target in uS, None if the device takes any."""
        return self.range.g_min_uS if self.range.g_max_uS > 0.0 else None

    @property
    def g_max_uS(self) -> float | None:
        """Largest target in uS, None if the device takes any."""
        return self.range.g_max_uS if self.range.g_max_uS > 0.0 else None

    def _relative(self, g_uS: ArrayLike) -> Reals:
        return np.clip(np.asarray(g_uS, dtype=np.float64) / self.relaxation.g_ref_uS, 0.0, 1.0)

    def window_uS(self, target_uS: ArrayLike) -> Reals:
        """Half width of the window within which write-verify leaves a cell, in uS.

        The acceptance window, but not wider than the standard deviation at the first known time: a cell that is seen
        so close to its target cannot have been left further away. Near 0 uS this decides. Of a device with a law: the
        half width of a uniform window with the same standard deviation.
        """
        if self.law.model:
            spread = node_moments(self.law.at(self.law.programming(), target_uS))[1].reshape(np.shape(target_uS))
            return spread * math.sqrt(3.0)
        r = self._relative(target_uS)
        accept = np.full_like(r, self.programming.accept_uS)
        if not self.relaxation.times_s:
            return accept
        return np.minimum(accept, evaluate(self.relaxation.sigma_uS[0], r))

    def sigma_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """Standard deviation around the target before the clamp at 0 uS, programming and relaxation together, in uS."""
        left = self.window_uS(target_uS)
        if self.law.model:
            left = left * self.change_quantiles(time_s, temp_C)[1]
        variance = left**2 / 3.0 + self.relaxation_uS(target_uS, time_s, temp_C) ** 2
        if self.loses:
            # Of a mixture: (mean of all - value of the lost) is (1 - lost) times the distance of the two means.
            lost = self.lost_part(target_uS, time_s, temp_C).reshape(np.shape(target_uS))
            apart = self._mean_uS(target_uS, time_s, temp_C) - (self.lost_uS - np.asarray(target_uS))
            variance = variance * (1.0 - lost) + apart**2 * lost / np.maximum(1.0 - lost, 1e-9)
        return np.sqrt(variance) * self.heat.read_factor(target_uS, temp_C)

    def mean_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """Mean of g - target before the clamp at 0 uS, in uS."""
        mean, factor = self._mean_uS(target_uS, time_s, temp_C), self.heat.read_factor(target_uS, temp_C)
        return mean * factor + np.asarray(target_uS) * (factor - 1.0)

    def _mean_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float) -> Reals:
        """The same of cells that are read at the temperature of the law."""
        if not self.law.model:
            return np.zeros(np.shape(target_uS))
        change, share = self.change_quantiles(time_s, temp_C)
        left = node_moments(self.law.at(self.law.programming(), target_uS))[0]
        mean = left * share + node_moments(self.law.at(change, target_uS))[0]
        lost = self.lost_part(target_uS, time_s, temp_C)
        away = self.lost_uS - np.atleast_1d(np.asarray(target_uS, dtype=np.float64))
        return (mean * (1.0 - lost) + away * lost).reshape(np.shape(target_uS))

    def lost_part(self, target_uS: ArrayLike, time_s: float, temp_C: float) -> Reals:
        """Fraction of the cells of each target that are lost after ``time_s`` seconds, of shape (targets,)."""
        targets = np.atleast_1d(np.asarray(target_uS, dtype=np.float64)).ravel()
        return np.interp(targets, self.law.levels_uS, self._lost(time_s, temp_C))

    def lose(self, g_uS: Reals, target_uS: Reals, time_s: float, temp_C: float, codes: Callable[[], Integral]) -> Reals:
        """Conductances with those of lost cells in their place (see :class:`Law`).

        ``codes`` gives a normal code for each cell, the same for its life; it is called only if cells can be lost.
        """
        if not self.loses:
            return g_uS
        lost = self.law.is_lost(self._lost(time_s, temp_C), target_uS, codes())
        return np.where(lost, self.lost_uS, g_uS)

    @property
    def loses(self) -> bool:
        """Whether cells can be lost."""
        return bool(self.law.lost or self.heat.lost_s)

    @property
    def lost_uS(self) -> float:
        """Conductance of lost cells, in uS."""
        return self.heat.lost_uS if self.heat.lost_s else self.law.lost_uS

    def read_at(self, g_uS: Reals, target_uS: Reals, temp_C: float) -> Reals:
        """Conductances of cells that are read at ``temp_C``, from those at the temperature of the law, in uS."""
        return g_uS * self.heat.read_factor(target_uS, temp_C) if self.heat.reversible else g_uS

    def change_codes(
        self, time_s: float, temp_C: float, codes: Callable[[int], Integral], chip: Callable[[], int],
        anew: Callable[[int], Integral] | None = None,
    ) -> Integral:
        """Normal codes that say where in the distribution of its change each cell is after ``time_s`` seconds.

        ``codes(k)`` gives number k of each cell, ``chip()`` that of the chip, all kept for its life; ``anew(k)`` is
        that of one programming, None where ``codes`` are drawn anew with it. For devices with a law only.
        """
        at, pulse = self._law_time(time_s, temp_C), self.programming.pulse_s
        weights, share = self.law.weights_at(at, pulse), self.law.die_at(at, pulse)
        change = mixed(weights, codes)
        if self.law.cell and anew is not None:
            change = shared(self.law.cell_at(at, pulse), change, mixed(weights, anew))
        return with_chip(share, chip(), change) if share > 0.0 else change

    def _law_time(self, time_s: float, temp_C: float) -> float:
        """The time at the law's temperature that does what ``time_s`` at ``temp_C`` do."""
        if self.temperature.acts_on != "time":
            return time_s
        return time_s * self.temperature.factor(temp_C, self.law.temp_C)

    def _lost(self, time_s: float, temp_C: float) -> Reals:
        if self.heat.lost_s:
            return self.heat.lost_at(time_s, temp_C)
        if self.heat.lost_eV > 0.0:
            at = time_s * Temperature(activation_eV=self.heat.lost_eV).factor(temp_C, self.law.temp_C)
        else:
            at = self._law_time(time_s, temp_C)
        return self.law.lost_at(at, self.programming.pulse_s)

    def change_quantiles(self, time_s: float, temp_C: float) -> tuple[Reals, float]:
        """What ``time_s`` seconds at ``temp_C`` add to programmed cells, and what they keep of the programming error.

        Quantiles in uS, of shape (levels, nodes of the law), and a share. For devices with a law only.
        """
        if self.heat.row_C:
            return self.heat.change(self.law, time_s, temp_C, self.programming.pulse_s)
        factor, time_s = self.temperature.factor(temp_C, self.law.temp_C), self._law_time(time_s, temp_C)
        change = self.law.change(time_s, self.programming.pulse_s)
        share = self.law.kept_at(time_s, self.programming.pulse_s)
        return (change * factor, share) if self.temperature.acts_on == "change" else (change, share)

    def relaxation_uS(self, target_uS: ArrayLike, time_s: float, temp_C: float = 25.0) -> Reals:
        """Standard deviation that relaxation adds to what programming left after ``time_s`` seconds, in uS.

        The published spread, interpolated linearly in the logarithm of time and held after the last time, less the
        scatter of programming (variances subtract). Before the first time it grows with the logarithm of time counted
        in pulse widths, from nothing at 0 s. Of a device with a law: the standard deviation of its change.
        """
        if self.law.model:
            change = self.law.at(self.change_quantiles(time_s, temp_C)[0], target_uS)
            return node_moments(change)[1].reshape(np.shape(target_uS))
        return self.relaxed_uS(target_uS, time_s, self.window_uS(target_uS))

    def relaxed_uS(self, target_uS: ArrayLike, time_s: float, window_uS: Reals) -> Reals:
        """:meth:`relaxation_uS` of a device without a law, where :meth:`window_uS` of the targets is known."""
        data = self.relaxation
        r = self._relative(target_uS)
        if not data.times_s or time_s <= 0.0:
            return np.zeros_like(r)
        before, after, weight, growth = data.around(time_s, self.programming.pulse_s)
        total = evaluate(after, r)
        if before:
            total = evaluate(before, r) * (1.0 - weight) + total * weight
        return np.sqrt(np.maximum(total**2 - window_uS**2 / 3.0, 0.0)) * growth

    def read_noise_uS(self, g_uS: ArrayLike, time_s: float = 0.0, origin_uS: ArrayLike | None = None) -> Reals:
        """Standard deviation over cells of conductance ``g_uS`` in one conversion, of all kinds of noise, in uS.

        Arguments as of :meth:`normal_noise_uS`.
        """
        normal = self.normal_noise_uS(g_uS, time_s, origin_uS)
        return np.sqrt(normal**2 + self.telegraph.variance_uS2(g_uS)) if self.telegraph.acts else normal

    def law_noise_uS(self, g_uS: ArrayLike, time_s: float = 0.0, origin_uS: ArrayLike | None = None) -> Reals:
        """The part of it that the law of the cells has itself, in uS: none, but of other laws."""
        return np.zeros(np.shape(g_uS))

    def normal_noise_uS(self, g_uS: ArrayLike, time_s: float = 0.0, origin_uS: ArrayLike | None = None) -> Reals:
        """The same without what traps of single cells do (:class:`Telegraph`): what is drawn as normal noise.

        ``time_s`` seconds after programming, which left the cell with ``origin_uS`` (None: not known). The second
        matters to other laws only (:mod:`mho.macro_models.devices.laws`).
        """
        noise = self.read_noise
        r = self._relative(g_uS)
        if noise.g_ref_uS > 0.0:
            r = np.clip(np.asarray(g_uS, dtype=np.float64) / noise.g_ref_uS, 0.0, 1.0)
        white = evaluate(noise.sigma_uS, r)
        if not noise.telegraph_uS and not noise.flicker_uS:
            return white
        slow = evaluate(noise.flicker_uS or (0.0,), r) ** 2 * noise.grown(time_s)
        return np.sqrt(white**2 + evaluate(noise.telegraph_uS or (0.0,), r) ** 2 + slow)

    def warnings(self, time_s: float, temp_C: float) -> list[str]:
        """One sentence for each condition that lies outside the device's data, with the range of the data."""
        if self.law.model:
            return outside_of_law(self.name, self.law, self.temperature, self.heat, time_s, temp_C)
        return outside_of_published(self.name, self.relaxation, time_s, temp_C)

    def to_dict(self) -> dict[str, Any]:
        """The device as nested dicts of JSON types, with the keys of the file.

        Sections and keys that came later than the first files are there only if they say something, so that what is a
        function of a device (hashes, network files) stays what it was.
        """
        tree = {"schema": 1, **asdict(self)}
        for name, section in LATER.items():
            if getattr(self, name) == section:
                del tree[name]
        for name, keys in self.LATER_KEYS.items():
            for key in keys if name in tree else ():
                if not tree[name][key]:
                    del tree[name][key]
        return _plain(tree)


LATER: dict[str, Any] = {
    "heat": Heat(), "confidence": Confidence(), "pulse_fit": PulseAgreement(), "update": Update(),
    "telegraph": Telegraph(), "conduction": Conduction(), "compact": Compact(),
}
"""Sections that a device without them does not show."""


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
