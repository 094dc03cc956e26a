"""Cores of rows and columns on a board: thresholds that are the converter's, and the bits of their models."""

from typing import Any

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.emulator.kinds import emulator_of
from mho.hw.emulator.rows import RowEmulator
from mho.macro_models import Masks, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.kinds import family
from mho.sim.board.backend import FpgaSimBackend
from mho.sim.board.tiles.backend import TilesFpgaSimBackend
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.sim.core.test_generated_macro import network


def test_thresholds_are_where_codes_begin() -> None:
    rng = np.random.default_rng(5)
    for bits in (1, 3, 6):
        gain, offset = rng.uniform(0.2, 3.0, 3), rng.integers(-20, 20, 3)
        top = 1 << bits - 1

        def codes(sums: Any) -> Any:
            return np.clip(np.floor((sums[:, None] + offset) / gain), -top, top - 1).astype(np.int64)  # noqa: B023

        thresholds = RowEmulator.bisected(codes, bits, -40, 40)
        sums = np.arange(-40, 41)
        converted = (sums[:, None, None] >= thresholds).sum(axis=2) - top
        assert np.array_equal(converted, codes(sums))


def model(changes: dict[str, object], causes: set[str], device: str) -> tuple[Any, Any]:
    chip = load_chip("array-32", changes)
    config = chip.macro_config()
    targets = np.random.default_rng(3).uniform(1.0, 40.0, config.cell_map.shape)
    core = family(chip.core.kind).model(
        config, targets, device=load_device(device), seed=2, core=0, causes=frozenset(causes)
    )
    return chip, core


@pytest.mark.parametrize(("changes", "causes", "sentence"), [
    ({}, {"read-noise"}, r"^the emulator has no read noise of cells: leave that cause out"),
    ({"adc.noise": 0.5}, {"adc"}, r"^the emulator has no noise of converters: leave that cause out"),
    ({"read.r_clamp_ohm": 50.0}, {"wire"}, r"^the emulator has perfect wires and clamps, and linear cells: leave that"),
    ({"wires.r_row_ohm": 1.0}, {"wire"}, r"^the emulator has perfect wires and clamps, and linear cells: leave that"),
])
def test_what_it_does_not_have_is_refused(changes: dict[str, object], causes: set[str], sentence: str) -> None:
    chip, core = model(changes, causes, "rram-neurram")
    with pytest.raises(InputError, match=sentence):
        FpgaSimBackend().open(chip, [core])


def test_thresholds_have_the_errors_of_converters() -> None:
    """The code of each column of a random product, as its converter's thresholds give it."""
    chip, core = model({"adc.noise": 0.0, "adc.sigma_offset": 2.0, "adc.sigma_gain": 0.05, "read.accumulate": "analog"},
                       {"adc"}, "rram-neurram")
    kind: Any = emulator_of(chip)
    op = chip.operation(in_bits=3, in_signed=True)
    x = np.random.default_rng(4).integers(-3, 4, (5, 32))
    ones, config = np.ones(64, dtype=np.bool_), core.config
    rows, lines = config.cell_map.shape
    masks = Masks(np.ones((8, rows), bool), np.ones((8, lines), bool), ~ones[:rows], ~ones[:lines])
    thresholds = kind.thresholds(core, op).repeat(config.share, axis=0)
    codes = ((x @ kind.weights(core))[..., None] >= thresholds).sum(axis=-1) - (1 << config.bits - 1)
    assert len(np.unique(thresholds, axis=0)) > 1
    assert np.array_equal(np.clip(2 * codes, -2**op.out_bits + 1, 2**op.out_bits - 1), core.mvm(op, masks, x, 0).codes)


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("changes", [
    {},
    {"core.weights": "offset", "input.bits": 2, "core.columns": 24, "core.rows": 40, "adc.lanes": 2},
    {"core.weights": "arrays", "input.row_groups": 2, "adc.bits": 5},
    {"read.accumulate": "analog", "input.bits": 4, "adc.bits": 10},
    {"read.accumulate": "analog", "input.drive": "pulse", "adc.bits": 1},
])
def test_a_network_has_the_same_bits_on_a_board(changes: dict[str, object]) -> None:
    net, x = network(load_chip("array-32", changes))
    ideal, board = load_device("ideal"), FpgaSimBackend(lanes=8)
    expected = execute(net, FunctionalBackend(), x, device=ideal, seed=0)
    result = execute(net, board, x, device=ideal, seed=0)
    board.close()
    assert len(np.unique(expected.outputs)) >= 10
    assert np.array_equal(result.outputs, expected.outputs)


@pytest.mark.long
@pytest.mark.cosim
def test_a_network_has_the_same_bits_on_the_tiles_of_a_board() -> None:
    chip = load_chip("array-2x2", {"core.rows": 32, "core.columns": 32, "mesh.rows": 1})
    net, x = network(chip)
    ideal, board = load_device("ideal"), TilesFpgaSimBackend(lanes=8)
    expected = execute(net, FunctionalBackend(), x[:6], device=ideal, seed=0)
    result = execute(net, board, x[:6], device=ideal, seed=0)
    board.close()
    assert len(np.unique(expected.outputs)) >= 10
    assert np.array_equal(result.outputs, expected.outputs)
