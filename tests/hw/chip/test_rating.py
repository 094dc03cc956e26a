"""Figures of a chip: energies add up over lines, planes and steps, and what is not known is left out."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from mho.hw.chip.rating import rate, rating_rows
from mho.hw.config import AreaSection, ProcessSection, load_chip
from mho.hw.config.kinds.tnsa import TnsaChip, TnsaEnergySection
from mho.hw.kinds import energy, timing
from mho.macro_models import family
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, Masks, MvmOperation
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation

GIVEN = {"energy.source": "a test", "energy.word_line_pJ": 3, "energy.input_pulse_pJ": 5, "energy.reset_pJ": 7,
         "energy.sample_pJ": 11, "energy.step_pJ": 13}


def test_an_energy_without_a_source_is_refused() -> None:
    with pytest.raises(InputError, match=r"energy\.source must say where energy\.step_pJ comes from, not nothing"):
        TnsaEnergySection(step_pJ=1)
    with pytest.raises(InputError, match=r"area\.source must say where area\.macro_mm2 comes from, not nothing"):
        AreaSection(macro_mm2=1)


def test_a_description_that_says_nothing_has_its_old_hash_and_no_energy() -> None:
    stated = load_chip("tnsa16-core")
    chip = replace(stated, energy=TnsaEnergySection(), area=AreaSection(), process=ProcessSection())
    assert energy(chip) is None
    assert not {"energy", "area", "process"} & set(chip.to_dict())
    assert chip.sha256 == stated.sha256
    assert "TOPS/W" not in str(rating_rows(chip))


@pytest.mark.parametrize("direction", Direction)
def test_energy_counts_lines_planes_and_steps(direction: Direction) -> None:
    model = energy(load_chip("tnsa16-core", GIVEN))
    assert model is not None
    on = np.arange(16) < 10
    converted = np.arange(16) % 2 == 0
    masks = Masks(on, converted, np.arange(16) == 3, np.arange(16) == 4)
    op = TnsaOperation(in_bits=7, out_bits=5, direction=direction)
    steps = np.array([[3, 15], [0, 1]])
    word_lines = 9
    driven, converters = (9, 7) if direction is Direction.FORWARD else (15, 5)
    energies = model.operation(op, masks, steps)
    planes, samples = 2 + 4, 3 + 15
    assert energies["word lines"].tolist() == [3 * planes * word_lines] * 2
    assert energies["input pulses"].tolist() == [5 * planes * driven] * 2
    assert energies["reset"].tolist() == [7 * 2 * converters] * 2
    assert energies["samples"].tolist() == [11 * samples * converters] * 2
    assert energies["steps"].tolist() == [13 * 18 * converters, 13 * 1 * converters]


def test_what_is_not_known_is_left_out() -> None:
    chip = load_chip("tnsa16-core", GIVEN | {"energy.reset_pJ": 0})
    model = energy(chip)
    assert model is not None
    assert chip.energy.missing == ("reset_pJ",)
    assert "reset" not in model.operation(TnsaOperation(), Masks.reset(16), np.zeros((1, 1)))


def test_two_operations_a_product_of_a_weight() -> None:
    chip = load_chip("tnsa16-2x2", GIVEN | {"area.macro_mm2": 0.5, "area.source": "a test"})
    op = TnsaOperation(in_bits=4, out_bits=6)
    rated = rate(chip, "some", op)
    operations = 2 * 8 * 16
    seconds = timing(chip).worst_cycles(op) / 100e6
    assert rated.tops == pytest.approx(4 * operations / seconds / 1e12)
    assert rated.tops_per_W == pytest.approx(operations / (rated.total_pJ * 1e-12) / 1e12)
    assert rated.tops_per_mm2 == pytest.approx(rated.tops / 2.0)


@pytest.mark.parametrize("op", [
    TnsaOperation(in_bits=4, out_bits=6, step_code=3000),
    TnsaOperation(in_bits=4, out_bits=6, step_code=9000, relu=True),
    TnsaOperation(in_bits=4, out_bits=4, step_code=900, early_stop=False),
    TnsaOperation(in_bits=4, out_bits=6, step_code=3000, converter=Converter.BINARY),
    TnsaOperation(in_bits=7, out_bits=5, step_code=2000),
], ids=["count", "relu", "constant", "binary", "segments"])
def test_steps_follow_from_codes(op: MvmOperation) -> None:
    """Exactly those that the model counts, or a bound where two segments cannot be told apart."""
    chip = load_chip("tnsa16-core")
    rng = np.random.default_rng(3)
    targets, device = rng.uniform(1, 40, (16, 16)), load_device("rram-neurram")
    core = family("tnsa").model(chip.macro_config(), targets, device=device, seed=1, core=0)
    masks, inputs = Masks.reset(16), rng.integers(*op.input_range, size=(200, 8), endpoint=True)
    result = core.mvm(op, masks, inputs, np.arange(200, dtype=np.uint64))
    steps, exact = timing(chip).most_steps(op, result.codes)
    assert exact == (op.segments == 1)
    if exact:
        assert np.array_equal(steps, result.steps)
    else:
        assert (steps >= result.steps).all()


def test_a_weight_of_two_columns_is_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = load_chip("tnsa16-core")
    op = TnsaOperation(in_bits=4, out_bits=6)
    monkeypatch.setattr("mho.hw.chip.rating.signal_to_noise_dB", lambda *_: 0.0)
    full = rate(chip, "", op)
    macro = SimpleNamespace(cell_map=SimpleNamespace(rows=8, columns=8, shape=(16, 16)))
    monkeypatch.setattr(TnsaChip, "macro_config", lambda _: macro)
    assert rate(chip, "", op).tops == full.tops / 2
    assert rate(chip, "", op).tops_per_W == pytest.approx((full.tops_per_W or 0.0) / 2)


@pytest.mark.parametrize(("preset", "lowest_dB", "highest_dB"), [("tnsa16-core", 13, 33), ("hermes", 40, 46)])
def test_a_precision_is_rated_by_its_signal_to_noise_ratio(
    preset: str, lowest_dB: float, highest_dB: float
) -> None:
    chip = load_chip(preset)
    rated = {name: rate(chip, name, op) for name, op in chip.rated_operations()}
    coarse = rated.pop("6-bit inputs, 8-bit outputs", None)
    assert all(lowest_dB < rating.snr_dB < highest_dB for rating in rated.values())
    if coarse is not None:
        assert 8 < coarse.snr_dB < 12  # seven decrements for the sign plane and the first: no 8 bits
        assert "10.1 dB" in dict(rating_rows(chip))[coarse.precision]


def test_a_bit_of_the_converter_is_six_dB() -> None:
    chip = load_chip("tnsa64-core")
    ratios = [rate(chip, "", TnsaOperation(in_bits=4, out_bits=bits)).snr_dB for bits in range(3, 9)]
    assert all(4.0 < more - less < 7.5 for less, more in pairwise(ratios))


@pytest.mark.parametrize("kind", ["tnsa16-core", "pwm16-core"])
def test_inputs_and_cells_take_energy(kind: str) -> None:
    """Half of the mean inputs in cells in the mean take what is rated; more of either takes more."""
    chip = load_chip(kind)
    model = energy(chip)
    assert model is not None
    op, masks = chip.operation(in_bits=4, in_signed=True), Masks.reset(*chip.macro_config().cell_map.shape)
    rows, name = chip.macro_config().cell_map.rows, "input pulses" if kind == "tnsa16-core" else "rows"
    lines = masks.wl.shape[1]
    nominal = model.operation(op, masks, np.zeros((5, op.segments)))[name].sum()
    half = sum(op.segment_planes) * 5 // 2 if kind == "tnsa16-core" else 64 * 5
    weights = np.full(rows, half)
    mean = np.full(rows, lines / rows * chip.lines * chip.mean_g_uS)
    exact = half / (sum(op.segment_planes) * 5 / 2) if kind == "tnsa16-core" else 1.0
    assert model.inputs(op, masks, 5, weights, mean)[name] == pytest.approx(nominal * exact)
    assert model.inputs(op, masks, 5, weights, None)[name] == pytest.approx(nominal * exact)
    idle = model.inputs(op, masks, 5, 0 * weights, mean)[name]
    energies = [
        model.inputs(op, masks, 5, weights * more, mean * g)[name] for more, g in ((1, 0), (1, 1), (1, 2), (2, 2))
    ]
    assert idle < energies[0] or (kind == "pwm16-core" and idle == energies[0])
    assert sorted(set(energies)) == energies
