"""Runs of a job of tiles: by the interpreter, and by a backend whose results must be the interpreter's, bit for bit."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network.tiles import HeldValue, TileCode
from mho.hw.core.layout import unpack
from mho.hw.tile.interpreter.joined import HOST
from mho.hw.tile.interpreter.liveness import check_liveness, check_runs
from mho.hw.tile.interpreter.tiles import Tiles
from mho.hw.tile.isa import DESCRIPTORS, STREAMS, Op
from mho.macro_models import MacroModel, Masks
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.shown import Shown
from mho.sim.board.tiles.backend import BoardTilesBackend, one_for_each_table
from mho.sim.tile_jobs.job import TileJob
from mho.sim.tile_networks.backend import TileCosimBackend

Blocks = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True, repr=False)
class JobResult(Shown):
    """What the host got."""

    outputs: dict[str, Blocks]
    """By ``"tile:flow"``, of shape (images, blocks, elements): int16 where the program writes lanes, uint8 where it
    writes bytes from 0 up that may be above 127, else int8."""
    cycles: int | None
    """Clock cycles from the first flit to the end in co-simulation; None where nobody counted."""
    instructions: int
    """Instructions of all tiles for an image, by the interpreter."""

    def _facts(self) -> dict[str, object]:
        shapes = ", ".join(f"{name} {list(rows.shape)}" for name, rows in self.outputs.items())
        return {"outputs": shapes, "instructions": self.instructions, "cycles": self.cycles}


def run_job(
    job: TileJob, inputs: Mapping[str, Blocks], *, device: Device, seed: int = 0, time_s: float = 0.0,
    causes: frozenset[str] | None = None, backend: TileCosimBackend | BoardTilesBackend | None = None,
) -> JobResult:
    """Run programs on images.

    Raises InputError if an input is missing, has another type or does not fill blocks; if the programs can get stuck or
    trap. Raises ToolError if the backend gives something else than the interpreter.

    Parameters
    ----------
    inputs
        By ``"tile:stream"`` (:meth:`TileJob.inputs`), of shape (images, elements of all blocks of an image): int8 or
        uint8 a byte, int16 two, the lower one first. One input may go by the name ``""``.
    device, seed, time_s, causes
        Of the cells; ``seed`` of what programs draw, too.
    backend
        What carries them out beside the interpreter: None for the interpreter alone.
    """
    job = job.keyed(seed)
    streams = job.inputs()
    blocks = _blocks(streams, inputs)
    images = len(next(iter(blocks.values())))
    host_blocks = {streams[name][:2]: rows.shape[1] for name, rows in blocks.items()}
    check = check_runs if any(program.counts for program in job.programs.values()) else check_liveness
    instructions = check(job.joined(), host_blocks)
    models = job.models(device, seed, time_s, causes)
    outputs = _interpreted(job, models, streams, blocks)
    if backend is None:
        return JobResult(outputs=outputs, cycles=None, instructions=instructions)
    code = _code(job, streams, blocks, outputs, instructions)
    masks = [all_lines(job) for _ in models]
    entries = {value: _lanes(rows) for value, rows in enumerate(blocks.values())}
    backend.open_code(job.chip, code, models)
    cycles = None
    if isinstance(backend, TileCosimBackend):
        plan, result = backend.run_code(masks, entries, 0)
        results = {sink.value: sink.lanes(result.payloads[k]) for k, sink in enumerate(plan.sinks)}
        cycles = result.progress["cycles"] - result.progress["first"]
    else:
        results = backend.run_code(masks, entries, 0, lambda node: _operations(job, node))
    for value, (name, rows) in enumerate(outputs.items(), len(blocks)):
        if not np.array_equal(results[value], _lanes(rows)):
            wrong = int((results[value] != _lanes(rows)).any(axis=1).sum())
            raise ToolError(f"{wrong} of {images} results of {name} on {backend.name} are not those of the interpreter")
    return JobResult(outputs=outputs, cycles=cycles, instructions=instructions)


def _blocks(streams: Mapping[str, tuple[str, int, int]], inputs: Mapping[str, Blocks]) -> dict[str, Blocks]:
    """Inputs as (images, blocks, elements), by the names of streams."""
    if not streams:
        raise InputError("a program must have a remote stream for the host, as: stream in: block 16, remote, slot 0")
    if set(inputs) == {""} and len(streams) == 1:
        inputs = {next(iter(streams)): inputs[""]}
    if set(inputs) != set(streams):
        names = ", ".join(inputs) if set(inputs) != {""} else "an array without a name"
        raise InputError(f"inputs must be {', '.join(streams)}, each an array, not {names or 'none'}")
    blocks = {}
    for name, (_, _, size) in streams.items():
        values = np.asarray(inputs[name])
        if values.dtype not in (np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int16)):
            raise InputError(f"input {name} must be int8 or uint8 (a byte each) or int16 (two), not {values.dtype}: "
                             "codes are sent as they are")
        width = values.dtype.itemsize
        size_each = values[0].size * width if values.ndim > 1 and len(values) else 0
        if not size_each or size_each % size or size % width:
            alone = values.ndim == 1 and values.size and not values.size * width % size
            hint = f"; one image is {[1, *values.shape]}: x[None] in numpy" if alone else ""
            raise InputError(f"input {name} must have shape (images, ...) with whole blocks of {size} bytes an image, "
                             f"not {list(values.shape)} of {values.dtype}, {width} byte{'s' * (width > 1)} each{hint}")
        blocks[name] = values.reshape(len(values), -1, size // width)
    if len({len(rows) for rows in blocks.values()}) > 1:
        raise InputError("inputs must have the same number of images, not "
                         + ", ".join(f"{len(rows)} of {name}" for name, rows in blocks.items()))
    return blocks


def _interpreted(
    job: TileJob, models: Sequence[MacroModel], streams: Mapping[str, tuple[str, int, int]],
    blocks: Mapping[str, Blocks],
) -> dict[str, Blocks]:
    """What the host gets by the interpreter, by ``"tile:flow"``."""
    images = len(next(iter(blocks.values())))
    tiles = Tiles(job.joined(job.cores(models)).for_images(images), images=images)
    for name, rows in blocks.items():
        tile, stream, _ = streams[name]
        tiles.give(tile, stream, [block.tobytes() for block in rows.reshape(-1, rows.shape[2])])
    tiles.run()
    for name, machine in tiles.tiles.items():
        if machine.status is not None:
            reasons = [machine.reason] if machine.reason else job.rules_broken(name, machine.status.pc)
            raise InputError(f"tile {name} traps ({machine.status.cause.name.lower()}) at instruction "
                             f"{machine.status.pc}, of image {machine.status.image}: " + "; ".join(reasons or ["-"]))
    outputs = {}
    for flow in (flow for flow in job.flows if flow.to == (HOST,)):
        received = tiles.received.get((flow.sender, flow.number), [])
        if not received or len(received) % images or len({len(block) for block in received}) > 1:
            raise InputError(f"flow {flow.number} of tile {flow.sender} must give the host blocks of one size, the "
                             f"same number for each image, not {len(received)} for {images}")
        kind = _kind(job, flow.sender, flow.number)
        outputs[f"{flow.sender}:{flow.number}"] = np.frombuffer(b"".join(received), kind).reshape(
            images, len(received) // images, -1)
    return outputs


def _kind(job: TileJob, tile: str, flow: int) -> str:
    """What a flow sends, by the vector operations that write into its stream: lanes, bytes from 0 up, or codes."""
    program = job.programs[tile]
    sent = {fields["stream"] for op, fields in job.instructions(tile)
            if op is Op.SEND and fields["flow"] == flow and not fields["reduce"]}
    writers = [values for values in (program.descriptor("vec", k) for k in range(DESCRIPTORS["vec"].count))
               if values["target"] in sent and values["target"] < STREAMS]
    if any(values["wide"] for values in writers):
        return "<i2"
    return "u1" if writers and all(values["lo"] >= 0 and values["hi"] > 127 for values in writers) else "i1"


def _held(rows: Blocks) -> HeldValue:
    return HeldValue(channels=rows.shape[2], pixels=rows.shape[1], wide=rows.dtype.itemsize == 2,
                     signed=rows.dtype.kind == "i")


def _lanes(rows: Blocks) -> NDArray[np.int16]:
    """As a value of a network: (images, elements), channel by channel."""
    return np.ascontiguousarray(rows.transpose(0, 2, 1).reshape(len(rows), -1)).astype(np.int16)


def _code(
    job: TileJob, streams: Mapping[str, tuple[str, int, int]], blocks: Mapping[str, Blocks],
    outputs: Mapping[str, Blocks], instructions: int,
) -> TileCode:
    """The job in the form of a network's tiles: values are numbered, inputs first."""
    values = {}
    for number, (name, rows) in enumerate(outputs.items(), len(blocks)):
        tile, _, flow = name.rpartition(":")
        values[number] = (tile, int(flow), _held(rows))
    return TileCode(
        programs=job.programs, flows=job.flows, reductions=job.reductions,
        given=[(*streams[name][:2], number) for number, name in enumerate(blocks)],
        inputs={number: _held(rows) for number, rows in enumerate(blocks.values())}, values=values,
        before=(), behind=(), instructions=instructions,
    )


def all_lines(job: TileJob) -> Masks:
    """The masks of a core that nobody has written: all word lines on, all lines converted."""
    driven, converted = job.chip.macro_config().cell_map.shape
    return Masks(np.ones(driven, bool), np.ones(converted, bool), np.zeros(driven, bool), np.zeros(converted, bool))


def _operations(job: TileJob, node: int) -> list[MvmOperation]:
    """What the core of a node is asked for: an operation for each table that an emulator needs."""
    operations = []
    for tile in (tile for tile in job.programs if job.node_of(tile) == node):
        for descriptor in job.descriptors_of_products(tile):
            # A descriptor that is illegal is one that no instruction uses, or that traps.
            with suppress(InputError):
                operations.append(unpack(descriptor, job.chip.operation_type)[0])
    return one_for_each_table(operations)
