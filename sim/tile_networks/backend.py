"""The cosim backend of a network on tiles: the Verilog of the whole chip, and nothing but its host port."""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.input_time import InputTime
from mho.compiler.program import Call, Mvm, Program
from mho.compiler.tile.cycles import counted_images
from mho.compiler.tile.graph.host import HostRun, Split
from mho.compiler.types import Lanes
from mho.hw.chip.map import ChipParts
from mho.hw.config import Chip
from mho.hw.kinds import Timing, timing
from mho.hw.tile.isa import Cause
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import InputError, ToolError, argument
from mho.sim.backend import Account, Backend, Detailed, Note, Observed, Progress, opened
from mho.sim.core.commands import Preparation, commands_of, row_programmer
from mho.sim.core.kinds import simulated
from mho.sim.tile_networks.build import build_mesh
from mho.sim.tile_networks.codes import COMMAND_PATIENCE, CoreTasks, MeshCores, SeenCodes
from mho.sim.tile_networks.host import MeshJob, MeshResult, Outcome
from mho.sim.tile_networks.plan import STATUS_READS, Plan, from_first_turn, make_plan, tile_node
from mho.sim.tile_networks.process import Answer, MeshSimulation, host_answers
from mho.sim.tile_networks.trace import image_ends, trace_of, traced_tiles, waves_arguments

if TYPE_CHECKING:
    from mho.compiler.network import Network
    from mho.compiler.network.tiles import TileCode

_PATIENCE = 500_000
"""Cycles without a flit or an instruction after which a mesh counts as stuck."""
_MOST_WAVES = 16
"""Images of a run with waveforms, of which a network of some layers leaves some 100 MB each."""
_REPORT = 1 << 17
"""Cycles from one report of progress to the next."""


