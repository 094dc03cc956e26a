"""Runs that begin with the first copy of layers that are dealt images."""

import numpy as np
import pytest

from mho.compiler.program import Call, InputStage, OutputStage, Program, Stage
from mho.sim.tile_networks.plan import from_first_turn


def program(*turns: int) -> Program:
    """Calls of copies that are dealt images, one of so many."""
    calls = [Call(layer=k, patches=np.zeros((1, 1), np.int32), pad=np.zeros(1, np.int16), turns=count)
             for k, count in enumerate(turns)]
    return Program(
        input=InputStage(offset=np.zeros(1), scale=np.ones(1), low=-1, high=1), layers=(),
        stages=tuple(Stage(operation=call, inputs=(0,)) for call in calls), output=OutputStage(scale=np.ones(1)))


@pytest.mark.parametrize(("turns", "first", "more"), [((1,), 5, 0), ((3,), 6, 0), ((3,), 7, 1), ((2, 3), 11, 5)])
def test_as_many_images_come_before_as_copies_have_had(turns: tuple[int, ...], first: int, more: int) -> None:
    lanes, images = np.arange(8, dtype=np.int16).reshape(4, 2), np.arange(first, first + 4, dtype=np.uint64)
    padded, numbers, count = from_first_turn(program(*turns), lanes, images)
    assert count == more
    assert numbers.dtype == images.dtype
    np.testing.assert_array_equal(numbers, np.arange(first - more, first + 4))
    np.testing.assert_array_equal(padded[more:], lanes)
    assert padded.dtype == lanes.dtype
    assert not padded[:more].any()
