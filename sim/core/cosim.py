"""The cosim backend: the generated Verilog of the core in Verilator, the numpy model behind its macro's pins."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.kinds import Timing, timing
from mho.macro_models import MacroModel, Masks
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.backend import BackendResult, HostScheduled, Observed, check_threads, opened
from mho.sim.build.simulators import verilator_build
from mho.sim.core.batch import Mode
from mho.sim.core.commands import row_programmer
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation
from mho.sim.programming.cosim import program_run, pulse_job, pulse_run, write_job
from mho.sim.programming.write_verify import ProgramRun, PulseRun


class CosimBackend(HostScheduled):
    """Runs operations through the RTL, in one simulator process that is kept until :meth:`close`.

    Raises InputError if one of these is asked for.

    Parameters
    ----------
    mode
        How the macro answers: lazily (once a conversion) or at pin level (at every strobe); the bits are the same.
    waves
        FST file into which all signals go; the simulator is then built with tracing, and much slower.
    timeout_s
        Longest wall time of one batch.
    full_time
        Simulate every cycle of a programming pulse and of the waits between passes. By default they last a few cycles
        at the pins and stand for what the registers say: nothing happens meanwhile.
    waves_tiles, trace, threads
        For networks on tiles alone: refused.
    """

    name = "cosim"

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """See :meth:`mho.sim.backend.Backend.check`."""
        check_threads(options)

    def __init__(
        self,
        *,
        mode: Mode | str = Mode.LAZY,
        waves: Path | str | None = None,
        timeout_s: float = 3600.0,
        full_time: bool = False,
        waves_tiles: Sequence[str] | None = None,
        trace: bool = False,
        threads: int = 1,
    ) -> None:
        for option, is_set in (("waves_tiles", waves_tiles is not None), ("trace", trace), ("threads", threads != 1)):
            if is_set:
                raise InputError(f"{argument(option)} is for networks that run on tiles (tile.programs of their chip)")
        self._full_time = full_time
        self._mode = Mode[mode.upper()] if isinstance(mode, str) else mode
        self._waves = None if waves is None else Path(waves)
        self._timeout_s = timeout_s
        self._chip: Chip | None = None
        self._timing: Timing | None = None
        self._core: CosimCore | None = None
        self._counted = 0

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores. The process is kept where the chip is the one that it has."""
        self.rows, self._timing = chip.macro_config().cell_map.rows, timing(chip)
        if self._core is not None and (chip != self._chip or not self._core.simulation.alive):
            self.close()
        if self._core is None:
            simulator = verilator_build(chip.core_alone, waves=self._waves is not None)
            simulation = Simulation(simulator, timeout_s=self._timeout_s, waves=self._waves)
            self._core = CosimCore.of(simulation, chip)
            self._chip = chip
        for index, model in enumerate(cores):
            self._core.simulation.put_core(index, model)

    def put_core(self, core: int, model: MacroModel) -> None:
        """Have a core hold other cells from now on."""
        opened(self._core).simulation.put_core(core, model)

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`mho.sim.backend.Backend`.

        Steps are counted at the macro's pins and analog cycles by the core's own counter.
        """
        run = opened(self._core).run(op, masks, x, op_id, core=core, mode=self._mode)
        self._counted += int(run.cycles[:, 0].sum())
        analog = run.cycles[:, 1]
        cycles = opened(self._timing).whole_cycles(op, analog)
        return BackendResult(codes=run.codes, steps=run.steps, cycles=cycles, analog=analog)

    def observed(self) -> Observed | None:
        """Cycles by the core's own counter."""
        if self._chip is None:
            return None
        return Observed(clock_MHz=self._chip.clock.f_clk_MHz, cycles=self._counted, waves=self._waves)

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells by the engine in the RTL; see :class:`mho.sim.programming.write_verify.Programmer`.

        Pulses are those that were seen at the macro's pins.

        Raises InputError if the chip has no engine. Raises ToolError if what the core says of itself contradicts what
        was seen at its pins.
        """
        chip = opened(self._chip)
        job = write_job(chip, array, targets, skip, parameters, full_time=self._full_time)
        return program_run(chip, parameters, job, opened(self._core).program(job))

    def pulse(
        self, core: int, array: PulseArray, records: NDArray[np.void], parameters: WriteVerifyParameters
    ) -> PulseRun:
        """Give pulses by the engine in the RTL; see :class:`mho.sim.programming.write_verify.Pulser`.

        Pulses are those that were seen at the macro's pins.

        Raises InputError if the chip has no engine for that. Raises ToolError if the core counts other pulses than were
        seen.
        """
        chip = opened(self._chip)
        job = pulse_job(chip, array, records, parameters, full_time=self._full_time)
        return pulse_run(chip, job, opened(self._core).program(job))

    def update(self, core: int, descriptors: Sequence[int], inputs: Sequence[Sequence[int]]) -> tuple[Any, int]:
        """See :meth:`mho.sim.functional.FunctionalBackend.update`."""
        simulated = opened(self._core)
        result = simulated.operate(descriptors, inputs, (), core=core, outputs=0)
        model: Any = simulated.simulation.models[core]
        if result.pulsed is not None:
            model.take(result.pulsed)
        return model.answering, result.cycles[0]

    def program_rows(
        self, core: int, model: MacroModel, targets: NDArray[np.integer], parameters: Any, skip: NDArray[np.bool_]
    ) -> tuple[Any, NDArray[np.int64]]:
        """Program cells by commands of the core, where its kind writes whole rows.

        Arguments and the first result are those of the kind's integer reference, the first is the number of the core;
        the second result is the codes of the cells behind the pins.

        Raises InputError if the core has no engine.
        """
        return row_programmer(opened(self._chip))(opened(self._core), core, model, targets, parameters, skip)

    def close(self) -> None:
        """End the simulator process."""
        if self._core is not None:
            self._core.simulation.close()
        self._core = self._chip = None
