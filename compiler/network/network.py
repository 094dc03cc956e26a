"""The network file (``.mho``): a compiled network, with everything that is needed to run it.

One zip of JSON and .npy, nothing that could execute when it is read. The bytes are a function of the content. A
checksum over all members makes a cut or altered file known.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.mapping import Placement
from compiler.model import FloatNetwork, HostOp, Output
from compiler.model.before import Before
from compiler.network.archive import NETWORK, Arrays, archive_bytes, read_archive, write_archive
from compiler.network.old_format import convert
from compiler.network.ranges import InputRange
from compiler.network.stage_file import (
    CODE,
    COUNT,
    SHIFT,
    factors,
    indices,
    lanes,
    read_stages,
    read_steps,
    reals,
    write_all,
)
from compiler.network.tiles import TILES, TileCode, read_tiles, write_tiles
from compiler.options import MOST_SLICES, CompileOptions
from compiler.program import InputStage, Layer, Mvm, OutputStage, Program
from hw.config import Chip, chip_from_dict
from macro_models.devices import Device, device_from_dict
from macro_models.errors import InputError
from macro_models.exact.operation import MAX_BITS, STEP_WIDTH, Converter, Direction
from macro_models.exact.vector import Requantise, Root
from macro_models.files import reading
from macro_models.files.schema import FLAG, JSON, TEXT, Choice, ListOf, Nullable, Number, Optional, Table, Whole, shown

__all__ = ["FORMAT", "CoreImage", "Network"]

FORMAT, TILES_FORMAT, DEALT_FORMAT = 2, 3, 4
"""Without tiles, with them, and with layers that are dealt images."""
"""Version of the file format, and of files with programs of tiles; those before are read, too
(:mod:`compiler.network.old_format`)."""


@dataclass(frozen=True, kw_only=True)
class CoreImage:
    """What one core holds.

    ``targets_uS`` has shape (lines, lines), ``[bl, sl]``; ``word_lines`` and ``converted_lines`` (8, lines);
    ``bl_skip`` and ``sl_skip`` (lines,). Cells that no weight uses have the chip's g_min: the masks keep them out of
    every sum. ``faulty``, (lines, lines), are cells that were known to be faulty when the network was compiled, None
    if none were: their targets are what they hold.
    """

    targets_uS: NDArray[np.float32]
    word_lines: NDArray[np.bool_]
    converted_lines: NDArray[np.bool_]
    bl_skip: NDArray[np.bool_]
    sl_skip: NDArray[np.bool_]
    faulty: NDArray[np.bool_] | None = None

    @classmethod
    def from_placement(
        cls, placement: Placement, core: int, targets_uS: NDArray[np.float32], g_uS: NDArray[np.float64] | None = None
    ) -> "CoreImage":
        """The image of a core; ``g_uS`` holds what faulty cells have, NaN elsewhere."""
        bl_skip, sl_skip = placement.dead_lines(core)
        faulty = None
        if g_uS is not None and not np.isnan(g_uS).all():
            faulty = ~np.isnan(g_uS)
            targets_uS = np.where(faulty, g_uS, targets_uS).astype(np.float32)
        return cls(
            targets_uS=targets_uS,
            word_lines=placement.word_lines(core),
            converted_lines=placement.converted_lines(core),
            bl_skip=bl_skip,
            sl_skip=sl_skip,
            faulty=faulty,
        )


@dataclass(frozen=True, kw_only=True)
class Network:
    """A compiled network.

    Attributes
    ----------
    chip, device, options
        What it was compiled for: the whole content, not names.
    model
        The float network, the reference of every run.
    program
        What is done for each image.
    cores
        What each core holds.
    calibration
        Facts about the calibration as JSON: samples, hash of the data, device time, errors, cycles and clipped share of
        each layer, warnings.
    range
        What calibration saw of the inputs; None in files of format 1.
    tiles
        Programs of the tiles, None where a host schedules each product.
    """

    chip: Chip
    device: Device
    options: CompileOptions
    model: FloatNetwork
    program: Program
    cores: tuple[CoreImage, ...]
    calibration: Mapping[str, Any]
    range: InputRange | None = None
    tiles: TileCode | None = None

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
        arrays: dict[str, NDArray[Any]] = {}
        return hashlib.sha256(archive_bytes(_write(self, arrays), arrays)).hexdigest()

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {}
        content = _write(self, arrays)
        write_archive(Path(path), content, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Reads a file that :meth:`save` wrote.

        Raises
        ------
        InputError
            If it is missing, cut, altered, of another version, or no network file at all.
        """
        content, arrays = read_archive(Path(path))
        with reading(path, NETWORK):
            return _read(*convert(content, arrays))


