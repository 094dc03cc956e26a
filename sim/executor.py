"""Execution of a compiled network on a backend.

The executor is one, whatever runs the program: it makes the programmed cores, hands images over batch by batch, and
keeps account. A result is a function of (network, device, time, seed, image number), never of how images are cut into
batches.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.input_time import InputTime
from mho.compiler.inputs import load_inputs
from mho.compiler.job import check_shape
from mho.compiler.model.evaluated import host_work
from mho.compiler.network import Network
from mho.macro_models import MacroModel, Masks, family
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.checks import checked_causes
from mho.sim.account import LayerFigures, RunAccount
from mho.sim.programming.instance import Cells

if TYPE_CHECKING:
    from mho.sim.backend import Backend

BATCH = 1024
"""Images that are in flight at once: what bounds the memory of a run."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What a run gave."""

    by_name: dict[str, NDArray[Any]]
    """The model's outputs in its units, of onnxruntime's shape and type, in the order of the model."""
    codes: dict[tuple[int, int], NDArray[np.int16]]
    """Output codes of every product, (layer, operation) -> (images, columns of the product) int16, in half steps; the
    columns are those that the product converts, in the network's order. Of a layer at several positions of an image
    (images, positions * columns), position by position. Of as many images as was asked for."""
    codes_by_layer: dict[int, NDArray[np.int16]]
    """The same codes, those of all products of a layer side by side."""
    layers: tuple[LayerFigures, ...]
    """Figures of each layer."""
    mvms: int
    """Conversions of all cores."""
    cycles: NDArray[np.int64]
    """Clock cycles of all products, one after the other, of shape (images,)."""
    seconds: float
    """Wall-clock time of all products."""
    core_cycles: NDArray[np.int64]
    """Clock cycles in which operations were issued at the macro of each core, of shape (cores,)."""
    exact: bool
    """Whether these, and energies, are of the decrements that were made, and not of as many as may have been."""
    time: InputTime | None = None
    """How long inputs take on the chip; None where nobody asked."""

    @property
    def outputs(self) -> NDArray[Any]:
        """The first, or only, output."""
        return next(iter(self.by_name.values()))


def build_cores(
    network: Network, *, device: Device | str | None = None, seed: int = 0, time_s: float = 0.0, temp_C: float = 25.0,
    causes: frozenset[str] | None = None, cells: Cells | None = None, compensation: str | None = None
) -> list[MacroModel]:
    """The cores of a network, programmed: chip number ``seed`` of a device (None: the network's) after ``time_s``.

    With ``cells`` they are exactly those, relaxed since they were programmed; ``seed`` is theirs. ``compensation`` is
    what the cores do against drift, :attr:`mho.macro_models.kinds.Family.compensations`; None: the most that they can.

    Raises InputError if the device is unknown, the cells were programmed for another network, or cores of this kind do
    not compensate drift in this way.
    """
    if device is None or isinstance(device, str):
        device = network.device if device is None else load_device(device)
    kind = family(network.chip.core.kind)
    how = kind.compensation(compensation)
    given: dict[str, Any] = {"device": device, "seed": seed, "temp_C": temp_C, "causes": causes, "cells": cells}
    made = _programmed(network, time_s=time_s, **given)
    if kind.compensate is not None and how != "none":
        held, ideal = network.chip.macro_config().cell_map, given | {"device": load_device("ideal"), "cells": None}
        others = (_programmed(network, time_s=0.0, **options) for options in (given, ideal))
        for core, fresh, exact, image in zip(made, *others, network.cores, strict=True):
            used = np.asarray((image.targets_uS > network.chip.cells.g_min_uS).any(axis=1))
            kind.compensate(core, fresh, exact, how, held.per_row(used) > 0)
    return made


def _programmed(
    network: Network, *, device: Device, seed: int, time_s: float, temp_C: float, causes: frozenset[str] | None,
    cells: Cells | None,
) -> list[MacroModel]:
    """The cores as they are after ``time_s``, the converters of the chip that the network knows as it knows them."""
    config, kind = network.chip.macro_config(), family(network.chip.core.kind)
    if cells is not None:
        cells.check_network(network)
        maps, seed = cells.conductances(device, time_s=time_s, temp_C=temp_C, causes=causes), cells.seed
        made = [
            kind.model.from_measured(config, g, device=device, seed=seed, core=k, time_s=time_s, causes=causes)
            for k, g in enumerate(maps)
        ]
    else:
        given = {"device": device, "seed": seed, "time_s": time_s, "temp_C": temp_C, "causes": causes}
        made = [kind.model(config, one.targets_uS, core=k, **given) for k, one in enumerate(network.cores)]
    known = network.calibration.converters
    if kind.restore is not None and known is not None and known.seed == seed:
        for core, registers in zip(made, known.cores, strict=False):
            kind.restore(core, registers)
    return made


