"""Write-verify of the simulated core: from parameters and targets to words of its streams, and back.

Nothing happens at the pins during a pulse or a wait, so that the simulator need not count out all their cycles: the
registers of pulse widths and of the wait get small numbers, and the cells behind the pins take each pulse for one of
the width that is meant. What else the engine does, and in what order, is the same.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw.config import Chip
from hw.core.write_verify import CellLayout, WriteVerifyConfig, WriteVerifyParameters, map_words
from macro_models.errors import InputError, ToolError
from macro_models.exact.pulse import Polarity
from macro_models.pulses import PulseArray
from sim.write_job import COUNTERS, PARAMETER_WORDS, WriteJob, WriteOutcome
from sim.write_verify import ProgramRun

__all__ = ["SHORT_PULSE", "SHORT_WAIT", "cell_fields", "program_run", "shortened", "write_job"]

SHORT_PULSE = 3
"""Cycles at the pins of a pulse that is not simulated in full."""

SHORT_WAIT = 16
"""Cycles of a wait between two passes that is not simulated in full."""

_KINDS = ("set", "reset", "form")


def shortened(parameters: WriteVerifyParameters) -> WriteVerifyParameters:
    """The same run with pulses and waits of a few cycles."""
    widths = {f"{kind}_cycles": min(getattr(parameters, f"{kind}_cycles"), SHORT_PULSE) for kind in _KINDS}
    return replace(parameters, wait_cycles=min(parameters.wait_cycles, SHORT_WAIT), **widths)


def write_job(
    chip: Chip,
    array: PulseArray,
    targets: NDArray[np.integer],
    skip: NDArray[np.bool_] | None,
    parameters: WriteVerifyParameters,
    *,
    full_time: bool = False,
) -> WriteJob:
    """What the simulator needs to program ``array``; the arguments are those of :class:`sim.write_verify.Programmer`.

    Raises
    ------
    InputError
        If the chip has no engine.
    """
    if not chip.programming.engine:
        raise InputError(f"{chip.name}: programming.engine must be true to program cells in a simulation of the RTL")
    cfg = WriteVerifyConfig.from_chip(chip)
    run = parameters if full_time else shortened(parameters)
    words = np.asarray(targets).reshape(-1).astype(np.uint32)
    if words.size != cfg.lines**2 or words.max() >= 2**cfg.verify_bits:
        raise ValueError(f"Targets must be {(cfg.lines,) * 2} codes of {cfg.verify_bits} bits")
    if skip is not None:
        words |= np.asarray(skip, dtype=np.uint32).reshape(-1) << cfg.verify_bits
    packed = run.pack(cfg).to_bytes(4 * PARAMETER_WORDS, "little")
    pins, widths = (np.array([getattr(p, f"{kind}_cycles") for kind in _KINDS]) for p in (run, parameters))
    read = (parameters.confirmations + 1) * (cfg.verify_cycles + 1)
    cell = (parameters.max_pulses + 1) * (cfg.setup_cycles + int(pins.max()) + read)
    return WriteJob(
        array=array,
        targets=words,
        parameters=np.frombuffer(packed, dtype="<u4").astype(np.uint32),
        pins=pins,
        widths=widths,
        passes=parameters.passes,
        map_words=cfg.map_words,
        wait_skipped=parameters.wait_cycles - run.wait_cycles,
        longest_cycles=cfg.map_words + max(cell, run.wait_cycles),
    )


def cell_fields(cfg: WriteVerifyConfig, words: NDArray[np.uint32]) -> dict[str, NDArray[np.int64]]:
    """``code``, ``fault`` and ``pulses`` of words of the result stream, of their shape."""
    return {
        str(name): (words >> field.offset & (2**field.width - 1)).astype(np.int64) for name, field in CellLayout(cfg)
    }


def program_run(
    chip: Chip, parameters: WriteVerifyParameters, job: WriteJob, outcome: WriteOutcome, cpu_s: float = 0.0
) -> ProgramRun:
    """What a complete run did; ``job.array`` takes over what became of the cells.

    Raises
    ------
    ToolError
        If what the core says of itself contradicts what was seen at its pins.
    """
    cfg = WriteVerifyConfig.from_chip(chip)
    fields = cell_fields(cfg, outcome.cells.reshape(-1, cfg.lines, cfg.lines))
    faults = fields["fault"] == 1
    counters = {name: int(value) for name, value in zip(COUNTERS, outcome.counters, strict=True)}
    kinds = np.bincount(outcome.pulses["polarity"], minlength=len(Polarity))
    if [counters[f"{kind}s"] for kind in _KINDS] != kinds.tolist():
        raise ToolError(f"{chip.name}: the core must count the pulses that were seen at its pins, {kinds.tolist()}")
    if outcome.map.tolist() != map_words(cfg, faults[-1]):
        raise ToolError(f"{chip.name}: the fault map of the core must be that of its results")
    job.array.set_state(outcome.state)
    # With the cycles that were not simulated.
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
        cpu_s=cpu_s,
    )
