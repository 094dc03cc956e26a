"""One simulator process with cocotb inside, and the link to it."""

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, NoReturn

from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import Child
from mho.sim.build.simulators import Simulator
from mho.sim.build.toolchain import cache_folder, cocotb_environment, keep_log
from mho.sim.core.batch import Batch, BatchResult, Outcome
from mho.sim.core.messages import Closed, Link

_START_TIMEOUT_S = 300.0  # a machine with other work may take minutes for what takes a second
_END_TIMEOUT_S = 3.0
_TRACE_TIMEOUT_S = 120.0  # what is left of a trace is compressed at the end

_ASSERTION = re.compile(r"Assertion failed in (?P<where>\S+)\.(?P<name>\w+): ")
"""What Verilator says of one."""

_numbers = itertools.count()


class CoreStuck(ToolError):
    """A simulated core stood still before its batch had ended; ``result`` is what had come until then."""

    def __init__(self, sentence: str, result: BatchResult) -> None:
        super().__init__(sentence)
        self.result = result


class Simulation:
    """A running simulator that serves batches (:mod:`mho.sim.core.simulator.server`).

    Raises ToolError if the simulator does not start, crashes, hangs or gives results that are not possible; names the
    log.

    Parameters
    ----------
    simulator
        What is run.
    timeout_s
        Longest wall time of one batch.
    waves
        FST file that holds the trace once the simulation has ended, however it ended.
    arguments
        Of the simulator, further ones.
    """

    server = "mho.sim.core.simulator.server"
    """The cocotb test inside."""

    def __init__(
        self, simulator: Simulator, *, timeout_s: float = 600.0, waves: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.models: dict[int, MacroModel] = {}
        self._folder = Workspace("cosim")
        self.log = self._folder.path / "simulator.log"
        ours, theirs = Pipe()
        extra = {
            "MHO_COSIM_FD": str(theirs.fileno()),
            "COCOTB_RESULTS_FILE": str(self._folder.path / "results.xml"),
        }
        self._waves = waves
        self._trace = self._folder.path / "trace.fst"
        command = [*simulator.command(None if waves is None else self._trace), *arguments]
        try:
            with self.log.open("wb") as log, theirs:
                self.process = Child(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder.path,
                    env=cocotb_environment(self.server, "core_tb", extra), pass_fds=[theirs.fileno()],
                )
        except OSError as error:
            ours.close()
            self._folder.close()
            raise ToolError(f"the simulator {command[0]} cannot be started: {error.strerror}") from None
        self._link = Link(ours)
        self._link.timeout_s = _START_TIMEOUT_S
        self._expect("ready")
        self._link.timeout_s = timeout_s

    def put_core(self, index: int, model: MacroModel) -> None:
        """Give the process the macro model of a core."""
        self._send("core", (index, model.state()))
        self._expect("ok")
        self.models[index] = model

    def run(self, batch: Batch) -> BatchResult:
        """Run one batch to its end.

        Raises CoreStuck if the core got stuck. Raises ToolError if a macro model failed, or the simulator went away.
        """
        self._send("run", batch)
        result: BatchResult = self._expect("result")[1]
        if result.failure:
            self._give_up(f"the macro in the simulation failed: {result.failure}")
        if result.outcome is Outcome.STUCK:
            sentence = f"the simulated core made no progress for {batch.patience} cycles: {result.standstill(batch)}"
            raise CoreStuck(f"{sentence}{self._end()}", result)
        if result.outcome is not Outcome.COMPLETE:
            self._give_up("the simulated core gave more results than operations")
        return result

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process and forget its log."""
        # The closed link ends the test.
        self._link.close()
        self.process.end(_END_TIMEOUT_S if self._waves is None else _TRACE_TIMEOUT_S)
        if self._waves is not None and self._trace.exists():
            # Into the folder first, so that the file appears as a whole.
            part = self._waves.with_name(f".{self._waves.name}.part")
            shutil.copyfile(self._trace, part)
            part.replace(self._waves)
            self._trace.unlink()
        self._folder.close()

    def _send(self, kind: str, content: object) -> None:
        try:
            self._link.send(kind, content)
        except Closed:
            self._report_end()

    def _expect(self, *kinds: str) -> tuple[str, Any]:
        try:
            answer = self._link.receive()
        except Closed:
            self._report_end()
        except KeyboardInterrupt:
            # It is at work, and would not notice the end of the link before its end.
            if self._waves is None:
                self.process.end()
            raise
        except TimeoutError:
            self.process.kill()
            self._give_up(f"the simulator did not answer within {self._link.timeout_s:g} s")
        if answer[0] not in kinds:
            self._give_up(f"the simulator answered {answer[0]!r} instead of {kinds[-1]!r}")
        return answer

    def _report_end(self) -> NoReturn:
        code = self.process.end(_END_TIMEOUT_S)
        if broken := _ASSERTION.search(self.log.read_text("utf-8", errors="replace")):
            where = " (seen from its own pins)" if broken["where"].endswith("at_its_pins") else ""
            self._give_up(f"the pins of the macro must keep their contract{where}, and broke {broken['name']}")
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._give_up(f"the simulator {how} before it had answered")

    def _give_up(self, sentence: str) -> NoReturn:
        raise ToolError(f"{sentence}{self._end()}") from None

    def _end(self) -> str:
        """Close, and keep the log; how the sentence ends that says why."""
        name = f"logs/simulator-{os.getpid()}-{next(_numbers)}.log"
        where = keep_log(self.log, name)
        self.close()
        self.log = cache_folder() / name
        return where
