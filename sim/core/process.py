"""One simulator process with cocotb inside, and the link to it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import NoReturn

from macro_models import MacroModel
from macro_models.errors import ToolError
from sim.build.simulators import Simulator
from sim.build.toolchain import cache_error, cache_folder, cocotb_environment
from sim.core.batch import Batch, BatchResult, Outcome
from sim.core.messages import Closed, Link, Message
from sim.core.state import model_message

__all__ = ["Simulation"]

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 3.0


def _end(process: "subprocess.Popen[bytes]", link: Link) -> None:
    """Close the link, which ends the test; then wait, and be firm."""
    link.close()
    try:
        process.wait(timeout=_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Simulation:
    """A running simulator that serves batches (:mod:`sim.core.server`).

    Parameters
    ----------
    simulator
        What is run.
    lines
        Lines of the simulated core.
    timeout_s
        Longest wall time of one batch.
    waves
        FST file that holds the trace once the simulation has ended, however it ended.

    Raises
    ------
    ToolError
        If the simulator does not start, crashes, hangs or gives results that are not possible; names the log.
    """

    def __init__(
        self,
        simulator: Simulator,
        *,
        lines: int,
        timeout_s: float = 600.0,
        waves: Path | None = None,
    ) -> None:
        ours, theirs = socket.socketpair()
        handle, name = tempfile.mkstemp(prefix="simulator-", suffix=".log", dir=_log_folder())
        self.log = Path(name)
        self._folder = tempfile.TemporaryDirectory(prefix="mho-cosim-")
        extra = {
            "MHO_COSIM_FD": str(theirs.fileno()),
            "MHO_COSIM_LINES": str(lines),
            "COCOTB_RESULTS_FILE": str(Path(self._folder.name) / "results.xml"),
        }
        self._waves = waves
        self._trace = Path(self._folder.name) / "trace.fst"
        command = simulator.command(None if waves is None else self._trace)
        try:
            with os.fdopen(handle, "wb") as log, theirs:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    cwd=self._folder.name, env=cocotb_environment("sim.core.server", "core_tb", extra),
                    pass_fds=[theirs.fileno()],
                    # An interrupt at the terminal is for the parent, which then closes the link.
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            self._folder.cleanup()
            raise ToolError(f"the simulator {command[0]} cannot be started: {error.strerror}") from None
        self._link = Link(ours)
        self._finalizer = weakref.finalize(self, _end, self.process, self._link)
        ours.settimeout(_START_TIMEOUT_S)
        self._expect("ready")
        ours.settimeout(timeout_s)

    def put_core(self, index: int, model: MacroModel) -> None:
        """Give the process the macro model of a core."""
        self._send(model_message(index, model))
        self._expect("ok")

    def run(self, batch: Batch) -> BatchResult:
        """Run a batch to its end.

        Raises
        ------
        ToolError
            If the core got stuck, the macro model failed, or the simulator went away.
        """
        self._send(batch.message())
        result = BatchResult.from_message(self._expect("result"))
        if result.failure:
            self._give_up(f"the macro in the simulation failed: {result.failure}")
        if result.outcome is Outcome.STUCK:
            self._give_up(f"the simulated core made no progress for {batch.patience} cycles")
        if result.outcome is not Outcome.COMPLETE:
            self._give_up("the simulated core gave more results than operations")
        return result

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process and forget its log."""
        if self._finalizer.detach():
            _end(self.process, self._link)
            self.log.unlink(missing_ok=True)
        self._clean()

    def _clean(self) -> None:
        if self._waves is not None and self._trace.exists():
            # Into the folder first, so that the file appears as a whole.
            part = self._waves.with_name(f".{self._waves.name}.part")
            shutil.copyfile(self._trace, part)
            part.replace(self._waves)
            self._trace.unlink()
        self._folder.cleanup()

    def _send(self, message: Message) -> None:
        try:
            self._link.send(message)
        except Closed:
            self._report_end()

    def _expect(self, kind: str) -> Message:
        try:
            answer = self._link.receive()
        except Closed:
            self._report_end()
        except TimeoutError:
            self.process.kill()
            self._give_up(f"the simulator did not answer within {self._link.connection.gettimeout():g} s")
        if answer.kind != kind:
            self._give_up(f"the simulator answered {answer.kind!r} instead of {kind!r}")
        return answer

    def _report_end(self) -> NoReturn:
        try:
            code = self.process.wait(timeout=_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._give_up(f"the simulator {how} before it had answered")

    def _give_up(self, sentence: str) -> NoReturn:
        if self._finalizer.detach():
            _end(self.process, self._link)
        self._clean()
        raise ToolError(f"{sentence}; see {self.log}") from None


def _log_folder() -> Path:
    folder = cache_folder() / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cache_error(folder, error) from None
    return folder
