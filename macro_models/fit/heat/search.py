"""The search for a law of temperature: least squares of means and deviations, and errors at temperatures left out."""

from dataclasses import dataclass

import numpy as np

from mho.macro_models.devices.sections.heat import inverse_kT
from mho.macro_models.fit.heat.cases import Cases, Prediction
from mho.macro_models.types import Flags, Reals

ENERGIES = np.linspace(0.0, 3.0, 301)
_FINE = np.linspace(-0.012, 0.012, 25)
_PART_OF_RANGE = 0.01
_PART_OF_STD = 0.05
_UNKNOWN_EV = 10.0  # an error beyond which nothing is known of an energy



@dataclass(frozen=True, eq=False)
class Found:
    """A law with its errors. Arrays have shape (cases,)."""

    acts_on: str
    reversible: str
    energy: float
    error: float
    coefficient: Reals
    """Of the reversible part for each group of targets."""
    coefficient_error: Reals
    mean: Reals
    std: Reals
    heldout_mean: Reals
    heldout_std: Reals
    cost: float
    """Mean square of the residuals, in what is allowed."""
    heldout: float
    """Mean square of the residuals at temperatures that were left out."""


class Search:
    """Laws of one kind (acting on time, or on the change; with or without a reversible part) against all cases."""

    def __init__(self, cases: Cases, prediction: Prediction, reversible: str) -> None:
        self.cases, self.reversible, self.acts_on = cases, reversible, prediction.acts_on
        self.prediction = prediction
        self.mean, self.ln_std = cases.column("mean"), np.log(cases.column("std"))
        self.mean_scale = np.hypot(cases.column("mean_error"), _PART_OF_RANGE * cases.range_uS)
        self.std_scale = np.hypot(cases.column("std_error"), _PART_OF_STD)
        self.temp, self.group = cases.column("temp_C"), cases.column("group").astype(np.int64)
        read, at_T0 = cases.column("read_C"), cases.read_C
        self.heat = read - at_T0
        if reversible == "arrhenius":
            self.heat = inverse_kT(at_T0) - np.array([inverse_kT(float(t)) for t in read])
        self.target = np.array([float(t.mean()) if t.size else 0.0 for t in cases.targets])[self.group]
        self.target_std = np.array([float(t.std()) if t.size else 0.0 for t in cases.targets])[self.group]

    def with_data(self, mean: Reals, ln_std: Reals) -> "Search":
        """The same search for other measured values."""
        copy = object.__new__(Search)
        copy.__dict__.update(self.__dict__)
        copy.mean, copy.ln_std = mean, ln_std
        return copy

    def residuals(
        self, energies: Reals, used: Flags, moments: tuple[Reals, Reals] | None = None
    ) -> tuple[Reals, Reals, Reals]:
        """Residuals of means and deviations in what is allowed, (energies, cases); coefficients (energies, groups).

        The reversible part is that which agrees best with the cases ``used``.
        """
        mean, ln_std = self.prediction.at(energies) if moments is None else moments
        c = self._coefficients(mean, used)
        mean, ln_std = self._read(mean, ln_std, c)
        return (mean - self.mean) / self.mean_scale, (ln_std - self.ln_std) / self.std_scale, c

    def _read(self, mean: Reals, ln_std: Reals, c: Reals) -> tuple[Reals, Reals]:
        """Means and deviations as they are read."""
        if not self.reversible:
            return mean, ln_std
        more = self._more(c)
        changed = mean * (1.0 + more) + self.target * more
        spread = np.hypot(np.exp(ln_std) * (1.0 + more), self.target_std * self._across(c, more))
        return changed, np.log(np.maximum(spread, 1e-9))

    def _across(self, c: Reals, more: Reals) -> Reals:
        """Slope of the reversible part over the targets within a group, (energies, cases)."""
        middle = np.array([float(t.mean()) if t.size else 0.0 for t in self.cases.targets])
        if len(middle) < 2:
            return more
        at = c[:, None, :] * self.heat[:, None]
        part = (at if self.reversible == "linear" else np.expm1(np.clip(at, -20.0, 20.0))) * middle
        return np.gradient(part, middle, axis=2)[:, np.arange(len(self.group)), self.group]

    def _more(self, c: Reals) -> Reals:
        """Factor of reading less 1, (energies, cases)."""
        at = c[:, self.group] * self.heat
        return np.maximum(at, -0.99) if self.reversible == "linear" else np.expm1(np.clip(at, -20.0, 20.0))

    def _coefficients(self, mean: Reals, used: Flags) -> Reals:
        groups = int(self.group.max(initial=0)) + 1
        c = np.zeros((len(mean), groups))
        if not self.reversible:
            return c
        base = np.maximum(self.target + mean, 1e-9)
        for _ in range(1 if self.reversible == "linear" else 6):
            more = self._more(c)
            slope = base * self.heat * (1.0 if self.reversible == "linear" else 1.0 + more) / self.mean_scale
            left = (self.mean - mean - base * more) / self.mean_scale
            for g in range(groups):
                at = used & (self.group == g)
                power = (slope[:, at] ** 2).sum(axis=1)
                c[:, g] += (slope[:, at] * left[:, at]).sum(axis=1) / np.maximum(power, 1e-30)
        return c

    def best(self, used: Flags) -> float:
        """Energy with the least squares over the cases ``used``."""
        cost = self._costs(ENERGIES, used)
        near = float(ENERGIES[int(np.argmin(cost))])
        fine = np.clip(near + _FINE, 0.0, float(ENERGIES[-1]))
        return float(fine[int(np.argmin(self._costs(fine, used)))])

    def _costs(self, energies: Reals, used: Flags) -> Reals:
        mean, std, _ = self.residuals(energies, used)
        return (mean[:, used] ** 2 + std[:, used] ** 2).sum(axis=1)

    def found(self) -> Found:
        """The law, its errors, and what it says of each temperature when it was fitted without that."""
        everything = np.ones(len(self.temp), dtype=bool)
        energy = self.best(everything)
        mean, std, c = self.residuals(np.array([energy]), everything)
        heldout_mean, heldout_std = np.zeros(len(self.temp)), np.zeros(len(self.temp))
        without = []
        for temp in np.unique(self.temp):
            at = self.temp == temp
            without.append(self.best(~at))
            out_mean, out_std, _ = self.residuals(np.array([without[-1]]), ~at)
            heldout_mean[at], heldout_std[at] = out_mean[0, at], out_std[0, at]
        error = self._error(energy, without, everything)
        return Found(
            acts_on=self.acts_on,
            reversible=self.reversible,
            energy=energy,
            error=error,
            coefficient=c[0],
            coefficient_error=self._coefficient_error(c[0]),
            mean=self.mean + mean[0] * self.mean_scale,
            std=np.exp(self.ln_std + std[0] * self.std_scale),
            heldout_mean=self.mean + heldout_mean * self.mean_scale,
            heldout_std=np.exp(self.ln_std + heldout_std * self.std_scale),
            cost=float((mean**2 + std**2).mean() / 2.0),
            heldout=float((heldout_mean**2 + heldout_std**2).mean() / 2.0),
        )

    def _error(self, energy: float, without: list[float], used: Flags) -> float:
        """Standard error: by linearisation with the scatter of the residuals, or by leaving out temperatures."""
        step = 0.005
        ends = np.array([max(energy - step, 0.0), energy, energy + step])
        mean, std, _ = self.residuals(ends, used)
        residual = np.concatenate([mean, std], axis=1)
        slope = (residual[2] - residual[0]) / (ends[2] - ends[0])
        freedom = max(residual.shape[1] - 1, 1)
        # The times of a temperature are readings of the same cells: as if they were one.
        times = len(self.temp) / max(len(np.unique(np.stack([self.temp, self.group]), axis=1).T), 1)
        variance = max(float((residual[1] ** 2).sum()) / freedom, 1.0) * times / max(float((slope**2).sum()), 1e-12)
        count = len(without)
        jackknife = (count - 1) * float(np.var(without))
        return min(float(np.sqrt(max(variance, jackknife))), _UNKNOWN_EV)

    def _coefficient_error(self, c: Reals) -> Reals:
        if not self.reversible:
            return np.zeros(len(c))
        slope = self.target * self.heat / self.mean_scale
        power = np.bincount(self.group, weights=slope**2, minlength=len(c))
        return 1.0 / np.sqrt(np.maximum(power, 1e-30))

    def heldout_cost(self, moments: tuple[Reals, Reals]) -> float:
        """Held-out cost by energies of the grid alone: quick, for resampled data. ``moments`` are those of the grid."""
        total = 0.0
        for temp in np.unique(self.temp):
            at = self.temp == temp
            mean, std, _ = self.residuals(ENERGIES, ~at, moments)
            squares = mean**2 + std**2
            total += float(squares[int(np.argmin(squares[:, ~at].sum(axis=1))), at].sum())
        return total
