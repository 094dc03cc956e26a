"""Networks of tiles for tests: the examples, and a residual network of many layers."""

from dataclasses import replace
from pathlib import Path

from mho.hw.tile.asm import assemble, assemble_named
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place
from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.program import Program

EXAMPLES = Path(__file__).parents[4] / "examples" / "tile"


def with_blocks(program: Program, stream: int, blocks: int) -> Program:
    """The same with another number of blocks in a ring, wherever in the buffer that ends."""
    descriptor, words = DESCRIPTORS["stream"], list(program.descriptors)
    fields = program.descriptor("stream", stream) | {"blocks": blocks}
    words[descriptor.at(stream)] = descriptor.layout.pack(fields)
    return replace(program, descriptors=tuple(words))


def example(name, core=None, **blocks):
    """An example's tile; ``in_blocks=18`` gives its ring ``in`` 18 blocks."""
    path = EXAMPLES / f"{name}.s"
    text = path.read_text(encoding="utf-8")
    names = assemble_named(text).streams
    program = assemble(text, path.name)
    for key, count in blocks.items():
        number = next(k for k, called in names.items() if called == key.removesuffix("_blocks"))
        program = with_blocks(program, number, count)
    return Place(program=program, names=names, core=core)


def residual(skip_blocks=12, cores=(None, None)):
    """The residual block over two tiles."""
    return Joined(
        tiles={"first": example("residual_first", cores[0]),
               "second": example("residual_second", cores[1], skip_blocks=skip_blocks)},
        flows=(Flow(sender="first", number=0, to=("second",), slot=0),
               Flow(sender="first", number=1, to=("second",), slot=1),
               Flow(sender="second", number=0, to=(HOST,))),
    )


def convolution(width, channels, kernel=3, stride=1, skip_to=0, skip_from=False):
    """A convolution on a tile: ``skip_to`` is the stride of a skip that it sends, ``skip_from`` whether it adds one."""
    out = width // stride
    body = ["mvm layer, taps, advance, free", "vec leaf",
            "vec root, free_b, push" if skip_from else "vec root, push", "send out, flow 0, free"]
    lines = [
        f"stream in: block {channels}, blocks {2 * width + 6}, remote, slot 0",
        f"stream out: block {channels}, blocks 2",
        f"walk taps: stream in, kernel_x {kernel}, kernel_y {kernel}, pad_x 1, pad_y 1, stride_x {stride}, "
        f"stride_y {stride}, width {width}, height {width}, positions_x {out}, positions_y {out}",
        "mvm layer: i_last 63, o_last 7", "vec leaf: a drain, target accumulators, elements 16",
        f"vec root: a accumulators, target out, elements {channels}, period 1" + (", b skip" if skip_from else ""),
    ]
    if skip_from:
        lines.append(f"stream skip: block {channels}, blocks {2 * width + 8}, remote, slot 1")
    if skip_to:
        pixels = width // skip_to
        lines += [f"stream around: block {channels}, blocks 2",
                  f"walk each: stream in, width {width}, height {width}, stride_x {skip_to}, stride_y {skip_to}, "
                  f"positions_x {pixels}, positions_y {pixels}",
                  f"vec copy: kind max, a each, target around, elements {channels}"]
        body = ["vec copy, advance_a, push", "send around, flow 1, free", *body]
    return "\n".join([*lines, "loop forever {", f"loop {out * out} {{", *body, "}", "image", "}"])


def residual_network(width=32, blocks=3, channels=4):
    """A residual network as ResNet-20 (a convolution, blocks of two in three sizes, a mean), and what it is given.

    Channels do not matter to tokens, but for what the core takes: they are few.
    """
    texts, flows = {"stem": convolution(width, channels)}, []
    before = "stem"
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            first, second = f"c{stage}{block}a", f"c{stage}{block}b"
            texts[first] = convolution(width, channels, stride=stride, skip_to=stride)
            width //= stride
            texts[second] = convolution(width, channels, skip_from=True)
            flows += [Flow(sender=before, number=0, to=(first,), slot=0),
                      Flow(sender=first, number=0, to=(second,), slot=0),
                      Flow(sender=first, number=1, to=(second,), slot=1)]
            before = second
    mean = f"walk all: stream in, kernel_x {width}, kernel_y {width}, width {width}, height {width}"
    texts["last"] = "\n".join([
        f"stream in: block {channels}, blocks {width * width + 2}, remote, slot 0",
        f"stream out: block {channels}, blocks 2", mean,
        f"vec mean: a all, target out, elements {channels}, period 1",
        "loop forever {", "vec mean, advance_a, free_a, push", "send out, flow 0, free", "image", "}"])
    flows += [Flow(sender=before, number=0, to=("last",), slot=0), Flow(sender="last", number=0, to=(HOST,))]
    cfg = TileConfig()
    tiles = {name: Place(program=assemble(text, name), cfg=cfg, names=assemble_named(text, name).streams)
             for name, text in texts.items()}
    return Joined(tiles=tiles, flows=tuple(flows)), {("stem", 0): (width * 4) ** 2}
