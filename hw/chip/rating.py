"""Figures of a chip whose cores are all busy, by the definitions of the field: 1 MAC is 2 operations.

Throughput and efficiency are of the macros: all lines take part, converters make all their steps, and nothing waits.
A figure stands beside the signal-to-noise ratio of its codes, which tells more than their bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mho.hw.config import Chip
from mho.hw.kinds import energy, timing
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.precision import signal_to_noise_dB

OPERATIONS_PER_MAC = 2


@dataclass(frozen=True, kw_only=True)
class Rating:
    """Figures at one precision."""

    precision: str
    """In words."""
    snr_dB: float
    """Signal over noise of its codes without any error of cells and converters: what their bits are worth."""
    time_us: float
    """Of one operation of a core, from start to earliest start of the next."""
    tops: float
    """Throughput of all cores, in 10**12 operations a second."""
    energy_pJ: Mapping[str, float]
    """Of one operation of a macro by what takes it; empty if the description knows none."""
    tops_per_W: float | None
    tops_per_mm2: float | None
    """Per watt of the macros, and per area of them; None if the description does not say."""

    @property
    def total_pJ(self) -> float:
        """All that the description knows, of one operation of a macro."""
        return sum(self.energy_pJ.values())


def rate(chip: Chip, precision: str, op: MvmOperation) -> Rating:
    """Figures of a chip for one operation on all of its lines, in the worst case of time."""
    config = chip.macro_config()
    cell_map = config.cell_map
    macs = cell_map.rows * cell_map.columns
    operations = OPERATIONS_PER_MAC * macs * chip.cores
    durations = timing(chip)
    time_us = durations.worst_cycles(op) / chip.clock.f_clk_MHz
    tops, model = operations / time_us / 1e6, energy(chip)
    masks = Masks.reset(*cell_map.shape)
    figures = {} if model is None else model.operation(op, masks, durations.worst_steps(op))
    energies = {name: float(value) for name, value in figures.items()}
    total = sum(energies.values())
    return Rating(
        precision=precision, snr_dB=signal_to_noise_dB(config, op, chip.cells.g_min_uS, chip.cells.g_max_uS),
        time_us=time_us, tops=tops, energy_pJ=energies,
        tops_per_W=OPERATIONS_PER_MAC * macs / total if total else None,
        tops_per_mm2=tops / (chip.area.total_mm2 * chip.cores) if chip.area.total_mm2 else None,
    )


def rating_rows(chip: Chip) -> list[tuple[str, str]]:
    """Figures at the precisions of the chip's kind: pairs of a name and values with their units.

    Then what has been extrapolated to this chip, and why.
    """
    rows = []
    for precision, op in chip.rated_operations():
        rating = rate(chip, precision, op)
        parts = [f"{rating.time_us:.4g} us a product", f"{rating.tops:.3g} TOPS", f"{rating.snr_dB:.3g} dB"]
        parts += [] if rating.tops_per_W is None else [f"{rating.tops_per_W:.3g} TOPS/W"]
        parts += [] if rating.tops_per_mm2 is None else [f"{rating.tops_per_mm2:.3g} TOPS/mm2"]
        rows.append((precision, ", ".join(parts) + " (macros)"))
    stated = {"energy": bool(chip.energy.known), "area": bool(chip.area.known)}
    return rows + [
        (f"{name}, extrapolated", getattr(chip, name).extrapolated) for name, section in stated.items()
        if section and getattr(chip, name).extrapolated
    ]
