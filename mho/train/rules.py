"""Rules by which cells that are pulsed all at once learn, over the device's own law of a pulse.

Sources: T. Gokmen, W. Haensch, Frontiers in Neuroscience 14 (2020) 103 (Tiki-Taka); T. Gokmen, Frontiers in Artificial
Intelligence 4 (2021) 699148 (version 2); M. J. Rasch et al., Nature Communications 15 (2024) 7133 (chopped, AGAD);
S. Ambrogio et al., Nature 558 (2018) 60 (phase-change memory and capacitor). Constants are those of aihwkit's presets.
"""

from collections.abc import Callable

import numpy as np

from mho.macro_models.devices.sections.update import Update
from mho.macro_models.integer.update import LONGEST
from mho.macro_models.types import Reals
from mho.train.crosspoint import CrosspointArray

Arrays = Callable[..., CrosspointArray]
"""Makes arrays, with the arguments of that class."""

CAPACITOR = Update(
    model="linear", g_min_uS=0.0, g_max_uS=2.0, up_uS=0.005, down_uS=0.005, cycle_spread=0.3, cell_spread=0.1,
    source="CapacitorPreset of aihwkit (MIT): dw_min 0.005 of -1 to 1; its leak and its slope are left out",
)
"""A capacitor and its transistors, in weights + 1."""


class Plain:
    """Gradient descent: the cells that are read are those that each image pulses."""

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, reference_error: float, arrays: Arrays
    ) -> None:
        self._slow, self._rng, self.pulses = arrays(law, shape, rng, reference_error=reference_error), rng, 0

    @property
    def weights(self) -> Reals:
        """Those that products have, -1..1, of shape (inputs, outputs)."""
        return self._slow.weights

    def begin(self, weights: Reals) -> None:
        """Start from ``weights``."""
        self._slow.set(weights)

    def learn(self, x: Reals, d: Reals, rate: float) -> None:
        """Take the gradient ``x d`` of an image, whose weights are to go down by ``rate`` times that."""
        self.pulses += self._slow.update(x, -d, rate)


class TikiTaka(Plain):
    """A fast array takes the gradients; a row of it is read with each image, and moves the slow one that is used."""

    transfer = 1.0
    """Part of what is read by which the slow array moves."""
    fast = 0.5
    """Part of the longest train with which an image pulses the fast array."""

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, reference_error: float, arrays: Arrays
    ) -> None:
        super().__init__(law, shape, rng, reference_error, arrays)
        self._fast = arrays(law, shape, rng, reference_error=reference_error)
        self._row, self._means = 0, np.zeros(2)

    def learn(self, x: Reals, d: Reals, rate: float) -> None:
        """See :class:`Plain`."""
        tops = np.array([np.abs(x).max(), np.abs(d).max()])
        self._means = tops if not self._means.any() else 0.99 * self._means + 0.01 * tops
        # The mean image's largest product is so many steps.
        scale = self.fast * LONGEST * self._fast.step / max(float(self._means.prod()), 1e-9)
        self.pulses += self._fast.update(self._signs() * x, -d, scale)
        self._take(self._row, rate)
        self._row = (self._row + 1) % self._fast.shape[0]

    def _signs(self) -> Reals | float:
        """Of the rows of the fast array."""
        return 1.0

    def _take(self, row: int, rate: float) -> None:
        """Move a row of the slow array by what was read of the fast one."""
        here = np.zeros(self._fast.shape[0])
        here[row] = 1.0
        self.pulses += self._slow.update(here, self._fast.read(row), rate * self.transfer)


