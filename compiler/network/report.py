"""What a compiled network needs: cores, cells, products and cycles."""

from dataclasses import asdict, replace
from typing import cast

import numpy as np

from mho.compiler.facts import Fit, LayerFacts, OutputFacts, RedundancyFacts, Summary, TilesFacts
from mho.compiler.input_time import InputTime
from mho.compiler.model.stages import Evaluated
from mho.compiler.network.network import Network
from mho.compiler.plan import overflow, plan, products_of
from mho.compiler.program import Host, Layer
from mho.hw.kinds import Timing, timing
from mho.macro_models.integer.operation import MvmOperation


def tile_facts(network: Network) -> TilesFacts | None:
    """What was predicted of tiles, :meth:`mho.compiler.tile.pipelined.Programmed.facts`; None without."""
    return cast("TilesFacts | None", network.calibration.tile_cycles)


def summarise(network: Network) -> Summary:
    """Figures of a network; of calibration inputs, as far as they depend on inputs."""
    chip = network.chip
    config, before = timing(chip), network.program.input.before
    copies = copies_of(network)
    layers = [_layer(network, k, layer, config, copies[k]) for k, layer in enumerate(network.layers)]
    cell_map = chip.macro_config().cell_map
    used = cell_map.cells * sum(len(m.rows) * len(m.columns) for layer in network.layers for m in layer.mvms)
    driven, converted = cell_map.absent
    cores = cores_of(network)
    cells = cores * int((~driven).sum() * (~converted).sum())
    mean, tiles = sum(layer["cycles_mean"] for layer in layers), tile_facts(network)
    time = InputTime(latency=mean, interval=mean) if tiles is None else InputTime(
        latency=tiles["latency_cycles"], interval=tiles["interval_cycles"], predicted=True)
    positions, redundancy = network.model.positions, network.calibration.redundancy
    parts = max(layer.positions // count for layer, count in zip(network.layers, positions, strict=True))
    return {
        "model": network.model.name,
        "chip": chip.name,
        "device": network.device.name,
        "cores": cores,
        "cores_least": network.calibration.cores_least,
        "cores_bound": network.calibration.cores_bound,
        "schedule": network.schedule,
        "cells_used": used,
        "cells": cells,
        "utilisation": used / cells,
        "mvms_per_image": network.mvms_per_image,
        "cycles_worst": sum(layer["cycles_worst"] for layer in layers),
        "cycles_mean": mean,
        **time.facts(chip.clock.f_clk_MHz),
        "layers": layers,
        "host": ([] if before is None else [before.operators]) + [
            " ".join(s.operation.step.operators) for s in network.program.stages if isinstance(s.operation, Host)
        ],
        "redundancy": None if redundancy is None else cast(RedundancyFacts, asdict(redundancy)),
        "tiles": tiles,
        "host_between": [network.program.stages[k].name for k in (network.tiles.between if network.tiles else ())],
        "plan": plan(
            network.model, chip, products_of(network.layers, chip, positions), before, parts, _host_steps(network)),
        "outputs": [cast(OutputFacts, asdict(output)) for output in network.calibration.outputs],
        "warnings": list(network.calibration.warnings),
    }


def _host_steps(network: Network) -> set[int]:
    """Steps of the model that its program leaves to the host, as they are; others were written out or are a table."""
    stages = [stage.operation for stage in network.program.stages]
    left = {op.step.proto.SerializeToString(deterministic=True) for op in stages if isinstance(op, Host)}
    return {
        k for k, step in enumerate(network.model.steps)
        if isinstance(step.operation, Evaluated) and step.operation.proto.SerializeToString(deterministic=True) in left
    }


def copies_of(network: Network) -> list[int]:
    """How often each layer is repeated in columns of a core."""
    return [int(np.bincount(layer.mvms[0].outputs).max()) // slices
            for layer, slices in zip(network.layers, network.calibration.slices, strict=True)]


def cores_of(network: Network) -> int:
    """Cores that hold weights; on tiles empty ones may lie between them."""
    return len({m.core for layer in network.layers for m in layer.mvms})


def overflow_of(network: Network) -> Fit:
    """Whether one chip holds a network, and what its figures are of: :func:`mho.compiler.plan.overflow`."""
    return overflow(network.chip, cores_of(network))


def _unsigned(op: MvmOperation, config: Timing) -> int:
    """Cycles of the plane that codes without a sign have more than signed ones of as many bits."""
    return config.worst_cycles(op) - config.worst_cycles(replace(op, in_signed=True)) if not op.in_signed else 0


def _layer(network: Network, k: int, layer: Layer, config: Timing, copies: int) -> LayerFacts:
    op, facts = layer.mvms[0].op, network.calibration
    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "relu": layer.root.relu,
        "copies": copies,
        "slices": facts.slices[k],
        "slice_bits": facts.slice_bits[k],
        "products": len(layer.mvms),
        "in_bits": op.in_bits,
        "in_signed": op.in_signed,
        "unsigned_cycles": layer.positions * sum(_unsigned(m.op, config) for m in layer.mvms),
        "out_bits": op.out_bits,
        "step_code": op.step_code,
        "positions": layer.positions,
        "cycles_worst": layer.positions * sum(config.worst_cycles(m.op) for m in layer.mvms),
        "cycles_mean": facts.cycles[k],
        "error": facts.errors[k],
        "clipped": facts.clipped[k],
    }
