"""From a trained module back to a compiled network, and from the cells of a chip to its weights."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mho.api.device import Device, PathLike, device_model
from mho.api.inputs import read_cells
from mho.compiler.mapping.weights import column_loads
from mho.compiler.model.stages import Linear
from mho.compiler.network import Network
from mho.compiler.program import DITHER, Call, Host, Stage
from mho.macro_models.integer.vector import Encode
from mho.sim.executor import build_cores
from mho.torch.layer import AnalogLayer
from mho.units import parse_time

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells


def trained(analog: Any) -> Network:
    """The network with the weights of an :class:`~mho.torch.network.AnalogNetwork`; nothing is searched again."""
    network, program = analog.network, analog.network.program
    layers, images = list(program.layers), [core.targets_uS.copy() for core in network.cores]
    for k, layer in enumerate(analog.layers):
        layers[k], target_uS = layer.lowered()
        cell_map = network.chip.macro_config().cell_map
        for mvm in layers[k].mvms:
            cells = cell_map.take(target_uS[mvm.core], mvm.rows, mvm.columns)
            cell_map.put(images[mvm.core], mvm.rows, mvm.columns, cells)
    stages = tuple(_stage(stage, module, analog) for stage, module in zip(program.stages, analog.stages, strict=True))
    first = analog.first_layer
    scale = program.input.scale * (1.0 if first is None or first.reach is None else float(first.reach.detach()))
    floats = {id(layer.compiled.linear): replace(
        layer.compiled.linear, weight=layer.weight.detach().cpu().numpy(), bias=layer.bias.detach().cpu().numpy())
        for layer in analog.layers}
    learned = {id(old.operation.step): new.operation.step for old, new in zip(program.stages, stages, strict=True)
               if isinstance(old.operation, Host) and isinstance(new.operation, Host)}
    steps = tuple(
        replace(step, operation=replace(step.operation, layer=floats[id(step.operation.layer)]))
        if isinstance(step.operation, Linear)
        else replace(step, operation=learned.get(id(step.operation), step.operation)) for step in network.model.steps
    )
    program_now = replace(program, layers=tuple(layers), stages=stages, input=replace(program.input, scale=scale))
    program_now.check()
    return replace(
        network, program=program_now, model=replace(network.model, steps=steps),
        cores=tuple(replace(core, targets_uS=image) for core, image in zip(network.cores, images, strict=True)),
    )


def _stage(stage: Stage, module: Any, analog: Any) -> Stage:
    """A stage with the range of the codes that was learned."""
    op = stage.operation
    if isinstance(op, Encode) and module.reach() is not None:
        multiplier = np.rint(op.multiplier / float(module.reach().detach()))
        return replace(stage, operation=replace(op, multiplier=multiplier.astype(np.int32)))
    if isinstance(op, Host) and any(True for _ in module.parameters()):
        return replace(stage, operation=module.learned())
    if isinstance(op, Call) and (reach := analog.layers[op.layer].reach) is not None:
        return replace(stage, operation=replace(op, pad=np.rint(op.pad / float(reach.detach())).astype(op.pad.dtype)))
    return stage


def chip_state(
    analog: Any, *, seed: int = 0, time: str | float = "1d", cells: "Cells | PathLike | None" = None,
    device: Device | PathLike | None = None,
) -> dict[str, torch.Tensor]:
    """What the cells of one chip hold in place of the weights: a state dict of the module.

    Parameters
    ----------
    seed, time
        Which chip, and when: seconds since programming, or a number with s, m, h, d or y.
    cells
        Cells that were programmed or measured, or their file, as of :meth:`mho.api.net.Net.run`.
    device
        Device of the cells; None: that of ``cells``, or the network's.
    """
    network, chip_cells = trained(analog), None if cells is None else read_cells(cells)
    cores = build_cores(network, device=device_model(device, (chip_cells or network).device), seed=seed,
                        time_s=parse_time(time), cells=chip_cells)
    state = dict(analog.state_dict())
    for k, layer in enumerate(analog.layers):
        weight = torch.as_tensor(_held_weights(layer, network, cores)).to(layer.weight)
        state[f"layers.{k}.weight"] = weight
        # What codes of 0 stand for is added by the digital side, which has the weights themselves.
        state[f"layers.{k}.bias"] = (layer.bias - layer.of_offset(weight - layer.weight)).detach()
    return state


def _held_weights(layer: AnalogLayer, network: Network, cores: Any) -> np.ndarray:
    """Weights of a layer as codes have them: the cells relative to what their columns conduct, times the gain."""
    compiled, chip = layer.compiled, network.chip
    draft, linear, config = compiled.draft, compiled.linear, chip.macro_config()
    scale = draft.quantiser.scale * (1.0 if layer.reach is None else float(layer.reach.detach()))
    total, each = np.zeros((linear.outputs, linear.inputs)), linear.weight.shape[1]
    for block in compiled.placement.of_layer(compiled.index):
        cells_uS = cores[block.core].cells * cores[block.core].config.lsb_uS
        holds_uS = config.cell_map.join(config.cell_map.take(cells_uS, block.rows, block.columns)).T
        loads = [column_loads(array, block.rows, block.columns, chip) for array in (
            network.cores[block.core].targets_uS, cells_uS)]
        gain = draft.gain * loads[0] / (np.maximum(loads[1], 1) * block.copies)
        holds_uS = holds_uS * (draft.pairs.unit_of(block) * gain)[:, None]
        inputs = draft.spread[block.first : block.first + len(block.rows)]
        rows = np.flatnonzero(inputs != DITHER)
        np.add.at(total, (block.outputs[:, None], inputs[rows]), holds_uS[:, rows])
    group = np.arange(linear.outputs) // (linear.outputs // linear.groups)
    own = group[:, None] * each + np.arange(each)
    return np.take_along_axis(total / scale, own, axis=1)
