import socket

import numpy as np
import pytest

from mho.sim.core.batch import Batch, BatchResult, Mode, Outcome
from mho.sim.core.messages import Closed, Link, Message


@pytest.fixture
def links():
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(5)
    a, b = Link(ours), Link(theirs)
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
    a.send(Message("hello", {"n": 3, "text": "ü"}, arrays))
    got = b.receive()
    assert (got.kind, got.values) == ("hello", {"n": 3, "text": "ü"})
    assert list(got.arrays) == list(arrays)
    for name, array in arrays.items():
        assert got.arrays[name].dtype == array.dtype
        assert np.array_equal(got.arrays[name], array)


def test_objects_are_never_pickled(links):
    with pytest.raises(ValueError, match="allow_pickle"):
        links[0].send(Message("x", {}, {"bad": np.array([{}], dtype=object)}))


def test_a_closed_side_is_noticed(links):
    a, b = links
    a.close()
    with pytest.raises(Closed):
        b.receive()


def test_a_cut_message_is_noticed(links):
    a, b = links
    a.connection.sendall(b"\x40\0\0\0{")
    a.close()
    with pytest.raises(Closed):
        b.receive()


def test_a_batch_survives_the_way():
    batch = Batch(
        ops=np.ones((2, 4), np.uint32), masks=np.zeros((0, 2), np.uint32), inputs=np.arange(4, dtype=np.uint32),
        outputs=16, operations=2, core=3, mode=Mode.PIN_LEVEL, seed=9, gap=1, stall=2, hold=3, keep_charges=True,
    )
    again = Batch.from_message(batch.message())
    for name in ("outputs", "operations", "core", "mode", "patience", "seed", "gap", "stall", "hold", "keep_charges"):
        assert getattr(again, name) == getattr(batch, name), name
    assert np.array_equal(again.ops, batch.ops)
    assert again.masks.shape == (0, 2)
    result = BatchResult.empty(batch)
    result.outcome, result.failure = Outcome.STUCK, "why"
    back = BatchResult.from_message(result.message())
    assert (back.outcome, back.failure, back.error) == (Outcome.STUCK, "why", False)
    assert back.counters.shape == (2, 3)