def _write(net: Network, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    def put(name: str, array: NDArray[Any]) -> str:
        arrays[name] = np.ascontiguousarray(array)
        return name

    program, model = net.program, net.model
    put("input.offset", program.input.offset)
    put("input.scale", program.input.scale)
    put("output.scale", program.output.scale)
    if net.range is not None:
        put("range.least", net.range.least)
        put("range.largest", net.range.largest)
    for k, core in enumerate(net.cores):
        for name in ("targets_uS", "word_lines", "converted_lines", "bl_skip", "sl_skip"):
            put(f"core{k}.{name}", getattr(core, name))
        if core.faulty is not None:
            put(f"core{k}.faulty", core.faulty)
    return {
        "format": FORMAT if net.tiles is None else TILES_FORMAT if net.program.period == 1 else DEALT_FORMAT,
        **({} if net.tiles is None else {"tiles": write_tiles(net.tiles, put)}),
        "chip": net.chip.to_dict(),
        "device": net.device.to_dict(),
        "options": net.options.to_dict(),
        "calibration": dict(net.calibration),
        "range": None if net.range is None else {"size": net.range.size},
        "model": {
            "name": model.name,
            "input_name": model.input_name,
            "input_shape": list(model.input_shape),
            **_write_outputs(model),
            "steps": write_all(model.steps, "step", put),
        },
        "stages": write_all(program.stages, "stage", put),
        "input": {"low": program.input.low, "high": program.input.high, **_write_before(program.input.before)},
        "cores": len(net.cores),
        "layers": [_write_layer(layer, f"layer{k}", put) for k, layer in enumerate(program.layers)],
    }


def _write_outputs(model: FloatNetwork) -> dict[str, Any]:
    """Outputs and several inputs; of one, as files have always had them."""
    outputs = [
        {
            "output_name": one.name, "host": [{"kind": op.kind, "parameters": op.parameters} for op in one.host],
            **({} if len(model.outputs) == 1 else {"elements": {"first": one.first, "size": one.size}}),
        }
        for one in model.outputs
    ]
    parts = [{"name": name, "shape": list(shape)} for name, shape in model.parts]
    return {
        **outputs[0], **({"more_outputs": outputs[1:]} if outputs[1:] else {}), **({"parts": parts} if parts else {})
    }


def _write_before(before: Before | None) -> dict[str, Any]:
    """Steps of the model that are done before its input is quantised, by their numbers, if there are any."""
    return {} if before is None else {"before": {"steps": list(before.numbers), "values": list(before.values)}}


def _write_layer(layer: Layer, prefix: str, put: Any) -> dict[str, Any]:
    put(f"{prefix}.bias", layer.root.bias)
    put(f"{prefix}.spread", layer.spread)
    mvms = []
    for k, m in enumerate(layer.mvms):
        for name in ("rows", "columns", "outputs", "multiplier"):
            put(f"{prefix}.mvm{k}.{name}", getattr(m, name))
        op = {
            "direction": m.op.direction.name,
            "in_bits": m.op.in_bits,
            "in_signed": m.op.in_signed,
            "out_bits": m.op.out_bits,
            "converter": m.op.converter.name,
            "relu": m.op.relu,
            "early_stop": m.op.early_stop,
            "wl_select": m.op.wl_select,
            "line_select": m.op.line_select,
            "step_code": m.op.step_code,
        }
        mvms.append({"core": m.core, "operation": m.operation, "first": m.first, "op": op})
    q = layer.root.requantise
    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "shift": layer.shift,
        "positions": layer.positions,
        "relu": layer.root.relu,
        "requantise": None if q is None else {"shift": q.shift, "low": q.low, "high": q.high},
        "mvms": mvms,
    }


