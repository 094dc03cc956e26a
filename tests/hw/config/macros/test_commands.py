"""``[macro.commands]``: what it may hold, and the sentences for what it may not."""

from typing import Any

import pytest

from mho.hw.config import MacroSection
from mho.hw.config.macros.commands import CommandTable, CommandTerm, CommandWord, parse_commands
from mho.macro_models.errors import InputError

TABLE: dict[str, Any] = {"clear": ["1"], "sample": ["2 pos", "3 neg[15:0]"], "read": ["6 0x100 | line << 1"]}


def test_commands_are_read() -> None:
    table = parse_commands(TABLE, "macro.commands")
    assert table == CommandTable(
        clear=(CommandWord(command=1, text="1"),),
        sample=(
            CommandWord(command=2, terms=(CommandTerm(source="pos"),), text="2 pos"),
            CommandWord(command=3, terms=(CommandTerm(source="neg", low=0, high=15),), text="3 neg[15:0]"),
        ),
        read=(
            CommandWord(
                command=6, terms=(CommandTerm(value=256), CommandTerm(source="line", shift=1)),
                text="6 0x100 | line << 1",
            ),
        ),
        command_bits=3,
    )
    assert table.problems(16) == []
    assert table.problems(64) == [
        "macro.commands.sample: the data word must have at most 16 bits (macro.commands.data_bits), not the 64 of "
        '"2 pos"; a part is written as pos[15:0]'
    ]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("sample", None, 'macro.commands.sample is missing: it is a list of 1 to 256 commands, as ["2 pos", "3 neg"]'),
        ("read", [], 'macro.commands.read must be a list of 1 to 256 commands, as ["2 pos", "3 neg"]'),
        ("clear", ["x"], 'macro.commands.clear must hold commands as "5", "2 pos[15:0]" or "5 0x100 | backward", '
                         'not "x"'),
        ("clear", [1], 'macro.commands.clear must hold commands as "5", "2 pos[15:0]" or "5 0x100 | backward", not 1'),
        ("clear", ["1 poss"], 'macro.commands.clear: "poss" in "1 poss" is nothing a data word is made of; '
                              "did you mean pos?"),
        ("clear", ["1 pos |"], 'macro.commands.clear: "" in "1 pos |" is nothing a data word is made of; it is a '
                               "number or one of pos, neg, bl_pos, bl_neg, sl_pos, sl_neg, wl_en, plane, backward, "
                               "line, first"),
        ("clear", ["1 pos[0:7]"], 'macro.commands.clear: write pos[7:0], the highest bit first, in "1 pos[0:7]"'),
        ("clear", ["0x1ffffffff"], 'macro.commands.clear: a command must have at most 32 bits, not "0x1ffffffff"'),
        ("command_bits", 2, "macro.commands.command_bits must be 3 to 32 for these commands, not 2"),
        ("code_bits", 1, "macro.commands.code_bits must be an integer 2 to 32, not 1"),
        ("code_bits", True, "macro.commands.code_bits must be an integer 2 to 32, not true"),
        ("handshake", "pulse", 'macro.commands.handshake must be "level", "ready" or "four_phase", not "pulse"'),
        ("reads", ["1"], "unknown key macro.commands.reads; did you mean read?"),
    ],
)
def test_what_is_wrong_is_said(key: str, value: object, sentence: str) -> None:
    table = {name: item for name, item in {**TABLE, key: value}.items() if item is not None}
    with pytest.raises(InputError) as error:
        MacroSection(module="M", commands=table)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"lines": 17}, "macro.commands.lines must be 1 to 16, the lines of the core, not 17"),
        ({"codes": 3}, "macro.commands.codes must divide the 16 lines with converters, not 3"),
        ({"clear": ["1 pos[16]"]}, 'macro.commands.clear: pos has bits 0 to 15, not those of "1 pos[16]"'),
        ({"clear": ["1 line << 13"]}, "macro.commands.clear: the data word must have at most 16 bits "
                                      '(macro.commands.data_bits), not the 17 of "1 line << 13"'),
    ],
)
def test_what_does_not_fit_the_lines_is_said(change: dict[str, Any], problem: str) -> None:
    assert parse_commands(TABLE | change, "macro.commands").problems(16) == [problem]
