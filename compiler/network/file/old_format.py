"""Network files of format 1 as files of the format that is written now.

There a perceptron had no steps and no stages, each layer took what the one before it gave; the layers of other networks
were calls that encoded the lanes which they took, where encoding is a stage of its own now.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.compiler.network.file.archive import Arrays, Entry

__all__ = ["convert"]


def convert(content: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
    """The content and the arrays of a network file, those of format 1 converted, others as they are."""
    if content.get("format") != 1:
        return content, arrays
    model, entries = dict(content["model"]), dict(arrays.entries)
    layers = [
        {**entry, "kind": "LinearLayer", "inputs": arrays[f"model{k}.weight"].shape[1]}
        for k, entry in enumerate(model.pop("layers"))
    ]
    steps = [dict(entry) for entry in model.get("steps", [])]
    if not steps:
        steps = [{"kind": "Linear", "inputs": [k]} for k in range(len(layers))]
        for k, layer in enumerate(layers):
            entries[f"step{k}.patches"] = np.arange(layer["inputs"], dtype=np.int32)[None]
            entries[f"step{k}.pad"] = np.zeros(layer["inputs"])
    of_layers = [k for k, step in enumerate(steps) if step["kind"] == "Linear"]
    for number, k in enumerate(of_layers):
        steps[k]["window"] = None
        steps[k]["layer"] = {key: layers[number][key] for key in ("kind", "name", "relu")}
        for name in ("weight", "bias"):
            entries[f"step{k}.layer.{name}"] = entries.pop(f"model{number}.{name}")
    stages = _stages(content["stages"], entries) if content.get("stages") else _chain(layers, entries)
    rest = [{"positions": 1, **layer} for layer in content["layers"]]
    converted = {"format": 2, "range": None, "model": {**model, "steps": steps}, "stages": stages, "layers": rest}
    return {**content, **converted}, arrays.with_entries(entries)


def _chain(layers: list[dict[str, Any]], arrays: dict[str, Entry]) -> list[dict[str, Any]]:
    for k, layer in enumerate(layers):
        arrays[f"stage{k}.patches"] = np.arange(layer["inputs"], dtype=np.int32)[None]
        arrays[f"stage{k}.pad"] = np.zeros(layer["inputs"], dtype=np.int16)
    return [{"kind": "Call", "inputs": [k], "layer": k, "window": None} for k in range(len(layers))]


def _stages(old: list[Mapping[str, Any]], arrays: dict[str, Entry]) -> list[dict[str, Any]]:
    """Stages with an Encode before each Call; values are numbered anew."""
    moved = {name: arrays.pop(name) for name in list(arrays) if name.startswith("stage")}
    number, stages = [0], []
    for k, entry in enumerate(old):
        content = {**entry, "inputs": [number[v] for v in entry["inputs"]]}
        encode = content.pop("encode", None)
        if encode is not None:
            content["window"] = None
            _rename(moved, f"stage{k}.encode.", f"stage{len(stages)}.", arrays)
            stages.append({**encode, "inputs": content["inputs"]})
            content["inputs"] = [len(stages)]
        _rename(moved, f"stage{k}.", f"stage{len(stages)}.", arrays)
        stages.append(content)
        number.append(len(stages))
    return stages


def _rename(
    moved: dict[str, Entry], before: str, after: str, arrays: dict[str, Entry]
) -> None:
    for name in [name for name in moved if name.startswith(before)]:
        arrays[after + name.removeprefix(before)] = moved.pop(name)
