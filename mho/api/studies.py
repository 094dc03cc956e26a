"""Runs, chips and devices beside each other, as ``mho compare``, ``report`` and ``sweep`` have them, in Python."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from macro_models.errors import InputError, argument
from mho.api.chip import Chip
from mho.api.device import Device
from mho.api.inputs import PathLike
from mho.results.result import Result

if TYPE_CHECKING:
    from mho.comparisons.chips import ChipDifference
    from mho.comparisons.devices import DeviceDifference
    from mho.comparisons.runs import Run, RunComparison
    from mho.sweeps import Sweep

__all__ = ["compare", "report", "sweep"]


def compare(
    first: "Result | Chip | Device | PathLike", second: "Result | Chip | Device | PathLike"
) -> "RunComparison | ChipDifference | DeviceDifference":
    """Set two runs, two chips or two devices side by side: what differs, by how much, and whether by chance.

    Parameters
    ----------
    first, second
        Results, or files that ``save_json`` or ``mho run --json`` wrote; chips or devices, or their names or files.

    Raises
    ------
    InputError
        If they are not of one kind, or cannot be compared.
    """
    from mho.comparisons.chips import compare_chips
    from mho.comparisons.devices import compare_devices
    from mho.comparisons.kinds import KINDS, kind_of
    from mho.comparisons.runs import compare_runs

    both = first, second
    of_types = {Result: "run", Chip: "chip", Device: "device"}
    kinds = [of_types.get(type(each)) or kind_of(str(each)) for each in both]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{argument('second')} is {KINDS[kinds[1]]}, and {argument('first')} {KINDS[kinds[0]]}: things of one kind "
            "are set side by side"
        )
    if kinds[0] == "chip":
        left, right = (each if isinstance(each, Chip) else Chip.load(str(each)) for each in both)
        return compare_chips(left.description, right.description)
    if kinds[0] == "device":
        one, two = (each if isinstance(each, Device) else Device.load(str(each)) for each in both)
        return compare_devices(one.model, two.model)
    return compare_runs(_run(first, "first"), _run(second, "second"))


def _run(result: object, name: str, labels: ArrayLike | None = None) -> "Run":
    """A result, or what its file holds; ``name`` is what the one without a file is called."""
    from mho.comparisons.runs import read_run, run_of

    if not isinstance(result, Result):
        return read_run(str(result))
    budget = "budget" in vars(result)  # of which somebody asked
    return run_of(json.dumps(result.to_dict(labels, budget=budget)), name)


def report(
    results: "Result | PathLike | Sequence[Result | PathLike]", path: PathLike, *, labels: ArrayLike | None = None,
    figures: PathLike | None = None, liberty: PathLike | None = None, activity: PathLike | None = None,
    memories: Sequence[PathLike] = (),
) -> list[dict[str, str]]:
    """Write one self-contained HTML page of runs: what limits accuracy, time and energy, and what would help.

    Parameters
    ----------
    results
        Results, or files that ``save_json`` or ``mho run --json`` wrote. The page has the error budget of a result that
        was asked for it.
    path
        The page.
    labels
        By which results are scored that are no files.
    figures
        Folder for each figure as SVG and PDF.
    liberty, activity, memories
        Standard cells, for the area of the Verilog; waveforms of the one run, for its energy; macros of memories.

    Returns
    -------
    For each run ``run``, ``title``, ``accuracy``, ``time`` and ``energy`` as the page says them in words.

    Raises
    ------
    InputError
        If one is no run, or a file cannot be read.
    ToolError
        If the page cannot be written, or a tool fails.
    """
    from mho.commands.report import write_report
    from mho.reports.facts import facts_of
    from mho.terminal.console import Silent

    several = results if isinstance(results, Sequence) and not isinstance(results, str) else [results]
    facts = [facts_of(_run(each, f"result {number}", labels)) for number, each in enumerate(several, 1)]
    told = write_report(
        facts, str(path), None if figures is None else str(figures), None if liberty is None else str(liberty),
        None if activity is None else str(activity), tuple(map(str, memories)), Silent(),
    )
    return [{key: value for key, value in each.items() if isinstance(value, str)} for each in told]


def sweep(
    spec: PathLike, folder: PathLike, *, jobs: int | None = 1, progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> "Sweep":
    """Run combinations of chips, devices, networks, seeds, times and temperatures, or the best of them.

    Parameters
    ----------
    spec
        TOML file that lists what is combined (``mho sweep --example`` prints one).
    folder
        Of the rows, tables and figures. What is there already is not run again.
    jobs
        Processes; None: one for each processor, as far as the memory allows. A script that asks for more than one
        guards what it does by ``if __name__ == "__main__":``, as Python's own need.
    progress
        Called with (rows done, rows at most).
    note
        Called with sentences about memory, and with warnings.

    Raises
    ------
    InputError
        If the file is wrong, or there is no memory for as many processes.
    ToolError
        If none of the rows has a result.
    """
    from mho.commands.sweep import write_sweep
    from mho.sweeps import Folder, load_spec, run_sweep
    from mho.sweeps.memory import bounded_jobs
    from mho.terminal.console import Silent

    work, rows, out = load_spec(Path(spec)), Folder(Path(folder)), Silent()
    say = note or (lambda sentence: None)
    found = run_sweep(work, rows, jobs=bounded_jobs(work, jobs, work.rows, say), progress=progress)
    write_sweep(work, found, rows, out)
    for sentence in out.warned:
        say(sentence)
    return found
