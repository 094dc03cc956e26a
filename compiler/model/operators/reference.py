"""A node of ONNX carried out by ``onnx.reference`` as it is."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from mho.compiler.types import Array

__all__ = ["ML_DOMAIN", "ml_opset", "run_as_is"]


ML_DOMAIN = "ai.onnx.ml"


def ml_opset(nodes: Iterable[onnx.NodeProto]) -> int:
    """Version of the domain of machine learning for some nodes: that of the trees of before, or of those since."""
    return 5 if any(node.op_type == "TreeEnsemble" for node in nodes) else 3


@lru_cache(maxsize=512)
def _evaluator(data: bytes, opset: int) -> ReferenceEvaluator:
    node = onnx.NodeProto.FromString(data)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
              for name in dict.fromkeys(n for n in node.input if n)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output if name]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML_DOMAIN, ml_opset([node]))]
    graph = helper.make_graph([node], "node", inputs, outputs)
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))


def run_as_is(node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array | None]:
    """Outputs of a node, None where one is left out; whatever ``onnx.reference`` raises is raised."""
    evaluator = _evaluator(node.SerializeToString(), opset)
    feeds = {name: x for name, x in zip(node.input, inputs, strict=False) if name}  # the last may be left out
    named = [name for name in node.output if name]
    outputs = dict(zip(named, evaluator.run(named, feeds), strict=True))
    return [np.asarray(outputs[name]) if name else None for name in node.output]
