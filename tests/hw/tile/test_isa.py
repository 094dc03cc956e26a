"""Bits of instructions and descriptors, and what is legal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import (
    DESCRIPTOR_WORDS,
    DESCRIPTORS,
    INSTRUCTIONS,
    PARAMETER,
    STATUS,
    Cause,
    Op,
    decode,
    encode,
)
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.rules import RULES
from mho.macro_models.errors import InputError

LAYOUTS = [*(d.layout for d in DESCRIPTORS.values()), PARAMETER, STATUS]


def test_descriptors_fill_their_memory_without_gaps():
    end = 0
    for descriptor in DESCRIPTORS.values():
        assert descriptor.first == end
        end += descriptor.count * descriptor.layout.words
    assert end == DESCRIPTOR_WORDS


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@given(data=st.data())
@settings(max_examples=50)
def test_words_and_values_are_the_same_thing(layout, data):
    words = data.draw(st.tuples(*[st.integers(0, 2**32 - 1)] * layout.words))
    values = layout.unpack(words)
    again = layout.pack(values)
    assert layout.unpack(again) == values
    assert (again == words) is not layout.spare(words)
    assert not layout.spare(again)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=300)
def test_a_word_is_an_instruction_or_has_a_cause(word):
    op, fields, cause = decode(word)
    if op is None:
        assert cause is (Cause.OPCODE if word >> 27 >= 16 else Cause.RESERVED)
    else:
        assert (encode(op, **fields) == word) is (cause is Cause.NONE)


def test_every_instruction_has_a_duration_and_reads_as_one():
    assert set(INSTRUCTIONS) == set(Op)
    for op in Op:
        assert decode(encode(op)) == (op, {f.name: 0 for f in INSTRUCTIONS[op].layout.fields}, Cause.NONE)


def legal_memory():
    """Descriptors of which each is legal: streams 0 and 1, walk 0 on stream 0, product 0, vector operation 0."""
    memory = [0] * DESCRIPTOR_WORDS

    def put(descriptor, number, **values):
        kind = DESCRIPTORS[descriptor]
        memory[kind.at(number)] = kind.layout.pack(values)

    put("stream", 0, base=0, block=16, blocks=40, slot=3, remote=1)
    put("stream", 1, base=1024, block=64, blocks=4, first=4)
    ones = {f.name: 1 for f in DESCRIPTORS["walk"].layout.fields if f.low == 1}
    put("walk", 0, **ones | {"stream": 0, "run": 16, "kernel_x": 3, "kernel_y": 3, "width": 10, "height": 10})
    put("walk", 1, **ones | {"stream": 0, "run": 16, "kernel_x": 2, "kernel_y": 2, "width": 10, "height": 10})
    put("mvm", 0, conversions=1, i_first=0, i_last=35, o_first=0, o_last=7)
    put("vec", 0, a=24, b=31, target=1, a_format=2, wide=1, elements=16, parameters=0, period=16, lo=-5, hi=5)
    put("vec", 1, kind=1, a=17, b=31, target=1, elements=16, parameters=0, period=1, hi=5)
    return memory


LEGAL = [
    (Op.WAIT, {"stream": 0, "n": 40}), (Op.FREE, {"stream": 1, "n": 4}), (Op.PUSH, {"stream": 1, "n": 1}),
    (Op.MVM, {"advance": 1, "free": 1}), (Op.VEC, {"push": 1}), (Op.VEC, {"vec": 1, "advance_a": 1, "free_a": 1}),
    (Op.SEND, {"stream": 1, "flow": 1, "n": 255, "free": 1, "reduce": 1}), (Op.CORE, {"command": 2, "source": 1}),
    (Op.SET, {"first": 150, "words": 10}), (Op.LOOP, {"body": 1, "reg": 3}), (Op.HALT, {}), (Op.IMAGE, {}),
]


@pytest.mark.parametrize(("op", "fields"), LEGAL)
def test_legal_instructions(op, fields):
    whole = {f.name: 0 for f in INSTRUCTIONS[op].layout.fields} | fields
    assert refusal(op, whole, legal_memory(), TileConfig()) == (Cause.NONE, 0)


@pytest.mark.parametrize(("op", "fields", "change", "cause", "stream"), [
    (Op.WAIT, {"stream": 0, "n": 0}, {}, Cause.FIELD, 0),
    (Op.WAIT, {"stream": 1, "n": 5}, {}, Cause.RING, 1),
    (Op.PUSH, {"stream": 0, "n": 1}, {}, Cause.OWNER, 0),
    (Op.FREE, {"stream": 1, "n": 1}, {("stream", 1): {"base": 16200}}, Cause.ADDRESS, 1),
    (Op.FREE, {"stream": 1, "n": 1}, {("stream", 1): {"first": 5}}, Cause.FIELD, 1),
    (Op.FREE, {"stream": 0, "n": 1}, {("stream", 0): {"first": 39}}, Cause.FIELD, 0),
    (Op.FREE, {"stream": 0, "n": 1}, {("stream", 0): {"slot": 14}}, Cause.FIELD, 0),
    (Op.MVM, {"free": 1}, {}, Cause.FIELD, 0),
    (Op.MVM, {}, {("walk", 0): {"tail": 1}}, Cause.ADDRESS, 0),
    (Op.MVM, {}, {("walk", 0): {"channel": 1}}, Cause.ADDRESS, 0),
    (Op.MVM, {}, {("mvm", 0): {"o_first": 8}}, Cause.FIELD, 0),
    (Op.MVM, {}, {("mvm", 0): {"i_first": 28, "i_last": 63}}, Cause.NONE, 0),
    (Op.VEC, {"advance_a": 1}, {}, Cause.FIELD, 0),
    (Op.VEC, {}, {("vec", 0): {"kind": 5}}, Cause.RESERVED, 0),
    (Op.VEC, {}, {("vec", 0): {"target": 0, "wide": 0}}, Cause.OWNER, 0),
    (Op.VEC, {}, {("vec", 0): {"parameters": 500}}, Cause.ADDRESS, 0),
    (Op.VEC, {}, {("vec", 0): {"lo": 6}}, Cause.FIELD, 0),
    (Op.VEC, {"vec": 1, "free_a": 1}, {}, Cause.FIELD, 0),
    (Op.SEND, {"stream": 1, "n": 5}, {}, Cause.RING, 1),
    (Op.SEND, {"stream": 1, "n": 1, "flow": 2, "reduce": 1}, {}, Cause.FIELD, 1),
    (Op.CORE, {"command": 0, "source": 1}, {}, Cause.RESERVED, 0),
    (Op.SET, {"first": 31, "words": 1}, {}, Cause.ADDRESS, 0),
    (Op.SET, {"first": 159, "words": 2}, {}, Cause.ADDRESS, 0),
    (Op.LOOP, {"body": 1, "reg": 1, "n": 1}, {}, Cause.FIELD, 0),
])
def test_one_change_and_its_cause(op, fields, change, cause, stream):
    memory = legal_memory()
    for (kind, number), values in change.items():
        where, layout = DESCRIPTORS[kind].at(number), DESCRIPTORS[kind].layout
        memory[where] = layout.pack(layout.unpack(memory[where]) | values)
    whole = {f.name: 0 for f in INSTRUCTIONS[op].layout.fields} | fields
    assert refusal(op, whole, memory, TileConfig()) == (cause, stream)


@pytest.mark.slow
@given(word=st.integers(0, 11 * 2**27 + 2**27 - 1), memory=st.lists(
    st.integers(0, 2**32 - 1), min_size=DESCRIPTOR_WORDS, max_size=DESCRIPTOR_WORDS))
@settings(max_examples=100)
def test_any_bits_have_a_verdict(word, memory):
    op, fields, _ = decode(word)
    cause, stream = refusal(op, fields, memory, TileConfig())
    assert cause in (Cause.NONE, Cause.RESERVED, Cause.FIELD, Cause.ADDRESS, Cause.RING, Cause.OWNER)
    assert 0 <= stream < 16


def test_rules_say_what_they_are():
    assert all(rule.text and rule.ops for rule in RULES)


@pytest.mark.parametrize(("key", "value", "legal"), [
    ("lanes", 3, "2, 4 or 8"), ("lines", 36, "a multiple of 8"), ("buffer_kib", 0, "between 1 and 64"),
    ("instructions", 513, "between 16 and 512"), ("contexts", 3, "0, 1, 2 or 4"),
])
def test_sizes_that_are_refused(key, value, legal):
    with pytest.raises(InputError, match=f"{key} must be {legal}, not {value}"):
        TileConfig(**{key: value})
