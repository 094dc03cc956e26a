"""The value that flows through a graph while it is imported: the node that made it, and what is still to be folded.

A :class:`Flow` is immutable. Each operator returns a new one or raises :class:`Unsupported` with the reason, to which
the importer adds the name of the node.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.importer.node import Node, fold, is_chain, is_positive, rectify
from compiler.importer.onnx_constants import BATCH
from compiler.model.layer import LinearLayer
from compiler.model.network import HostOp
from compiler.model.stages import Combine, Gather, Linear, Map, Operation
from macro_models.exact.vector import PAD
from macro_models.exact.window import Window

__all__ = ["Flow", "Unsupported", "dimensions"]

Array = NDArray[Any]


class Unsupported(ValueError):
    """The graph says something that a perceptron on cores cannot do. The text is the reason."""


def dimensions(axes: Sequence[int], rank: int) -> list[int]:
    """Which of ``rank`` dimensions are meant; negative ones count from the end."""
    found = [int(a) + rank * (a < 0) for a in axes]
    if len({a for a in found if 0 <= a < rank}) < len(axes):
        raise Unsupported(f"its axes {[int(a) for a in axes]} are not different ones of {rank} dimensions")
    return found


@dataclass(frozen=True, kw_only=True)
class Flow:
    """An activation of the graph.

    ``shape`` are its dimensions without the batch dimension, which is at ``batch_axis``. Its flattened value is
    ``scale * (value of node) + offset``, which is folded back into the node where that can take it and is not
    ``pinned`` by other users, else forward into the next layer. ``host`` is what was put after the last step; a flow
    with it takes host operators only. ``batch`` is the batch size that the file fixes, or None.
    """

    shape: tuple[int, ...]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    batch_axis: int = 0
    batch: int | None = None
    node: Node
    pinned: bool = False
    host: tuple[HostOp, ...] = ()

    # Shape ---------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def full_shape(self) -> tuple[int, ...]:
        """All dimensions, with :data:`BATCH` for the batch."""
        return (*self.shape[: self.batch_axis], BATCH, *self.shape[self.batch_axis :])

    def with_full_shape(self, dims: Sequence[int]) -> "Flow":
        """The same numbers under other dimensions; one of them is :data:`BATCH`."""
        axis = list(dims).index(BATCH)
        shape = tuple(d for d in dims if d != BATCH)
        before = int(np.prod(self.shape[: self.batch_axis], dtype=np.int64))
        if int(np.prod(shape, dtype=np.int64)) != self.size or int(np.prod(shape[:axis], dtype=np.int64)) != before:
            raise Unsupported("it mixes the batch dimension with others")
        return replace(self, shape=shape, batch_axis=axis)

    def reshape(self, target: Sequence[int], allow_zero: bool) -> "Flow":
        """Reshape: the batch dimension may be named by 0, -1, its size, or the Shape of an earlier value."""
        full = self.full_shape
        dims = [full[i] if d == 0 and not allow_zero and i < len(full) else int(d) for i, d in enumerate(target)]
        known = int(np.prod([d for d in dims if d not in (-1, BATCH)], dtype=np.int64))
        if BATCH not in dims:
            if -1 in dims and known == self.size:
                dims[dims.index(-1)] = BATCH
            elif self.batch is not None and self.batch in dims:
                dims[dims.index(self.batch)] = BATCH
                known //= max(self.batch, 1)
            else:
                raise Unsupported(f"its shape {list(map(int, target))} does not keep the batch dimension")
        if -1 in dims and known > 0:
            dims[dims.index(-1)] = self.size // known
        return self.with_full_shape(dims)

    def flatten(self, axis: int) -> "Flow":
        full = self.full_shape
        (axis,) = dimensions([axis], len(full)) if axis != len(full) else (axis,)
        left, right = full[:axis], full[axis:]
        return self.with_full_shape([self._product(left), self._product(right)])

    @staticmethod
    def _product(dims: Sequence[int]) -> int:
        rest = int(np.prod([d for d in dims if d != BATCH], dtype=np.int64))
        if BATCH not in dims:
            return rest
        if rest != 1:
            raise Unsupported("it mixes the batch dimension with others")
        return BATCH

    def squeeze(self, axes: Sequence[int] | None) -> "Flow":
        full = list(self.full_shape)
        drop = set(dimensions(axes, len(full))) if axes is not None else {i for i, d in enumerate(full) if d == 1}
        if any(full[i] != 1 for i in drop):
            raise Unsupported("it removes a dimension that is not 1")
        return self.with_full_shape([d for i, d in enumerate(full) if i not in drop])

    def unsqueeze(self, axes: Sequence[int]) -> "Flow":
        full = list(self.full_shape)
        rank = len(full) + len(axes)
        for axis in sorted(dimensions(axes, rank)):
            full.insert(axis, 1)
        return self.with_full_shape(full)

    def transpose(self, perm: Sequence[int] | None) -> "Flow":
        full = self.full_shape
        order = list(perm) if perm is not None else list(range(len(full)))[::-1]
        if sorted(order) != list(range(len(full))):
            raise Unsupported(f"its perm {order} is no order of {len(full)} dimensions")
        features = [i for i in order if full[i] not in (1, BATCH)]
        dims = [full[i] for i in order]
        if features == sorted(features):
            return self.relabel(dims)
        if self.batch_axis != 0 or order[0] != 0:
            raise Unsupported("it reorders the features of a value whose batch dimension is not the first")
        grid = np.arange(self.size, dtype=np.int32).reshape(self.shape)
        return self.take(np.transpose(grid, [i - 1 for i in order[1:]]))

    def relabel(self, dims: Sequence[int]) -> "Flow":
        """The flattened features under the dimensions ``dims``, wherever the batch dimension is among them."""
        return replace(self, shape=tuple(d for d in dims if d != BATCH), batch_axis=list(dims).index(BATCH))

    # Arithmetic ----------------------------------------------------------------------------------

    def affine(self, scale: Array | float, offset: Array | float) -> "Flow":
        """``scale * x + offset`` element by element; constants broadcast as ONNX says."""
        a, c = self._broadcast(scale), self._broadcast(offset)
        if self.host:
            return self._host("affine", scale=a.tolist(), offset=c.tolist())
        return replace(self, scale=self.scale * a, offset=self.offset * a + c)

    def _broadcast(self, constant: Array | float) -> NDArray[np.float64]:
        value = np.asarray(constant, dtype=np.float64)
        full = tuple(1 if d == BATCH else d for d in self.full_shape)
        while value.ndim > len(full) and value.shape[0] == 1:
            value = value[0]
        try:
            return np.broadcast_to(value, full).reshape(-1).copy()
        except ValueError:
            raise Unsupported(
                f"a constant of shape {list(value.shape)} does not fit a value of shape {self.text}"
            ) from None

    @property
    def text(self) -> str:
        return "[" + ", ".join("batch" if d == BATCH else str(d) for d in self.full_shape) + "]"

    def linear(self, weight: NDArray[np.float64], name: str) -> "Flow":
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

    def convolve(
        self, layer: LinearLayer, patches: NDArray[np.int32], recover: Callable[[NDArray[np.int32]], Window | None]
    ) -> "Flow":
        """A layer at several positions; outside of the image, at :data:`PAD`, a value is 0.

        ``recover`` gives the geometry of patches like these, if they have one.
        """
        flow = self.on_chip()._settle()
        order = np.maximum(patches, 0)
        for given in (flow.scale, flow.offset):
            most = np.where(patches == PAD, -np.inf, given[order]).max(axis=0)
            least = np.where(patches == PAD, np.inf, given[order]).min(axis=0)
            if (most > least).any():
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
        layer = replace(layer, weight=layer.weight * scale, bias=layer.bias + layer.weight @ offset)
        joined = joined.astype(np.int32)
        return flow.then(Linear(layer=layer, patches=joined, pad=pad, window=recover(joined)), node)

    def _source(self) -> tuple[Node, NDArray[np.int32], float]:
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
            batch_axis=0,
        )

    def take(self, grid: NDArray[np.int32], fill: float = 0.0, like: NDArray[np.int32] | None = None) -> "Flow":
        """Elements by their index, :data:`PAD` for ``fill``, in the shape of ``grid``."""
        flow = self.on_chip()
        index = grid.reshape(-1).astype(np.int32)
        like = index if like is None else like.reshape(-1).astype(np.int32)
        if (index == PAD).any():
            flow = flow.materialise()
        scale, offset = flow.scale[like], flow.offset[like]
        taken = flow.then(Gather(index=index, like=like, fill=fill), shape=grid.shape)
        return replace(taken, scale=scale, offset=offset)

    @property
    def pending(self) -> bool:
        """Whether something is still to be folded."""
        return bool(self.offset.any() or (self.scale != 1.0).any())

    @property
    def channel(self) -> NDArray[np.int32]:
        """Number of the channel of each element; without further dimensions an element is a channel."""
        return np.repeat(np.arange(self.shape[0] if self.shape else 1), max(1, int(np.prod(self.shape[1:])))).astype(
            np.int32
        )

    def materialise(self) -> "Flow":
        """The flow with nothing pending."""
        flow = self._settle()
        if not flow.pending:
            return flow
        index = np.arange(flow.size, dtype=np.int32)[:, None]
        operation = Combine(index=index, coefficient=flow.scale[:, None], offset=flow.offset, channel=flow.channel)
        return replace(flow.then(operation, shape=flow.shape), batch_axis=flow.batch_axis)

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
        if is_chain(flow.node) and len(flow.shape) <= 1 and not flow.pinned:
            # A ReLU that no weights precede: a layer of its own with a diagonal matrix.
            layer = LinearLayer(name=name, weight=np.diag(flow.scale), bias=flow.offset, relu=True)
            result = flow.then(Linear.dense(layer, np.arange(flow.size)), shape=flow.shape)
            return replace(result, batch_axis=flow.batch_axis)
        return self.map("clip", low=0.0)

    def map(self, function: str, **limits: float) -> "Flow":
        """A function of each element, by the digital side."""
        flow = self.on_chip().materialise()
        result = flow.then(Map(function=function, size=flow.size, **limits), shape=flow.shape)
        return replace(result, batch_axis=flow.batch_axis)

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

    def shaped(self) -> "Flow":
        """The flow with a host operator that gives its values their shape, the batch where it belongs."""
        if self.batch_axis == 0 and self.shape == (self.size,) and not self._has_shape():
            return self
        return self._host("reshape", shape=list(self.shape), batch_axis=self.batch_axis)

    def _has_shape(self) -> bool:
        return any(op.kind == "reshape" for op in self.host)

    def _host(self, kind: str, **parameters: Any) -> "Flow":
        return replace(self, host=(*self.host, HostOp(kind=kind, parameters=parameters)))

    def _host_axes(self, axes: Sequence[int]) -> list[int]:
        if self.batch_axis != 0:
            raise Unsupported("it is supported for values with the batch dimension first only")
        result = dimensions(axes, len(self.shape) + 1)
        if 0 in result:
            raise Unsupported("it works along the batch dimension")
        return result

    def softmax(self, kind: str, axis: int, to_the_end: bool) -> "Flow":
        """Softmax or LogSoftmax along ``axis``; before opset 13 along all dimensions from there."""
        rank = len(self.shape) + 1
        (first,) = dimensions([axis], rank)
        axes = self._host_axes(range(first, rank) if to_the_end else [first])
        return self._start_host()._host(kind, axes=axes)

    def argmax(self, axis: int, keepdims: bool, last: bool) -> "Flow":
        (axis,) = self._host_axes([axis])
        shape = list(self.shape)
        shape[axis - 1 : axis] = [1] if keepdims else []
        flow = self._start_host()._host("argmax", axis=axis, keepdims=keepdims, last=last)
        size = int(np.prod(shape, dtype=np.int64))
        return replace(flow, shape=tuple(shape), scale=np.ones(size), offset=np.zeros(size))

    def normalise(self) -> "Flow":
        """Values of each row divided by the sum of their magnitudes."""
        if not self.host:
            raise Unsupported("it follows no Softmax or Sigmoid at the end")
        return self._host("normalise", axis=self._host_axes([-1])[0])

    def complement(self, other: "Flow") -> "Flow":
        """Both probabilities of a binary classifier, ``other``, which is ``1 - self``, before ``self``."""
        rest = HostOp(kind="affine", parameters={"scale": [-1.0] * self.size, "offset": [1.0] * self.size})
        if other.host != (*self.host, rest) or self.shape != (1,):
            raise Unsupported(f"it follows {(self.host or other.host)[0].kind}, which is supported at the end only")
        result = self._host("complement")
        return replace(result, shape=(2,), scale=np.ones(2), offset=np.zeros(2))

    def look_up(self, table: Array) -> "Flow":
        """Entries of ``table`` instead of the indices that ArgMax gives."""
        if not any(op.kind == "argmax" for op in self.host):
            raise Unsupported("it takes elements by what is no ArgMax")
        return self._host("look_up", table=table.tolist())

    def squash(self, function: str, inner: bool) -> "Flow":
        """Sigmoid or Tanh: by a table if steps follow, else by the host."""
        return self.map(function) if inner and not self.host else self._start_host()._host(function)

    def cast(self, dtype: np.dtype[Any]) -> "Flow":
        """A cast to a float type changes nothing before the end; the output's type is set by the last cast."""
        if self.host:
            return self._host("cast", dtype=dtype.name)
        if not np.issubdtype(dtype, np.floating):
            raise Unsupported(f"it casts to {dtype.name}, which rounds the value; only float types are supported")
        return self

    def _start_host(self) -> "Flow":
        """Values in their own shape, for operators that look at dimensions."""
        return self.end_layers()._host("reshape", shape=list(self.shape), batch_axis=0)
