"""Text to programs, and what is refused."""

import re

import pytest

from mho.hw.core.layout import unpack
from mho.hw.tile.asm import assemble
from mho.hw.tile.isa import DESCRIPTORS, Op, decode, encode
from mho.hw.tile.isa.vector import Parameters
from mho.macro_models.errors import InputError
from mho.macro_models.integer.tnsa.operation import TnsaOperation

PERCEPTRON = """
; a layer of 16 inputs and 8 outputs
stream in: block 16, blocks 2, remote, slot 3
stream out: block 16, blocks 2
bytes zeros { 16 * 0 }
walk whole: stream in, pad zeros
mvm layer: i_last 3, o_last 7, in_bits 4, in_signed, out_bits 6, step_code 300, operation 5
parameters scale {
    16 * m 1200, target 0.., valid, start
    m -3, c 7, d -9
}
vec leaf: a drain, target accumulators, elements 16, parameters scale, shift 4
vec root: a accumulators, target out, wide, elements 8, parameters 16, period 1, lo 0
loop forever {
    mvm layer, whole, advance, free
    vec leaf
    vec root, push
    send out, flow 2, free   # to the host
    image
}
halt
"""


def test_a_program_by_hand():
    program = assemble(PERCEPTRON)
    assert [decode(word)[0] for word in program.words] == [
        Op.LOOP, Op.MVM, Op.VEC, Op.VEC, Op.SEND, Op.IMAGE, Op.HALT]
    assert program.words[0] == encode(Op.LOOP, body=5)
    assert program.descriptor("stream", 0) == {
        "base": 16, "block": 16, "slot": 3, "blocks": 2, "first": 0, "remote": 1}
    assert program.descriptor("stream", 1)["base"] == 48
    assert program.descriptor("walk", 0)["run"] == 16
    mvm = program.descriptor("mvm", 0)
    op, _ = unpack(mvm["op"] | mvm["op_high"] << 32, TnsaOperation)
    assert (op.in_bits, op.out_bits, op.step_code, op.in_signed, op.relu) == (4, 6, 300, True, False)
    root = program.descriptor("vec", 1)
    assert (root["lo"], root["hi"], root["period"], root["b"], root["a_format"]) == (0, 32767, 1, 31, 2)
    assert len(program.parameters) == 17
    assert Parameters.unpack(program.parameters, 0, 17, 17).target.tolist() == [*range(16), 0]


def test_descriptors_can_be_set_on_the_way():
    program = assemble("stream a: block 8\nvec x: a a, target a, elements 8\nset vec x: a a, target a, elements 4\n"
                       "set 40: 0x1 2\nhalt")
    descriptor = DESCRIPTORS["vec"]
    assert program.words[0] == encode(Op.SET, first=descriptor.first, words=4)
    assert descriptor.layout.unpack(program.words[1:5])["elements"] == 4
    assert program.words[5:] == (encode(Op.SET, first=40, words=2), 1, 2, encode(Op.HALT))


