"""The network file (``.mho``): a compiled network, with everything that is needed to run it.

One zip of JSON and .npy, nothing that could execute when it is read. The bytes are a function of the content. A
checksum over all members makes a cut or altered file known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.archive import read_archive, write_archive
from compiler.graph import FloatNetwork, HostOp
from compiler.mapping import Placement
from compiler.old_format import convert
from compiler.options import CompileOptions
from compiler.program import InputStage, Layer, Mvm, OutputStage, Program
from compiler.stage_file import read_stages, read_steps, write_all
from hw.config import Chip, chip_from_dict
from macro_models.devices import Device, device_from_dict
from macro_models.errors import InputError
from macro_models.exact.operation import Converter, Direction, MvmOperation
from macro_models.exact.vector import Requantise, Root

__all__ = ["FORMAT", "CoreImage", "Network"]

FORMAT = 2
"""Version of the file format; those before it are read, too (:mod:`compiler.old_format`)."""


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
        Facts about the calibration as JSON: samples, hash of the data, device time, errors and cycles per layer.
    """

    chip: Chip
    device: Device
    options: CompileOptions
    model: FloatNetwork
    program: Program
    cores: tuple[CoreImage, ...]
    calibration: Mapping[str, Any]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the program."""
        return self.program.layers

    @property
    def schedule(self) -> str:
        """``"chip"``, or ``"host"`` if more cores are needed than the chip has."""
        return "chip" if len(self.cores) <= self.chip.cores else "host"

    @property
    def mvms_per_image(self) -> int:
        """Conversions of all cores for one image."""
        return self.program.conversions

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
        try:
            return _read(content, arrays, str(path))
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(
                f"{path}: is no network file of format {FORMAT} ({' '.join(str(error).split())})"
            ) from None

    def summary(self) -> dict[str, Any]:
        """Cores, utilisation, products, predicted cycles as plain numbers: :func:`compiler.report.summarise`."""
        from compiler.report import summarise

        return summarise(self)


def _write(net: Network, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    def put(name: str, array: NDArray[Any]) -> str:
        arrays[name] = np.ascontiguousarray(array)
        return name

    program, model = net.program, net.model
    put("input.offset", program.input.offset)
    put("input.scale", program.input.scale)
    put("output.scale", program.output.scale)
    for k, core in enumerate(net.cores):
        for name in ("targets_uS", "word_lines", "converted_lines", "bl_skip", "sl_skip"):
            put(f"core{k}.{name}", getattr(core, name))
        if core.faulty is not None:
            put(f"core{k}.faulty", core.faulty)
    return {
        "format": FORMAT,
        "chip": net.chip.to_dict(),
        "device": net.device.to_dict(),
        "options": net.options.to_dict(),
        "calibration": dict(net.calibration),
        "model": {
            "name": model.name,
            "input_name": model.input_name,
            "input_shape": list(model.input_shape),
            "output_name": model.output_name,
            "host": [{"kind": op.kind, "parameters": op.parameters} for op in model.host],
            "steps": write_all(model.steps, "step", put),
        },
        "stages": write_all(program.stages, "stage", put),
        "input": {"low": program.input.low, "high": program.input.high},
        "cores": len(net.cores),
        "layers": [_write_layer(layer, f"layer{k}", put) for k, layer in enumerate(program.layers)],
    }


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


def _read(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], where: str) -> Network:
    content, arrays = convert(content, arrays)
    if content.get("format") != FORMAT:
        raise InputError(
            f"{where}: has network format {content.get('format')!r}; this version reads 1 to {FORMAT}: compile it again"
        )
    model = content["model"]
    network = Network(
        chip=chip_from_dict(content["chip"], origin=f"{where}: chip"),
        device=device_from_dict(content["device"], where=f"{where}: device"),
        options=CompileOptions.from_dict(content["options"]),
        model=FloatNetwork(
            name=model["name"],
            input_name=model["input_name"],
            input_shape=tuple(model["input_shape"]),
            output_name=model["output_name"],
            host=tuple(HostOp(kind=op["kind"], parameters=op["parameters"]) for op in model["host"]),
            steps=read_steps(model["steps"], arrays),
        ),
        program=Program(
            input=InputStage(offset=arrays["input.offset"], scale=arrays["input.scale"], **content["input"]),
            stages=read_stages(content["stages"], arrays),
            layers=tuple(_read_layer(one, f"layer{k}", arrays) for k, one in enumerate(content["layers"])),
            output=OutputStage(scale=arrays["output.scale"]),
        ),
        cores=tuple(_read_core(k, arrays) for k in range(content["cores"])),
        calibration=content["calibration"],
    )
    network.program.check()
    return network


def _read_core(k: int, arrays: Mapping[str, NDArray[Any]]) -> CoreImage:
    return CoreImage(
        **{
            name: arrays[f"core{k}.{name}"]
            for name in ("targets_uS", "word_lines", "converted_lines", "bl_skip", "sl_skip")
        },
        faulty=arrays.get(f"core{k}.faulty"),
    )


def _read_layer(one: Mapping[str, Any], prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Layer:
    mvms = []
    for k, m in enumerate(one["mvms"]):
        op = dict(m["op"])
        op["direction"], op["converter"] = Direction[op["direction"]], Converter[op["converter"]]
        lines = {name: arrays[f"{prefix}.mvm{k}.{name}"] for name in ("rows", "columns", "outputs", "multiplier")}
        mvms.append(Mvm(core=m["core"], operation=m["operation"], first=m["first"], op=MvmOperation(**op), **lines))
    q = one["requantise"]
    root = Root(bias=arrays[f"{prefix}.bias"], relu=one["relu"], requantise=None if q is None else Requantise(**q))
    return Layer(
        name=one["name"],
        inputs=one["inputs"],
        outputs=one["outputs"],
        spread=arrays[f"{prefix}.spread"],
        mvms=tuple(mvms),
        shift=one["shift"],
        root=root,
        positions=one["positions"],
    )