def core_masks(network: Network) -> list[Masks]:
    """The masks of every core."""
    return [Masks(core.word_lines, core.converted_lines, core.bl_skip, core.sl_skip) for core in network.cores]


def execute(
    network: Network, backend: "Backend", x: Any, *, device: Device | str | None = None, seed: int = 0,
    time_s: float = 0.0, temp_C: float = 25.0, causes: frozenset[str] | None = None, cells: Cells | None = None,
    compensation: str | None = None, layer: int | None = None, first_image: int = 0, codes_of: int = 0,
    timed: bool = False, batch: int = BATCH, progress: Callable[[int, int], None] | None = None
) -> Execution:
    """Runs inputs through a network on one chip.

    Raises InputError if the inputs are not what the model takes.

    Parameters
    ----------
    network, backend
        What is run, and what runs it; it is opened here and closed by the caller.
    x
        Inputs in the model's units, of shape (images, ...), or what :func:`~mho.compiler.inputs.load_inputs` reads;
        of a chip with a sensor what equal pixels give.
    device, seed, time_s, temp_C, causes, cells, compensation
        As in :func:`build_cores`.
    layer
        Number of the one layer whose cores have the causes, while all others are on perfect ones; None: all have.
    first_image
        Number of the first image, which its noise depends on.
    codes_of
        Of how many images to return the codes of all products.
    timed
        Whether to say how long inputs take, which on tiles that are not simulated is computed.
    batch
        Images in flight at once, at most. It changes nothing but memory.
    progress
        Called with (images done, images).
    """
    x = check_shape(load_inputs(x), network.model)
    device = network.device if device is None else load_device(device) if isinstance(device, str) else device
    pixels = network.chip.sensor.model
    if "sensor" in checked_causes(causes) and pixels.spreads and device.converter.spread:
        x = pixels.of_chip(x, seed if cells is None else cells.seed)
    cores = build_cores(
        network, device=device, seed=seed, time_s=time_s, temp_C=temp_C, causes=causes, cells=cells,
        compensation=compensation,
    )
    if layer is not None:
        cores += build_cores(network, device=device, seed=seed, causes=frozenset(), cells=cells)
        network = _apart(network, layer)
    backend.open_network(network, cores)
    program, masks = network.program, core_masks(network)
    account = RunAccount(
        program, len(x), codes_of, network.chip, masks, [core.targets_uS for core in network.cores]
    )
    batches = -(-len(x) // backend.batch(program, batch))
    batch = -(-len(x) // max(batches, 1))
    outputs = np.empty((len(x), len(program.output.scale)))
    with host_work(len(x)):
        for first in range(0, len(x), max(batch, 1)):
            part = x[first : first + batch]
            lanes, clipped = program.input.compute_counted(part)
            account.begin(first, lanes, clipped)
            images = np.arange(first_image + first, first_image + first + len(part), dtype=np.uint64)
            made = backend.run(program, masks, lanes, images, account)
            outputs[first : first + len(part)] = program.output.compute(made)
            if progress:
                progress(first + len(part), len(x))
        by_name = network.model.finish_all(outputs)
    return Execution(
        by_name=by_name, codes=account.codes, codes_by_layer=account.codes_by_layer,
        layers=account.layers, core_cycles=account.core_cycles, exact=account.exact,
        mvms=network.mvms_per_image * len(x),
        cycles=account.cycles, seconds=account.seconds,
        time=_input_time(network, backend, cores, x, first_image, account) if timed else None,
    )


def _apart(network: Network, layer: int) -> Network:
    """The network with one layer on its own cores, and all others on as many more."""
    count, layers = len(network.cores), list(network.layers)
    for k, part in enumerate(layers):
        if k != layer:
            layers[k] = replace(part, mvms=tuple(replace(mvm, core=mvm.core + count) for mvm in part.mvms))
    return replace(network, program=replace(network.program, layers=tuple(layers)), cores=network.cores * 2)


def _input_time(
    network: Network, backend: "Backend", cores: list[MacroModel], x: NDArray[Any], first_image: int,
    account: RunAccount,
) -> InputTime:
    """As it was seen, or as the cycle model of the tiles predicts it for these images, or all products of an input."""
    from mho.compiler.tile.cycles import predicted_images, predicted_time

    each, seen = float(account.cycles.mean()), backend.input_time()
    if network.tiles is None:
        return InputTime(latency=each, interval=each)
    if seen is not None and not math.isnan(seen.interval):
        return seen
    some = predicted_images(network, len(x))
    analog = account.core_cycles / len(x) if some < len(x) else None
    images = np.arange(first_image, first_image + some, dtype=np.uint64)
    try:
        told = predicted_time(
            network, cores, core_masks(network), network.program.input.compute(x[:some]), images, analog)
    except ValueError:  # the cycle model finds no end: no more is known than that products wait for each other at worst
        told = InputTime(latency=each, interval=each, predicted=True)
    return told if seen is None else replace(told, latency=seen.latency)
