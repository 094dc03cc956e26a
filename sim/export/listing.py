"""What a host does to run a compiled network on a chip of tiles, for any number of images."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network import Network
from mho.compiler.network.tiles import HeldValue
from mho.compiler.tile.graph.host import Split
from mho.hw.chip.map import QUEUE, ChipParts, chip_base
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import credit_tag
from mho.hw.noc.registers.packet import NODE_BITS, host_address
from mho.hw.tile.host_map import IMAGE_AT, REGISTERS_AT
from mho.hw.tile.rtl.host import BUFFER, CONTROL, CORE_AT, DESCRIPTORS_AT
from mho.macro_models.errors import InputError
from mho.sim.board.program import parameter_writes
from mho.sim.board.tiles.host import WATCHDOG
from mho.sim.core.kinds import simulated
from mho.sim.executor import build_cores, core_masks
from mho.sim.export.host_steps import HostFunctions, host_functions
from mho.sim.programming.write_verify import target_codes
from mho.sim.tile_networks.plan import WRITE, SourcePlan, make_plan, tile_node

TAG_AT = 16
"""Lowest bit of the tag in the head of a flit."""


@dataclass(frozen=True, kw_only=True)
class Put:
    """Blocks that the host sends: the ``head`` of their flits, which flow of the host, how many give credits.

    ``first`` is the element of an image at which the value begins; a block is a pixel of it. ``step`` is the step of
    the host that makes it, from 1 on, 0 if none does.
    """

    head: int
    flow: int
    members: int
    step: int
    flits: int
    first: int
    held: HeldValue


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Blocks that come: the tag of their flits; the head of the credits for them and the flow that these name."""

    tag: int
    head: int
    flow: int
    flits: int
    first: int
    held: HeldValue


@dataclass(frozen=True, kw_only=True)
class Fed:
    """A value of the model in the numbers of an image: elements from ``first`` on, row by row of its shape."""

    name: str
    shape: tuple[int, ...]
    first: int

    @property
    def size(self) -> int:
        """Elements."""
        return prod(self.shape)

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape)) or "1"
        return f"{self.first} to {self.first + self.size - 1} are {self.name}, {shape}"