def _read(content: Mapping[str, Any], arrays: Arrays) -> Network:
    where = str(arrays.path)
    if content.get("format") not in (FORMAT, TILES_FORMAT, DEALT_FORMAT):
        raise InputError(
            f"{where}: has network format {shown(content.get('format'))}; this version reads 1 to {DEALT_FORMAT}: "
            "compile it again"
        )
    facts, content = content.get("calibration", {}), _CONTENT.read(f"{where}: ", content)
    if (content["format"] != FORMAT) is not ("tiles" in content):
        raise InputError(f"{where}: must have tiles in formats from {TILES_FORMAT} on, and in no other")
    chip = chip_from_dict(content["chip"], origin=f"{where}: chip")
    device = device_from_dict(content["device"], where=f"{where}: device")
    cores = tuple(_read_core(k, chip.macro_config().cell_map.shape, arrays) for k in range(content["cores"]))
    layers = tuple(_read_layer(k, one, arrays, chip, len(cores)) for k, one in enumerate(content["layers"]))
    for name in ("errors", "cycles", "slices", "slice_bits", "clipped"):
        if name in facts:
            Choice((len(layers),)).read(f"{where}: calibration.{name}: numbers", len(facts[name]))
    model, last = _read_model(content["model"], arrays)
    entry = _read_input(content["input"], arrays, model)
    stages, results = read_stages(content["stages"], arrays, len(entry.scale), layers)
    Choice((last,)).read(f"{where}: elements of the last stage", results)
    scale = reals("results").read(arrays, "output.scale", {"results": results})
    program = Program(input=entry, stages=stages, layers=layers, output=OutputStage(scale=scale))
    program.check()
    return Network(
        chip=chip, device=device, options=CompileOptions.from_dict(content["options"]), model=model, program=program,
        cores=cores, calibration=facts, range=_read_range(content["range"], arrays, model.features),
        tiles=read_tiles(content["tiles"], arrays, chip, program) if "tiles" in content else None,
    )


def _read_input(one: Mapping[str, Any], arrays: Arrays, model: FloatNetwork) -> InputStage:
    """The quantisation of the input, or of what the host makes of it before."""
    numbers, before, elements = one.get("before"), None, model.features
    if numbers is not None:
        before = Before(steps=model.steps, numbers=tuple(numbers["steps"]), values=tuple(numbers["values"]))
        elements = sum(model.steps[v - 1].operation.size if v else model.features for v in before.values)
    sizes = {"elements": elements}
    return InputStage(
        offset=reals("elements").read(arrays, "input.offset", sizes),
        scale=reals("elements", LEAST_SCALE).read(arrays, "input.scale", sizes),
        low=one["low"], high=one["high"], before=before,
    )


def _read_range(one: Mapping[str, Any] | None, arrays: Arrays, features: int) -> InputRange | None:
    if one is None:
        return None
    least, largest = (arrays.take(f"range.{name}", np.float32, (features,)) for name in ("least", "largest"))
    return InputRange(least=least, largest=largest, size=one["size"])


def _read_core(k: int, shape: tuple[int, int], arrays: Arrays) -> CoreImage:
    def flags(name: str, *shape: int) -> NDArray[np.bool_]:
        return arrays.take(f"core{k}.{name}", np.bool_, shape)

    driven, converted = shape
    return CoreImage(
        targets_uS=arrays.take(f"core{k}.targets_uS", np.float32, shape, 0, 1e6),
        word_lines=flags("word_lines", 8, driven), converted_lines=flags("converted_lines", 8, converted),
        bl_skip=flags("bl_skip", driven), sl_skip=flags("sl_skip", converted),
        faulty=flags("faulty", *shape) if f"core{k}.faulty" in arrays else None,
    )


