"""The vector formula of a tile against the stages that networks are compiled to."""

import numpy as np
import pytest

from mho.hw.tile.isa import ACCUMULATORS, Kind, Operand
from mho.hw.tile.isa.vector import Parameters, compute, lanes_of, pack_parameters
from mho.macro_models.integer.vector import (
    LANE_MAX,
    Encode,
    Largest,
    Limit,
    Requantise,
    Root,
    Table,
    WeightedSum,
    scale_leaf,
    sum_leaves,
)

TRIALS = 400
ACC = int(Operand.ACCUMULATORS)


class Unit:
    """A vector unit with its memories."""

    def __init__(self) -> None:
        self.memory = np.zeros(1024, dtype=np.uint64)
        self.tables = np.zeros((2, 1024), dtype=np.int16)
        self.accumulators = np.full(ACCUMULATORS, 12345, dtype=np.int32)
        self.used = 0

    def keep(self, *sets):
        """Parameters, one set behind the other; their place and period."""
        first = self.used
        for parameters in sets:
            self.memory[self.used : self.used + len(parameters)] = parameters
            self.used += len(parameters)
        return {"parameters": first, "period": len(sets[0])}

    def run(self, a=None, second=None, **vec):
        vec = {"kind": 0, "a": 0 if a is not None else 31, "b": 31, "target": 0, "shift": 0, "add": 0, "lo": -32768,
               "hi": 32767, "parameters": 0, "period": 1} | vec
        source = [None if s is None else np.atleast_2d(s) for s in (a, second)]
        if source[0] is not None:
            vec["elements"] = source[0].shape[1]
        return compute(vec, self.memory, self.tables, self.accumulators, *source)


def rng_of(trial):
    return np.random.default_rng([42, trial])


def lanes(rng, *shape):
    edge = rng.random(shape) < 0.1
    return np.where(edge, rng.choice([-32768, -32767, -1, 0, 1, 32767], shape),
                    rng.integers(-32768, 32768, shape)).astype(np.int16)


def test_drains_scattered_to_accumulators_are_sums_of_leaves():
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        outputs, shift = int(rng.integers(1, 65)), int(rng.integers(0, 20))
        leaves = []
        unused = set(range(outputs))
        for _ in range(rng.integers(1, 4)):
            columns = int(rng.integers(1, 129))
            codes, m = rng.integers(-2191, 2192, columns), rng.integers(0, 32768, columns)
            target, valid = rng.integers(0, outputs, columns), rng.random(columns) < 0.9
            start = np.zeros(columns, dtype=int)
            for k in np.flatnonzero(valid):
                start[k] = target[k] in unused
                unused.discard(target[k])
            place = unit.keep(pack_parameters(m, 0, 0, target, valid, start))
            assert unit.run(codes, target=ACC, shift=shift, **place) is None
            leaves.append((scale_leaf(codes[None, valid], m[valid], shift), target[valid]))
        used = [k for k in range(outputs) if k not in unused]
        np.testing.assert_array_equal(lanes_of(unit.accumulators)[used], sum_leaves(leaves, outputs)[0, used])


@pytest.mark.parametrize("codes", [False, True])
def test_root(codes):
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        n, relu = int(rng.integers(1, 100)), bool(rng.integers(2))
        total = rng.integers(-16000, 16000, n).astype(np.int16)
        bias = rng.integers(-16000, 16000, n).astype(np.int16)
        shift, low, high = int(rng.integers(0, 12)), int(rng.integers(-127, 1)), int(rng.integers(1, 256))
        root = Root(bias=bias, relu=relu, requantise=Requantise(shift=shift, low=low, high=high) if codes else None)
        place = unit.keep(pack_parameters(1, -bias))
        ends = {"shift": shift, "lo": max(low, 0) if relu else low, "hi": high} if codes else {
            "lo": 0 if relu else -32768}
        np.testing.assert_array_equal(unit.run(total, **ends, **place), root.compute(total[None])[0])


def test_encode_with_parameters_that_repeat():
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        period, repeats = int(rng.integers(1, 33)), int(rng.integers(1, 5))
        offset, multiplier = lanes(rng, period), rng.integers(0, 32768, period).astype(np.int32)
        shift, x = int(rng.integers(0, 32)), lanes(rng, period * repeats)
        low, high = int(rng.integers(-128, 1)), int(rng.integers(1, 256))
        stage = Encode(offset=np.tile(offset, repeats), multiplier=np.tile(multiplier, repeats), shift=shift, low=low,
                       high=high)
        place = unit.keep(pack_parameters(multiplier, offset))
        np.testing.assert_array_equal(unit.run(x, shift=shift, lo=low, hi=high, **place), stage.compute(x[None])[0])


def weights(rng, n, terms):
    """Multipliers of terms whose sum has 32 bits."""
    share = rng.dirichlet(np.ones(terms), n) * rng.integers(1, 65536, (n, 1))
    return (np.minimum(share, 32767).astype(np.int64) * rng.choice([-1, 1], (n, terms))).astype(np.int32)