@pytest.mark.parametrize(("line", "sentence"), [
    ("stream a: block 4, blocks 300", "1: blocks must be 1 to 255, not 300"),
    ("stream a: blocks 3", "1: stream must have block"),
    ("stream a: block 4, bloks 3", "1: field of stream 'bloks' is unknown: did you mean 'blocks'?"),
    ("stream a: block four", "1: block must be a whole number, not 'four'"),
    ("stream a: block 4, block 5", "1: block is there twice"),
    ("stream a: block 4\nstream a: block 4", "2: the name 'a' is taken"),
    ("stream a @3: block 4\nstream b @3: block 4",
     "2: there is no place for stream 'b': the tile has one of that number"),
    ("stream drain: block 4", "1: the name 'drain' is taken"),
    ("stream a @16: block 4", "1: what stands behind @ must be 0 to 15, not 16"),
    ("stream: block 4", "1: stream must have a name, as in 'stream first: ...'"),
    ("stream a: block 4095, blocks 17", "1: stream 'a' must end within 65536, and there is no place for it"),
    ("strem a: block 4", "1: declaration 'strem' is unknown: did you mean 'stream'?"),
    ("walk w: stream inn", "1: stream 'inn' is unknown: it must be declared first"),
    ("stream in: block 4\nwalk w: stream inn", "2: stream 'inn' is unknown: did you mean 'in'?"),
    ("vec v: a drain, target accumulator, elements 4", "1: target 'accumulator' is unknown: "
     "did you mean 'accumulators'?"),
    ("vec v: a drain, kind afine, target accumulators, elements 4", "1: kind 'afine' is unknown: "
     "did you mean 'affine'?"),
    ("stream a: block 4\nfree b", "2: stream 'b' is unknown: it must be one of a"),
    ("stream a: block 4\nfree a 0", "2: the number of blocks must be 1 to 255, not 0"),
    ("hlt", "1: instruction 'hlt' is unknown: did you mean 'halt'?"),
    ("halt now", "1: halt stands alone, not with 'now'"),
    ("loop 3 {\nhalt", "1: this loop is not closed: '}' is missing"),
    ("halt\n}", "2: there is no loop that '}' could close"),
    ("loop 3 {\n}", "1: the body of a loop has 1 to 511 words, not 0"),
    ("loop thrice {\nhalt\n}", "1: how often a loop runs must be a whole number, not 'thrice'"),
    ("loop 70000 {\nhalt\n}", "1: how often a loop runs must be 1 to 65535, not 70000"),
    ("loop 1 {\n" * 5 + "halt\n" + "}\n" * 5, "5: loops nest 4 deep at most"),
    ("stream a: block 4\nsend a", "2: send must have a flow or a context, as in 'send out, flow 0, free'"),
    ("stream a: block 4\nsend a, flow 16", "2: flow must be 0 to 15, not 16"),
    ("vec v: a drain, target accumulators, elements 4\nvec v, pushed",
     "2: flag of vec 'pushed' is unknown: did you mean 'push'?"),
    ("parameters p {\nm 5, x 3\n}", "2: field of a parameter 'x' is unknown"),
    ("parameters p {\n4 * m 32766..\n}", "2: m must be -32768 to 32767, not 32769"),
    ("bytes d { 1 2 300 }", "1: data must be -128 to 255, not 300"),
    ("bytes d @65535 { 1 2 }", "1: bytes 'd' must be within 0 to 65535, not at 65535"),
    ("bytes d { 1 2", "1: the block of bytes is not closed: '}' is missing"),
    ("table 0 { 4 * 1 }", "1: a table has 1024 entries, not 4"),
    ("table 2 { 1024 * 1 }", "1: tables are 0 and 1, not '2'"),
    ("register 4: 1", "1: registers are 1 to 3, not 4"),
    ("register 1: 65536", "1: register 1 must be 0 to 65535, not 65536"),
    ("raw stream @0: 1 2 3", "1: a stream has 2 words, not 3"),
    ("word 0x100000000", "1: a word must be 0 to 4294967295, not 4294967296"),
    ("loop 1 {\n" + "halt\n" * 512 + "}\n", "1: the body of a loop has 1 to 511 words, not 512"),
    ("halt\n" * 513, "513: a program has 512 words at most, not 513"),
    ("set vec x", "1: it is 'set vec NAME: fields' or 'set FIRST: WORD WORD ...'"),
    ("core erase a", "1: command 'erase' is unknown"),
    ("stream a: bloc 4", "1: field of stream 'bloc' is unknown: did you mean 'block'?"),
    ("stream a: block " + "9" * 5000, "1: block must be a whole number of at most 18 characters, not of 5000"),
    ("stream a: block \u0664", "1: block must be a whole number, not '\u0664'"),
    ("parameters p { m " + "9" * 20 + " }", "1: m must be a whole number of at most 18 characters, not of 20"),
    ("parameters p {\n" + "1024 * m 1\n" * 40 + "}", "18: the parameters of all declarations must fill their memory"),
    ("bytes d {\n" + "131071 * 0\n" * 40 + "}", "10: the data of all declarations must fill their memory"),
    ("bytes d { 3 * }", "1: data that are repeated are 'TIMES * NUMBER', not '3 *'"),
    ("bytes d: 1 2 3", "1: what bytes holds stands in braces, as in 'bytes d { ... }'"),
    ("bytes d @-1 { 1 }", "1: bytes 'd' must be within 0 to 65535, not at -1"),
    ("table 0 @3 { 1024 * 1 }", "1: a table has a place of its own, and cannot be at 3"),
    ("register 1: 3\nregister 1: 4", "2: register 1 is there twice"),
    ("first_image: 3\nfirst_image: 4", "2: first_image is there twice"),
    ("first_image a: 3", "1: first_image has a value only, as in 'first_image: 3'"),
    ("raw stream @0: 0 0\nraw stream @0: 0 0", "2: stream 0 is there twice"),
    ("stream a: block 4\nraw stream @0: 0 0", "2: stream 0 is there twice"),
    ("stream a: block 4\nsend a, flow 0, context 1", "2: send must have a flow or a context, not both"),
    ("vec v: a drain, target accumulators, elements 4\nvec v, push, push", "2: push is there twice"),
])
def test_what_is_refused(line, sentence):
    with pytest.raises(InputError, match=re.escape(f"p.s:{sentence}")) as refused:
        assemble(line, "p.s")
    assert len(str(refused.value)) <= 200


def test_tabs_part_words_as_spaces_do():
    text = "stream a: block 4\nloop 3 {\nwait a 2\ncore masks a, free\nset walk w: stream a\n}\nwalk w: stream a\n"
    assert assemble(text.replace(" ", "\t")) == assemble(text)


def test_a_text_of_very_many_declarations_is_read():
    text = "".join(f"bytes b{k} {{ {k % 100} }}\n" for k in range(2000)) + "".join(
        f"parameters p{k} {{ }}\n" for k in range(20_000))
    program = assemble(text + "halt\n")
    assert program.buffer[:: 8] == bytes(k % 100 for k in range(2000))
