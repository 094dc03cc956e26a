"""Processes that share work on one machine.

A worker that is killed is replaced and its task done again; workers end with the process that started them, however
that ends, and leave no temporary files. Keyboard interrupts are for that process alone.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Protocol, TypeVar, cast

from mho.macro_models.errors import InputError, MhoError, ToolError, argument
from mho.macro_models.files import check_memory, size_text
from mho.macro_models.files.memory import available_bytes
from mho.macro_models.workspace import Workspace

Task = TypeVar("Task")
Made = TypeVar("Made")

MOST_JOBS = 256
PROCESS_BYTES = 200_000_000
"""Memory of a process with its libraries and its loops compiled; measured: 190 MB."""
_AHEAD = 2
"""Tasks of each worker that are handed over before they are needed."""
_LOSSES = 3
"""How often workers may be lost one after the other without a task that is done."""
_TERMINAL = (signal.SIGINT, signal.SIGHUP)
"""Signals that a terminal sends to all processes."""

Failure = tuple[str, str]
"""Kind of an error, and its sentence or traceback."""
Outcome = tuple[Made | None, Failure | None]
"""What a task gave, or how it failed."""


def check_processes(jobs: int, each: int) -> None:
    """Refuse so many processes of so many bytes each if there is no memory for them.

    Raises InputError, saying what they take and what there is.
    """
    check_memory(jobs * each, f"{jobs} processes", f"take fewer {argument('jobs')} or images")


def processes_text(jobs: int, each: int) -> str:
    """What processes of so many bytes each take, in words."""
    free = size_text(available_bytes())
    return f"{jobs} process{'' if jobs == 1 else 'es'} of about {size_text(each)} each; {free} are available"


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_jobs(jobs: int) -> None:
    """Refuse a number of processes.

    Raises InputError, naming the option, the number and what would be right.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise InputError(f"{argument('jobs')} must be between 1 and {MOST_JOBS}, not {jobs}")


class Workers(Protocol):
    """What does tasks, in this process or in others."""

    def run(self, function: Callable[[Task], Made], tasks: Sequence[Task]) -> Iterator[tuple[int, Made]]:
        """What ``function`` makes of each task, as (number of the task, result), in the order in which they are done.

        ``function`` is one of a module. Whoever stops iterating ends with the workers, too.

        Raises
        ------
        MhoError
            What ``function`` raises, as it is.
        ToolError
            If workers are lost again and again.
        """
        ...


class InProcess:
    """No other process: ``begin(*arguments)`` is called at once."""

    def __init__(self, begin: Callable[..., object] | None = None, arguments: tuple[object, ...] = ()) -> None:
        if begin is not None:
            begin(*arguments)

    def run(self, function: Callable[[Task], Made], tasks: Sequence[Task]) -> Iterator[tuple[int, Made]]:
        """See :class:`Workers`."""
        yield from ((number, function(task)) for number, task in enumerate(tasks))


