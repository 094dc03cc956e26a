import pickle
from multiprocessing import Pipe

import numpy as np
import pytest

from mho.sim.core.batch import Batch, BatchResult, Mode, Outcome
from mho.sim.core.messages import Closed, Link


@pytest.fixture
def links():
    a, b = (Link(end) for end in Pipe())
    a.timeout_s = b.timeout_s = 5.0
    yield a, b
    a.close()
    b.close()


def test_a_message_arrives_as_it_was_sent(links):
    a, b = links
    arrays = {
        "x": np.arange(12).reshape(3, 4),
        "empty": np.zeros((0, 2), np.uint32),
        "id": np.array([2**64 - 1], np.uint64),
    }
    a.send("hello", (3, arrays))
    kind, (number, got) = b.receive()
    assert (kind, number) == ("hello", 3)
    assert list(got) == list(arrays)
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        assert np.array_equal(got[name], array)


def test_a_closed_side_is_noticed(links):
    a, b = links
    a.close()
    with pytest.raises(Closed):
        b.receive()


def test_a_cut_message_is_noticed(links):
    a, b = links
    a._connection._send(b"\0\0\0\x40{")
    a.close()
    with pytest.raises(Closed):
        b.receive()


def test_a_side_that_says_nothing_is_not_waited_for(links):
    links[0].timeout_s = 0.01
    with pytest.raises(TimeoutError):
        links[0].receive()


def test_a_batch_survives_the_way_as_cpp_takes_it():
    words = np.arange(8).reshape(4, 2).T
    batch = Batch(
        ops=words, masks=np.zeros((0, 2), np.uint32), inputs=np.arange(8, dtype=np.uint32)[::2],
        outputs=16, operations=2, core=3, mode=Mode.PIN_LEVEL, seed=9, gap=1, stall=2, hold=3, keep_charges=True,
    )
    again = pickle.loads(pickle.dumps(batch))
    for name in ("outputs", "operations", "core", "mode", "patience", "seed", "gap", "stall", "hold", "keep_charges"):
        assert getattr(again, name) == getattr(batch, name), name
    assert np.array_equal(again.ops, words)
    assert again.masks.shape == (0, 2)
    for array in (again.ops, again.masks, again.inputs):
        assert array.dtype == np.uint32
        assert array.flags.c_contiguous
    result = BatchResult.empty(batch)
    result.outcome, result.failure = Outcome.STUCK, "why"
    back = pickle.loads(pickle.dumps(result))
    assert (back.outcome, back.failure, back.error) == (Outcome.STUCK, "why", False)
    assert back.counters.shape == (2, 3)
