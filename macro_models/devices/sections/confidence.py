"""How sure a fitted device is: errors of its law, and devices that the same measurement could as well have given.

An experiment with other cells of the same kind would have given other means and deviations.
:mod:`mho.macro_models.devices.resampled` draws such a device from the errors that the fit left in ``[confidence]``.
"""

from dataclasses import dataclass

from scipy.special import stdtrit

from mho.macro_models.types import Reals

LEVEL_OF_CONFIDENCE = 0.9
"""Of all printed intervals."""
NORMAL = 1.6448536269514722
"""Half of the interval of a normal variable with a standard error of 1."""
_UPWARDS = 8.0  # cells

Rows = tuple[tuple[float, ...], ...]


def student(freedom: int) -> float:
    """Half of the interval of Student's variable, of so many degrees of freedom and at least one."""
    return float(stdtrit(max(freedom, 1), 0.5 + LEVEL_OF_CONFIDENCE / 2.0))


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Errors of a law. Lists over time have an entry for each row of the law, lists over level one for each level."""

    cells: int = 0
    """Cells of the data; 0: nothing is known."""
    dies: int = 0
    """Dies that they are on, where the data say so."""
    level_cells: tuple[float, ...] = ()
    """Cells from which the errors of each level are known."""
    mean_error_uS: Rows = ()
    """Standard error of the mean of g - target, for each time and level, in uS."""
    spread_error: Rows = ()
    """Standard error of the logarithm of the standard deviation, for each time and level."""
    mean_memory: Rows = ()
    """Correlation of the errors of two times' means."""
    spread_memory: Rows = ()
    """The same of deviations."""
    die_mean_uS: tuple[float, ...] = ()
    """Standard error of the mean that the dies add, the same at all levels, for each time, in uS."""
    die_spread: tuple[float, ...] = ()
    """The same of the logarithm of the deviation."""
    names: tuple[str, ...] = ()
    """Numbers of a law with a section of its own (:meth:`Device.moved <mho.macro_models.devices.device.Device.moved>`)
    that other cells would have moved; empty: the law is in lists over time and level."""
    errors: tuple[float, ...] = ()
    """Standard error of each."""
    memory: Rows = ()
    """Correlation of these errors."""
    lost_error: float = 0.0
    """Relative standard error of the fraction of lost cells."""
    mean_low_uS: tuple[float, ...] = ()
    """Lower end of the 90 % interval of the mean over all cells, for each time, in uS."""
    mean_high_uS: tuple[float, ...] = ()
    """Upper end of it."""
    std_low_uS: tuple[float, ...] = ()
    """Lower end of the 90 % interval of the standard deviation over all cells, for each time, in uS."""
    std_high_uS: tuple[float, ...] = ()
    """Upper end of it."""
    source: str = ""

    @property
    def known(self) -> bool:
        """Whether devices can be drawn from these errors."""
        return bool(self.cells and (self.mean_error_uS or self.names))


def small_sample(n: float) -> float:
    """Factor on a variance that makes the interval of Bonett (2006) right for small samples: n / (n - z)."""
    return n / max(n - NORMAL, 1.0)


def upwards(n: float | Reals) -> float | Reals:
    """Factor on the upper half of the interval of a deviation.

    A small sample of a heavy-tailed law has often no cell of the tail, and then knows nothing of it. Chosen such that
    90 % intervals of 20 cells of normal, Student, mixed and skewed laws hold 85 to 95 %
    (``benchmarks/interval_coverage.py``).
    """
    return 1.0 + _UPWARDS / n