class Processes:
    """Processes of this machine.

    Parameters
    ----------
    jobs
        How many. They begin with the first tasks.
    begin
        A function of a module that is called once in each, with ``arguments``, which are pickled as tasks are.
    copies
        They are copies of this process where it has no other threads, which have what it has loaded at once. For
        functions that need nothing but processors.
    """

    def __init__(
        self, jobs: int, begin: Callable[..., object] | None = None, arguments: tuple[object, ...] = (),
        copies: bool = False,
    ) -> None:
        self._jobs, self._begin, self._arguments = jobs, begin, arguments
        self._start = "fork" if copies and _may_fork() else "spawn"
        self._pool: _Pool | None = None

    def run(self, function: Callable[[Task], Made], tasks: Sequence[Task]) -> Iterator[tuple[int, Made]]:
        """See :class:`Workers`. A worker that is lost is replaced, and its task done again."""
        waiting, lost = list(range(len(tasks))), 0
        while waiting:
            done: set[int] = set()
            try:
                for number, result in self._open().run(function, tasks, waiting):
                    done.add(number)
                    yield number, result
                return
            except BrokenProcessPool:
                self.close()
            lost = 0 if done else lost + 1
            if lost == _LOSSES:
                raise ToolError(
                    "processes that share the work are killed again and again, perhaps for want of memory: take fewer "
                    f"{argument('jobs')}; a script that begins them needs: if __name__ == \"__main__\""
                ) from None
            waiting = [number for number in waiting if number not in done]

    def begin(self, function: Callable[[Task], object], tasks: Sequence[Task]) -> None:
        """Have tasks done meanwhile for what they leave: nobody hears of results or errors."""
        self._open().hand_over(function, tasks)

    def _open(self) -> "_Pool":
        if self._pool is None:
            self._pool = _Pool(self._jobs, self._begin, self._arguments, self._start)
        return self._pool

    def close(self) -> None:
        """End the workers at once."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def _may_fork() -> bool:
    """Whether a copy of this process can go on: no lock is held in it by a thread that it does not have."""
    return sys.platform == "linux" and threading.active_count() == 1 and "torch" not in sys.modules


@contextmanager
def workers(
    jobs: int, begin: Callable[..., object] | None = None, arguments: tuple[object, ...] = (), copies: bool = False
) -> Iterator[Workers]:
    """``jobs`` processes, or this one; see :class:`Processes`."""
    if jobs == 1:
        yield InProcess(begin, arguments)
        return
    processes = Processes(jobs, begin, arguments, copies)
    try:
        yield processes
    finally:
        processes.close()


class _Pool:
    """Processes until one of them is lost."""

    def __init__(
        self, jobs: int, begin: Callable[..., object] | None, arguments: tuple[object, ...], start: str
    ) -> None:
        context = multiprocessing.get_context(start)
        self._ends, self._ended = context.Pipe(duplex=False)
        # Through the pipe by which it begins a process would hold up this one until it has read all, and the next one.
        self._work = Workspace("workers")
        self._given = self._work.path / "given"
        # A copy of this process has the end that this one closes, too.
        begin_arguments = self._ends, self._ended if start == "fork" else None, self._given
        _start_tracker()
        self._pool = ProcessPoolExecutor(jobs, context, _begin, begin_arguments)
        self._jobs, self._begun, self._what = jobs, False, (begin, arguments)

    def begin(self) -> None:
        """Start the processes."""
        if self._begun:
            return
        _write(self._given, self._what)
        # Workers inherit what is blocked, so that a terminal's signals do not reach them while they begin.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINAL)
        try:
            for _ in range(self._jobs):
                self._pool.submit(guarded, _nothing, None)  # starts one
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self._begun = True

    def hand_over(self, function: Callable[[Task], object], tasks: Sequence[Task]) -> None:
        """Have tasks done."""
        self.begin()
        for task in tasks:
            self._pool.submit(guarded, function, task)

    def run(
        self, function: Callable[[Task], Made], tasks: Sequence[Task], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Made]]:
        running: dict[Future[Outcome[Made]], int] = {}
        rest = iter(numbers)
        self.begin()
        self._hand_over(running, function, tasks, rest)
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                number = running.pop(future)
                yield number, result_of(future.result())
            self._hand_over(running, function, tasks, rest)

    def _hand_over(
        self, running: "dict[Future[Outcome[Made]], int]", function: Callable[[Task], Made], tasks: Sequence[Task],
        rest: Iterator[int],
    ) -> None:
        while len(running) < _AHEAD * self._jobs and (number := next(rest, None)) is not None:
            running[self._pool.submit(guarded, function, tasks[number])] = number

    def close(self) -> None:
        self._ended.close()  # which ends the workers at once
        self._ends.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._work.close()


def _start_tracker() -> None:
    """Start the process that removes what processes share, so that it does, and says nothing, however these end.

    It is deaf to SIGINT and SIGTERM; what is blocked it inherits, and its warnings are of an end of ours by a signal.
    """
    blocked, before = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINAL), os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        resource_tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _write(path: Path, what: object) -> None:
    try:
        with path.open("wb") as file:
            pickle.dump(what, file, pickle.HIGHEST_PROTOCOL)
    except OSError as error:
        reason = f"what processes share cannot be written ({error.strerror}); set TMPDIR to a folder with room"
        raise ToolError(reason) from None


def _nothing(_task: None) -> None:
    """A task that starts a process."""


def guarded(function: Callable[[Task], Made], task: Task) -> "Outcome[Made]":
    """Errors as text: not all of them can be pickled."""
    try:
        return function(task), None
    except MhoError as error:
        return None, ("input" if isinstance(error, InputError) else "tool", str(error))
    except MemoryError as error:
        return None, ("memory", str(error))
    except Exception:
        return None, ("defect", traceback.format_exc())


def result_of(outcome: "Outcome[Made]") -> Made:
    result, failure = outcome
    if failure is None:
        return cast(Made, result)
    kinds = {"input": InputError, "tool": ToolError, "memory": MemoryError}
    raise kinds.get(failure[0], RuntimeError)(failure[1])


def _begin(ends: Connection, ended: Connection | None, work_file: Path) -> None:
    """What a worker does first."""
    if ended is not None:
        ended.close()
    for number in _TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(ends,), daemon=True).start()
    with work_file.open("rb") as file:
        begin, arguments = pickle.load(file)
    if begin is not None:
        begin(*arguments)


def _end_with(ends: Connection) -> None:
    """End this worker where the process that started it has ended, or wants no more of it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel, ends])
    from mho.macro_models.workspace import clean_up

    clean_up()
    os._exit(1)
