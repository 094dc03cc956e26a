"""Write-verify of the simulated core: from parameters and targets to words of its streams, and back.

Nothing happens at the pins during a pulse or a wait, so that the simulator need not count out all their cycles: the
registers of pulse widths and of the wait get small numbers, and the cells behind the pins take each pulse for one of
the width that is meant. What else the engine does, and in what order, is the same.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.engine import CellLayout
from mho.hw.core.write_verify.reference import check_records, map_words
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.pulse import Polarity
from mho.sim.programming.job import COUNTERS, PARAMETER_WORDS, WriteJob, WriteOutcome
from mho.sim.programming.write_verify import ProgramRun, PulseRun, check_pulses

SHORT_PULSE = 3
"""Cycles at the pins of a pulse that is not simulated in full."""

SHORT_WAIT = 16
"""Cycles of a wait between two passes that is not simulated in full."""

KINDS = tuple(kind.name.lower() for kind in Polarity)
"""Kinds of pulses, as the registers name them."""


def shortened(parameters: WriteVerifyParameters) -> WriteVerifyParameters:
    """The same run with pulses and waits of a few cycles."""
    widths = {f"{kind}_cycles": min(getattr(parameters, f"{kind}_cycles"), SHORT_PULSE) for kind in KINDS}
    return replace(parameters, wait_cycles=min(parameters.wait_cycles, SHORT_WAIT), **widths)


def check_engine(chip: Chip, where: str) -> None:
    """Refuse a chip whose core does not program its cells; ``where`` it was to do so.

    Raises InputError, naming the key.
    """
    if not PulseChip.of(chip).programming.engine:
        raise InputError(f"{chip.name}: programming.engine must be true to program cells {where}")


def target_words(
    cfg: WriteVerifyConfig, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None, flag: int
) -> NDArray[np.uint32]:
    """Targets of one pass in the order of the cells, of shape (cells,), with bit ``flag`` for those to leave alone.

    Raises ValueError if they do not fit the core.
    """
    words = np.asarray(targets).reshape(-1).astype(np.uint32)
    if words.size != cfg.cells or words.max() >= 2**cfg.verify_bits:
        raise ValueError(f"Targets must be {cfg.shape} codes of {cfg.verify_bits} bits")
    if skip is not None:
        words |= np.asarray(skip, dtype=np.uint32).reshape(-1) << flag
    return words


def check_report(
    chip: Chip, counters: dict[str, int], pulses: NDArray[np.void], map: list[int], faults: NDArray[np.bool_]
) -> None:
    """Compare what a core says of itself with what was seen of it.

    Raises ToolError if they contradict each other.

    Parameters
    ----------
    counters
        ``sets``, ``resets`` and ``forms`` of the core.
    pulses
        Those that were seen at its pins, of type :data:`mho.hw.core.write_verify.reference.PULSE`.
    map
        Words of its fault map.
    faults
        Cells that were given up according to the results of its last pass, of shape (N, N).
    """
    _check_counts(chip, counters, pulses)
    if map != map_words(WriteVerifyConfig.from_chip(chip), faults):
        raise ToolError(f"{chip.name}: the fault map of the core must be that of its results")


def _check_counts(chip: Chip, counters: dict[str, int], pulses: NDArray[np.void]) -> None:
    kinds = np.bincount(pulses["polarity"], minlength=len(Polarity)).tolist()
    if [counters[f"{kind}s"] for kind in KINDS] != kinds:
        raise ToolError(f"{chip.name}: the core must count the pulses that were seen at its pins, {kinds}")


def write_job(
    chip: Chip,
    array: PulseArray,
    targets: NDArray[np.integer],
    skip: NDArray[np.bool_] | None,
    parameters: WriteVerifyParameters,
    *,
    full_time: bool = False,
) -> WriteJob:
    """What the simulator needs to program ``array``; arguments of :class:`mho.sim.programming.write_verify.Programmer`.

    Raises InputError if the chip has no engine.
    """
    check_engine(chip, "in a simulation of the RTL")
    cfg = WriteVerifyConfig.from_chip(chip)
    run = parameters if full_time else shortened(parameters)
    words = target_words(cfg, targets, skip, cfg.verify_bits)
    pins, widths = (np.array([getattr(p, f"{kind}_cycles") for kind in KINDS]) for p in (run, parameters))
    read = (parameters.confirmations + 1) * (cfg.verify_cycles + 1)
    cell = (parameters.max_pulses + 1) * (cfg.setup_cycles + int(pins.max()) + read)
    return WriteJob(
        array=array,
        targets=words,
        parameters=_packed(cfg, run),
        pins=pins,
        widths=widths,
        passes=parameters.passes,
        map_words=cfg.map_words,
        wait_skipped=parameters.wait_cycles - run.wait_cycles,
        longest_cycles=cfg.map_words + max(cell, run.wait_cycles),
    )


def _packed(cfg: WriteVerifyConfig, parameters: WriteVerifyParameters) -> NDArray[np.uint32]:
    packed = parameters.pack(cfg).to_bytes(4 * PARAMETER_WORDS, "little")
    return np.frombuffer(packed, dtype="<u4").astype(np.uint32)


def record_words(cfg: WriteVerifyConfig, records: NDArray[np.void], flag: int) -> NDArray[np.uint32]:
    """Words of the records of a blind run, and of its end, of shape (records + 1,); bit ``flag`` is that of the end."""
    check_records(cfg, records)
    count, reset, col, row = (records[name].astype(np.uint32) for name in ("count", "polarity", "col", "row"))
    words = count | reset << flag + 1 | col << flag + 2 | row << flag + 2 + cfg.cell_bits[0]
    return np.append(words, np.uint32(1 << flag)).astype(np.uint32)


def pulse_job(
    chip: Chip, array: PulseArray, records: NDArray[np.void], parameters: WriteVerifyParameters, *,
    full_time: bool = False,
) -> WriteJob:
    """What the simulator needs for a blind run; arguments of :class:`mho.sim.programming.write_verify.Pulser`.

    Raises InputError if the chip has no engine for that.
    """
    check_pulses(chip)
    cfg, parameters = WriteVerifyConfig.from_chip(chip), replace(parameters, blind=True)
    run = parameters if full_time else shortened(parameters)
    pins, widths = (np.array([getattr(p, f"{kind}_cycles") for kind in KINDS]) for p in (run, parameters))
    return WriteJob(
        array=array, targets=record_words(cfg, records, cfg.verify_bits), parameters=_packed(cfg, run), pins=pins,
        widths=widths, passes=1, map_words=cfg.map_words, wait_skipped=0,
        longest_cycles=sum(cfg.shape) + int(records["count"].max(initial=0)) * (cfg.setup_cycles + int(pins.max())),
    )


def pulse_run(chip: Chip, job: WriteJob, outcome: WriteOutcome) -> PulseRun:
    """What a blind run did; ``job.array`` takes over what became of the cells.

    Raises ToolError if the core counts other pulses than were seen at its pins.
    """
    counters = {name: int(value) for name, value in zip(COUNTERS, outcome.counters, strict=True)}
    _check_counts(chip, counters, outcome.pulses)
    job.array.set_state(outcome.state)
    kinds = np.bincount(outcome.pulses["polarity"], minlength=len(Polarity))
    skipped = int((kinds * (job.widths - job.pins)).sum())
    return PulseRun(pulses=outcome.pulses, cycles=counters["cycles_total"] + skipped)


def cell_fields(cfg: WriteVerifyConfig, words: NDArray[np.uint32]) -> dict[str, NDArray[np.int64]]:
    """``code``, ``fault`` and ``pulses`` of words of the result stream, of their shape."""
    return {
        str(name): (words >> field.offset & (2**field.width - 1)).astype(np.int64) for name, field in CellLayout(cfg)
    }


def program_run(chip: Chip, parameters: WriteVerifyParameters, job: WriteJob, outcome: WriteOutcome) -> ProgramRun:
    """What a complete run did; ``job.array`` takes over what became of the cells.

    Raises ToolError if what the core says of itself contradicts what was seen at its pins.
    """
    cfg = WriteVerifyConfig.from_chip(chip)
    fields = cell_fields(cfg, outcome.cells.reshape(-1, *cfg.shape))
    faults = fields["fault"] == 1
    counters = {name: int(value) for name, value in zip(COUNTERS, outcome.counters, strict=True)}
    check_report(chip, counters, outcome.pulses, outcome.map.tolist(), faults[-1])
    job.array.set_state(outcome.state)
    # With the cycles that were not simulated.
    kinds = np.bincount(outcome.pulses["polarity"], minlength=len(Polarity))
    skipped = int((kinds * (job.widths - job.pins)).sum())
    skipped += (parameters.passes - 1) * job.wait_skipped
    return ProgramRun(
        pulses=outcome.pulses,
        codes=fields["code"],
        faults=faults,
        counts=fields["pulses"],
        counters={name: counters[name] for name in COUNTERS[:6]},
        cycles=counters["cycles_total"] + skipped,
        array=job.array,
    )