def _read_layer(k: int, one: Mapping[str, Any], arrays: Arrays, chip: Chip, cores: int) -> Layer:
    where, sizes = f"{arrays.path}: layer{k}", {"inputs": one["inputs"], "outputs": one["outputs"]}
    spread = indices("rows", -1, "inputs").read(arrays, f"layer{k}.spread", sizes)
    mvms, cell_map = [], chip.macro_config().cell_map
    for j, m in enumerate(one["mvms"]):
        at = {**sizes, "core_rows": cell_map.rows, "core_columns": cell_map.columns}
        held = {name: spec.read(arrays, f"layer{k}.mvm{j}.{name}", at) for name, spec in _PRODUCT.items()}
        Whole(0, cores - 1).read(f"{where}.mvms[{j}].core", m["core"])
        Whole(0, len(spread) - at["taken"]).read(f"{where}.mvms[{j}].first", m["first"])
        op = {**m["op"], "direction": Direction[m["op"]["direction"]], "converter": Converter[m["op"]["converter"]]}
        op = chip.operation_type(**op)
        mvms.append(Mvm(core=m["core"], operation=m["operation"], first=m["first"], op=op, **held))
    q = one["requantise"]
    root = Root(
        bias=lanes("outputs").read(arrays, f"layer{k}.bias", sizes), relu=one["relu"],
        requantise=None if q is None else Requantise(**q),
    )
    return Layer(
        name=one["name"], inputs=one["inputs"], outputs=one["outputs"], spread=spread, mvms=tuple(mvms),
        shift=one["shift"], root=root, positions=one["positions"],
    )


def _read_model(one: Mapping[str, Any], arrays: Arrays) -> tuple[FloatNetwork, int]:
    """The float network, and the elements of its last value before the host's operators."""
    steps, last = read_steps(one["steps"], arrays, math.prod(one["input_shape"]))
    model = FloatNetwork(
        name=one["name"], input_name=one["input_name"], input_shape=one["input_shape"], steps=steps,
        outputs=tuple(_read_output(each, last) for each in (one, *one.get("more_outputs", ()))),
        parts=tuple((part["name"], tuple(part["shape"])) for part in one.get("parts", ())),
    )
    if model.parts and sum(math.prod(shape) for _, shape in model.parts) != model.features:
        raise ValueError("its inputs are not as many as its features")
    if len({output.name for output in model.outputs}) < len(model.outputs):
        raise ValueError("two of its outputs have the same name")
    return model, last


def _read_output(one: Mapping[str, Any], last: int) -> Output:
    """An output of which there are ``last`` elements at most."""
    first, size = one["elements"].values() if "elements" in one else (0, None)
    count = last - first if size is None else size
    if not 0 <= first <= first + count <= last:
        raise ValueError(f"output {one['output_name']!r} has elements that there are not")
    output = Output(
        name=one["output_name"], host=tuple(HostOp(**op) for op in one["host"]), first=first, size=size
    )
    # Whether the host's operators fit each other is seen by doing them; a table must have an entry for each class.
    classes = count if any(op.kind == "look_up" for op in output.host) else 3
    for start in range(0, classes, 1024):
        output.finish(np.eye(min(1024, classes - start), last, first + start))
    return output


class _HostOp:
    """An operator of the host: its parameters are those of its kind."""

    def read(self, where: str, value: object) -> dict[str, Any]:
        table = _HOST_OP.read(where, value)
        _PARAMETERS[table["kind"]].read(f"{where}.parameters", table["parameters"])
        return table


