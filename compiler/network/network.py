"""The network file (``.mho``): a compiled network, with everything that is needed to run it.

One zip of JSON and .npy, nothing that could execute when it is read. The bytes are a function of the content. A
checksum over all members makes a cut or altered file known.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mho.compiler.calibration.outputs import Calibration
from mho.compiler.model import FloatNetwork
from mho.compiler.model.before import Before
from mho.compiler.network.file.archive import NETWORK, Arrays, archive_bytes, read_archive, write_archive
from mho.compiler.network.file.layer import LAYER, RANGE, CoreImage, read_core, read_layer, write_core, write_layer
from mho.compiler.network.file.model import (
    CALIBRATION,
    MODEL,
    read_calibration,
    read_model,
    write_calibration,
    write_model,
)
from mho.compiler.network.file.stages import read_stages, reals, write_all
from mho.compiler.network.ranges import InputRange
from mho.compiler.network.tiles import TILES, TileCode, read_tiles, write_tiles
from mho.compiler.options import CompileOptions
from mho.compiler.program import InputStage, Layer, OutputStage, Program
from mho.compiler.types import Array, Facts
from mho.hw.config import Chip, chip_from_dict
from mho.macro_models.devices import Device, device_from_dict
from mho.macro_models.errors import InputError
from mho.macro_models.files import reading
from mho.macro_models.files.schema import JSON, Choice, ListOf, Nullable, Number, Optional, Table, Whole, shown

FORMAT, TILES_FORMAT, DEALT_FORMAT = 2, 3, 4
"""Version of the file format: without tiles, with them, and with layers that are dealt images."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A compiled network."""

    chip: Chip
    device: Device
    options: CompileOptions
    """What it was compiled for: the whole content, not names."""
    model: FloatNetwork
    """The float network, the reference of every run."""
    program: Program
    """What is done for each image."""
    cores: tuple[CoreImage, ...]
    """What each core holds."""
    calibration: Calibration
    """Facts about the calibration."""
    range: InputRange | None = None
    """What calibration saw of the inputs; None in old files."""
    tiles: TileCode | None = None
    """Programs of the tiles, None where a host schedules each product."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the program."""
        return self.program.layers

    @property
    def schedule(self) -> str:
        """``"chip"``, or ``"host"`` if more cores are needed than the chip has; ``"tiles"`` if they run programs."""
        if self.tiles is not None:
            return "tiles"
        return "chip" if len(self.cores) <= self.chip.cores else "host"

    @property
    def mvms_per_image(self) -> int:
        """Conversions of all cores for one image."""
        return self.program.conversions

    @cached_property
    def sha256(self) -> str:
        """Hash of its file."""
        arrays: dict[str, Array] = {}
        return hashlib.sha256(archive_bytes(_write(self, arrays), arrays)).hexdigest()

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all.

        Raises InputError if it cannot be written.
        """
        arrays: dict[str, Array] = {}
        content = _write(self, arrays)
        write_archive(Path(path), content, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Reads a file that :meth:`save` wrote.

        Raises InputError if it is missing, cut, altered, of another version, or no network file at all.
        """
        content, arrays = read_archive(Path(path))
        with reading(path, NETWORK):
            return _read(content, arrays)


def _write(net: Network, arrays: dict[str, Array]) -> Facts:
    def put(name: str, array: Array) -> str:
        arrays[name] = np.ascontiguousarray(array)
        return name

    program = net.program
    put("input.offset", program.input.offset)
    put("input.scale", program.input.scale)
    put("output.scale", program.output.scale)
    if net.range is not None:
        put("range.least", net.range.least)
        put("range.largest", net.range.largest)
    for k, core in enumerate(net.cores):
        write_core(core, f"core{k}", put)
    return {
        "format": FORMAT if net.tiles is None else TILES_FORMAT if net.program.period == 1 else DEALT_FORMAT,
        **({} if net.tiles is None else {"tiles": write_tiles(net.tiles, put)}),
        "chip": net.chip.to_dict(),
        "device": net.device.to_dict(),
        "options": net.options.to_dict(),
        "calibration": write_calibration(net.calibration, tiles=net.tiles is not None),
        "range": None if net.range is None else {"size": net.range.size},
        "model": write_model(net.model, put),
        "stages": write_all(program.stages, "stage", put),
        "input": {"low": program.input.low, "high": program.input.high, **_write_before(program.input.before)},
        "cores": len(net.cores),
        "layers": [write_layer(layer, f"layer{k}", put) for k, layer in enumerate(program.layers)],
    }


