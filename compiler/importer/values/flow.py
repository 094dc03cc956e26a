"""The value that flows through a graph while it is imported: the node that made it, and what is still to be folded.

A :class:`Flow` is immutable. Each operator returns a new one or raises :class:`Unsupported` with the reason, to which
the importer adds the name of the node.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mho.compiler.importer.values.node import Node, fold, is_chain, is_positive, opened, rectify
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.network import HostOp
from mho.compiler.model.stages import Combine, Gather, Linear, Map, Operation
from mho.compiler.types import Array, Float
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import Window
from mho.macro_models.types import Indices, Integral


class Unsupported(ValueError):
    """The graph says something that a perceptron on cores cannot do. The text is the reason."""


def dimensions(axes: Sequence[int], rank: int) -> list[int]:
    """Which of ``rank`` dimensions are meant; negative ones count from the end."""
    positions = [int(a) + rank * (a < 0) for a in axes]
    if len({a for a in positions if 0 <= a < rank}) < len(axes):
        raise Unsupported(f"its axes {[int(a) for a in axes]} are not different ones of {rank} dimensions")
    return positions


@dataclass(frozen=True, kw_only=True)
class Flow:
    """An activation of the graph, of one sample.

    ``shape`` are all of its dimensions, that of the batch, 1, among them where it is ``batched``. Its flattened value
    is ``scale * (value of node) + offset``, which is folded back into the node where that can take it and is not
    ``pinned`` by other users, else forward into the next layer. ``host`` is what was put after the last step; a flow
    with it takes host operators only.
    """

    shape: tuple[int, ...]
    scale: Float
    offset: Float
    batched: bool = True
    node: Node
    pinned: bool = False
    host: tuple[HostOp, ...] = ()

    # Shape ---------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def grid(self) -> Indices:
        """Numbers of the elements, in its shape."""
        return np.arange(self.size, dtype=np.int32).reshape(self.shape)

    @property
    def rest(self) -> tuple[int, ...]:
        """The dimensions behind that of the batch, where it is the first."""
        return self.shape[1:] if self._batch_first else self.shape

    @property
    def _batch_first(self) -> bool:
        return self.batched and self.shape[:1] == (1,)

    def with_shape(self, shape: Sequence[int]) -> "Flow":
        """The same numbers under other dimensions."""
        return replace(self, shape=tuple(shape))

    def move(self, grid: Integral) -> "Flow":
        """Elements by their number in the shape of ``grid``; their order alone may be the same."""
        if grid.size == self.size and (grid.reshape(-1) == np.arange(self.size)).all():
            return self.with_shape(grid.shape)
        return self.take(grid.astype(np.int32))

    # Arithmetic ----------------------------------------------------------------------------------

    def affine(self, scale: Array | float, offset: Array | float) -> "Flow":
        """``scale * x + offset`` element by element; constants broadcast as ONNX says, or the value to theirs."""
        shape = self._common(np.shape(scale), np.shape(offset))
        if shape != self.shape and not self.host:
            return self.move(np.broadcast_to(self.grid, shape)).affine(scale, offset)
        a, c = self._broadcast(scale), self._broadcast(offset)
        if self.host:
            return self._host("affine", scale=a.tolist(), offset=c.tolist())
        return replace(self, scale=self.scale * a, offset=self.offset * a + c)

    def _common(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        try:
            return np.broadcast_shapes(self.shape, *shapes)
        except ValueError:
            return self.shape

    def _broadcast(self, constant: Array | float) -> Float:
        value = np.asarray(constant, dtype=np.float64)
        try:
            return np.broadcast_to(value, self.shape).reshape(-1).copy()
        except ValueError:
            raise Unsupported(
                f"a constant of shape {list(value.shape)} does not fit a value of shape {self.text}"
            ) from None

    @property
    def text(self) -> str:
        names = ["batch" if k == 0 and self._batch_first else str(d) for k, d in enumerate(self.shape)]
        return "[" + ", ".join(names) + "]"

    def linear(self, weight: Float, name: str) -> "Flow":
        """A new layer ``weight @ x`` for a weight of shape (outputs, features)."""
        flow = self.on_chip()._settle()
        if weight.shape[1] != self.size:
            raise Unsupported(f"its weights take {weight.shape[1]} numbers, but the value has shape {self.text}")
        node, order, pad = flow._source()
        # A bias is an offset of the value until the next layer or ReLU needs it.
        bias, weight = weight @ flow.offset, weight * flow.scale
        if node is flow.node or (order == PAD).any() or len(order) != node.size or len(np.unique(order)) < node.size:
            patches = order
        else:
            # Elements in another order: that of the weights is turned back.
            patches, weight = np.arange(node.size), np.ascontiguousarray(weight[:, np.argsort(order)])
        layer = LinearLayer(name=name, weight=weight, bias=bias, relu=False)
        return flow.then(Linear.dense(layer, patches, pad), node)

    def convolve(self, layer: LinearLayer, patches: Indices, recover: Callable[[Indices], Window | None]) -> "Flow":
        """A layer at several positions; outside of the image, at :data:`PAD`, a value is 0.

        ``recover`` gives the geometry of patches like these, if they have one.
        """
        flow = self.on_chip()._settle()
        order = np.maximum(patches, 0)
        for per_element in (flow.scale, flow.offset):
            highest = np.where(patches == PAD, -np.inf, per_element[order]).max(axis=0)
            lowest = np.where(patches == PAD, np.inf, per_element[order]).min(axis=0)
            if (highest > lowest).any():
                flow = flow.materialise()
                break
        first = order[np.argmax(patches != PAD, axis=0), np.arange(patches.shape[1])]
        scale, offset = flow.scale[first], flow.offset[first]
        if (patches == PAD).any() and not scale.all():
            flow, scale, offset = flow.materialise(), np.ones(len(first)), np.zeros(len(first))
        node, source, fill = flow._source()
        pad = np.where(scale == 0, 0.0, -offset / np.where(scale == 0, 1.0, scale))
        joined = np.where(patches == PAD, PAD, source[order])
        if (joined != patches).any() and (source == PAD).any() and (pad != fill).any() and (patches == PAD).any():
            node, joined = flow.node, patches
        elif (source == PAD).any() and not (patches == PAD).any():
            pad = np.full(len(pad), fill)
        layer = replace(layer, weight=layer.scaled(scale), bias=layer.bias + layer.product(offset))
        joined = joined.astype(np.int32)
        return flow.then(Linear(layer=layer, patches=joined, pad=pad, window=recover(joined)), node)

    def _source(self) -> tuple[Node, Indices, float]:
        """Where the elements of the node come from: the node before a choice of elements, indices, fill."""
        op = self.node.operation
        if isinstance(op, Gather) and len(self.node.inputs) == 1 and not self.pinned:
            return self.node.inputs[0], op.index, op.fill
        return self.node, np.arange(self.size, dtype=np.int32), 0.0

    def then(self, operation: Operation, *nodes: Node, shape: tuple[int, ...] | None = None) -> "Flow":
        """The value of an operation on nodes, by default on this flow's."""
        size = operation.size
        return replace(
            self,
            node=Node(operation=operation, inputs=nodes or (self.node,), size=size),
            pinned=False,
            shape=(size,) if shape is None else shape,
            scale=np.ones(size),
            offset=np.zeros(size),
        )

    def take(self, grid: Indices, fill: float = 0.0, like: Indices | None = None) -> "Flow":
        """Elements by their index, :data:`PAD` for ``fill``, in the shape of ``grid``."""
        flow = self.on_chip()
        index = grid.reshape(-1).astype(np.int32)
        like = index if like is None else like.reshape(-1).astype(np.int32)
        if (index == PAD).any():
            flow = flow.materialise()
        elif flow._is_choice():
            # Of a choice of elements: one choice.
            op = flow.node.operation
            assert isinstance(op, Gather)
            inner = replace(flow, node=flow.node.inputs[0], shape=(flow.node.inputs[0].size,))
            gathered = inner.then(Gather(index=op.index[index], like=op.index[like]), shape=grid.shape)
            return replace(gathered, scale=flow.scale[like], offset=flow.offset[like])
        elif (narrower := flow._narrower(index)) is not None:
            return narrower.with_shape(grid.shape)
        scale, offset = flow.scale[like], flow.offset[like]
        gathered = flow.then(Gather(index=index, like=like, fill=fill), shape=grid.shape)
        return replace(gathered, scale=scale, offset=offset)

    def _narrower(self, index: Indices) -> "Flow | None":
        """Elements of several nodes that are side by side, of those nodes alone that have some; None if all have.

        Such as the last state of a recurrent layer, taken of the states of all steps.
        """
        sources, inner = opened(self.node, index)
        if sources[0] is self.node:
            return None
        values = {"scale": self.scale[index], "offset": self.offset[index]}
        if len(sources) == 1 and np.array_equal(inner, np.arange(sources[0].size)):
            return replace(self, node=sources[0], shape=(len(inner),), pinned=True, **values)
        return replace(self.then(Gather(index=inner, like=inner), *sources), **values)

    def _is_choice(self) -> bool:
        """Whether elements of one node are chosen, for this value alone, and none is padding."""
        op = self.node.operation
        return isinstance(op, Gather) and len(self.node.inputs) == 1 and not self.pinned and not (op.index == PAD).any()

    @property
    def pending(self) -> bool:
        """Whether something is still to be folded."""
        return bool(self.offset.any() or (self.scale != 1.0).any())

    @property
    def channel(self) -> Indices:
        """Number of the channel of each element; without further dimensions an element is a channel."""
        rest = self.rest
        return np.repeat(np.arange(rest[0] if rest else 1), max(1, int(np.prod(rest[1:])))).astype(np.int32)

    def materialise(self) -> "Flow":
        """The flow with nothing pending."""
        flow = self._settle()
        if not flow.pending:
            return flow
        index = np.arange(flow.size, dtype=np.int32)[:, None]
        operation = Combine(index=index, coefficient=flow.scale[:, None], offset=flow.offset, channel=flow.channel)
        return flow.then(operation, shape=flow.shape)

    def made_by(self, node: Node) -> "Flow | None":
        """The flow with nothing pending, as ``node`` makes it; None if that makes something else."""
        if node is self.node and not self.pending:
            return self
        op = node.operation
        if node.inputs != (self.node,) or not isinstance(op, Combine) or op.index.shape != (self.size, 1):
            return None
        same = (op.index[:, 0] == np.arange(self.size)).all() and np.array_equal(op.coefficient[:, 0], self.scale)
        whole = replace(self, node=node, scale=np.ones(self.size), offset=np.zeros(self.size))
        return whole if same and np.array_equal(op.offset, self.offset) else None

    def pin(self) -> "Flow":
        """The flow as several users take it: nothing is folded into its node any more."""
        return self if self.host else replace(self._settle(), pinned=True)

    def on_chip(self) -> "Flow":
        """The flow itself, if it has not been left to the host."""
        if self.host:
            raise Unsupported(f"it follows {self.host[0].kind}, which is supported at the end only")
        return self

    def _settle(self) -> "Flow":
        """Folds what is pending back into the node where that is possible."""
        if self.pinned or not self.pending:
            return self
        node = fold(self.node, self.scale, self.offset)
        if node is None:
            return self
        return replace(self, node=node, scale=np.ones(self.size), offset=np.zeros(self.size))

    def relu(self, name: str) -> "Flow":
        if self.host:
            return self._host("relu")
        flow = self._settle()
        if is_positive(flow.node) and not flow.offset.any() and (flow.scale > 0).all():
            return flow
        if not flow.pending and not flow.pinned and (node := rectify(flow.node)) is not None:
            return replace(flow, node=node)
        if is_chain(flow.node) and len(flow.rest) <= 1 and not flow.pinned:
            # A ReLU that no weights precede: a layer of its own with a diagonal matrix.
            layer = LinearLayer(name=name, weight=np.diag(flow.scale), bias=flow.offset, relu=True)
            return flow.then(Linear.dense(layer, np.arange(flow.size)), shape=flow.shape)
        return self.map("clip", low=0.0)

    def map(self, function: str, **limits: float) -> "Flow":
        """A function of each element, by the digital side."""
        flow = self.on_chip().materialise()
        return flow.then(Map(function=function, size=flow.size, **limits), shape=flow.shape)

    def clip(self, low: float, high: float, name: str) -> "Flow":
        if self.host:
            return self._host("clip", low=low, high=high)
        if low == 0.0:
            flow = self.relu(name)
            return flow if high == np.inf else flow.map("clip", low=low, high=high)
        return self.map("clip", low=low, high=high)

    # The host's part -----------------------------------------------------------------------------

    def end_layers(self) -> "Flow":
        """The flow with everything that is pending put into the last layer or on the host."""
        if self.host:
            return self
        flow = self._settle()
        host: list[HostOp] = []
        if flow.pending:
            host.append(
                HostOp(kind="affine", parameters={"scale": flow.scale.tolist(), "offset": flow.offset.tolist()})
            )
        host.append(HostOp(kind="cast", parameters={"dtype": "float32"}))
        return replace(flow, host=tuple(host), scale=np.ones(flow.size), offset=np.zeros(flow.size))

    def shaped(self, batch_axis: int | None) -> "Flow":
        """The flow with a host operator that gives its values their shape, the batch at that axis, or before all."""
        shape = list(self.shape)
        if batch_axis is not None:
            del shape[batch_axis]
        shaped = any(op.kind in ("reshape", "onnx") for op in self.host)
        if not batch_axis and shape == [self.size] and not shaped:
            return self
        return self._host("reshape", shape=shape, batch_axis=batch_axis or 0)

    def _host(self, kind: str, **parameters: Any) -> "Flow":
        return replace(self, host=(*self.host, HostOp(kind=kind, parameters=parameters)))

    def _host_axes(self, axes: Sequence[int]) -> list[int]:
        result = dimensions(axes, len(self.shape))
        if not self._batch_first:
            return [axis + 1 for axis in result]
        if 0 in result:
            raise Unsupported("it works along the batch dimension")
        return result

    def softmax(self, kind: str, axis: int, to_the_end: bool) -> "Flow":
        """Softmax or LogSoftmax along ``axis``; before opset 13 along all dimensions from there."""
        rank = len(self.shape)
        (first,) = dimensions([axis], rank)
        axes = self._host_axes(range(first, rank) if to_the_end else [first])
        return self._start_host()._host(kind, axes=axes)

    def argmax(self, axis: int, keepdims: bool, last: bool) -> "Flow":
        (axis,) = dimensions([axis], len(self.shape))
        shape = list(self.shape)
        shape[axis : axis + 1] = [1] if keepdims else []
        (axis,) = self._host_axes([axis])
        flow = self._start_host()._host("argmax", axis=axis, keepdims=keepdims, last=last)
        return flow._become(shape)

    def _become(self, shape: Sequence[int]) -> "Flow":
        size = int(np.prod(shape, dtype=np.int64))
        return replace(self, shape=tuple(shape), scale=np.ones(size), offset=np.zeros(size))

    def normalise(self) -> "Flow":
        """Values of each row divided by the sum of their magnitudes."""
        return self._start_host()._host("normalise", axis=self._host_axes([-1])[0])

    def complement(self, minus: "Flow") -> "Flow":
        """Both probabilities of a binary classifier, ``minus``, which is ``1 - self``, before ``self``."""
        rest = HostOp(kind="affine", parameters={"scale": [-1.0] * self.size, "offset": [1.0] * self.size})
        if minus.host != (*self.host, rest) or self.rest != (1,):
            raise Unsupported(f"it follows {(self.host or minus.host)[0].kind}, which is supported at the end only")
        return self._host("complement")._become((1, 2))

    def look_up(self, table: Array) -> "Flow":
        """Entries of ``table`` instead of the indices that ArgMax gives."""
        if not any(op.kind == "argmax" for op in self.host):
            raise Unsupported("it takes elements by what is no ArgMax")
        return self._host("look_up", table=table.tolist())

    def end_with(self, operation: Evaluated, shape: Sequence[int]) -> "Flow":
        """What the host makes of the last values by operators of the file, of that shape."""
        parameters = {"model": base64.b64encode(operation.model.tobytes()).decode(), "classes": operation.classes}
        return self.end_layers()._host("onnx", **parameters)._become(shape)

    def squash(self, function: str, inner: bool) -> "Flow":
        """Sigmoid or Tanh: by a table if steps follow, else by the host."""
        return self.map(function) if inner and not self.host else self._start_host()._host(function)

    def cast(self, dtype: np.dtype[Any]) -> "Flow":
        """A cast to a float type changes nothing before the end; the output's type is set by the last cast."""
        return self._host("cast", dtype=dtype.name) if self.host else self

    def _start_host(self) -> "Flow":
        """Values in their own shape, for operators that look at dimensions."""
        return self.end_layers()._host("reshape", shape=list(self.rest), batch_axis=0)