LEAST_SCALE = 1e-30
_WIDE = 2**31
_FINITE, _AXIS = Number(-1e300, 1e300), Whole(1, 15)
_PARAMETERS = {
    "affine": Table({"scale": ListOf(_FINITE, least=1), "offset": ListOf(_FINITE, least=1)}),
    "clip": Table({"low": Number(-math.inf, math.inf), "high": Number(-math.inf, math.inf)}),
    **dict.fromkeys(("softmax", "log_softmax"), Table({"axes": ListOf(_AXIS, least=1)})),
    "normalise": Table({"axis": _AXIS}),
    "argmax": Table({"axis": _AXIS, "keepdims": FLAG, "last": FLAG}),
    "look_up": Table({"table": ListOf(_FINITE, least=1)}),
    "reshape": Table({"shape": ListOf(COUNT), "batch_axis": Whole(0, 15)}),
    "onnx": Table({"model": TEXT, "classes": FLAG}),
    "constant": Table({"value": ListOf(_FINITE, least=1)}),
    "cast": Table({"dtype": Choice(tuple(np.dtype(code).name for code in "?bhilqBHILQefd"))}),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "complement"), Table({})),
}
_HOST_OP = Table({"kind": Choice(tuple(_PARAMETERS)), "parameters": JSON})
_OUTPUT = {
    "output_name": TEXT, "host": ListOf(_HostOp()),
    "elements": Optional(Table({"first": Whole(), "size": Nullable(Whole())})),
}
_RANGE = {"low": CODE, "high": CODE}
_PRODUCT = {
    "rows": indices("taken", 0, "core_rows"), "columns": indices("columns", 0, "core_columns"),
    "outputs": indices("columns", 0, "outputs"), "multiplier": factors("columns"),
}
_OPERATION = Table({
    "direction": Choice(tuple(Direction.__members__)), "in_bits": Whole(1, MAX_BITS), "in_signed": FLAG,
    "out_bits": Whole(1, MAX_BITS), "converter": Choice(tuple(Converter.__members__)), "relu": FLAG,
    "early_stop": FLAG, "wl_select": Whole(0, 7), "line_select": Whole(0, 7), "step_code": Whole(1, 2**STEP_WIDTH - 1),
})
_LAYER = Table({
    "name": TEXT, "inputs": COUNT, "outputs": COUNT, "shift": SHIFT, "positions": COUNT, "relu": FLAG,
    "requantise": Nullable(Table({"shift": SHIFT, **_RANGE})),
    "mvms": ListOf(
        Table({"core": Whole(), "operation": Whole(0, _WIDE), "first": Whole(), "op": _OPERATION}), least=1
    ),
})
_SHARE, _ERROR = Nullable(Number(0, 1)), Nullable(Number(0, math.inf))
_OUTPUT_ERROR = Table({
    "name": TEXT, "inputs": COUNT, "classes": _SHARE, "classes_aged": _SHARE, "error": _ERROR, "error_aged": _ERROR,
    "allowed": Number(0, 1), "spread": _ERROR,
})
_CONTENT = Table({
    "format": Choice((FORMAT, TILES_FORMAT, DEALT_FORMAT)), "tiles": Optional(TILES),
    "chip": JSON, "device": JSON, "options": JSON,
    "calibration": Table({
        "samples": Whole(1), "sha256": TEXT, "time_s": Number(0, 1e12), "errors": ListOf(Number(0, math.inf)),
        "cycles": ListOf(Number(0, 1e18)), "slices": Optional(ListOf(Whole(1, MOST_SLICES))),
        "slice_bits": Optional(ListOf(Whole(0, MAX_BITS))), "clipped": Optional(ListOf(Number(0, 1))),
        "warnings": Optional(ListOf(TEXT)), "outputs": Optional(ListOf(_OUTPUT_ERROR)),
        "cells": Optional(Table({"seed": Whole(0, 2**32 - 1)}, rest=True)),
        "converters": Optional(Table({"seed": Whole(0, 2**32 - 1), "cores": ListOf(Table({}, rest=True))})),
    }, rest=True),
    "range": Nullable(Table({"size": Number(0, 1e30)})),
    "model": Table({
        "name": TEXT, "input_name": TEXT, "input_shape": ListOf(COUNT, least=1), "steps": ListOf(JSON),
        **_OUTPUT, "more_outputs": Optional(ListOf(Table(_OUTPUT))),
        "parts": Optional(ListOf(Table({"name": TEXT, "shape": ListOf(COUNT, least=1)}))),
    }),
    "stages": ListOf(JSON), "input": Table({
        **_RANGE, "before": Optional(Table({"steps": ListOf(Whole()), "values": ListOf(Whole(), least=1)})),
    }),
    "cores": Whole(1), "layers": ListOf(_LAYER, least=1),
})
"""What a file may hold; of the arrays, what reads them says it."""
