"""Any program has a text that gives the same bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.tile.asm import assemble, disassemble
from mho.hw.tile.isa import DESCRIPTOR_WORDS, DESCRIPTORS, INSTRUCTIONS, Op, encode
from mho.hw.tile.isa.program import Program

PARAMETER_BITS = (1 << 59) - 1


@st.composite
def words(draw):
    """Instructions with fields of all kinds, and words of any bits."""
    program = []
    for op in draw(st.lists(st.sampled_from([*Op, Op.LOOP, Op.SET, None]), max_size=25)):
        if op is None:
            program.append(draw(st.integers(0, 2**32 - 1)))
            continue
        fields = {f.name: draw(st.integers(0, min((1 << f.width) - 1, 20))) for f in INSTRUCTIONS[op].layout.fields}
        program.append(encode(op, **fields))
    return tuple(program)


@st.composite
def descriptors(draw):
    memory = [0] * DESCRIPTOR_WORDS
    for descriptor in DESCRIPTORS.values():
        for number in draw(st.sets(st.integers(0, descriptor.count - 1), max_size=4)):
            if draw(st.booleans()):
                memory[descriptor.at(number)] = draw(st.tuples(*[st.integers(0, 2**32 - 1)] * descriptor.layout.words))
            else:
                memory[descriptor.at(number)] = descriptor.layout.pack(
                    {f.name: draw(st.integers(*f.range)) for f in descriptor.layout.fields})
    return tuple(memory)


@st.composite
def programs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Program(
        words=draw(words()), descriptors=draw(descriptors()), image=draw(st.integers(0, 2**32 - 1)),
        key=draw(st.sampled_from([0, 1, 2**63])),
        registers=draw(st.tuples(*[st.integers(0, 65535)] * 3)),
        parameters=rng.integers(0, PARAMETER_BITS, draw(st.integers(0, 20)), dtype=np.uint64),
        tables=rng.integers(-32768, 32768, (2, 1024)).astype(np.int16) * np.array([[draw(st.booleans())], [0]]),
        buffer=rng.bytes(draw(st.integers(0, 40))),
    )


@pytest.mark.slow
@given(programs())
@settings(max_examples=150, deadline=None)
def test_the_text_of_a_program_gives_its_bytes(program):
    text = disassemble(program)
    again = assemble(text)
    assert again.pack() == program.pack()
    assert disassemble(again) == text


@given(programs())
@settings(max_examples=50, deadline=None)
def test_a_file_is_a_program(program):
    packed = program.pack()
    assert Program.unpack(packed) == program
    assert Program.unpack(packed).pack() == packed
