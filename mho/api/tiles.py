"""Programs of tiles that were written by hand: what a user of Python calls."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mho.api.chip import Chip, chip_description
from mho.api.device import Device, device_model
from mho.api.inputs import PathLike
from mho.macro_models.errors import InputError, argument
from mho.macro_models.files import FileKind
from mho.macro_models.files.arrays import ArrayFile
from mho.runs.backends import BackendLike, BackendOptions, backend_of
from mho.sim.build.toolchain import announced_builds
from mho.units import parse_time

if TYPE_CHECKING:
    from mho.sim.board.tiles.backend import BoardTilesBackend
    from mho.sim.tile_jobs.job import TileJob
    from mho.sim.tile_jobs.run import JobResult
    from mho.sim.tile_networks.backend import TileCosimBackend

_CODES = FileKind(".npy or .npz file of codes")


def run_tiles(
    job: PathLike, chip: "Chip | PathLike",
    inputs: "NDArray[np.generic] | PathLike | Mapping[str, NDArray[np.generic] | PathLike]", *,
    device: "Device | PathLike | None" = None, time: "str | float" = 0.0, seed: int = 0,
    backend: BackendLike = "functional", progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None, warn: Callable[[str], None] | None = None,
) -> "JobResult":
    """Run programs of tiles on the interpreter and on a backend, whose results must be the same.

    Raises InputError if a program, the job or an input is wrong; if the programs can get stuck, or trap. Raises
    ToolError if the backend fails, or gives something else than the interpreter.

    Parameters
    ----------
    job
        A program (``P.s``, or what ``mho asm`` wrote), which then runs on tile 0,0 and sends to the host; or a TOML
        file that says which programs run on which tiles, with which conductances, and what joins them.
    chip
        A chip of programmable tiles.
    inputs
        Codes for the streams that the host fills, by ``"tile:stream"``, or one array where there is one: int8 or uint8
        (a byte an element) or int16 (lanes), of shape (images, ...); or files of them.
    device, time, seed
        Of the cells; None: the chip's device.
    backend
        ``functional`` (the interpreter alone), ``cosim``, ``fpga-sim`` or ``fpga``, with options as at
        :meth:`mho.Net.run`.
    progress, note
        As at :meth:`mho.Net.run`.
    warn
        Called before the run with each instruction that would trap, with its file and line.
    """
    from mho.hw.config import check_device, default_device
    from mho.sim.tile_jobs.job import read_job

    description = chip_description(chip)
    chosen = backend_of(backend)
    chosen.check()
    work = read_job(Path(job), description)
    if warn is not None:
        for sentence in work.warnings():
            warn(sentence)
    cells = device_model(device, default_device(description))
    check_device(description, cells)
    named = inputs if isinstance(inputs, Mapping) else read_codes(inputs)
    arrays = {name: value if isinstance(value, np.ndarray) else read_codes(value)[""] for name, value in named.items()}
    return run_on(
        work, arrays, chosen, device=cells, seed=seed, time_s=parse_time(time), progress=progress, note=note)


def run_on(
    job: "TileJob", inputs: Mapping[str, NDArray[np.generic]], chosen: BackendOptions, *,
    progress: Callable[[int, int], None] | None = None, note: Callable[[str], None] | None = None, **cells: Any,
) -> "JobResult":
    """Run a job that was read; raises, and ``cells``, as :func:`mho.sim.tile_jobs.run.run_job`."""
    from mho.sim.tile_jobs.run import run_job

    if chosen.name == "functional":
        return run_job(job, inputs, **cells)
    with announced_builds(note), closing(chosen.open(progress=progress, note=note, tiles=True)) as opened:
        return run_job(job, inputs, backend=cast("TileCosimBackend | BoardTilesBackend", opened), **cells)


def read_codes(source: "NDArray[np.generic] | PathLike") -> dict[str, NDArray[np.generic]]:
    """Arrays of codes with the types that they have: one, called ``""``, or those of an ``.npz`` by name.

    Raises InputError if there is no such file or array.
    """
    if isinstance(source, np.ndarray):
        return {"": source}
    text, _, key = str(source).partition(".npz:")
    path = Path(f"{text}.npz" if key else text)
    with ArrayFile.open(path, _CODES) as file:
        names = file.names
        if names is None:
            return {"": file.read()}
        if key and key not in names:
            raise InputError(f"{path}: {argument('inputs')} has no array {key!r}, but {', '.join(names)}")
        return {"": file.read(key)} if key else {name: file.read(name) for name in names}