def _write_before(before: Before | None) -> Facts:
    """Steps of the model that are done before its input is quantised, by their numbers, if there are any."""
    return {} if before is None else {"before": {"steps": list(before.numbers), "values": list(before.values)}}


def _read(content: Mapping[str, Any], arrays: Arrays) -> Network:
    where = str(arrays.path)
    if content.get("format") not in (FORMAT, TILES_FORMAT, DEALT_FORMAT):
        raise InputError(
            f"{where}: has network format {shown(content.get('format'))}; this version reads {FORMAT} to "
            f"{DEALT_FORMAT}: compile it again"
        )
    facts, content = content.get("calibration", {}), _CONTENT.read(f"{where}: ", content)
    if (content["format"] != FORMAT) is not ("tiles" in content):
        raise InputError(f"{where}: must have tiles in formats from {TILES_FORMAT} on, and in no other")
    chip = chip_from_dict(content["chip"], origin=f"{where}: chip")
    device = device_from_dict(content["device"], where=f"{where}: device")
    cores = tuple(read_core(k, chip.macro_config().cell_map.shape, arrays) for k in range(content["cores"]))
    layers = tuple(read_layer(k, layer, arrays, chip, len(cores)) for k, layer in enumerate(content["layers"]))
    model, last = read_model(content["model"], arrays)
    entry = _read_input(content["input"], arrays, model)
    stages, results = read_stages(content["stages"], arrays, len(entry.scale), layers)
    Choice((last,)).read(f"{where}: elements of the last stage", results)
    scale = reals("results").read(arrays, "output.scale", {"results": results})
    program = Program(input=entry, stages=stages, layers=layers, output=OutputStage(scale=scale))
    program.check()
    return Network(
        chip=chip, device=device, options=CompileOptions.from_dict(content["options"]), model=model, program=program,
        cores=cores, calibration=read_calibration(f"{where}: calibration", facts, len(layers)),
        range=_read_range(content["range"], arrays, model.features),
        tiles=read_tiles(content["tiles"], arrays, chip, program) if "tiles" in content else None,
    )


def _read_input(entry: Mapping[str, Any], arrays: Arrays, model: FloatNetwork) -> InputStage:
    """The quantisation of the input, or of what the host makes of it before."""
    numbers, before, elements = entry.get("before"), None, model.features
    if numbers is not None:
        before = Before(steps=model.steps, numbers=tuple(numbers["steps"]), values=tuple(numbers["values"]))
        elements = sum(model.steps[v - 1].operation.size if v else model.features for v in before.values)
    sizes = {"elements": elements}
    return InputStage(
        offset=reals("elements").read(arrays, "input.offset", sizes),
        scale=reals("elements", LEAST_SCALE).read(arrays, "input.scale", sizes),
        low=entry["low"], high=entry["high"], before=before,
    )


def _read_range(entry: Mapping[str, Any] | None, arrays: Arrays, features: int) -> InputRange | None:
    if entry is None:
        return None
    smallest, largest = (arrays.take(f"range.{name}", np.float32, (features,)) for name in ("least", "largest"))
    return InputRange(least=smallest, largest=largest, size=entry["size"])


LEAST_SCALE = 1e-30
_CONTENT = Table({
    "format": Choice((FORMAT, TILES_FORMAT, DEALT_FORMAT)), "tiles": Optional(TILES),
    "chip": JSON, "device": JSON, "options": JSON,
    "calibration": CALIBRATION,
    "range": Nullable(Table({"size": Number(0, 1e30)})),
    "model": MODEL,
    "stages": ListOf(JSON), "input": Table({
        **RANGE, "before": Optional(Table({"steps": ListOf(Whole()), "values": ListOf(Whole(), least=1)})),
    }),
    "cores": Whole(1), "layers": ListOf(LAYER, least=1),
})
"""What a file may hold; of the arrays, what reads them says it."""
