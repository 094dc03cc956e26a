"""``mho asm`` and ``mho disasm``: a program as text, as a file, and as text again."""

import json
from pathlib import Path

import pytest

from mho.cli import run
from mho.compiler import CompileOptions, compile_model
from mho.compiler.passes import compile_tiles
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.hw.tile.isa.program import Program
from tests.compiler.tile.network_bench import residual_network

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "tile").glob("*.s"))


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_goes_there_and_back(source, tmp_path, capsys):
    first, text, second = (tmp_path / name for name in ("a.bin", "a.s", "b.bin"))
    assert run(["asm", str(source), "-o", str(first)]) == 0
    assert run(["disasm", str(first), "-o", str(text)]) == 0
    assert run(["asm", str(text), "-o", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    capsys.readouterr()
    assert run(["disasm", str(first)]) == 0
    assert capsys.readouterr().out == text.read_text()


def test_sizes_are_those_of_the_program(tmp_path, capsys):
    source = next(path for path in EXAMPLES if path.stem == "conv_pool")
    assert run(["asm", str(source), "--json", "-"]) == 0
    sizes = json.loads(capsys.readouterr().out)["sizes"]
    assert sizes == {"instructions": 10, "stream descriptors": 3, "walk descriptors": 2, "mvm descriptors": 1,
                     "vec descriptors": 3, "parameters": 8, "bytes of the buffer": 120}
    assert list(tmp_path.iterdir()) == []


def cut(data):
    return data[:-5]


def altered(data):
    return data[:20] + bytes([data[20] ^ 1]) + data[21:]


@pytest.mark.parametrize(("command", "name", "content", "sentence"), [
    ("asm", "p.s", b"loop 3 {\nmvm x, y\n}\n", "p.s:2: mvm 'x' is unknown: it must be declared first"),
    *(("asm", "p.s", f"mvm m: i_last 0, o_last 0, in_bits 4, out_bits 8, {name} {bits}\n".replace(
        f"{name} {legal}, ", "", 1).encode(), f"p.s:1: {name} must be 1 to {limit}, not {bits}")
      for name, bits, legal, limit in (("in_bits", 9, 4, 8), ("out_bits", 16, 8, 15), ("out_bits", 0, 8, 15))),
    ("asm", "p.s", b"", "p.s: a program must have an instruction, at least halt"),
    ("asm", "p.s", b"\xff\xfe", "must be text in UTF-8; a program's file is read by mho disasm"),
    ("asm", "p.mho", b"PK\x03\x04", "a network file holds no programs of tiles"),
    ("disasm", "p.mho", b"PK\x03\x04", "p.mho"),
    ("disasm", "p.bin", b"halt\n" * 5, "must be a program of a tile, which begins with 'mhoT'"),
    ("disasm", "p.bin", b"", "must be a program of a tile"),
    ("disasm", "p.bin", cut(Program(words=(1, 2, 3)).pack()), "its checksum is not that of its bytes"),
    ("disasm", "p.bin", altered(Program(words=(1, 2, 3)).pack()), "its checksum is not that of its bytes"),
    ("disasm", "p.bin", Program(words=(0,) * 513).pack(), "the tile has 512 instructions, not 513"),
])
def test_what_is_refused_is_one_sentence_and_writes_nothing(command, name, content, sentence, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(content)
    assert run([command, str(path), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_would_trap_is_a_warning(tmp_path, capsys):
    path = tmp_path / "p.s"
    path.write_text("stream in: block 8, blocks 2\nwalk w: stream in, run 9\nmvm m: i_last 1, o_last 0\n"
                    "mvm m, w\nfree in 3\nword 0x80000000\n")
    assert run(["asm", str(path)]) == 0
    must = "would trap ({}): it must be that"
    assert capsys.readouterr().err.replace(f"warning: {path}:", "").splitlines() == [
        f"4: instruction 0 (mvm) {must.format('address')} the codes of the walk fit in the words that the core takes",
        f"4: instruction 0 (mvm) {must.format('address')} channel + run of a walk are within a block of its stream",
        f"5: instruction 1 (free) {must.format('ring')} n is at most the blocks of the ring",
        "6: instruction 2 would trap (opcode)",
    ]


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda path: path.stem)
def test_no_example_would_trap(source, capsys):
    assert run(["asm", str(source)]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    assert run(["asm", str(tmp_path / "none.s")]) == 2
    assert "none.s: No such file or directory" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_file_gives_the_programs_of_its_tiles(tmp_path, capsys):
    sample, chip = load_sample("digits"), load_chip("tnsa64-2x2")
    options = CompileOptions(seeds=1, samples=16)
    compile_tiles(sample.model, chip, calibrate=sample.calibrate, options=options).save(tmp_path / "n.mho")
    assert run(["disasm", str(tmp_path / "n.mho"), "--json", "-"]) == 0
    tiles = json.loads(capsys.readouterr().out)["tiles"]
    assert sorted(tiles) == ["0,0", "0,1", "1,0", "1,1"]
    for tile in tiles.values():
        (tmp_path / "t.s").write_text(tile["text"])
        assert run(["asm", str(tmp_path / "t.s"), "--json", "-"]) == 0
        assert json.loads(capsys.readouterr().out)["sizes"] == tile["sizes"]
    model, x = residual_network(0, channels=2)
    compile_model(model, chip, calibrate=x, options=options).save(tmp_path / "h.mho")
    assert run(["disasm", str(tmp_path / "h.mho")]) == 2
    assert "must have its rows in the order of a walk, as compiled for tiles" in capsys.readouterr().err


@pytest.mark.parametrize("changed", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_text_as_editors_of_windows_write_it(tmp_path, changed):
    text, packed = "stream in: block 4, remote\nwait in 1\nhalt\n", []
    for written in (text, changed(text)):
        (tmp_path / "t.s").write_bytes(written.encode())
        assert run(["asm", str(tmp_path / "t.s"), "-o", str(tmp_path / "t.bin")]) == 0
        packed.append((tmp_path / "t.bin").read_bytes())
    assert packed[0] == packed[1]
