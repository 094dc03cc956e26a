"""``mho asm``, ``mho disasm``: a tile's program from text to its file and back."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, WRITES

if TYPE_CHECKING:
    from mho.hw.tile.isa.program import Program

MOST_BYTES = 1 << 24
"""Of a file that is read."""
_NETWORK = b"PK"
"""What a network file begins with."""


@click.command("asm", epilog=example("mho asm perceptron.s -o perceptron.bin"))
@click.argument("source", metavar="P.s", type=READS)
@click.option("-o", "--output", metavar="P.bin", type=WRITES, help="Write the program.")
@common_options
def asm_command(source: str, output: str | None, out: Output) -> None:
    """Assemble a tile's program: what the host loads into its memories.

    P.s is text, as in examples/tile. It is refused with the line, what is wrong there and what would be right. An
    instruction that would trap on a tile of the largest memories, with the descriptors as they are at the start, is a
    warning. Without -o it is checked only, and its sizes are printed.
    """
    from mho.hw.tile.asm import assemble_named
    from mho.hw.tile.isa.legality import would_trap
    from mho.macro_models.errors import InputError
    from mho.macro_models.output import write_output

    try:
        text = _read(source).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source}: must be text in UTF-8; a program's file is read by mho disasm") from None
    program, _, lines = assemble_named(text, source)
    if not program.words:
        raise InputError(f"{source}: a program must have an instruction, at least halt")
    for sentence in would_trap(program, source, lines):
        out.warn(sentence)
    sizes = _sizes(program)
    out.table(("memory", "used"), list(sizes.items()))
    if output is not None:
        write_output(output, program.pack())
        out.note(f"wrote {output}")
    out.json({"source": source, "output": output, "sizes": sizes})


@click.command("disasm", epilog=example("mho disasm perceptron.bin -o again.s"))
@click.argument("program", metavar="P", type=READS)
@click.option("-o", "--output", metavar="P.s", type=WRITES, help="Write the text to a file.")
@common_options
def disasm_command(program: str, output: str | None, out: Output) -> None:
    """Write a tile's program as text that gives the same file again.

    P is a file of mho asm: descriptors are called by their numbers, as s3 or v0; what is illegal is written in words.
    Or it is a network file that was compiled for tiles: the programs of all of them, as the compiler writes them.
    """
    from mho.hw.tile.asm import disassemble
    from mho.hw.tile.isa.program import Program
    from mho.macro_models.output import write_output

    data = _read(program, networks=True)
    if data.startswith(_NETWORK):
        texts, sizes = _of_network(program)
        text = "\n".join(texts.values())
        content: dict[str, object] = {"tiles": {tile: {"sizes": sizes[tile], "text": texts[tile]} for tile in texts}}
    else:
        unpacked = Program.unpack(data, program)
        text = disassemble(unpacked)
        content = {"sizes": _sizes(unpacked), "text": text}
    if output is not None:
        write_output(output, text.encode())
        out.note(f"wrote {output}")
    else:
        for line in text.splitlines():
            out.text(line)
    out.json({"program": program, "output": output, **content})


def _of_network(path: str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Texts of the tiles of a network file, and what each takes of its memories."""
    from mho.compiler.network import Network
    from mho.compiler.tile import tile_programs

    programs = tile_programs(Network.load(path))
    return dict(programs.texts), {tile: _sizes(place.program) for tile, place in programs.joined.tiles.items()}


def _read(path: str, *, networks: bool = False) -> bytes:
    from mho.macro_models.errors import InputError

    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: must have at most {MOST_BYTES} bytes")
    if data.startswith(_NETWORK) and not networks:
        raise InputError(f"{path}: a network file holds no programs of tiles; it must be a file of mho asm")
    return data


def _sizes(program: "Program") -> dict[str, int]:
    from mho.hw.tile.isa import DESCRIPTORS

    used = {
        f"{name} descriptors": sum(any(program.descriptors[table.at(k)]) for k in range(table.count))
        for name, table in DESCRIPTORS.items()
    }
    streams = [program.descriptor("stream", k) for k in range(DESCRIPTORS["stream"].count)]
    rings = max((s["base"] + s["block"] * s["blocks"] for s in streams), default=0)
    return {
        "instructions": len(program.words), **used, "parameters": len(program.parameters),
        "bytes of the buffer": max(rings, len(program.buffer)),
    }
