"""Whatever is given is a program or one sentence."""

import struct
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.tile.asm import assemble, disassemble
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError

EXAMPLES = Path(__file__).parents[4] / "examples" / "tile"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.s"))]
WORDS = [
    "{", "}", ":", ",", ".", "..", "*", "@", "-1", "0x", "99999999999", "é", "\t", "loop", "set vec leaf:", "stream",
    "raw walk @3:", "table 0 {", "1000000 * 1", "5 * m 1..", "first_image:", "register 2:", "word", "\x00",
    "core masks",
]


def tried(function, *arguments):
    """What a function gives, or its sentence."""
    try:
        return function(*arguments), ""
    except InputError as error:
        return None, str(error)


@st.composite
def changed(draw):
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(WORDS)) + text[at + draw(st.integers(0, 9)) :]
    return text


@given(changed())
@settings(max_examples=150, deadline=None)
def test_a_text_that_was_changed_is_a_program_or_a_sentence(text):
    program, sentence = tried(assemble, text, "p.s")
    if program is None:
        assert sentence.startswith("p.s:")
        assert len(sentence) <= 250
    else:
        assert assemble(disassemble(program)) == program


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_file_that_was_changed_is_a_program_or_a_sentence(data):
    body = bytearray(assemble(data.draw(st.sampled_from(TEXTS))).pack()[:-4])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    packed = bytes(body) + struct.pack("<I", zlib.crc32(body))
    program, sentence = tried(Program.unpack, packed, "p.bin")
    if program is None:
        assert sentence.startswith("p.bin:")
    else:
        assert program.pack() == packed
        assert assemble(disassemble(program)).pack() == packed