class TikiTaka2(TikiTaka):
    """What is read is summed at the host, and a pulse given where a sum has come to 1."""

    granularity = 1000.0
    """Readings of a step of the fast array that come to 1, over the inputs, at a rate of 1."""

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, reference_error: float, arrays: Arrays
    ) -> None:
        super().__init__(law, shape, rng, reference_error, arrays)
        self._sums = np.zeros(shape)

    def _take(self, row: int, rate: float) -> None:
        self._sums[row] += rate * self._gain * self._reading(row)
        moved = np.trunc(np.clip(self._sums[row], -1.0, 1.0))
        self._sums[row] = np.where(moved, 0.0, self._sums[row])
        pulses = np.zeros(self._fast.shape, dtype=np.int64)
        pulses[row] = moved
        self.pulses += self._slow.pulse(pulses)

    @property
    def _gain(self) -> float:
        return self._fast.shape[0] / (self.granularity * self._fast.step)

    def _reading(self, row: int) -> Reals:
        """What a row of the fast array says of the gradient."""
        return self._fast.read(row)


class Chopped(TikiTaka2):
    """Rows of the fast array change their signs now and then, so that what their references lack cancels."""

    flips = 0.01
    """How likely a row does when it is read."""

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, reference_error: float, arrays: Arrays
    ) -> None:
        super().__init__(law, shape, rng, reference_error, arrays)
        self._chop = np.ones(shape[0])

    def _signs(self) -> Reals | float:
        return self._chop

    def _reading(self, row: int) -> Reals:
        read = self._read(row) * self._chop[row]
        if self._rng.random() < self.flips:
            self._chop[row] = -self._chop[row]
            self._flipped(row)
        return read

    def _read(self, row: int) -> Reals:
        return self._fast.read(row)

    def _flipped(self, row: int) -> None:
        """A row has another sign from the next image on."""


class Agad(Chopped):
    """The reference is what the row read like before it changed its sign, so that no cells are needed for it.

    Signs change half as often as in aihwkit's preset for ReRAM: digits come 1.4 in place of 1.9 points below float
    (mean of two seeds).
    """

    tail = 5.0
    """How much more the last readings of a period count in that."""

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, reference_error: float, arrays: Arrays
    ) -> None:
        super().__init__(law, shape, rng, reference_error, arrays)
        self._past, self._now = np.zeros(shape), np.zeros(shape)

    def _read(self, row: int) -> Reals:
        read = self._fast.read(row)
        self._now[row] += min(self.tail * self.flips, 1.0) * (read - self._now[row])
        return read - self._past[row]

    def _flipped(self, row: int) -> None:
        self._past[row] = self._now[row]


class Hybrid(Plain):
    """A capacitor takes the gradients, and the device, programmed to what both are, takes over now and then."""

    share = 3.0
    """What the device counts for, where the capacitor counts for 1."""
    every = 1000
    """Images between two transfers."""

    def __init__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, reference_error: float, arrays: Arrays
    ) -> None:
        super().__init__(law, shape, rng, reference_error, arrays)
        self._fast, self._images, self._sign = arrays(CAPACITOR, shape, rng), 0, 1.0

    @property
    def weights(self) -> Reals:
        """See :class:`Plain`."""
        return (self.share * self._slow.weights + self._sign * self._fast.weights) / (self.share + 1.0)

    def begin(self, weights: Reals) -> None:
        """See :class:`Plain`."""
        self._slow.set(weights * (self.share + 1.0) / self.share)

    def learn(self, x: Reals, d: Reals, rate: float) -> None:
        """See :class:`Plain`."""
        self.pulses += self._fast.update(x, -self._sign * d, rate * (self.share + 1.0))
        self._images += 1
        if self._images % self.every == 0:
            # To half a step, as closed-loop programming comes; the capacitor takes what is left, with the other sign.
            target = self.weights
            error = self._slow.step / 2.0 * self._rng.uniform(-1.0, 1.0, target.shape)
            self.begin(target + error)
            self._sign = -self._sign
            left = target * (self.share + 1.0) - self.share * self._slow.weights
            self._fast.set(np.clip(self._sign * left, -1.0, 1.0))


RULES: dict[str, type[Plain]] = {
    "sgd": Plain, "tiki-taka": TikiTaka, "tiki-taka-2": TikiTaka2, "chopped": Chopped, "agad": Agad, "hybrid": Hybrid,
}
"""By their names."""
