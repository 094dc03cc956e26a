"""The model of an array against its definition in Python integers, one number at a time."""

from dataclasses import replace

import numpy as np
import pytest

from mho.macro_models import load_device
from mho.macro_models.array.effective import effective_matrix
from mho.macro_models.array.nonlinear.reading import read_matrix
from mho.macro_models.array.wires import Wires
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.array.operation import Steps
from mho.macro_models.integer.operation import Masks
from mho.macro_models.kinds.array import ArrayModel
from mho.macro_models.kinds.array.config import ArrayConfig
from tests.hw.kinds.array.configurations import random_chip


def converted(charge: int, size: int, bits: int, full: int) -> int:
    """Half steps of a conversion."""
    charge, top = max(-full, min(full, charge)), 2 ** (bits - 1)
    code = charge // size if bits == 1 else (2 * charge + size) // (2 * size)
    return 2 * max(-top, min(top - 1, code)) + (bits == 1)


def expected(config: ArrayConfig, cells: list[list[int]], op, x: list[int], column: int) -> tuple[int, bool]:
    """An output, and whether a conversion of it had more than it takes."""
    rows, size = len(x), max(1, round(op.step_code * config.full_uS / config.lsb_uS / 2**14))
    bits, groups = config.steps.digit_bits, config.steps.row_groups
    steps = -(-op.planes // bits)
    if config.weights == "offset":
        sides = [(1, [row[column] - config.middle for row in cells])]
    else:
        two = [(1, [row[2 * column] for row in cells]), (-1, [row[2 * column + 1] for row in cells])]
        sides = two if config.weights == "arrays" else [(1, [a - b for a, b in zip(two[0][1], two[1][1], strict=True)])]
    total, beyond = 0, False
    for sign, weights in sides:
        charges = []
        if config.digital:
            for digit in range(steps):
                for group in range(groups):
                    first, last = (-(-rows * (group + end) // groups) for end in (0, 1))
                    other_way = config.chop and (group % 2 if groups > 1 else digit != steps - 1)
                    charges.append((-1 if other_way else 1, bits * digit, sum(
                        (1 if x[r] > 0 else -1) * (abs(x[r]) >> bits * digit & 2**bits - 1)
                        * weights[r] for r in range(first, last)
                    )))
        else:
            charges.append((1, 0, sum(x[r] * weights[r] for r in range(rows))))
        for way, shift, charge in charges:
            total += sign * way * converted(way * charge, size, config.bits, config.full_code) * 2**shift
            beyond |= abs(charge) > config.limit(op.step_code)
    top = 2**op.out_bits - 1
    total = max(-top, min(top, total))
    return (0 if op.relu and total < 0 else total), beyond


@pytest.mark.parametrize("seed", range(12))
def test_products_are_their_definition(seed: int) -> None:
    chip = random_chip(seed)
    config, rng = replace(chip.macro_config(), wires=Wires()), np.random.default_rng(seed)
    target = rng.uniform(config.g_min_uS, config.g_max_uS, config.cell_map.shape)
    model = ArrayModel(config, target, device=load_device("ideal"), seed=0, core=0)
    driven, lines = config.cell_map.shape
    codes = []
    for _ in range(4):
        op = chip.operation(in_bits=int(rng.integers(1, 9)), in_signed=bool(rng.integers(2)))
        op = replace(op, relu=bool(rng.integers(2)), out_bits=int(rng.integers(1, op.out_bits + 1)))
        low, high = op.input_range
        x = rng.integers(low, high + 1, (3, driven))
        masks = Masks(rng.random(driven) < 0.8, rng.random(lines) < 0.8, rng.random(driven) < 0.1,
                      rng.random(lines) < 0.1)
        op = replace(op, step_code=int(np.clip(model.full_scale(op, masks, x), *chip.step_codes)) or 1)
        result = model.mvm(op, masks, x, 7)
        enabled = masks.enabled(op)[:: config.cell_map.column_lines]
        for k, vector in enumerate((x * masks.driven(op)).tolist()):
            pairs = [expected(config, model.cells.tolist(), op, vector, j) for j in range(config.columns)]
            assert result.codes[k].tolist() == [code if on else 0 for (code, _), on in zip(pairs, enabled, strict=True)]
            assert result.clipped is not None
            assert result.clipped[k] == sum(beyond for (_, beyond), on in zip(pairs, enabled, strict=True) if on)
        codes += result.codes.ravel().tolist()
    assert len(set(codes)) > 1


def test_what_is_drawn_is_of_a_converter_and_of_a_conversion() -> None:
    chip = random_chip(1)
    config = replace(
        ArrayConfig(rows=32, columns=16, share=8, bits=8), sigma_offset=3.0, sigma_gain=0.05, sigma_inl=1.0, noise=0.5
    )
    device = load_device("rram-neurram")
    model = ArrayModel(config, np.full(config.cell_map.shape, 5.0), device=device, seed=1, core=2,
                       causes=frozenset({"adc"}))
    op, masks = replace(chip.operation(in_bits=4, in_signed=True), step_code=2000, out_bits=12), Masks.reset(32, 32)
    x = np.zeros((400, 32), dtype=np.int64)
    codes = model.mvm(op, masks, x, np.arange(400)).codes.astype(float)
    mean = codes.mean(axis=0)
    assert np.ptp(mean[:8]) < 3.0  # the same converter, but for noise
    assert abs(mean[:8].mean() - mean[8:].mean()) > 3.0
    assert (codes.std(axis=0) > 0.5).all()
    assert np.array_equal(codes[100:110], model.mvm(op, masks, x[:10], np.arange(100, 110)).codes)
    again = ArrayModel.from_state(model.state())
    assert np.array_equal(codes[:9], again.mvm(op, masks, x[:9], np.arange(9)).codes)


@pytest.mark.parametrize("temp_C", [-40.0, 125.0])
def test_thermal_noise_is_that_of_its_capacitor_at_its_temperature(temp_C: float) -> None:
    config = ArrayConfig(rows=16, columns=16, bits=10, c_sample_fF=1.0)
    model = ArrayModel(config, np.full(config.cell_map.shape, 5.0), device=load_device("rram-neurram"), seed=1, core=2,
                       temp_C=temp_C, causes=frozenset({"adc"}))
    op = replace(random_chip(1).operation(in_bits=1, in_signed=False), step_code=32, out_bits=12)
    codes = model.mvm(op, Masks.reset(16, 32), np.zeros((1000, 16), dtype=int), np.arange(1000)).codes / 2.0
    # Of 512 steps at 0.5 V, and of rounding; a conversion with no row driven is one.
    variance = 1.380649e-23 * (temp_C + 273.15) / 1e-15 * 1024.0**2 + 1 / 12
    assert codes.var() == pytest.approx(variance, rel=5 * (2 / codes.size) ** 0.5)


@pytest.mark.parametrize("groups", [1, 4])
def test_offsets_of_a_chopped_product_count_as_the_lowest_bit_at_most(groups: int) -> None:
    config = ArrayConfig(rows=32, columns=16, share=8, bits=10, sigma_offset=3.0, steps=Steps(row_groups=groups))
    op, masks = random_chip(1).operation(in_bits=7, in_signed=True), Masks.reset(32, 32)
    x, targets = np.random.default_rng(0).integers(-63, 64, (50, 32)), np.full(config.cell_map.shape, 5.0)

    def codes(chop: bool, causes: frozenset[str]) -> np.ndarray:
        model = ArrayModel(replace(config, chop=chop), targets, device=load_device("rram-neurram"), seed=1, core=2,
                           causes=causes)
        return model.mvm(replace(op, step_code=2000, out_bits=15), masks, x, 0).codes.astype(float)

    left, all_of_it = (np.abs((codes(chop, frozenset({"adc"})) - codes(chop, frozenset())).mean(axis=0)).max()
                       for chop in (True, False))
    offsets = 2 * 3.0 * 3 * groups  # half steps, three deviations
    assert left < offsets < 5 * offsets < all_of_it


def test_a_clamp_takes_a_share_of_each_column() -> None:
    config = ArrayConfig(rows=16, columns=8, wires=Wires(r_sense_ohm=100.0))
    target = np.random.default_rng(0).uniform(1.0, 40.0, config.cell_map.shape)
    model = ArrayModel(config, target, device=load_device("ideal"), seed=0, core=0)
    products = model.key(np.ones(16, dtype=bool)).products
    cells = model.cells * 1.0
    share = 1.0 / (1.0 + 100.0 * 1e-6 * cells.sum(axis=0) * config.lsb_uS)
    exact = cells * share
    assert np.abs(products - (exact[:, 0::2] - exact[:, 1::2])).max() <= 1.0
    assert 0.9 < share.min() < share.max() < 0.99


WIRES = Wires(r_row_ohm=2.0, r_col_ohm=1.0, r_driver_ohm=100.0, r_sense_ohm=50.0)


def core_of(config: ArrayConfig, device: Device) -> tuple[ArrayModel, np.ndarray, np.ndarray]:
    """A core, its conductances in codes, and word lines of which some are on."""
    target = np.random.default_rng(0).uniform(1.0, 40.0, config.cell_map.shape)
    model = ArrayModel(config, target, device=device, seed=0, core=0)
    return model, model.cells.astype(float), np.arange(config.rows) % 3 > 0


@pytest.mark.parametrize("weights", ["pairs", "arrays", "offset"])
def test_wires_are_solved_exactly(weights: str) -> None:
    config = ArrayConfig(rows=24, columns=8, weights=weights, wires=WIRES)
    model, cells, wl = core_of(config, load_device("ideal"))
    if weights == "offset":
        cells = np.hstack([cells, np.full((24, 1), float(config.middle))])

    def effective(codes: np.ndarray) -> np.ndarray:
        lsb = config.lsb_uS * 1e-6
        return effective_matrix(codes * lsb, WIRES, mode="current", wl=wl) / lsb

    exact = {
        "pairs": lambda: effective(cells)[:, 0::2] - effective(cells)[:, 1::2],
        "arrays": lambda: np.hstack([effective(cells[:, 0::2]), effective(cells[:, 1::2])]),
        "offset": lambda: effective(cells)[:, :-1] - effective(cells)[:, -1:],
    }[weights]()
    assert np.abs(model.key(wl).products - exact).max() <= 1.0
    perfect = core_of(replace(config, wires=Wires()), load_device("ideal"))[0].key(wl)
    assert np.array_equal(perfect.on, wl)
    assert np.abs(wl[:, None] * perfect.products - exact).max() > 20.0


@pytest.mark.parametrize("keys", [{"conduction.v0_V": 0.25}, {"conduction.access_uA_V2": 400.0}])
def test_cells_that_are_not_linear_conduct_as_at_the_read_voltage(keys: dict[str, object]) -> None:
    device, config = load_device("ideal", keys), ArrayConfig(rows=24, columns=8, wires=WIRES)
    assert config.active_causes(device) == {"wire"}
    model, cells, wl = core_of(config, device)
    lsb = config.lsb_uS * 1e-6
    exact = read_matrix(cells * lsb, WIRES, device.conduction, 0.2, mode="current", wl=wl) / lsb
    assert np.abs(model.key(wl).products - (exact[:, 0::2] - exact[:, 1::2])).max() <= 1.0
    linear = core_of(config, load_device("ideal"))[0]
    assert np.abs(model.key(wl).products - linear.key(wl).products).max() > 20.0
    again = ArrayModel.from_state(model.state())
    assert np.array_equal(again.key(wl).products, model.key(wl).products)
    with pytest.raises(InputError, match=r"conduction must be left out unless .* \(input.bits = 1\), as each of 3"):
        core_of(replace(config, steps=Steps(digit_bits=2)), device)


def test_a_reference_column_of_cells_drifts_as_the_others() -> None:
    """All rows on and all weights 0: what is left of the mean output of a drifting array is its reference's mistake."""
    config = replace(ArrayConfig(rows=128, columns=32, weights="offset", g_max_uS=25.0), wires=Wires())
    device, target = load_device("pcm-generic"), np.full((128, 32), config.middle * config.lsb_uS)
    mistakes = {}
    for reference in ("fixed", "cells"):
        model = ArrayModel(
            replace(config, reference=reference), target, device=device, seed=3, core=0, time_s=86_400.0
        )
        mistakes[reference] = float(model.key(np.ones(128, dtype=bool)).products.sum(axis=0).mean())
        assert ArrayModel.from_state(model.state()).key(np.ones(128, dtype=bool)).products.tolist() == \
            model.key(np.ones(128, dtype=bool)).products.tolist()
    full = 128 * config.middle
    assert mistakes["fixed"] < -0.2 * full
    assert abs(mistakes["cells"]) < 0.05 * full