@dataclass(frozen=True, kw_only=True, eq=False)
class CellTargets:
    """Targets of the cells of a tile's core."""

    core: int
    """Byte address of the core's registers."""
    targets_uS: NDArray[np.float32]
    """Conductances, of shape (N, N), [bit line, source line], in uS."""
    codes: NDArray[np.int64] | None = None
    """The same as codes of write-verify; None without such an engine."""
    writes: tuple[tuple[int, int], ...] = ()
    """Registers of the core, by their addresses there, and words: the parameters of a pass."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """All that a host has to know."""

    network: Network
    parts: ChipParts
    """What is run, and the parts of its chip."""
    loads: NDArray[np.uint32]
    """Addresses and words that are written once."""
    begins: NDArray[np.uint32]
    """Those that are written before each run: tables, descriptors, masks, what the buffers hold at the start."""
    counts: tuple[int, ...]
    """Addresses of registers that hold images of a run, less one."""
    firsts: tuple[int, ...]
    """Addresses of registers that hold the number of the first image."""
    starts: tuple[int, ...]
    """Addresses of the control registers of tiles with programs, in the order in which they start."""
    sources: tuple[Put, ...]
    sinks: tuple[Taken, ...]
    """What the host sends and takes."""
    cells: tuple[CellTargets, ...]
    """Targets of the cores, in the order of the tiles."""
    passes: int
    """Of write-verify."""
    functions: HostFunctions
    """What the host does between and behind the layers of tiles, in C."""
    awaited: tuple[tuple[int, ...], ...]
    """Which sinks each of its steps waits for."""

    @property
    def base(self) -> int:
        """Byte address of the chip's own registers."""
        return chip_base(self.parts.mesh)

    @property
    def elements(self) -> tuple[int, int]:
        """Elements of an image that the host sends, and of what comes for it."""
        sent = {source.first: source.held for source in self.sources}
        return tuple(
            sum(shape.channels * shape.pixels for shape in shapes)  # pyright: ignore[reportReturnType]
            for shapes in (sent.values(), (sink.held for sink in self.sinks))
        )

    @property
    def host_steps(self) -> tuple[str, ...]:
        """What a host does besides, in words; none where it sends codes of the input and gets those of the output."""
        code, program = self.network.tiles, self.network.program
        assert code is not None
        before = program.input.before
        said = [f"steps of the model before the input is quantised: {before.operators}"] if before is not None else []
        if code.before:
            said.append(f"steps before the tiles: {' '.join(program.stages[k].name for k in code.before)}")
        said += [f"in C, {name}: {' '.join(program.stages[k].name for k in stages)}" for name, stages in (
            *zip(self.functions.steps, (step.stages for step in Split.of(program, code).steps), strict=True),
            *([(self.functions.finish, code.behind)] if self.functions.finish else []))]
        every = [str(op.kind) for output in self.network.model.outputs for op in output.host]
        kinds = [kind for kind in every if kind not in ("reshape", "cast")]
        return (*said, *([f"steps of the model on its outputs: {' '.join(kinds)}"] if kinds else ()))

    @property
    def fed(self) -> tuple["Fed", ...]:
        """What the host makes of an image, in the order in which it lies there."""
        code, program, model = self.network.tiles, self.network.program, self.network.model
        assert code is not None
        made = {v for step in Split.of(program, code).steps for v in step.gives}
        places = _places([(value, code.inputs[value]) for value in sorted(code.inputs)])
        fed: list[Fed] = []
        for value, first in places.items():
            if value in made:
                continue
            if value:
                held = code.inputs[value]
                parts = [(f"lanes of {program.stages[value - 1].name}", (held.channels, held.pixels))]
            elif (before := program.input.before) is None:
                parts = list(model.inputs)
            else:
                sizes = {v: model.steps[v - 1].operation.size for v in before.values if v}
                parts = [part for v in before.values for part in (
                    [(f"what step {v} of the model makes", (sizes[v],))] if v else model.inputs)]
            for name, shape in parts:
                fed.append(Fed(name=name, shape=tuple(shape), first=first))
                first += fed[-1].size
        return tuple(fed)

    @property
    def given(self) -> tuple["Fed", ...]:
        """What is made of the last lanes of an image: outputs of the model, of which the host's steps make theirs."""
        lanes = len(self.network.program.output.scale)
        return tuple(
            Fed(name=output.name, shape=(lanes - output.first if output.size is None else output.size,),
                first=output.first) for output in self.network.model.outputs
        )

    @property
    def coded(self) -> bool:
        """Whether the first of what is sent are codes of the input."""
        code = self.network.tiles
        assert code is not None
        return not code.before and 0 in code.inputs

    @property
    def whole(self) -> bool:
        """Whether lanes of the last value are what comes, or what the host's functions make of it."""
        code, last = self.network.tiles, len(self.network.program.stages)
        assert code is not None
        return bool(self.functions.finish) or set(code.values) == {last}

    @property
    def codes(self) -> int:
        """How many of what is sent of an image are not the host's to make."""
        return sum(shape.channels * shape.pixels for shape in {
            source.first: source.held for source in self.sources if not source.step}.values())


