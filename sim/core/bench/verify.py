"""The bench of ``mho verify core``: random legal operations through the RTL against the numpy models, bit for bit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks, timing
from mho.macro_models import MacroModel, Masks, load_device
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.operation import Direction
from mho.macro_models.workspace import Workspace
from mho.sim.build.simulators import SHELL_DEPTH, icarus_build, verilator_build
from mho.sim.core.batch import Mode
from mho.sim.core.bench.given_cells import given_model, make_edge_stimuli, takes_cells, write_cells
from mho.sim.core.bench.own_macro import Programming, measured_model, require_products
from mho.sim.core.bench.report import VerifyReport
from mho.sim.core.bench.stimulus import Stimulus, make_models, make_stimulus, make_tied_stimulus, make_whole_stimulus
from mho.sim.core.bench.timed import timed_netlist
from mho.sim.core.bench.waves import write_groups
from mho.sim.core.bench.write_stimulus import check_run, check_stop, make_write_stimulus
from mho.sim.core.commands import commands_of
from mho.sim.core.cosim_core import CoreRun, CosimCore
from mho.sim.core.kinds import simulated
from mho.sim.core.process import CoreStuck, Simulation
from mho.sim.core.words import output_codes

SIMULATORS = ("verilator", "icarus")

_DRAIN_MARGIN = 8
"""Cycles around the reading of a result: a conversion that is longer than all of them never waits for one."""


def verify_core(
    chip: Chip,
    *,
    simulator: str = "verilator",
    operations: int = 60,
    seed: int = 0,
    netlist: Path | None = None,
    cells: Path | None = None,
    sdf: Path | None = None,
    waves: Path | None = None,
    devices: Sequence[str] | None = None,
) -> VerifyReport:
    """Run random legal operations through the core of ``chip`` and compare codes, decrements and cycles with the model.

    Where the chip has a macro of its own, all goes through its adapter. If the files of the macro hold a model, that
    answers: its cells are measured by products of single lines, or given to it in a file, and it must obey the law of
    its kind, also after write-verify has programmed them (in Verilator). Otherwise our model stands behind the user's
    pins.

    Raises InputError if the simulator is unknown, a file is missing, the pins of the macro do not fit, or the netlist
    has not the ports of the chip's core. Raises ToolError if anything differs, with all that reproduces it; or if a
    tool is missing or fails.

    Parameters
    ----------
    simulator
        ``verilator``, where the macro is evaluated lazily and, for every fourth operation, at pin level too; or
        ``icarus``, where it always is at pin level. Icarus is an independent, slow check for small cores.
    operations
        How many operations.
    netlist, cells
        Gate-level netlist that stands for the RTL, and the models of its cells.
    sdf
        Delays of the netlist in Icarus, where cells have their paths.
    waves
        FST file; a GTKWave save file with the signals in groups is written beside it.
    devices
        Devices of the macros; those of the kind if None.
    """
    if simulator not in SIMULATORS:
        raise InputError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    if netlist is not None and netlist.is_file():
        _check_ports(chip, netlist)
    own_macro, users_model = _own_macro(chip, netlist)
    folder = Workspace("verify")
    build = verilator_build if simulator == "verilator" else icarus_build
    if sdf is not None:
        if simulator != "icarus" or netlist is None:
            raise InputError(f"{sdf}: delays are those of a netlist in icarus, not in {simulator}")
        build, netlist = partial(icarus_build, delays=True), timed_netlist(chip, netlist, sdf, folder.path)
    program = build(chip, waves=waves is not None, netlist=netlist, cells=cells, own_macro=own_macro)
    given = given_model(chip, seed) if users_model and not simulated(chip).measured else None
    if given is not None:
        write_cells(given, path := folder.path / "cells.hex")
        program = replace(program, program=(*program.program, f"+cells={path}"))
    simulation = Simulation(program, waves=waves)
    try:
        core = CosimCore.of(simulation, chip)
        report = VerifyReport(chip=chip.name, simulator=simulator, source=netlist.name if netlist else "generated RTL")
        if users_model:
            _run_users_model(chip, core, report, operations, seed, given)
        else:
            report.macro = "through the adapter of its own macro, our model behind its pins" if own_macro else ""
            devices = simulated(chip).devices_of(chip) if devices is None else devices
            models = make_models(chip, devices, seed)
            for index, model in enumerate(models):
                simulation.put_core(index, model)
            _Bench(chip, core, models, devices, report).run(operations, seed)
    finally:
        simulation.close()
        folder.close()
    if waves is not None:
        write_groups(waves, chip, program.shell)
    return report


def _own_macro(chip: Chip, netlist: Path | None) -> tuple[bool, bool]:
    """Whether the user's own adapter is verified, and whether the user's model is behind it."""
    if chip.macro is None or netlist is not None:
        return False, False
    from mho.rtl_gen import check_macro_pins
    from mho.rtl_gen.macro.port_map import has_model

    if problems := check_macro_pins(chip):
        raise InputError(problems[0])
    model = has_model(chip)
    if model and not simulated(chip).measured and not takes_cells(chip):
        raise InputError(
            f"macro.files must hold a model of {chip.macro.module} that takes its cells from +cells=FILE where "
            f"CELLS_FILE is defined, as tb/{core_blocks(chip).pins.module}.v does, or its ports alone: the model of "
            f"the chip's device then stands behind your pins"
        )
    if (chip.macro.wrapper or chip.macro.commands) and not model:
        what = chip.macro.wrapper or "macro.commands"
        raise InputError(f"macro.files must hold a model of {chip.macro.module} to verify {what}")
    return True, model


def _run_users_model(
    chip: Chip, core: CosimCore, report: VerifyReport, operations: int, seed: int, given: MacroModel | None
) -> None:
    """Predict random operations of the user's model, whose cells are ``given`` or measured; program, do it again."""
    assert chip.macro is not None
    module = chip.macro.module
    model = given or measured_model(chip, core)
    cells = "measured" if given is None else "given"
    report.macro = f"through the adapter of its own macro, {module} behind its pins; cells {cells}"
    programmable = core_blocks(chip).programs and "write_mode" in chip.macro.pins
    last = operations
    if programmable and report.simulator != "icarus":
        last = operations // 2
        _Bench(chip, core, [model], [module], report, users_model=True).run(last, seed, last=False)
        programming = Programming(chip, core, seed)
        programming.check_reads(model)
        programming.check_pulses()
        model, count, how = programming.program(model)
        report.macro += f", {count} of {programming.size} programmed: {how}"
        if model is None:
            return
        operations -= last
    elif programmable:
        report.macro += "; cells are programmed through the pins in verilator alone"
    require_products(chip, model)
    commands = commands_of(chip)
    _Bench(chip, core, [model], [module], report, users_model=True).run(operations, seed + 1, last=commands is None)
    if commands is not None and report.simulator == "icarus":
        report.macro += "; commands of its engine are verified in verilator alone"
    elif commands is not None:
        count = commands.check_users(chip, core, model, seed)
        report.macro += f", {count} devices programmed; reference currents are not verified"


