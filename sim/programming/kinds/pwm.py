"""Cells of phase-change cores: row-parallel write-verify."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network import CoreImage, Network
from mho.hw.config import check_device
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.core.write_verify.reference import dead_lines
from mho.hw.kinds.pwm.engine.reference import write_cycles
from mho.macro_models.devices import Device
from mho.macro_models.integer.pwm.programming import WriteParameters, WriteResult, write_rows
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows, target_counts
from mho.sim.programming.instance import Cells, CoreCells, network_hash
from mho.sim.programming.kinds import RowProgrammer

Reals, Flags = NDArray[np.float64], NDArray[np.bool_]

PUBLISHED = {
    "pulses_per_cell": "", "passes": "up to 30 iterations",
    "source": "more than 99 % converge, 4.8 to 5.3 % of SET from their targets (IEEE JSSC 57, 1027, 2022)",
}
"""What is published of the chip that the algorithm is of."""


def write(
    network: Network, device: Device, seed: int, progress: Callable[[int, int], None] | None,
    programmer: RowProgrammer | None = None, source: str = "functional",
) -> Cells:
    """Programs every core of a network, all driven lines one after the other.

    Raises InputError if the device does not fit the chip, or says nothing of pulses, or the core has no engine. Raises
    ToolError if the simulator fails.

    Parameters
    ----------
    programmer, source
        What programs a core, and its name; the integer reference if None.
    """
    chip = PwmChip.of(network.chip)
    check_device(chip, device)
    parameters, config = chip.write_parameters, chip.macro_config()
    cores: list[CoreCells] = []
    visited = done = pulses = cycles = 0
    run = _by_reference if programmer is None else programmer.program_rows
    for k, image in enumerate(network.cores):
        model = PwmModel.from_measured(config, np.zeros(config.cell_map.shape), device=device, seed=seed, core=k)
        skip = image.bl_skip[:, None] | image.sl_skip[None, :]
        result, codes = run(k, model, target_counts(config, image.targets_uS, parameters), parameters, skip)
        g = np.where(skip, config.g_min_uS, codes * config.lsb_uS)
        cores.append(_core(image, g, skip, result.done, result.pulses))
        visited, done = visited + int((~skip).sum()), done + int(result.done.sum())
        pulses, cycles = pulses + int(result.pulses.sum()), cycles + write_cycles(chip, result.pulses)
        if progress is not None:
            progress(k + 1, len(network.cores))
    report = {
        "cells": visited, "pulses": pulses, "passes": 1, "pulses_per_cell": pulses / max(visited, 1),
        "accept_uS": parameters.margin / parameters.top * (config.g_max_uS - config.g_min_uS),
        "within": done / max(visited, 1), "given_up": visited - done, "cycles": cycles, "published": PUBLISHED,
        "faults": sum(int(c.faults.sum()) for c in cores), "dead_rows": sum(int(c.dead_rows.sum()) for c in cores),
        "dead_columns": sum(int(c.dead_columns.sum()) for c in cores),
    }
    return Cells(
        cores=tuple(cores), chip=network.chip, network=network_hash(network), device=device, seed=seed,
        source=source, wait_s=0.0, report=report,
    )


def _by_reference(
    core: int, model: PwmModel, targets: NDArray[np.int64], parameters: WriteParameters, skip: Flags
) -> tuple[WriteResult, NDArray[np.int64]]:
    rows = ProgrammedRows(model, parameters)
    return write_rows(rows, targets, parameters, skip), rows.cells


def _core(image: CoreImage, g: Reals, skip: Flags, done: Flags, pulses: NDArray[np.int64]) -> CoreCells:
    faults = ~done & ~skip
    if image.faulty is not None:
        faults |= image.faulty
    rows, columns = dead_lines(faults)
    return CoreCells(
        g_uS=g, left_uS=g, target_uS=image.targets_uS.astype(np.float32), faults=faults,
        dead_rows=rows | image.bl_skip, dead_columns=columns | image.sl_skip, pulses=pulses.astype(np.int32),
        waits=np.zeros(g.shape, dtype=np.int32), moves=np.ones(g.shape, dtype=np.bool_),
    )
