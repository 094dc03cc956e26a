"""Programs in objects: the text that people read is assembled to the program that the compiler made."""

import numpy as np
import pytest

from mho.compiler import CompileOptions
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.code.allocate import allocate
from mho.compiler.tile.code.ir import Data, Descriptor, Repeat, TileSource, counted
from mho.compiler.tile.refusal import NoRoomError
from mho.hw.config import load_chip
from mho.hw.tile.asm import assemble_named
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTORS, Op
from tests.compiler.importer.onnx_models import build, node


@pytest.mark.slow
def test_the_text_is_that_of_the_program() -> None:
    """Of a window with padding, a table, pooling, whole images and a layer on several tiles."""
    rng = np.random.default_rng(0)
    shapes = {"a": (4, 1, 3, 3), "b": (70, 4, 3, 3), "w": (3, 630)}
    weights = {name: (rng.normal(size=shape) / 3).astype("f4") for name, shape in shapes.items()}
    model = build([
        node("Conv", "x a", "c", pads=[1] * 4), node("Tanh", "c", "t"), node("Conv", "t b", "d", pads=[1] * 4),
        node("MaxPool", "d", "m", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "m", "f"),
        node("Gemm", "f w", "y", transB=1)], weights, shape=("batch", 1, 6, 6), output=("batch", 3))
    x = rng.uniform(-1, 1, size=(8, 1, 6, 6)).astype("f4")
    chip = load_chip("tnsa64-2x2", {"mesh.columns": 4, "mesh.rows": 4})
    options = CompileOptions(seeds=1, samples=8, copies=1)
    programs = tile_programs(compile_tiles(model, chip, calibrate=x, options=options))
    assert len(programs.texts) > 4
    text = "".join(programs.texts.values())
    assert all(f"\n{kind} " in text for kind in ("stream", "bytes", "walk", "mvm", "parameters", "table", "vec"))
    for tile, place in programs.joined.tiles.items():
        program, names, _ = assemble_named(programs.texts[tile])
        assert program == place.program
        assert names == place.names


def source(streams: int = 1, rows: int = 1, times: int = 1, body: int = 1, base: int = 0) -> TileSource:
    rings = tuple(Descriptor("stream", f"s{k}", (("block", 8), ("blocks", 2), *((("base", base),) if base else ())))
                  for k in range(streams))
    parameters = Data("parameters", "p0", np.tile(np.array([[1, 0, 0, 0, 0, 0]]), (rows, 1)))
    return TileSource(
        tile="0,0", descriptors={kind: rings if kind == "stream" else () for kind in DESCRIPTORS},
        data={"bytes": (), "parameters": (parameters,), "table": ()},
        code=(Repeat((counted(Op.FREE, "s0"),) * body, times=times),))


@pytest.mark.parametrize(("code", "sentence"), [
    (source(streams=17), "there is no place for stream 's16': the tile has 16"),
    (source(rows=65), "the tile has 64 parameters, not 65"),
    (source(base=1020), "'s0' of 16 bytes finds no place in a buffer of 1024"),
    (source(times=2**16), "n of LOOP must be 0 to 65535, not 65536"),
    (source(body=512), "body of LOOP must be 1 to 511, not 512"),
    (source(body=40), "the tile has 32 instructions, not 41"),
])
def test_what_a_tile_has_no_room_for(code: TileSource, sentence: str) -> None:
    cfg = TileConfig(lines=16, lanes=8, buffer_kib=1, parameters=64, instructions=32)
    program, names = allocate(source(), cfg)
    assert program == assemble_named("stream s0: block 8, blocks 2\nparameters p0 { m 1 }\nloop 1 {\nfree s0 1\n}\n")[0]
    assert names == {0: "s0"}
    with pytest.raises(NoRoomError, match=sentence):
        allocate(code, cfg)
