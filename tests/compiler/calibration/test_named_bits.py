"""Bits that the user names are those of the codes, with a sign or without, whatever conversions these take."""

import pytest

import mho
from mho.data import load_sample


@pytest.mark.slow
def test_one_bit_more_behind_a_relu_is_no_worse() -> None:
    """Of 5 bits a sign would leave the 4 planes of one conversion, half of whose codes stand for no value."""
    sample, errors = load_sample("digits"), []
    for bits in (4, 5):
        net = mho.compile(sample.model, "tnsa64-core", calibrate=sample.calibrate[:64], device="ideal", seeds=1,
                          copies=1, in_parts=1, in_bits={"fc1": bits})
        assert net.summary()["layers"][1]["in_bits"] == bits
        errors.append(net.summary()["outputs"][0]["error"])
    assert errors[1] < 1.1 * errors[0]
