"""What ``docs/explanation/tile.md`` shows is so."""

import re
from pathlib import Path

import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.interpreter.liveness import check_liveness
from mho.macro_models.errors import InputError
from tests.hw.tile.interpreter.networks import residual

PAGE = (Path(__file__).parents[3] / "docs" / "explanation" / "tile.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)


def test_the_perceptron_of_the_page_is_a_program():
    streams = next(block for block in BLOCKS if block.startswith("stream in:"))
    program = next(block for block in BLOCKS if block.startswith("walk whole"))
    assert len(assemble(streams + program).words) == 6


@pytest.mark.parametrize("line", re.findall(r"\| `\w+` \| [^|]* \| `([^`]*)` \|", PAGE))
def test_descriptors_of_the_page_are_legal(line):
    streams = "stream first: block 16, blocks 2\nparameters bias { 8 * m 1 }\n"
    declared = "" if line.startswith("stream in") else "stream in: block 2, blocks 20\n"
    out = "stream out: block 16, blocks 2\n"
    assemble(streams + declared + out + line)


TEXT = PAGE.split("## The text\n")[1].split("\n## ")[0]
AROUND = """
stream in: block 8, blocks 4, remote
stream out: block 8, blocks 2
stream part: block 8, blocks 2
stream pairs: block 8, blocks 2
walk taps: stream in
mvm layer: i_last 1, o_last 3
vec root: a accumulators, target out, elements 4
"""


@pytest.mark.parametrize("line", [line for cell in re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)
                                  for line in re.findall(r"`([^`]+)`", cell)])
def test_what_the_page_says_of_the_text_is_read(line):
    declares = not line.startswith("set ") and (":" in line or line.endswith("}"))
    closed = line if not line.endswith("{") else f"{line}\nhalt\n}}"
    assemble(closed if declares else AROUND + closed)


def test_the_sentence_of_the_page_is_that_of_the_check():
    sentence = next(block for block in BLOCKS if "can get stuck" in block).strip()
    with pytest.raises(InputError) as refused:
        check_liveness(residual(4), {("first", 0): 64})
    assert str(refused.value) == sentence