def _check_ports(chip: Chip, netlist: Path) -> None:
    """Refuses a netlist whose top has other ports than the core of the chip: it would wait for ever."""
    from mho.rtl_gen.emit import module_texts
    from mho.rtl_gen.verilog.ports import module_ports

    top = f"{chip.verilog.prefix}core"
    ports_found = module_ports(netlist.read_text(errors="replace"), top)
    if ports_found is None:
        return
    ports = module_ports(module_texts(chip, "none", own_macro=False)[top], top) or {}
    required = {name: port for name, port in ports.items() if not port.guarded}
    wrong = [f"lacks {name}" for name in required if name not in ports_found]
    wrong += [
        f"has {name} of {ports_found[name].width} bits instead of {port.width}"
        for name, port in required.items()
        if name in ports_found and ports_found[name].width not in (port.width, None)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more ports" if len(wrong) > 3 else ""
        raise InputError(f"{netlist}: is no core of {chip.name}, module {top} {', '.join(wrong[:3])}{more}")


class _Bench:
    """One verification: a simulated core, the models behind it and the report that grows."""

    def __init__(
        self, chip: Chip, core: CosimCore, models: Sequence[MacroModel], devices: Sequence[str],
        report: VerifyReport, *, users_model: bool = False,
    ) -> None:
        self.chip, self.core, self.models, self.devices, self.report = chip, core, models, devices, report
        self.cfg = core.cfg
        self.icarus = report.simulator == "icarus"
        self.kind, self.timing, self.users_model = simulated(chip), timing(chip), users_model

    def run(self, operations: int, seed: int, *, last: bool = True) -> None:
        """Random operations, and what else the macro can be asked; ``last``: this core is not used any more."""
        vectors = min(3, SHELL_DEPTH // self.chip.lines * 2)
        for number in range(operations):
            stimulus = make_stimulus(self.models, seed, number, vectors=vectors, chip=self.chip)
            mode = Mode.PIN_LEVEL if self.icarus else Mode.LAZY
            self.report.add(stimulus, self._compare(stimulus, mode), self.devices[stimulus.core])
            if not self.users_model and self.kind.pin_level and (self.icarus or number % 4 == 0):
                if not self.icarus:
                    self._compare(stimulus, Mode.PIN_LEVEL)
                self.report.pin_level += 1
        if self.users_model:
            for direction in list(Direction)[: 1 + self.cfg.two_way]:
                self._check_whole(direction, seed)
            self._check_edges(seed)
        else:
            for number in range(4 * self.cfg.two_way):
                self._check_transpose(np.random.default_rng([seed, number, 0x7A]))
            self._check_commands(seed)
            if core_blocks(self.chip).programs and not self.icarus:
                self._check_programming(operations, seed)
        # The last, because status.error stays.
        if last:
            self._check_refusal(make_stimulus(self.models, seed, operations, vectors=1, pauses=False, chip=self.chip))

    def _run(self, stimulus: Stimulus, mode: Mode) -> CoreRun:
        return self.core.run(
            stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id, core=stimulus.core, mode=mode,
            gap=stimulus.gap, stall=stimulus.stall, hold=stimulus.hold, seed=stimulus.number + 1,
        )

    def _compare(self, stimulus: Stimulus, mode: Mode) -> CoreRun:
        expected = self.models[stimulus.core].mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
        try:
            run = self._run(stimulus, mode)
        except CoreStuck as stuck:
            codes = output_codes(stuck.result.outputs[: stuck.result.progress[3]], 2).reshape(-1)
            wrong = np.flatnonzero(codes != expected.codes.reshape(-1)[: len(codes)])
            if len(wrong):
                at = divmod(int(wrong[0]), self.cfg.outputs)
                first = f"code {at} is {codes[wrong[0]]} instead of {expected.codes[at]}"
                raise ToolError(f"{stuck}; the first output that differs: {first}; {stimulus}") from None
            raise ToolError(f"{stuck}; no output had differed; {stimulus}") from None
        self._equal(stimulus, mode, "code", run.codes, expected.codes)
        if not self.users_model:
            # Behind a user's own model the analog cycles tell them.
            self._equal(stimulus, mode, "decrements", run.steps, expected.steps)
        analog = self.timing.analog_cycles(stimulus.op, expected.steps)
        self._equal(stimulus, mode, "analog cycles", run.cycles[:, 1], analog)
        # Beyond the analog time, the holds and the overhead, an operation only waits for the result before it.
        waited = run.cycles[:, 0] - run.cycles[:, 2] - self.timing.cycles(stimulus.op, expected.steps)
        first = self.timing.conversion_cycles(stimulus.op, expected.steps)[..., 0]
        waits = stimulus.stall > 0 or int(first.min()) < self.cfg.output_words + _DRAIN_MARGIN
        unexplained = np.minimum(waited, 0) if waits else waited
        self._equal(stimulus, mode, "cycles of waiting", unexplained, np.zeros_like(waited))
        if run.error:
            raise ToolError(f"the core refused a legal operation: {stimulus}")
        return run

    def _equal(
        self, stimulus: Stimulus, mode: Mode, what: str, observed: NDArray[np.integer], expected: NDArray[np.integer]
    ) -> None:
        if np.array_equal(observed, expected):
            return
        if observed.shape != expected.shape:
            at, difference = "all", f"shape {observed.shape} instead of {expected.shape}"
        else:
            first = tuple(int(k) for k in np.argwhere(observed != expected)[0])
            at, difference = str(first), f"{observed[first]} instead of {expected[first]}"
        where = f"the core of {self.chip.name} in {self.report.simulator} ({mode.words})"
        raise ToolError(f"{what} of {where} at {at} must be as in the model: {difference}; {stimulus}")

    def _check_whole(self, direction: Direction, seed: int) -> None:
        """All lines at once, in one direction, with codes over the whole range."""
        stimulus = make_whole_stimulus(self.chip, self.models[0], direction, seed)
        if np.ptp(np.abs(self._compare(stimulus, Mode.PIN_LEVEL if self.icarus else Mode.LAZY).codes)) < 2:
            raise ToolError(f"no product {direction.name.lower()} but 0 was seen, so that nothing would be verified")

    def _check_edges(self, seed: int) -> None:
        """Products that lie half way between codes, or whose steps do, which random step codes hardly meet."""
        (model,) = self.models
        if self.kind.measured:
            tied = make_tied_stimulus(model, seed)
            stimuli = [] if tied is None else [tied]
        else:
            stimuli = make_edge_stimuli(self.chip, model, SHELL_DEPTH // max(self.cfg.rows, self.cfg.columns) * 2)
        for stimulus in stimuli:
            self._compare(stimulus, Mode.PIN_LEVEL if self.icarus else Mode.LAZY)

    def _check_transpose(self, rng: np.random.Generator) -> None:
        """``<W x, y> == <x, W^T y>`` on the accumulators that the pins of the RTL led to, of an ideal macro."""
        lines = self.chip.lines
        # Wires break the symmetry: a line is driven and read at one end.
        perfect = "wire" not in self.models[0].config.active_causes(load_device("ideal"))
        ideal = [k for k, name in enumerate(self.devices) if name == "ideal" and perfect]
        if not ideal:
            return
        masks = Masks.reset(lines)
        x, y = (rng.integers(-7, 8, (1, self.models[0].config.inputs(side))) for side in Direction)
        mode = Mode.PIN_LEVEL if self.icarus else Mode.LAZY
        sums = []
        for direction, vector in ((Direction.FORWARD, x), (Direction.BACKWARD, y)):
            op = self.chip.operation_type(in_bits=4, out_bits=4, step_code=64).facing(direction)
            run = self.core.run(op, masks, vector, 1, core=ideal[0], mode=mode, keep_charges=True)
            sums.append((run.charges[0] - 1) // 2)  # an ideal converter's offset is 1
        driven = np.stack([x[0], -x[0]], axis=1).reshape(-1)
        left, right = int(sums[0] @ y[0]), int(driven @ sums[1])
        if left != right:
            raise ToolError(f"<W x, y> must be <x, W^T y> on the accumulators of {self.chip.name}: {left} and {right}")
        self.report.transposed += 1

    def _check_programming(self, operations: int, seed: int) -> None:
        """Runs of write-verify, alone and beside operations, which do not change for it; a run that is stopped."""
        for number in range(3 if self.chip.lines < 256 else 1):
            stimulus = make_write_stimulus(self.chip, seed, number)
            beside = None if number % 2 else make_stimulus(
                self.models, seed, operations + 1 + number, vectors=8, chip=self.chip)
            run, operation = check_run(self.core, stimulus, beside)
            self.report.runs += 1
            self.report.pulses += len(run.pulses)
            if beside is not None and operation is not None:
                expected = self.models[beside.core].mvm(beside.op, beside.masks, beside.x, beside.op_id)
                self._equal(beside, Mode.LAZY, "code beside write-verify", operation.codes, expected.codes)
                self._equal(beside, Mode.LAZY, "decrements beside write-verify", operation.steps, expected.steps)
                self._compare(beside, Mode.LAZY)
        check_stop(self.core, make_write_stimulus(self.chip, seed, 3, pauses=False), self.chip.lines + 3)

    def _check_commands(self, seed: int) -> None:
        """Random commands, without pauses and with them, for the last device."""
        commands = commands_of(self.chip)
        if commands is None:
            return
        index = len(self.models) - 1
        # At 256 lines a calibration alone is 430,000 cycles.
        runs = ({}, {"gap": 64, "stall": 64}) if self.chip.lines < 256 and not self.icarus else ({},)
        for number, pauses in enumerate(runs):
            counted = commands.check_commands(
                self.chip, self.core, index, self.models[index], 2 * seed + number, **pauses)
            self.report.counts.setdefault("commands", Counter()).update(counted)

    def _check_refusal(self, stimulus: Stimulus) -> None:
        """A reserved mode is dropped, is reported, and the operation behind it is as if nothing had been."""
        expected = self.models[stimulus.core].mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
        run = self.core.run(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id, core=stimulus.core, illegal=True,
                            mode=Mode.PIN_LEVEL if self.icarus else Mode.LAZY)
        if not run.error or not np.array_equal(run.codes, expected.codes):
            raise ToolError(f"a reserved mode must be dropped and set status.error before {stimulus}")
