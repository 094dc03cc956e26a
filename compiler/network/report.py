"""What a compiled network needs: cores, cells, products and cycles."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mho.compiler.input_time import InputTime
from mho.compiler.model.stages import Evaluated
from mho.compiler.network.network import Network
from mho.compiler.plan import overflow, plan, products_of
from mho.compiler.program import Host, Layer
from mho.compiler.types import Facts
from mho.hw.kinds import Timing, timing
from mho.macro_models.integer.operation import MvmOperation

__all__ = ["copies_of", "cores_of", "overflow_of", "summarise", "tile_facts"]

def tile_facts(network: Network) -> Mapping[str, Any] | None:
    """What was predicted of tiles, :meth:`mho.compiler.tile.pipelined.Programmed.facts`; None without."""
    return network.calibration.tile_cycles


def summarise(network: Network) -> Facts:
    """Figures of a network as plain numbers, strings, lists and dicts.

    Keys: ``cores`` that are taken, ``cores_least`` (that would do, None if unknown),
    ``cores_bound`` (proven: fewer do not do, None if unknown), ``schedule``, ``cells_used``,
    ``cells``, ``utilisation`` (0..1), ``mvms_per_image``, ``cycles_worst`` and ``cycles_mean`` (per image, products one
    after the other; mean of the calibration inputs), ``latency_cycles``, ``latency_us``, ``interval_cycles``,
    ``interval_us`` (:class:`mho.compiler.input_time.InputTime`, of the calibration inputs), ``layers`` (dicts with
    name, inputs, outputs, relu, copies, slices (sets of cells of a weight), slice_bits (by which a slice counts more
    than the next, 0 where there is one), products, in_bits, in_signed, unsigned_cycles (that inputs take since their
    codes have no sign, and so one magnitude plane more than signed ones of as many bits), out_bits, step_code,
    positions (of an image, at which
    it is computed), cycles_worst, cycles_mean, error: that of calibration relative to the standard deviation of the
    layer's output, clipped: share of its inputs beyond what its codes reach during calibration, None if unknown),
    ``host`` (for each step that the host does on the way, its operators), ``plan`` (:func:`mho.compiler.plan.plan`),
    ``tiles`` (predicted cycles, :meth:`mho.compiler.tile.cycles.TileCycles.facts`, and the clock; None without tiles),
    ``redundancy`` (:class:`mho.compiler.mapping.redundancy.Redundancy` as a dict; None if nothing was asked for),
    ``outputs`` (for each its errors over the calibration inputs, a
    :class:`mho.compiler.calibration.outputs.OutputError` as a dict; empty in old files), ``warnings`` on calibration.
    """
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
        "redundancy": redundancy and asdict(redundancy),
        "tiles": tiles,
        "host_between": [network.program.stages[k].name for k in (network.tiles.between if network.tiles else ())],
        "plan": plan(
            network.model, chip, products_of(network.layers, chip, positions), before, parts, _host_steps(network)),
        "outputs": [asdict(output) for output in network.calibration.outputs],
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


def overflow_of(network: Network) -> Facts:
    """Whether one chip holds a network, and what its figures are of: :func:`mho.compiler.plan.plan`."""
    return overflow(network.chip, cores_of(network))


def _unsigned(op: MvmOperation, config: Timing) -> int:
    """Cycles of the plane that codes without a sign have more than signed ones of as many bits."""
    return config.worst_cycles(op) - config.worst_cycles(replace(op, in_signed=True)) if not op.in_signed else 0


def _layer(network: Network, k: int, layer: Layer, config: Timing, copies: int) -> Facts:
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
