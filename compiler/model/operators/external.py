"""Tensors of an ONNX message whose numbers are in another file, wherever they are in it."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from onnx import TensorProto


def external_tensors(message: Any) -> Iterator[TensorProto]:
    """All of a message: constants of graphs inside of nodes, lists of tensors and sparse ones among them."""
    if isinstance(message, TensorProto):
        if message.data_location == TensorProto.EXTERNAL or message.external_data:
            yield message
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for item in (value,) if isinstance(value, Message) else value:
                yield from external_tensors(item)


def location(tensor: TensorProto, key: str = "location") -> str:
    """What a tensor says of where its numbers are."""
    return next((e.value for e in tensor.external_data if e.key == key), "")
