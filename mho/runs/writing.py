"""Programming of a network as a user asks for it: device, backend, a measured map, a list of pulses."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.compiler import Network
from mho.hw.config import Chip, ProgrammingSection, PulseChip, chip_from_dict, parse_override
from mho.hw.config.keys import keys_of
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.files import ArrayFile, FileKind
from mho.macro_models.integer.pulse import Polarity
from mho.macro_models.output import open_output
from mho.runs.backends import BackendOptions

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells

COLUMNS = ("step", "tile", "row", "col", "polarity", "amplitude_V", "width_ns")
"""Number of the pulse from 0 on, core, bit line, source line, SET, RESET or FORM, amplitude in volts, width in ns."""

_CHUNK = 1 << 16
"""Pulses that are text at a time: what bounds the memory."""
_FIELDS = ("row", "col", "polarity", "amplitude", "cycles")

PathLike = str | os.PathLike[str]

_MAP = FileKind(".npy or .npz file of conductances")
_NUMPY = "functional"
"""The backend that is the numpy reference."""


@contextmanager
def pulse_list(
    path: "PathLike | None", chip: Chip
) -> Iterator[Callable[[int, NDArray[np.void]], None] | None]:
    """What takes the pulses of a core in their order, of type :data:`PULSE`, and writes them.

    The file is written whole or not at all; None without one.

    Raises InputError or ToolError if the file cannot be written.
    """
    if path is None:
        yield None
        return
    programming, cycle_ns, step = PulseChip.of(chip).programming, 1000.0 / chip.clock.f_clk_MHz, 0
    volts = [f"{v:.6g}" for v in programming.v_base_V + np.arange(256) * programming.v_step_mV / 1000.0]
    polarity = [kind.name for kind in sorted(Polarity)]

    with open_output(path) as file:
        file.write((",".join(COLUMNS) + "\n").encode())

        def add(core: int, pulses: NDArray[np.void]) -> None:
            nonlocal step
            widths = {int(c): f"{c * cycle_ns:.10g}" for c in np.unique(pulses["cycles"])}
            for first in range(0, len(pulses), _CHUNK):
                rows = zip(*(pulses[first : first + _CHUNK][name].tolist() for name in _FIELDS), strict=True)
                file.writelines(
                    f"{number},{core},{row},{col},{polarity[kind]},{volts[amplitude]},{widths[cycles]}\n".encode()
                    for number, (row, col, kind, amplitude, cycles) in enumerate(rows, step)
                )
                step += min(_CHUNK, len(pulses) - first)

        yield add


def check_program_options(
    *, seed: int | None, backend: BackendOptions, measured: bool, pulses: bool, law: bool, form: bool = False,
) -> None:
    """Refuse options that do not go together, before anything is computed.

    Raises InputError, naming the option, its value and what would be right.
    """
    if seed is not None and not 0 <= seed < 2**32:
        raise InputError(f"{argument('seed')} must be between 0 and 2**32 - 1, not {seed}")
    backend.check()
    if measured and (pulses or law or form or backend.name != _NUMPY):
        options = {argument("pulses"): pulses, argument("pulse_law"): law, argument("form"): form}
        option = next((name for name, is_set in options.items() if is_set), f"the backend {backend.name}")
        raise InputError(f"{option} and a measured map exclude each other: measured cells are not programmed")


def program_net(
    network: Network,
    *,
    device: Device,
    pulse_law: Device | None,
    seed: int | None,
    backend: BackendOptions,
    measured: "ArrayLike | PathLike | None",
    pulses: PathLike | None,
    progress: Callable[[int, int], None] | None,
    form: bool = False,
    screen: bool = True,
    overrides: Mapping[str, object] | Iterable[str] = (),
    note: Callable[[str], None] | None = None,
    loading: Callable[[int, int], None] | None = None,
) -> "Cells":
    """See :meth:`mho.api.net.Net.program`.

    ``overrides`` as in ``--set``; ``note`` is told where the answer to pulses is another device's.
    """
    from mho.sim.core.commands import row_programmer
    from mho.sim.programming.kinds import writer_of
    from mho.sim.programming.network import measured_cells, program_network, with_pulse_law

    check_program_options(
        seed=seed, backend=backend, measured=measured is not None, pulses=pulses is not None,
        law=pulse_law is not None, form=form,
    )
    board_chip, network = network.chip, _changed(network, overrides)
    if seed is None:
        seed = int((network.calibration.cells or {}).get("seed", 0))
    if measured is not None:
        where = os.fspath(measured) if isinstance(measured, str | os.PathLike) else "measured map"
        maps = read_conductances(measured, len(network.cores))
        return measured_cells(network, maps, device=device, seed=seed, where=where)
    if (writer := writer_of(network)) is not None:
        _check_writer(network, backend=backend, pulses=pulses is not None, law=pulse_law is not None, form=form)
        if backend.name == _NUMPY:
            return writer(device, seed, progress)
        row_programmer(network.chip)  # refused before anything is built
        rows: Any = backend.open(tiles=network.tiles is not None)
        try:
            rows.open(network.chip, [])
            return writer(device, seed, progress, rows, backend.name)
        finally:
            rows.close()
    device, sentence = with_pulse_law(device, pulse_law)
    if sentence and note is not None:
        note(sentence)
    # The numpy reference needs no backend.
    opened: Any = None
    if backend.name != _NUMPY:
        opened = backend.open(progress=loading, note=note)
    try:
        if opened is not None:
            opened.open(_board_chip(board_chip, network.chip) if backend.name == "fpga" else network.chip, [])
        with pulse_list(pulses, network.chip) as listed:
            return program_network(
                network, device=device, seed=seed, programmer=opened, source=backend.name, form=form, screen=screen,
                pulses=listed, progress=progress,
            )
    finally:
        if opened is not None:
            opened.close()


def _check_writer(network: Network, *, backend: BackendOptions, pulses: bool, law: bool, form: bool) -> None:
    """Refuse what cells have that are pulsed one by one.

    Raises InputError, naming the option.
    """
    options = {argument("pulses"): pulses, argument("pulse_law"): law, argument("form"): form}
    kind = network.chip.core.kind
    for name, is_set in options.items():
        if is_set:
            raise InputError(f"{name} is not for cores of kind {kind}, which write whole rows")
    if backend.name not in (_NUMPY, "cosim"):
        choices = f"{_NUMPY} or cosim for cores of kind {kind}"
        raise InputError(f"{argument('backend')} must be {choices}, not {backend.name}")


def _board_chip(chip: Chip, changed: Chip) -> Chip:
    """The chip that a board was built from, whose registers can be those of ``changed``.

    Raises InputError if that is programmed by other hardware.
    """
    for name, spec in keys_of(ProgrammingSection).items():
        built, value = (getattr(PulseChip.of(description).programming, name) for description in (chip, changed))
        if built != value and spec.shapes:
            where = f"{argument('overrides')} programming.{name}"
            raise InputError(f"{where}: is {built} in the board of this network, not {value}")
    return chip


def _changed(network: Network, overrides: Mapping[str, object] | Iterable[str]) -> Network:
    """The network on a chip that is programmed in another way."""
    pairs = list(overrides.items()) if isinstance(overrides, Mapping) else [parse_override(text) for text in overrides]
    if not pairs:
        return network
    content = network.chip.to_dict()
    for name, value in pairs:
        section, _, key = name.partition(".")
        if section != "programming" or not key:
            raise InputError(
                f"{argument('overrides')} {name}: only programming.KEY can be changed here; the rest of the chip is "
                "that of the network"
            )
        content["programming"][key] = value
    return replace(network, chip=chip_from_dict(content, origin=argument("overrides")))


def read_conductances(source: "ArrayLike | PathLike", cores: int) -> list[NDArray[np.floating]]:
    """Maps of the cores, from an array or a file: a list of arrays of shape (N, N) that are not checked further.

    Raises InputError if it cannot be read, holds no numbers, or has no axis for the cores where there are several.
    """
    if isinstance(source, str | os.PathLike):
        text, _, key = os.fspath(source).partition(".npz:")
        arrays, where = _read_file(Path(text + ".npz" if key else text), key), os.fspath(source)
    else:
        arrays, where = [np.asarray(source)], "measured map"
    for array in arrays:
        if array.dtype.kind not in "fiu":
            raise InputError(f"{where}: must hold conductances in uS as numbers, not {array.dtype}")
    if len(arrays) > 1:
        return arrays
    (array,) = arrays
    if array.ndim == 2:
        return [array]
    if array.ndim != 3:
        raise InputError(
            f"{where}: must have shape (N, N) or (cores, N, N) with {cores} cores, not {tuple(array.shape)}"
        )
    return list(array)


def _read_file(path: Path, key: str) -> list[NDArray[np.floating]]:
    with ArrayFile.open(path, _MAP) as file:
        if file.names is None:
            return [file.read()]
        if "cells.json" in file.members:
            raise InputError(f"{path}: is a file of cells already, for runs as it is")
        if not file.names or (key and key not in file.names):
            raise InputError(f"{path}: has no array {key!r}, but {', '.join(file.names) or 'none'}")
        return [file.read(name) for name in ([key] if key else sorted(file.names, key=_number))]


def _number(name: str) -> tuple[int, str]:
    """Names such as ``core0``, ``core1``, ``core10`` in their order."""
    digits = name[len(name.rstrip("0123456789")) :]
    return (int(digits) if digits else -1, name)
