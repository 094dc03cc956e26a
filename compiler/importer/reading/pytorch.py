"""Modules and exported programs of PyTorch as ONNX.

PyTorch is not imported here: whoever has an object of it has imported it.
"""

import ast
import io
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

import onnx

from mho.compiler.inputs import Inputs, NamedInputs
from mho.macro_models.errors import InputError


class TorchModel(Protocol):
    """A module or an exported program of PyTorch."""

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Its weights by name."""
        ...


BATCH = "samples"
"""Name of the dimension that samples have in the exported model."""
SCOPES = "pkg.torch.onnx.name_scopes"
"""Where ``torch.export``'s exporter tells the modules that a node is in, from the model to the node itself."""


def as_onnx(model: Any, inputs: Inputs) -> Any:
    """A model as it is, or if it is one of PyTorch what :func:`onnx_of_torch` makes of it."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, (torch.nn.Module, torch.export.ExportedProgram)):
        return model
    return onnx_of_torch(model, inputs)


def onnx_of_torch(model: Any, inputs: Inputs) -> onnx.ModelProto:
    """What PyTorch's own exporter makes of a module as it is for inference, or of an exported program.

    ``inputs`` show shapes. A module is traced by TorchScript, or where that fails by ``torch.export``, which needs the
    package onnxscript, as exported programs do. Raises InputError if PyTorch cannot export it: with its reason.
    """
    torch = sys.modules["torch"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not isinstance(model, torch.nn.Module):
            return _exported(torch, model, ())
        training = {module: module.training for module in model.modules()}
        with suppress(NotImplementedError):  # of exported graphs, which are as they are
            model.eval()
        try:
            return _traced(torch, model, _samples(torch, model, inputs))
        finally:
            for module, was in training.items():
                module.training = was


def _samples(torch: Any, model: Any, inputs: Inputs) -> dict[str, Any]:
    """Two samples of each input by name, on the device of the module."""
    device = next((p.device for p in (*model.parameters(), *model.buffers())), "cpu")
    arrays = inputs.arrays if isinstance(inputs, NamedInputs) else {"input": inputs}
    return {name: torch.from_numpy(array[:2].repeat(2, axis=0)[:2]).to(device) for name, array in arrays.items()}


def _traced(torch: Any, model: Any, samples: dict[str, Any]) -> onnx.ModelProto:
    file, axes = io.BytesIO(), {name: {0: BATCH} for name in samples}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._jit_set_onnx_log_output_stream("stderr")  # where it fails, it prints its graph
    try:
        with torch.no_grad():
            torch.onnx.export(
                model, tuple(samples.values()), file, input_names=list(samples), dynamic_axes=axes, dynamo=False)
    except Exception:
        return _exported(torch, model, tuple(samples.values()))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return onnx.load_model_from_string(file.getvalue())


def _exported(torch: Any, model: Any, samples: tuple[Any, ...]) -> onnx.ModelProto:
    shapes = tuple({0: torch.export.Dim(BATCH)} for _ in samples) or None
    try:
        program = torch.onnx.export(model, samples, dynamo=True, dynamic_shapes=shapes, verbose=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise InputError(f"the model {type(model).__name__} cannot be exported by PyTorch: {reason}") from None
    return _named_by_modules(program.model_proto)


def _named_by_modules(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with names of nodes by their modules, ``/body/0/Conv``; further ones of a name are numbered."""
    counts = Counter[str]()
    for node in model.graph.node:
        scopes = [entry.value for entry in node.metadata_props if entry.key == SCOPES]
        if scopes:
            module = ast.literal_eval(scopes[0])[-2]
            name = "/".join(["", *filter(None, module.split(".")), node.op_type])
            node.name = f"{name}_{counts[name]}" if counts[name] else name
            counts[name] += 1
    return model
