"""Two runs, chips or devices side by side, as Python has them."""

import json
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from mho.api.chip import Chip
from mho.api.device import Device
from mho.api.inputs import PathLike
from mho.macro_models.errors import InputError, argument
from mho.results.result import Result

if TYPE_CHECKING:
    from mho.comparisons.descriptions import ChipDifference, DeviceDifference
    from mho.comparisons.runs import Run, RunComparison


def compare(
    first: "Result | Chip | Device | PathLike", second: "Result | Chip | Device | PathLike"
) -> "RunComparison | ChipDifference | DeviceDifference":
    """Set two runs, two chips or two devices side by side: what differs, by how much, and whether by chance.

    Raises InputError if they are not of one kind, or cannot be compared.

    Parameters
    ----------
    first, second
        Results, or files that ``save_json`` or ``mho run --json`` wrote; chips or devices, or their names or files.
    """
    from mho.comparisons.descriptions import KINDS, compare_chips, compare_devices, kind_of
    from mho.comparisons.runs import compare_runs

    both = first, second
    of_types = {Result: "run", Chip: "chip", Device: "device"}
    kinds = [of_types.get(type(subject)) or kind_of(str(subject)) for subject in both]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{argument('second')} is {KINDS[kinds[1]]}, and {argument('first')} {KINDS[kinds[0]]}: things of one kind "
            "are set side by side"
        )
    if kinds[0] == "chip":
        left, right = (subject if isinstance(subject, Chip) else Chip.load(str(subject)) for subject in both)
        return compare_chips(left.description, right.description)
    if kinds[0] == "device":
        devices = [subject if isinstance(subject, Device) else Device.load(str(subject)) for subject in both]
        return compare_devices(devices[0].model, devices[1].model)
    return compare_runs(run_of_result(first, "first"), run_of_result(second, "second"))


def run_of_result(result: object, name: str, labels: ArrayLike | None = None) -> "Run":
    """A result, or what its file holds; ``name`` is what the one without a file is called."""
    from mho.comparisons.runs import read_run, run_of

    if not isinstance(result, Result):
        return read_run(str(result))
    budget = "budget" in vars(result)  # of which somebody asked
    return run_of(json.dumps(result.to_dict(labels, budget=budget)), name)