class TileCosimBackend(Backend):
    """Runs the programs of a network's tiles in the RTL of the whole chip, in a simulator that is kept until it closes.

    Images go in at the host port one behind the other, results come out there; programs, masks and tables are written
    over the register bus before. Cycles are those between results: the tiles work on several images at a time.

    Parameters
    ----------
    waves
        FST file into which all signals go; the simulator is then built with tracing, and slower.
    waves_tiles
        Tiles whose signals go into it, each as ``"C,R"``, its column and row; None: all. What is around them does, too.
    timeout_s
        Longest wall time without a word from the simulator.
    trace
        Note when instructions retire, and who is at work, for :meth:`trace`.
    threads
        Threads that share the tiles, each at most as busy as a processor: for a machine with nothing else to do. They
        change nothing but time; with ``trace`` there is one.
    optimise
        False: a simulator that is built in a third of the time and takes four times as long, for short runs.
    patience
        Cycles without a flit or an instruction after which the mesh counts as stuck.
    progress, note
        Are told (images, images in all), and how many cycles were simulated.
    """

    name = "cosim"
    reports = ("progress",)

    def __init__(
        self, *, waves: Path | str | None = None, waves_tiles: Sequence[str] | None = None, timeout_s: float = 3600.0,
        trace: bool = False, threads: int = 1, optimise: bool = True, patience: int = _PATIENCE,
        progress: Progress | None = None, note: Note | None = None,
    ) -> None:
        self._waves = None if waves is None else Path(waves)
        self._waves_tiles = waves_tiles
        if waves is None and waves_tiles is not None:
            raise InputError(f"{argument('waves_tiles')} needs {argument('waves')}, the file of the waves")
        self._timeout_s, self._tracing, self._progress, self._note = timeout_s, trace, progress, note
        self._threads = threads
        self._optimise, self._patience, self._clock_s = optimise, patience, 0.0
        self._chip: Chip | None = None
        self._parts: ChipParts | None = None
        self._code: TileCode | None = None
        self._seen: list[tuple[int, int, int]] = []
        self._simulation: MeshSimulation | None = None
        self._simulated = 0
        self.plan: Plan | None = None
        self.result: MeshResult | None = None

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores, to have cores do something alone: see :meth:`program_rows`.

        A run needs the programs of a network: :meth:`open_network`.
        """
        self.open_code(chip, None, cores)

    def open_network(self, network: "Network", cores: Sequence[MacroModel]) -> None:
        """Take a network and its programmed cores; the process is kept where the chip has the same tiles.

        Raises InputError if the network has no programs.
        """
        if network.tiles is None:
            raise InputError(f"{network.chip.name}: a network must hold programs of tiles to run on them")
        self.open_code(network.chip, network.tiles, cores)

    def open_code(self, chip: Chip, code: "TileCode | None", cores: Sequence[MacroModel]) -> None:
        """Take programs and programmed cores."""
        parts = ChipParts.from_chip(chip)
        if self._simulation is not None and (parts != self._parts or not self._simulation.alive):
            self.close()
        if self._simulation is None:
            traced = None if self._waves_tiles is None else traced_tiles(parts.mesh, self._waves_tiles)
            simulator = build_mesh(chip, waves=self._waves is not None, optimise=self._optimise)
            self._simulation = MeshSimulation(
                simulator, timeout_s=self._timeout_s, waves=self._waves, arguments=waves_arguments(traced))
        self._chip, self._parts, self._code, self._seen = chip, parts, code, []
        self._clock_s = 1e-6 / chip.clock.f_clk_MHz
        for index, model in enumerate(cores):
            self._simulation.put_core(index, model)

    def run(
        self, program: Program, masks: Sequence[Masks], lanes: Lanes, images: NDArray[np.integer],
        account: Account,
    ) -> Lanes:
        """Run the programs on a batch of images; see :class:`mho.sim.backend.Backend`.

        Raises ToolError if a tile traps, the mesh stands still, or results are not those that follow from the codes of
        the cores.
        """
        values = self.run_values(program, masks, lanes, images, account)
        return HostRun(Split.of(program, opened(self._code)), lanes).finish(values)

    def run_values(
        self, program: Program, masks: Sequence[Masks], lanes: Lanes, images: NDArray[np.integer],
        account: Account,
    ) -> dict[int, Lanes]:
        """All values that the host gets, by their numbers, each (images, elements)."""
        chip, code = opened(self._chip), opened(self._code)
        if self._waves is not None and len(lanes) > _MOST_WAVES:
            raise InputError(f"{argument('limit')} must be at most {_MOST_WAVES} with {argument('waves')} on tiles, "
                             f"not {len(lanes)} images")
        started, (lanes, images, more) = time.perf_counter(), from_first_turn(program, lanes, images)
        first, split = int(images[0]), Split.of(program, code)
        host = HostRun(split, lanes)
        plan, result = self.run_code(
            masks, {0: lanes} | host.begin(), first, awaited=split.awaited,
            answer=lambda plan: host_answers(plan, host))
        values = {sink.value: sink.lanes(result.payloads[k]) for k, sink in enumerate(plan.sinks)}
        codes = SeenCodes(program, first, len(lanes), result.ops, result.words)
        values = {value: images_of_value[more:] for value, images_of_value in values.items()}
        expected = HostRun(split, lanes[more:]).finish(values)
        check_codes(program, lanes[more:], images[more:], codes, expected, account, timing(chip))
        ends = image_ends(plan, result)
        cycles = np.diff(ends, prepend=result.progress["first"])
        begin, end = counted_images(program, code, len(ends))
        span = int(ends[end] - ends[begin]) if end > begin else 0
        self._seen.append((int(cycles[0]), span, max(end - begin, 0)))
        account.spent(cycles[more:], time.perf_counter() - started)
        return values

    def run_code(
        self, masks: Sequence[Masks], entries: Mapping[int, Lanes], first: int, *,
        awaited: Collection[int] = (), answer: Callable[[Plan], Answer] | None = None,
    ) -> tuple[Plan, MeshResult]:
        """Run the programs on images, whoever wrote them: what the host did, and what came.

        Raises ToolError if a tile traps or the mesh stands still.

        Parameters
        ----------
        masks, entries, first, awaited
            As of :func:`mho.sim.tile_networks.plan.make_plan`.
        answer
            Makes what the host makes on the way; None: nothing.
        """
        chip, simulation = opened(self._chip), opened(self._simulation)
        images = len(next(iter(entries.values())))
        prepared = self._preparations()
        commands = {node: CoreTasks(chip, node).tasks(prior.descriptors, prior.inputs, prior.settings)
                    for node, prior in prepared.items()}
        plan = self.plan = make_plan(
            opened(self._code), opened(self._parts), masks, entries, first, self._settings(prepared), commands,
            awaited=awaited)
        patience = max(self._patience, COMMAND_PATIENCE if prepared else 0)
        job = MeshJob.from_plan(plan, patience=patience, report=_REPORT, tracing=self._tracing, threads=self._threads)

        def hear(cycles: int, arrived: list[int]) -> None:
            done = min(flits // sink.image_flits for flits, sink in zip(arrived, plan.sinks, strict=True))
            if self._progress is not None:
                self._progress(done, images)
            if isinstance(self._progress, Detailed):
                chip_ms = cycles * self._clock_s * 1e3
                self._progress.detail(
                    f"{done} of {images} images, {chip_ms:.3g} ms of the chip in {cycles:,} cycles")

        answers = () if answer is None else (answer(plan),)
        result = self.result = simulation.run_mesh(job, hear, *answers)
        self._simulated += int(result.progress["cycles"])
        self._check(plan, result)
        self._check_prepared(prepared, result)
        if self._note is not None:
            self._note(f"{images} images took {result.progress['cycles']:,} cycles of the chip in co-simulation")
        return plan, result

    def input_time(self) -> InputTime | None:
        """See :meth:`mho.sim.backend.Backend.input_time`: the latency is that of the first batch."""
        if not self._seen:
            return None
        cycles, count = (sum(batch[k] for batch in self._seen) for k in (1, 2))
        return InputTime(latency=float(self._seen[0][0]), interval=cycles / count if count else math.nan)

    def observed(self) -> Observed | None:
        """Cycles of the simulated mesh, from its reset to the last result of each batch."""
        if self._chip is None:
            return None
        return Observed(clock_MHz=self._chip.clock.f_clk_MHz, cycles=self._simulated, waves=self._waves)

    def program_rows(
        self, core: int, model: MacroModel, targets: NDArray[np.integer], parameters: Any, skip: NDArray[np.bool_]
    ) -> tuple[Any, NDArray[np.int64]]:
        """Program the cells of a tile's core by its own commands, which the host gives over the register bus.

        As :meth:`mho.sim.core.cosim.CosimBackend.program_rows`.

        Raises InputError if the cores have no engine. Raises ToolError if what the core does is not what its model
        does, or the simulator fails.
        """
        chip = opened(self._chip)
        cores = MeshCores(opened(self._simulation), chip)
        return row_programmer(chip)(cores, core, model, targets, parameters, skip)

    def _preparations(self) -> dict[int, Preparation]:
        """What cores do by their own commands before the programs start, by node."""
        chip, mesh = opened(self._chip), opened(self._parts).mesh
        commands = commands_of(chip)
        if commands is None:
            return {}
        used = {tile_node(mesh, tile) for tile in opened(self._code).programs}
        models = opened(self._simulation).models
        preparations = {node: commands.preparation(chip, model) for node, model in models.items() if node in used}
        return {node: preparation for node, preparation in preparations.items() if preparation is not None}

    def _check_prepared(self, prepared: Mapping[int, Preparation], result: MeshResult) -> None:
        """Whether these commands gave what they must."""
        first = 0
        for node, preparation in prepared.items():
            core = CoreTasks(opened(self._chip), node)
            end = first + len(preparation.descriptors) * (1 + core.cfg.output_words)
            preparation.check(core.results(result.answers[first:end]))
            first = end

    def _settings(self, prepared: Mapping[int, Preparation]) -> dict[int, list[tuple[int, int]]]:
        """What the cores are told of their macros, by node."""
        image, cfg = simulated(opened(self._chip)).image, opened(self._parts).core.cfg
        models = {node: model for node, model in opened(self._simulation).models.items() if node not in prepared}
        return {node: image(cfg).settings(model) for node, model in models.items()}

    def _check(self, plan: Plan, result: MeshResult) -> None:
        """Refuse a run that did not end well, with what the tiles say of themselves."""
        said = []
        ends = result.answers[-len(STATUS_READS) * len(plan.tiles) :]
        for k, node in enumerate(plan.tiles):
            low = int(ends[len(STATUS_READS) * k + 1])
            if cause := low & 15:
                column, row = plan.parts.mesh.position(node)
                said.append(f"tile {column},{row} trapped ({Cause(cause).name.lower()}) at instruction "
                            f"{low >> 6 & 511}")
        if result.outcome is Outcome.REFUSED or result.progress["errors"]:
            raise ToolError("the register bus of the simulated chip gave an error or no answer")
        if result.outcome is not Outcome.COMPLETE or said:
            what = "; ".join(said[:2]) or "its tiles wait for each other"
            raise ToolError(f"the simulated chip stood still after {result.progress['cycles']} cycles: {what}")
        if result.progress["lost"] or result.progress["unknown"]:
            raise ToolError("the simulated chip sent what nobody waits for, or lost a flit of the host")

    def trace(self) -> dict[str, Any] | None:
        """See :func:`mho.sim.tile_networks.trace.trace_of`; None without ``trace``."""
        if self.plan is None or self.result is None or not self._tracing:
            return None
        return trace_of(self.plan, self.result)

    def close(self) -> None:
        """End the simulator process."""
        if self._simulation is not None:
            self._simulation.close()
        self._simulation = self._code = self._parts = None


def check_codes(
    program: Program, lanes: Lanes, images: NDArray[np.integer], codes: SeenCodes,
    last: Lanes, account: Account, times: Timing,
) -> None:
    """Hold the last value of a network against what follows from the codes of its cores, and give account of these.

    ``times`` are those of the cores.

    Raises ToolError if they differ.
    """

    def product(call: Call, mvm: Mvm, rows: Lanes, op_id: NDArray[np.uint64]) -> Lanes:
        places = call.own(images)
        output_codes = codes.of(call, mvm, images[places])
        account.codes_of(call, mvm, int(places[0]) * len(call.patches), output_codes)
        steps, exact = times.most_steps(mvm.op, output_codes)
        account.converted(mvm, steps, account.driven_by(rows), exact)
        return output_codes

    expected = program.run(lanes, images, product, account.clipped)
    if not np.array_equal(last, expected):
        raise ToolError("results of the simulated chip are not those that follow from the codes of its cores")