def test_weighted_sum_of_two_sources_at_once():
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        n = int(rng.integers(1, 60))
        x, m = lanes(rng, 2, n), weights(rng, n, 2)
        offset, shift = rng.integers(-65536, 65536, n).astype(np.int32), int(rng.integers(0, 32))
        stage = WeightedSum(index=np.stack([np.arange(n), np.arange(n) + n], axis=1), multiplier=m, shift=shift,
                            offset=offset)
        place = unit.keep(pack_parameters(m[:, 0], 0, offset), pack_parameters(m[:, 1]))
        outputs = unit.run(x[0], x[1], shift=shift, lo=-LANE_MAX, hi=LANE_MAX, **place)
        np.testing.assert_array_equal(outputs, stage.compute(x.reshape(1, -1))[0])


def test_weighted_sum_of_many_terms_through_the_accumulators():
    for trial in range(TRIALS // 4):
        rng, unit = rng_of(trial), Unit()
        n, terms = int(rng.integers(1, 17)), int(rng.integers(3, 9))
        x, m = lanes(rng, terms, n), weights(rng, n, terms)
        offset, shift = rng.integers(-65536, 65536, n).astype(np.int32), int(rng.integers(0, 32))
        index = np.arange(n)[:, None] + n * np.arange(terms)
        stage = WeightedSum(index=index, multiplier=m, shift=shift, offset=offset)
        for k in range(terms - 1):
            unit.run(x[k], target=ACC, **unit.keep(pack_parameters(m[:, k], 0, 0, np.arange(n), 1, k == 0)))
        place = unit.keep(pack_parameters(m[:, -1], 0, offset))
        outputs = unit.run(x[-1], add=1, shift=shift, lo=-LANE_MAX, hi=LANE_MAX, **place)
        np.testing.assert_array_equal(outputs, stage.compute(x.reshape(1, -1))[0])


def test_sums_finish_without_a_further_source():
    unit = Unit()
    place = unit.keep(pack_parameters([3, -4], [10, 20], [5, -6], [0, 1], 1, 1))
    unit.run(np.array([1010, 2020]), target=ACC, **place)
    assert unit.accumulators[:2].tolist() == [3005, -8006]
    assert unit.run(add=1, shift=3, elements=2, **place).tolist() == [3005 // 8 + 5 + 1, -1001 - 6]


def test_mean_and_largest_over_terms():
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        n, terms = int(rng.integers(1, 30)), int(rng.integers(1, 26))
        x, m, shift = lanes(rng, terms, n), int(rng.integers(1, 65536 // terms)) & 32767, int(rng.integers(0, 32))
        index = np.arange(n)[:, None] + n * np.arange(terms)
        mean = WeightedSum(index=index, multiplier=np.full((n, terms), m), shift=shift, offset=np.zeros(n, np.int32))
        outputs = unit.run(x, shift=shift, lo=-LANE_MAX, hi=LANE_MAX, **unit.keep(pack_parameters([m])))
        np.testing.assert_array_equal(outputs, mean.compute(x.reshape(1, -1))[0])
        np.testing.assert_array_equal(unit.run(x, kind=Kind.MAX), Largest(index=index).compute(x.reshape(1, -1))[0])
        low, high = sorted(rng.integers(-32768, 32768, 2).tolist())
        limit = Limit(low=np.full(n, low, np.int16), high=np.full(n, high, np.int16))
        np.testing.assert_array_equal(unit.run(x[0], kind=Kind.MAX, lo=low, hi=high), limit.compute(x[:1])[0])


def test_table():
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        n, which = int(rng.integers(1, 60)), int(rng.integers(2))
        x, m = lanes(rng, n), rng.integers(0, 32768, n).astype(np.int32)
        shift, entries = int(rng.integers(0, 32)), lanes(rng, 1024)
        unit.tables[which] = entries
        place = unit.keep(pack_parameters(m, 0, 512))
        outputs = unit.run(x, kind=Kind.TABLE, b=which, shift=shift, lo=0, hi=1023, **place)
        np.testing.assert_array_equal(outputs, Table(multiplier=m, shift=shift, entries=entries).compute(x[None])[0])


def test_product_rounds_half_up_and_sums_over_terms():
    for trial in range(TRIALS):
        rng, unit = rng_of(trial), Unit()
        n, terms, shift = int(rng.integers(1, 20)), int(rng.integers(1, 5)), int(rng.integers(0, 31))
        a, b = lanes(rng, terms, n), lanes(rng, terms, n)
        exact = [sum(int(u) * int(v) for u, v in zip(*pair, strict=True)) for pair in zip(a.T, b.T, strict=True)]
        wrapped = [(t + 2**31) % 2**32 - 2**31 for t in exact]
        expected = [min(max((2 * t + 2**shift) // 2 ** (shift + 1), -32768), 32767) for t in wrapped]
        assert unit.run(a, b, kind=Kind.PRODUCT, shift=shift).tolist() == expected


def test_parameters_of_all_bits_come_back():
    rng = np.random.default_rng(1)
    packed = {
        "m": rng.integers(-32768, 32768, 50), "c": rng.integers(-32768, 32768, 50),
        "d": rng.integers(-65536, 65536, 50),
        "target": rng.integers(0, 256, 50), "valid": rng.integers(0, 2, 50), "start": rng.integers(0, 2, 50),
    }
    unpacked = Parameters.unpack(pack_parameters(**packed), 0, 50, 50)
    for name, value in packed.items():
        np.testing.assert_array_equal(getattr(unpacked, name), value)
    with pytest.raises(ValueError, match="c must be between -32768 and 32767"):
        pack_parameters(1, 40000)