def list_network(network: Network) -> Listing:
    """What a host does to run a network.

    Raises InputError if it has no programs, its host does what has no form in C, or gets more than there is room for.
    """
    name, code = network.chip.name, network.tiles
    if code is None:
        raise InputError(f"{name}: a network must hold programs of tiles to be exported: its host asks for each "
                         "product")
    split, parts = Split.of(network.program, code), ChipParts.from_chip(network.chip)
    mesh = parts.mesh
    blank = {value: np.zeros((1, shape.channels * shape.pixels), np.int16) for value, shape in code.inputs.items()}
    plan = make_plan(code, parts, core_masks(network), blank, 0, _settings(network), watchdog=WATCHDOG)
    spare = QUEUE - sum(2 * sink.unit for sink in plan.sinks)
    if spare < max(source.members for source in plan.sources):
        raise InputError(f"{name}: values for the host must leave room for credits in {QUEUE} flits, and have "
                         f"{QUEUE - spare}")
    nodes = {tile: tile_node(mesh, tile) for tile in code.programs}
    counting = [nodes[tile] for tile, program in code.programs.items() if program.counts]
    counts = {host_address(mesh, node, REGISTERS_AT) for node in counting}
    firsts = {host_address(mesh, node, IMAGE_AT) for node in nodes.values()}
    starts = [host_address(mesh, node, CONTROL) for node in nodes.values()]
    others_at = {*counts, *firsts, *starts}
    # A word that is written twice counts as it is written last.
    writes = {int(at): int(word) for at, word, kind in plan.requests if kind == WRITE and int(at) not in others_at}
    once, anew = list[tuple[int, int]](), list[tuple[int, int]]()
    for at, word in writes.items():
        (anew if _changes(at) else once).append((at, word))
    places = _places([(value, code.inputs[value]) for value in sorted(code.inputs)])
    takes = _places([(value, shape) for value, (_, _, shape) in sorted(code.values.items())])
    shapes = {**code.inputs, **{value: shape for value, (_, _, shape) in code.values.items()}}
    functions = host_functions(
        split, places, takes, {v: shape.channels * shape.pixels for v, shape in shapes.items()}, name)
    maker = {v: n + 1 for n, step in enumerate(split.steps) for v in step.gives}
    return Listing(
        network=network, parts=parts, loads=_table(once), begins=_table(anew), counts=tuple(sorted(counts)),
        firsts=tuple(sorted(firsts)), starts=tuple(starts),
        sources=tuple(Put(
            head=_head(mesh, source), flow=source.flow, members=source.members, flits=source.flits.shape[1],
            first=places[source.value], held=code.inputs[source.value], step=maker.get(source.value, 0),
        ) for source in plan.sources),
        sinks=tuple(Taken(
            tag=sink.tag, flow=code.values[sink.value][1], flits=sink.flits, first=takes[sink.value], held=sink.held,
            head=Destinations.one(*mesh.position(nodes[code.values[sink.value][0]])).pack(mesh)
            | credit_tag(mesh) << TAG_AT,
        ) for sink in plan.sinks),
        cells=tuple(_cells(network, parts)),
        passes=WriteVerifyParameters.from_chip(network.chip).passes if parts.core.programs else 0,
        functions=functions,
        awaited=tuple(
            tuple(k for k, sink in enumerate(plan.sinks) if sink.value in step.takes) for step in split.steps
        ),
    )


def _changes(address: int) -> bool:
    """Whether a run does, by its reset or after it: tables, descriptors, buffers, masks of the core."""
    offset = address & (1 << NODE_BITS) - 1
    return offset >= BUFFER or DESCRIPTORS_AT <= offset < DESCRIPTORS_AT + 0x1000


def _places(values: list[tuple[int, HeldValue]]) -> Mapping[int, int]:
    """Where each value begins among the elements of an image, one behind the other."""
    ends = accumulate((shape.channels * shape.pixels for _, shape in values), initial=0)
    return {value: first for (value, _), (first, _) in zip(values, pairwise(ends), strict=True)}


def _head(mesh: MeshConfig, source: SourcePlan) -> int:
    """The word before the payload of each flit, from the bits of one."""
    words = source.flits[0, 0].tolist()[mesh.payload_bits // 32 :]
    bits = sum(word << 32 * k for k, word in enumerate(words))
    return bits >> mesh.tag_bits + 1 | (bits & (1 << mesh.tag_bits) - 1) << TAG_AT


def _table(writes: list[tuple[int, int]]) -> NDArray[np.uint32]:
    return np.array(writes, dtype=np.uint32).reshape(-1, 2)


def _settings(network: Network) -> dict[int, list[tuple[int, int]]]:
    """What the cores are told of macros without spread, by node."""
    image, cfg = simulated(network.chip).image, ChipParts.from_chip(network.chip).core.cfg
    return {node: image(cfg).settings(model) for node, model in enumerate(build_cores(network, device="ideal"))}


def _cells(network: Network, parts: ChipParts) -> Iterator[CellTargets]:
    chip = network.chip
    for node, core in enumerate(network.cores):
        codes, writes = None, ()
        if parts.core.programs:
            codes = target_codes(chip, core.targets_uS)
            single = replace(WriteVerifyParameters.from_chip(chip), passes=1)
            writes = tuple(parameter_writes(parts.registers, single))
        yield CellTargets(core=host_address(parts.mesh, node, CORE_AT), targets_uS=core.targets_uS, codes=codes,
                          writes=writes)


