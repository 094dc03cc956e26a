"""Programming of all cores of a network: by the write-verify engine, or from a measured map of conductances."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network import CoreImage, Network
from mho.hw.config import PulseChip, check_device
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.core.write_verify.reference import dead_lines
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.sections.pulse import PulseResponse
from mho.macro_models.errors import InputError
from mho.sim.programming.instance import Cells, CoreCells, network_hash
from mho.sim.programming.screening import Preparation, form_cells, screen_cells
from mho.sim.programming.tuning import Tuning, tune, tuning_report
from mho.sim.programming.write_verify import Programmer, ProgramRun, program_core

PULSE_LAW = "rram-neurram"
"""Device whose answer to pulses is taken for a device that has none of its own."""

FAR_OFF = 5.0
"""A measured cell is faulty if it is further from its target than this times ``programming.accept_uS``."""

NOTHING = 1e-3
"""A line is dead if all of its cells read less than this part of ``cells.g_max_uS`` where more was wanted."""

MOST_US = 1e6
"""Largest conductance that a map may have."""

PulseSink = Callable[[int, NDArray[np.void]], None]
"""Takes the pulses of a core in their order: (core, pulses of type :data:`PULSE`)."""

Progress = Callable[[int, int], None]


def with_pulse_law(device: Device, law: Device | None = None) -> tuple[Device, str]:
    """A device that can be programmed by pulses, and a sentence where the answer to pulses is another device's.

    What the device itself says in ``[pulse]``, as the fraction of weak cells, is kept.

    Raises InputError if the other device has none.

    Parameters
    ----------
    law
        Whose answer to take. None: the device's own, or else that of :data:`PULSE_LAW`.
    """
    response = device.pulse
    if law is None:
        if response.set_rate > 0.0 and response.reset_rate > 0.0:
            return device, ""
        law = load_device(PULSE_LAW)
        reason = f", since {device.name} has none"
    else:
        has_response = response.set_rate > 0.0
        reason = f" in place of that of {device.name}" if has_response else f", since {device.name} has none"
    if not (law.pulse.set_rate > 0.0 and law.pulse.reset_rate > 0.0):
        raise InputError(
            f"{law.name}: has no pulse response (pulse.set_rate, pulse.reset_rate) to take for {device.name}"
        )
    plain = PulseResponse()
    fields_set = {
        f.name: value
        for f in dataclasses.fields(response)
        if (value := getattr(response, f.name)) != getattr(plain, f.name) and f.name != "source"
    }
    # A rate belongs to pulses of programming.pulse_s.
    scale = device.programming.pulse_s / law.programming.pulse_s
    pulse = dataclasses.replace(law.pulse, set_rate=law.pulse.set_rate * scale, reset_rate=law.pulse.reset_rate * scale)
    if not response.set_rate > 0.0:
        pulse = dataclasses.replace(pulse, **fields_set)
    return dataclasses.replace(device, pulse=pulse), f"pulse response of {law.name}{reason}"


def program_network(
    network: Network,
    *,
    device: Device,
    seed: int,
    programmer: Programmer | None = None,
    source: str = "functional",
    form: bool = False,
    screen: bool = True,
    pulses: PulseSink | None = None,
    progress: Progress | None = None,
) -> Cells:
    """Programs every core of a network by write-verify.

    All cells are programmed to what the mapping says they hold, those without a weight too, so that the fault map
    tells which spare lines are sound; only lines that the network skips are left alone. To the engine's fault map,
    cells that were given up in the last pass, come those that were not formed, that stayed where they were when they
    were moved away (:mod:`mho.sim.programming.screening`), :func:`unwilling_cells`, and those known to be faulty to the
    network. Where cells have no transistors they are tuned in the order of their amplitudes
    (:mod:`mho.sim.programming.tuning`), which also finds those that do not move, and the fault map is what is outside
    of the window.

    Raises InputError if the device does not fit the chip. Raises ToolError if the simulator fails.

    Parameters
    ----------
    device
        With a pulse response, see :func:`with_pulse_law`.
    seed
        Which chip.
    programmer, source
        An open backend and its name; without one, the numpy reference.
    form
        The cells are fresh: form them first.
    screen
        First move cells away that are near their targets already, to see whether they move.
    pulses
        Is given the pulses of each core after the core is done.
    progress
        Called with (cores done, cores).
    """
    chip = PulseChip.of(network.chip)
    check_device(chip, device)
    parameters = WriteVerifyParameters.from_chip(chip)
    cores: list[CoreCells] = []
    passes = np.zeros((chip.programming.passes, 3))
    cycles, visited, within, given_up = 0, 0, 0, 0
    tunings: list[Tuning] = []
    passes_asked = {"forming": form, "screening": screen and not chip.bias}
    before = {name: np.zeros(3, dtype=np.int64) for name, is_set in passes_asked.items() if is_set}
    for k, image in enumerate(network.cores):
        skip = image.bl_skip[:, None] | image.sl_skip[None, :]
        array = PulseArray(chip.pulse_config(), device=device, seed=seed, core=k, fresh=form)
        steps = {}
        if form:
            steps["forming"] = form_cells(chip, k, array, skip, programmer)
        if "screening" in before:
            steps["screening"] = screen_cells(chip, k, array, image.targets_uS, skip, parameters, programmer)
        if chip.bias:
            tunings.append(tune(chip, k, array, image.targets_uS, skip, programmer))
            run = tunings[-1].run
        else:
            run = program_core(
                chip, k, device, seed, image.targets_uS, skip if skip.any() else None, parameters=parameters,
                programmer=programmer, array=array,
            )
        cores.append(_core_cells(image, run, skip, parameters, steps.values()))
        if pulses is not None:
            pulses(k, np.concatenate([*(r.pulses for step in steps.values() for r in step.runs), run.pulses]))
        for name, step in steps.items():
            before[name] += step.cells, step.pulses, int(step.faults.sum())
            cycles += step.cycles
        passes[: len(run.counts)] += np.stack(
            [_sums(run.counts), _sums(run.counts > 0), _sums(run.faults)], axis=1
        )
        given_up += int(run.fault_map.sum())
        cycles += run.cycles
        visited += int((~skip).sum())
        within += int((~skip & (np.abs(run.g_uS - image.targets_uS) <= chip.programming.accept_uS)).sum())
        if progress:
            progress(k + 1, len(network.cores))
    passes = passes[: max((len(tuned.passes) for tuned in tunings), default=len(passes))]
    report = {
        "cells": visited,
        "pulses": int(passes[:, 0].sum() + sum(step[1] for step in before.values())),
        "passes": len(passes),
        "pulses_per_cell": float(passes[:, 0].sum() / max(visited, 1)),
        "accept_uS": chip.programming.accept_uS,
        "within": within / max(visited, 1),
        "given_up": given_up,
        "cycles": cycles,
        "by_pass": [
            {"pulses": int(count), "cells_pulsed": int(pulsed), "given_up": int(chosen)}
            for count, pulsed, chosen in passes.tolist()
        ],
        **{name: dict(zip(("cells", "pulses", "faults"), step.tolist(), strict=True)) for name, step in before.items()},
        **(tuning_report(tunings) if tunings else {}),
    }
    return _cells(network, cores, device, seed, source, chip.programming.t_wait_s, report)


def _sums(array: NDArray[Any]) -> NDArray[np.int64]:
    """Sum over the cells of each pass."""
    return array.sum(axis=(1, 2), dtype=np.int64)


def unwilling_cells(run: ProgramRun, parameters: WriteVerifyParameters) -> NDArray[np.bool_]:
    """Cells that took more than half of the pulses at the ceiling that a cell is given, in some pass; shape (N, N).

    They hardly answer, if at all: a stuck cell whose error is that of the band ends in it by the noise of its reads.
    A sound cell of ``rram-neurram`` never comes to the ceiling (none of 60,000).
    """
    pulses, (_, lines, columns) = run.pulses, run.codes.shape
    ceilings = np.array([parameters.set_ceiling, parameters.reset_ceiling, parameters.form_ceiling])
    top = pulses[pulses["amplitude"] == ceilings[pulses["polarity"]]]
    cell = (top["write_pass"].astype(np.int64) * lines + top["row"]) * columns + top["col"]
    count = np.bincount(cell, minlength=run.codes.size).reshape(run.codes.shape)
    return np.asarray((count > parameters.max_at_ceiling // 2).any(axis=0))


def _core_cells(
    image: CoreImage, run: ProgramRun, skip: NDArray[np.bool_], parameters: WriteVerifyParameters,
    before: Iterable[Preparation],
) -> CoreCells:
    settled, shape = run.array.settled(), skip.shape
    faults = run.fault_map | unwilling_cells(run, parameters)
    for step in before:
        faults |= step.faults
    if image.faulty is not None:
        faults |= image.faulty
    # Lines that were dead before were not visited: they count for neither direction.
    rows, columns = dead_lines(np.where(skip, False, faults))
    return CoreCells(
        g_uS=run.g_uS, left_uS=settled.left_uS.reshape(shape), target_uS=image.targets_uS.astype(np.float32),
        faults=faults, dead_rows=rows | image.bl_skip, dead_columns=columns | image.sl_skip,
        pulses=settled.pulses.reshape(shape).astype(np.int32), waits=settled.waits.reshape(shape).astype(np.int32),
        moves=settled.moves.reshape(shape),
    )


def measured_cells(
    network: Network, measured_uS: Sequence[NDArray[np.floating]], *, device: Device, seed: int, where: str = "map"
) -> Cells:
    """The cells of a chip that was measured: conductances of every core in uS, of shape (lines, lines), NaN dead.

    Cells of lines that read :data:`NOTHING` are dead, too. Dead cells, and cells further than :data:`FAR_OFF`
    acceptances from their targets, are the fault map. ``where`` opens the sentence of an error.

    Raises InputError if there are not as many maps as cores, a shape is wrong, a conductance is negative or infinite,
    every cell of a core is dead, or a map is in siemens or transposed by all appearance: with the numbers.
    """
    chip = PulseChip.of(network.chip)
    check_device(chip, device)
    rows, columns = chip.pulse_config().shape
    if len(measured_uS) != len(network.cores):
        raise InputError(
            f"{where}: the network needs {len(network.cores)} cores of {rows} x {columns} cells, "
            f"not {len(measured_uS)}"
        )
    cores = [
        _measured_core(chip, k, image, np.asarray(g, dtype=np.float64), where)
        for k, (image, g) in enumerate(zip(network.cores, measured_uS, strict=True))
    ]
    used = [~(c.dead_rows[:, None] | c.dead_columns[None, :]) for c in cores]
    close = [np.abs(c.g_uS - c.target_uS) <= chip.programming.accept_uS for c in cores]
    cells = sum(c.g_uS.size for c in cores)
    report = {
        "cells": cells,
        "accept_uS": chip.programming.accept_uS,
        "within": sum(int(c.sum()) for c in close) / cells,
        "far_off_uS": FAR_OFF * chip.programming.accept_uS,
        "dead": sum(int((~c.moves).sum()) for c in cores),
        "on_live_lines": sum(int(u.sum()) for u in used),
    }
    return _cells(network, cores, device, seed, "measured", 0.0, report)


def _measured_core(chip: PulseChip, k: int, image: CoreImage, g: NDArray[np.float64], where: str) -> CoreCells:
    shape = chip.pulse_config().shape
    if g.shape != shape:
        raise InputError(f"{where}: core {k} must have shape {shape}, not {g.shape}")
    dead = np.isnan(g)
    if not np.where(dead, 0.0, g).any():
        raise InputError(f"{where}: every cell of core {k} is NaN, which is a dead cell, or 0; none is left to use")
    wrong = np.argwhere((g < 0.0) | (g > MOST_US))
    if len(wrong):
        row, column = map(int, wrong[0])
        raise InputError(
            f"{where}: core {k} must hold conductances in uS of at least 0 and at most {MOST_US:g}, or NaN for a dead "
            f"cell, not {g[row, column]:g} at [{row}, {column}]"
        )
    _refuse_mistakes(chip, k, image.targets_uS, g, where)
    nothing = NOTHING * chip.cells.g_max_uS
    for axis in (0, 1):
        line = ((g <= nothing) | dead).all(axis, keepdims=True) & (image.targets_uS > nothing).any(axis, keepdims=True)
        dead |= line
    value = np.where(dead, 0.0, g)
    faults = dead | (np.abs(value - image.targets_uS) > FAR_OFF * chip.programming.accept_uS)
    if image.faulty is not None:
        faults |= image.faulty
    rows, columns = dead_lines(faults)
    none = np.zeros(shape, dtype=np.int32)
    return CoreCells(
        g_uS=value, left_uS=value, target_uS=image.targets_uS.astype(np.float32), faults=faults,
        dead_rows=rows | image.bl_skip, dead_columns=columns | image.sl_skip, pulses=none, waits=none, moves=~dead,
    )


def _refuse_mistakes(chip: PulseChip, k: int, targets: NDArray[np.float32], g: NDArray[np.float64], where: str) -> None:
    """Refuse a map in another unit, and one whose lines are interchanged."""
    largest, g_max = float(np.nanmax(g)), chip.cells.g_max_uS
    for unit, factor in (("siemens", "1e6"), ("millisiemens", "1e3")):
        meant = float(factor) * largest
        if 0.1 * g_max <= meant <= 10.0 * g_max and targets.max() > 10.0 * largest:
            raise InputError(
                f"{where}: core {k} holds at most {largest:.3g} uS, and cells of {chip.name} have up to {g_max:g}: is "
                f"it in {unit}? Then it must be multiplied by {factor}, to at most {meant:.3g} uS"
            )
    apart, turned = (float(np.sqrt(np.nanmean((values - targets) ** 2))) for values in (g, g.T))
    if turned < 0.5 * apart and apart > chip.programming.accept_uS:
        raise InputError(
            f"{where}: core {k} is {apart:.3g} uS from its targets in the root mean square, its transpose {turned:.3g} "
            "uS: rows must be bit lines, and columns source lines"
        )


def _cells(
    network: Network, cores: Sequence[CoreCells], device: Device, seed: int, source: str, wait_s: float,
    report: dict[str, Any],
) -> Cells:
    report = {
        **report,
        "faults": sum(int(c.faults.sum()) for c in cores),
        "dead_rows": sum(int(c.dead_rows.sum()) for c in cores),
        "dead_columns": sum(int(c.dead_columns.sum()) for c in cores),
    }
    return Cells(
        cores=tuple(cores), chip=network.chip, network=network_hash(network), device=device, seed=seed, source=source,
        wait_s=wait_s, report=report,
    )
