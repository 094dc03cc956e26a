"""A layer on tiles against the functional path: same lanes, with noise that its numbers address."""

import numpy as np
import pytest

from mho.compiler.model.windows import windows
from mho.compiler.program import Call, Layer, Mvm, run_call
from mho.hw.kinds.tnsa.blocks import TnsaCoreReference
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place, Reduction
from mho.hw.tile.interpreter.state import ReferenceCore
from mho.hw.tile.interpreter.tiles import Tiles
from mho.macro_models import load_device
from mho.macro_models.integer.operation import Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.integer.vector import Requantise, Root
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel

CFG = TileConfig(lines=16)
OP = TnsaOperation(in_bits=4, in_signed=True, out_bits=6, step_code=60)
SHIFT, OUTPUTS, IMAGES, FIRST = 3, 16, 3, 70
MEMBER = """
stream in: block 4, blocks 8, remote
stream part: block 32, blocks 2
stream out: block 16, blocks 2
walk taps: stream in, kernel_x 2, kernel_y 2, width 4, height 4, run 2, channel {channel}
mvm layer: i_last 1, o_last 7, in_bits 4, in_signed, out_bits 6, step_code 60, operation {operation}, conversions 2
vec leaf: a drain, target accumulators, elements 16, parameters scale, shift 3
vec lanes: kind max, a accumulators, target part, wide, elements 16
vec root: a result0, target out, elements 16, parameters bias, shift 5, lo 0, hi 7
first_image: 70
"""
LOOP = """
loop forever {{
    loop 9 {{
        mvm layer, taps, advance, free
        vec leaf
        vec lanes, push
        send part, context 0, free
        {root}
    }}
    image
}}
"""


def parameters(name, fields):
    return f"parameters {name} {{\n" + "\n".join(fields) + "\n}\n"


def program(number, operation, scale, bias):
    text = MEMBER.format(channel=2 * number, operation=operation)
    text += parameters("scale", [f"m {m}, target {k}, valid, start" for k, m in enumerate(scale)])
    text += parameters("bias", [f"m 1, c {-b}" for b in bias])
    return assemble(text + LOOP.format(root="" if number else "vec root, push\nsend out, flow 0, free"))


@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
def test_a_layer_over_two_tiles_has_the_lanes_of_the_functional_path(device):
    rng = np.random.default_rng(5)
    models = [TnsaModel(TnsaConfig(lines=16), rng.uniform(1, 40, (16, 16)), device=load_device(device), seed=3, core=k)
              for k in range(2)]
    window = windows((4, 4), (2, 2), {})
    patches = np.concatenate([window.index + 16 * c for c in range(4)], axis=1).astype(np.int32)
    multipliers, bias = rng.integers(200, 800, (2, OUTPUTS)), rng.integers(-20, 60, OUTPUTS).astype(np.int16)
    products = []
    for k in range(2):
        # A tile takes pixel by pixel its two channels; the functional path, channel by channel.
        place = np.arange(8).reshape(4, 2).T.ravel()
        products.append(Mvm(core=k, operation=40 + k, op=OP, first=8 * k, rows=place.astype(np.int32),
                            columns=np.arange(16, dtype=np.int32), outputs=np.arange(OUTPUTS, dtype=np.int32),
                            multiplier=multipliers[k].astype(np.int32)))
    root = Root(bias=bias, relu=True, requantise=Requantise(shift=5, low=0, high=7))
    layer = Layer(name="l", inputs=16, outputs=OUTPUTS, spread=np.arange(16, dtype=np.int32), mvms=tuple(products),
                  shift=SHIFT, root=root, positions=9)
    assert layer.conversions == 2
    call = Call(layer=0, patches=patches, pad=np.zeros(16, np.int16))
    images = rng.integers(-7, 8, (IMAGES, 4, 4, 4)).astype(np.int16)  # channels first

    def run(call, mvm, rows, op_id):
        x = mvm.vector(rows, 8)
        return models[mvm.core].mvm(OP, Masks.reset(16), x, op_id).codes[:, mvm.columns]

    expected = run_call(call, layer, images.reshape(IMAGES, -1), np.arange(FIRST, FIRST + IMAGES), run)
    cores = [ReferenceCore(TnsaCoreReference(TnsaCoreConfig(lines=16), model)) for model in models]
    joined = Joined(
        tiles={name: Place(program=program(k, 40 + k, multipliers[k], bias), cfg=CFG, core=cores[k])
               for k, name in enumerate(("root", "b"))},
        flows=(Flow(sender="root", number=0, to=(HOST,)),),
        reductions=(Reduction(context=0, members=("root", "b"), root="root"),),
    )
    tiles = Tiles(joined, images=IMAGES)
    pixels = [row.astype(np.int8).tobytes() for row in images.transpose(0, 2, 3, 1).reshape(-1, 4)]
    for name in ("root", "b"):
        tiles.give(name, 0, pixels)
    assert tiles.run()
    codes = np.array([np.frombuffer(block, np.int8) for block in tiles.received["root", 0]])
    codes = codes.reshape(IMAGES, 9, OUTPUTS).transpose(0, 2, 1).reshape(IMAGES, -1)
    np.testing.assert_array_equal(codes, expected)
    assert len(np.unique(codes)) > 2
