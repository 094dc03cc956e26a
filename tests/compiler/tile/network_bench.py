"""A network on the interpreter of all tiles, beside the program that every other backend runs."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler import Network
from mho.compiler.tile.programs import TilePrograms, tile_programs
from mho.hw.kinds.tnsa.blocks import TnsaCoreReference
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.tile.interpreter.state import ReferenceCore
from mho.macro_models import Masks
from mho.sim.executor import build_cores, core_masks
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.interpreted import run_tiles, values_of

DAY = 86_400.0


def residual_network(blocks: int, *, channels: int = 3, size: int = 8, seed: int = 0) -> tuple[Any, NDArray[Any]]:
    """A convolution, pooling, ``blocks`` residual blocks of two convolutions, pooling, a dense layer; and inputs."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[Any]:
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype("f4")

    half, quarter = size // 2, size // 4
    weights = {"k": 2 * normal(channels, 1, 3, 3), "b": normal(channels, 1)[:, 0],
               "w": normal(10, channels * quarter * quarter), "c": normal(10, 1)[:, 0]}
    nodes = [node("Conv", "x k b", "c0", pads=[1] * 4), node("Relu", "c0", "r0"),
             node("MaxPool", "r0", "v0", kernel_shape=[2, 2], strides=[2, 2])]
    for n in range(blocks):
        weights |= {f"d{n}": normal(channels, channels, 3, 3), f"e{n}": normal(channels, channels, 3, 3)}
        nodes += [node("Conv", f"v{n} d{n}", f"f{n}", pads=[1] * 4), node("Relu", f"f{n}", f"g{n}"),
                  node("Conv", f"g{n} e{n}", f"h{n}", pads=[1] * 4), node("Add", f"h{n} v{n}", f"a{n}"),
                  node("Relu", f"a{n}", f"v{n + 1}")]
    assert half * 2 == size
    nodes += [node("MaxPool", f"v{blocks}", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "p", "q"),
              node("Gemm", "q w c", "y", transB=1)]
    x = rng.uniform(size=(40, 1, size, size)).astype("f4")
    return build(nodes, weights, shape=("batch", 1, size, size), output=("batch", 10)), x


class Masked:
    """A model with the masks of its core, as the host writes them before the start."""

    def __init__(self, model: Any, masks: Masks) -> None:
        self.model, self.masks = model, masks

    def mvm(self, op: Any, masks: Masks, x: Any, op_id: Any) -> Any:
        return self.model.mvm(op, self.masks, x, op_id)


def compare(
    network: Network, x: NDArray[Any], *, device: str, first: int = 0, watched: bool | Collection[int] = True
) -> tuple[TilePrograms, dict[int, NDArray[np.int16]], list[NDArray[np.int16]]]:
    """Programs, what the host got of all values, and what it should have got."""
    models, masks = build_cores(network, device=device, seed=3, time_s=DAY), core_masks(network)
    rows = network.chip.macro_config().cell_map.rows

    def product(call: Any, mvm: Any, codes: NDArray[np.int16], op_id: NDArray[np.uint64]) -> NDArray[np.int16]:
        result = models[mvm.core].mvm(mvm.op, masks[mvm.core], mvm.vector(codes, rows), op_id)
        return result.codes[:, mvm.columns]

    lanes = network.program.input.compute(x.reshape(len(x), -1))
    expected = values_of(network.program, lanes, np.arange(first, first + len(x), dtype=np.uint64), product)
    programs = tile_programs(network, image=first, watched=watched)
    cores = [ReferenceCore(TnsaCoreReference(TnsaCoreConfig(lines=network.chip.lines), Masked(model, mask)))
             for model, mask in zip(models, masks, strict=True)]
    return programs, run_tiles(programs, network.chip, cores, lanes), expected
