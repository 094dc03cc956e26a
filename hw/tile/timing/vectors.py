"""How many cycles a vector operation takes its operands: groups of elements, and their terms."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import Format, Kind, Operand
from mho.hw.tile.isa.rules import is_draw, is_result, is_stream, is_walk
from mho.hw.tile.isa.vector import Parameters
from mho.hw.tile.rtl.lanes.accumulators import AT_A_TIME
from mho.hw.tile.rtl.lanes.draws import SEED_CYCLES

_CORE_WORD = 2


@dataclass(frozen=True)
class Beats:
    """Operands of a vector operation."""

    count: int
    """Cycles in which they are taken, if nothing is waited for."""
    memory: bool
    """Whether those of the first source come from the buffer."""
    late: int = 0
    """By how many cycles the last result is later: one if the last ones come from the buffer, one for a table."""
    words: tuple[int, ...] = ()
    """Of what comes in words, of the core or of sums, the beat in which each word is taken."""
    slow: int = 0
    """Cycles more in which results go to accumulators one by one."""
    drawn: int = 0
    """Cycles from when the engine has it until random numbers are there."""


def beats_of(vec: Mapping[str, int], cfg: TileConfig, terms: tuple[int, int], parameters: NDArray[np.uint64]) -> Beats:
    """The operands of an operation.

    Parameters
    ----------
    vec
        Its descriptor.
    terms
        Pixels under the kernel of each source, 1 where it is no walk.
    """
    a, b, kind = vec["a"], vec["b"], vec["kind"]
    both = kind != Kind.TABLE and b != Operand.NONE
    memory, second = is_stream(a) or is_walk(a), both and (is_stream(b) or is_walk(b))
    of_words = a == Operand.DRAIN or is_result(a)
    whole, uses = _whole(vec, cfg, memory), kind in (Kind.AFFINE, Kind.TABLE)
    # Two words of the core go together where groups are as long.
    pairs = a == Operand.DRAIN and whole >= 2 * _CORE_WORD
    word = cfg.payload_bits // 16 if a != Operand.DRAIN else 2 * _CORE_WORD if pairs else _CORE_WORD
    sizes, words, left, period, buffered, beat = [], list[int](), vec["elements"], vec["period"], 0, 0
    draws, half = is_draw(vec), 0
    terms_each = terms[0] + (terms[1] if both else 0)
    # What does not come from the buffer waits a cycle for what does, before it: in a group, and from one to the next.
    turns = terms[0] if kind == Kind.PRODUCT else 1
    within, between = both and memory and not second, both and second and not memory
    waits = turns if within else turns - 1 if between else 0
    while left:
        if not buffered:
            buffered = word
            if pairs and left > _CORE_WORD:
                # The first word of two waits for the other.
                words.append(beat)
                beat += 1
        count = min(whole, left)
        count = min(count, period) if uses else count
        count = min(count, buffered) if of_words else count
        if draws:
            count = min(count, AT_A_TIME - half)
            half = (half + count) % AT_A_TIME
        left, period, buffered = left - count, period - count, buffered - count
        sizes.append(count)
        if not period:
            period = vec["period"]
        if of_words and (not buffered or not left):
            words.append(beat + (0 if pairs else terms_each - 1))
        beat += terms_each + waits + (between and bool(left))
    slow = _slow(vec, sizes, parameters) if vec["target"] == Operand.ACCUMULATORS else 0
    late = (second if both else memory) + (kind == Kind.TABLE)
    return Beats(beat, memory, late, tuple(words), slow, SEED_CYCLES + 1 if draws else 0)


def _whole(vec: Mapping[str, int], cfg: TileConfig, memory: bool) -> int:
    """Elements of a group that nothing cuts."""
    if vec["kind"] == Kind.TABLE:
        return 1
    if vec["add"] or Operand.ACCUMULATORS in (vec["a"], vec["b"], vec["target"]) or is_draw(vec):
        return AT_A_TIME
    narrow = (memory and vec["a_format"] == Format.LANE) or vec["b_format"] == Format.LANE or vec["wide"]
    return min(cfg.lanes, 4) if narrow else cfg.lanes


def _slow(vec: Mapping[str, int], sizes: list[int], parameters: NDArray[np.uint64]) -> int:
    """Pairs whose accumulators are in one bank."""
    tags = Parameters.unpack(parameters, vec["parameters"], max(1, vec["period"]), vec["elements"])
    first = np.cumsum([0, *sizes[:-1]])[np.array(sizes) == AT_A_TIME]
    second = first + 1
    return int((tags.valid[first] & tags.valid[second] & ((tags.target[first] - tags.target[second]) % 2 == 0)).sum())
