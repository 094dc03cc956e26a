"""Compiling for whatever a chip has: tiles that run programs, or cores whose products a host schedules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mho.compiler.compile import COMPILE_WORK, check_shape, compile_model
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.inputs import Inputs, load_input, load_inputs
from mho.compiler.mapping.faults import FaultMaps
from mho.compiler.model.operators.bounds import budget
from mho.compiler.network import Network
from mho.compiler.network.report import summarise
from mho.compiler.options import CompileOptions
from mho.hw.config import Chip
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.freed_memory import freed_memory_kept

__all__ = ["compile_for_chip"]

MOST_SAID = 200
"""Characters of a sentence."""


@freed_memory_kept()
@budget(COMPILE_WORK)
def compile_for_chip(
    model: str | Path | bytes,
    chip: Chip,
    *,
    calibrate: Inputs,
    device: Device | str | None = None,
    options: CompileOptions | None = None,
    faults: FaultMaps | None = None,
    freeze: Mapping[str, str | Path | NDArray[Any]] | None = None,
    input_shape: Mapping[str, Sequence[int]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """:func:`mho.compiler.compile_model`; with ``tile.programs`` the network holds the programs of its tiles.

    Raises
    ------
    InputError
        If something is wrong, or has no form on the tiles: one sentence.
    """
    if not chip.tile.programs:
        if options is not None and options.duplicates > 1:
            raise InputError(f"compile option {argument('duplicates')} must be 1 where a host schedules the cores, not "
                             f"{options.duplicates}: it is of tiles, which tile.programs is for")
        return compile_model(
            model, chip, calibrate=calibrate, device=device, options=options, faults=faults, freeze=freeze,
            input_shape=input_shape, progress=progress,
        )
    from mho.compiler.tile import compile_tiles, with_programs
    from mho.compiler.tile.pipelined import Programmed

    options, given = CompileOptions() if options is None else options, load_inputs(calibrate)
    net = import_onnx(
        model, output=options.output, frozen={name: load_input(value) for name, value in (freeze or {}).items()},
        shapes=input_shape, x=given,
    )
    x = check_shape(given, net)  # what is wrong with inputs has nothing to do with tiles
    programmed: dict[int, tuple[Network, Programmed]] = {}

    def programs(made: Network) -> Programmed:
        if id(made.program) not in programmed:
            programmed[id(made.program)] = made, with_programs(made, x)
        return programmed[id(made.program)][1]

    def judge(made: Network) -> float:
        cycles = programs(made).cycles
        return 0.0 if cycles is None else cycles.interval

    common: dict[str, Any] = {
        "calibrate": given, "device": device, "faults": faults, "progress": progress, "judge": judge}
    try:
        made = compile_tiles(net, chip, options=options, **common)
        while True:
            try:
                found = programs(made)
                break
            except InputError:
                copies = max(layer["copies"] for layer in summarise(made)["layers"])
                if options.copies or copies == 1:
                    raise
                # Nobody asked for so many copies, and there is no room for what adds them.
                made = compile_tiles(net, chip, options=replace(options, copies=copies // 2), **common)
        return replace(found.network, calibration={**made.calibration, "tile_cycles": found.facts()})
    except InputError as error:
        raise InputError(_or_by_host(str(error))) from None


def _or_by_host(sentence: str) -> str:
    """What tiles refuse, and what runs it nevertheless, if there is room to say that."""
    more = "; a host schedules it with --set tile.programs=false"
    return sentence + more if len(sentence + more) <= MOST_SAID else sentence
