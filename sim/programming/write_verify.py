"""Programming the cells of a core by pulses: one result and one protocol, whatever runs the algorithm.

The functional backend runs the numpy reference, the cosim backend the engine of the generated Verilog. Both give the
same pulses, codes, faults and cells.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.reference import blind_cycles, cycles, give_pulses, program
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramRun:
    """What a run of write-verify did to a core of N lines."""

    pulses: NDArray[np.void]
    """All pulses in their order, of type :data:`mho.hw.core.write_verify.reference.PULSE`."""
    codes: NDArray[np.int64]
    """Last verify code of each cell in each pass, shape (passes, N, N), [bit line, source line]; 0 where skipped."""
    faults: NDArray[np.bool_]
    """Cells that were given up in each pass, of the same shape. The last is the fault map."""
    counts: NDArray[np.int64]
    """Pulses of each cell in each pass, of the same shape."""
    counters: dict[str, int]
    """``sets``, ``resets``, ``forms``, ``reads`` of the whole run; ``pulsed`` and ``faults`` of its last pass."""
    cycles: int
    """Clock cycles of the run, with pulses as long as the registers say."""
    array: PulseArray
    """The cells as they are at the end of the run: ``array.relaxed_uS(time_s)`` is what they become."""

    @property
    def fault_map(self) -> NDArray[np.bool_]:
        """Cells that did not converge in the last pass, of shape (N, N)."""
        return self.faults[-1]

    @property
    def g_uS(self) -> NDArray[np.float64]:
        """Conductances at the end of the run, of shape (N, N), in uS."""
        return self.array.g_uS.reshape(self.codes.shape[1:]).copy()


class Programmer(Protocol):
    """What programs cores: a backend that is open, or a :class:`mho.hw.core.write_verify` reference."""

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program ``array``, which stands for the cells of ``core`` and is changed, to ``targets``.

        Parameters
        ----------
        targets
            Verify codes of shape (N, N), [bit line, source line]; see :func:`target_codes`.
        skip
            Cells to leave alone, of the same shape.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class PulseRun:
    """What a blind run did to a core."""

    pulses: NDArray[np.void]
    """All pulses in their order, of type :data:`mho.hw.core.write_verify.reference.PULSE`."""
    cycles: int
    """Clock cycles of the run, with pulses as long as the registers say."""


class Pulser(Protocol):
    """What gives pulses to listed cells of cores without reading them: a backend that is open."""

    def pulse(
        self, core: int, array: PulseArray, records: NDArray[np.void], parameters: WriteVerifyParameters
    ) -> PulseRun:
        """Give pulses to ``array``, which stands for the cells of ``core`` and is changed.

        Raises InputError if the engine gives no such pulses.

        Parameters
        ----------
        records
            Of type :data:`mho.hw.core.write_verify.reference.RECORD`; least time is lost where they are sorted by row.
        parameters
            ``set_start``, ``reset_start`` are the amplitudes, ``set_cycles``, ``reset_cycles`` the widths.
        """
        ...


def check_pulses(chip: Chip) -> None:
    """Refuse a chip whose engine gives no pulses to listed cells.

    Raises InputError, naming the key.
    """
    programming = PulseChip.of(chip).programming
    if not (programming.engine and programming.pulses):
        raise InputError(f"{chip.name}: programming.engine and programming.pulses must be true for blind pulses")


def reference_pulses(
    chip: Chip, array: PulseArray, records: NDArray[np.void], parameters: WriteVerifyParameters
) -> PulseRun:
    """What the numpy reference does; see :class:`Pulser`."""
    check_pulses(chip)
    cfg = WriteVerifyConfig.from_chip(chip)
    pulses = give_pulses(cfg, parameters, records, array)
    return PulseRun(pulses=pulses, cycles=blind_cycles(cfg, records, pulses))


def target_codes(chip: Chip, targets_uS: ArrayLike) -> NDArray[np.int64]:
    """Verify codes of target conductances in uS, of the same shape.

    Raises InputError if a target is no number or beyond 0 to ``cells.g_full_scale_uS``.
    """
    targets = np.asarray(targets_uS, dtype=np.float64)
    top = chip.cells.g_full_scale_uS
    wrong = ~((targets >= 0.0) & (targets <= top))
    if wrong.any():
        raise InputError(f"{chip.name}: targets must be 0 to {top:g} uS, not {targets[wrong][0]:g}")
    return PulseChip.of(chip).pulse_config().codes(targets)


def reference_run(
    chip: Chip,
    array: PulseArray,
    targets: NDArray[np.integer],
    skip: NDArray[np.bool_] | None,
    parameters: WriteVerifyParameters,
) -> ProgramRun:
    """What the numpy reference does; see :class:`Programmer`."""
    cfg = WriteVerifyConfig.from_chip(chip)
    result = program(cfg, parameters, targets, array, skip)
    kinds = np.bincount(result.pulses["polarity"], minlength=len(Polarity))
    counters = {
        "sets": int(kinds[Polarity.SET]),
        "resets": int(kinds[Polarity.RESET]),
        "forms": int(kinds[Polarity.FORM]),
        "reads": int(result.reads.sum()),
        "pulsed": int((result.counts[-1] > 0).sum()),
        "faults": int(result.faults[-1].sum()),
    }
    return ProgramRun(
        pulses=result.pulses,
        codes=result.codes,
        faults=result.faults,
        counts=result.counts,
        counters=counters,
        cycles=cycles(cfg, parameters, counters["reads"], result.pulses),
        array=array,
    )


def program_core(
    chip: Chip,
    core: int,
    device: Device,
    seed: int,
    targets_uS: ArrayLike,
    skip: NDArray[np.bool_] | None = None,
    *,
    parameters: WriteVerifyParameters | None = None,
    programmer: Programmer | None = None,
    array: PulseArray | None = None,
) -> ProgramRun:
    """Program a core to conductances.

    Raises InputError if a target is out of range or the device has no pulse response.

    Parameters
    ----------
    core, seed
        Address of the draws of the cells.
    device
        With a section ``[pulse]``.
    targets_uS
        Conductances of shape (N, N), [bit line, source line], in uS.
    skip
        Cells to leave alone, of the same shape.
    parameters
        Values of the registers; without them those of the chip.
    programmer
        What runs the algorithm: an open backend; without one, the numpy reference.
    array
        Cells that were formed, programmed or measured before; without them new ones.
    """
    targets = target_codes(chip, targets_uS)
    shape = PulseChip.of(chip).pulse_config().shape
    if targets.shape != shape:
        raise InputError(f"{chip.name}: targets must be of shape {shape}, not {targets.shape}")
    if array is None:
        array = PulseArray(PulseChip.of(chip).pulse_config(), device=device, seed=seed, core=core)
    if parameters is None:
        parameters = WriteVerifyParameters.from_chip(chip)
    if programmer is None:
        return reference_run(chip, array, targets, skip, parameters)
    return programmer.program(core, array, targets, skip, parameters)
