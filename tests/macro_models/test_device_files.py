"""Devices: what ships, what is refused and in which words, and what a device says of itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.devices import Device, device_from_dict, device_names, load_device
from mho.macro_models.errors import InputError

FILE = "my.toml"


NAMES = [
    "ecram", "fefet", "ideal", "lfsr", "mtj", "pcm-generic", "pcm-hermes-1dev", "pcm-hermes-2dev", "rram-neurram",
    "rram-passive", "rram-relax", "rram-taox",
]


def test_devices_that_ship() -> None:
    assert device_names() == NAMES
    for name in device_names():
        assert load_device(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_device_survives_json(name: str) -> None:
    device = load_device(name)
    assert device_from_dict(json.loads(json.dumps(device.to_dict()))) == device


def test_every_number_of_a_device_has_a_source() -> None:
    tree = load_device("rram-neurram").to_dict()
    for section in ("range", "programming", "relaxation", "read_noise", "stuck", "pulse", "converter"):
        assert tree[section]["source"], section


def test_junctions_have_the_spread_of_their_resistances() -> None:
    """At any time: 480.7 of 9199.2 ohm, 171.8 of 3363.7 ohm."""
    device = load_device("mtj")
    for time_s in (1e-6, 1.0, 1e8):
        spread = device.sigma_uS(np.array([1e6 / 9199.2, 1e6 / 3363.7]), time_s)
        np.testing.assert_allclose(spread, [1e6 / 9199.2 * 480.7 / 9199.2, 1e6 / 3363.7 * 171.8 / 3363.7], rtol=0.01)


def test_ferroelectric_and_electrochemical_cells_have_their_states() -> None:
    assert load_device("fefet").update.states == pytest.approx(31, abs=1)
    law = load_device("ecram").update
    assert law.states == pytest.approx(1000, rel=0.1)
    np.testing.assert_allclose(law.step([law.g_min_uS, law.g_max_uS - 0.1], 1) / 0.02, [1.081, 0.885], rtol=0.01)
    np.testing.assert_allclose(law.step([law.g_min_uS + 0.1, law.g_max_uS], -1) / 0.02, [-0.492, -1.720], rtol=0.02)


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [
        # Computed by hand from the published polynomials, rounded to two digits.
        (1.0, [0.72, 1.75, 2.26, 2.30, 2.22, 2.02, 1.53, 1.10]),
        (86400.0, [1.22, 2.76, 3.72, 3.90, 4.00, 3.91, 3.37, 2.65]),
        (172800.0, [1.26, 2.71, 3.66, 3.85, 4.00, 3.93, 3.37, 2.68]),
    ],
)
def test_spread_of_neurram_at_the_published_times(time_s: float, expected: list[float]) -> None:
    sigma = load_device("rram-neurram").sigma_uS([1, 5, 10, 12, 16, 20, 30, 40], time_s)
    assert np.round(sigma, 2).tolist() == pytest.approx(expected, abs=0.0101)


def test_spread_is_interpolated_in_the_logarithm_of_time() -> None:
    device = load_device("rram-neurram")
    half = device.sigma_uS(10.0, np.sqrt(86400.0))
    assert half == pytest.approx((device.sigma_uS(10.0, 1.0) + device.sigma_uS(10.0, 86400.0)) / 2)


def test_spread_before_the_first_time_starts_at_the_scatter_of_programming() -> None:
    device = load_device("rram-neurram")
    sigma = [float(device.sigma_uS(10.0, t)) for t in (0.0, 1e-6, 1e-3, 0.5, 1.0)]
    assert sigma[0] == pytest.approx(1.0 / np.sqrt(3.0))
    assert sigma == sorted(sigma)
    assert sigma[-1] == pytest.approx(2.26, abs=0.01)


def test_spread_is_held_after_the_last_time() -> None:
    device = load_device("rram-neurram")
    assert device.sigma_uS(10.0, 1e9) == device.sigma_uS(10.0, 172800.0)


def test_window_of_programming_never_exceeds_the_first_known_spread() -> None:
    device = load_device("rram-neurram")
    g = np.linspace(0.0, 50.0, 501)
    assert (device.window_uS(g) <= device.sigma_uS(g, 1.0) + 1e-12).all()
    assert device.window_uS(20.0) == 1.0


@pytest.mark.parametrize(
    ("time_s", "temp_C", "sentences"),
    [
        (0.0, 25.0, []),
        (1.0, 25.0, []),
        (172800.0, 25.0, []),
        (
            0.5, 25.0,
            ["rram-neurram is fitted from 1 s to 172800 s after programming: "
             "0.5 s is interpolated from the end of programming"],
        ),
        (
            2592000.0, 85.0,
            ["rram-neurram is fitted from 1 s to 172800 s after programming: "
             "for 2.592e+06 s the spread of 172800 s is held",
             "rram-neurram is fitted at 25 C only: 85 C changes nothing in the model"],
        ),
    ],
)
def test_warnings_name_the_fitted_range(time_s: float, temp_C: float, sentences: list[str]) -> None:
    assert load_device("rram-neurram").warnings(time_s, temp_C) == sentences
    assert load_device("ideal").warnings(time_s, temp_C) == []


def test_range_of_targets() -> None:
    assert (load_device("rram-neurram").g_min_uS, load_device("rram-neurram").g_max_uS) == (1.0, 40.0)
    assert (load_device("ideal").g_min_uS, load_device("ideal").g_max_uS) == (None, None)


HEAD = 'schema = 1\nname = "mine"\n'


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_own_device_with_one_section(tmp_path: Path) -> None:
    device = load_device(write(tmp_path / FILE, HEAD + "[programming]\naccept_uS = 2\n"))
    assert device == Device(name="mine", programming=device.programming)
    assert device.programming.accept_uS == 2.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "schema must be 1, not nothing"),
        ("schema = 2\n", "schema must be 1, not 2"),
        ("schema = true\n", "schema must be 1, not true"),
        ("schema = 1\n", "name must be a string that is not empty, not nothing"),
        (HEAD + "colour = 3\n",
         "unknown key colour, known are schema, name, description, range, programming, relaxation, law, temperature, "
         "heat, read_noise, stuck, pulse, converter, fit, confidence, pulse_fit, update, telegraph, conduction, "
         "compact, drift"),
        (HEAD + "[relaxtion]\n", "unknown key relaxtion, did you mean relaxation?"),
        (HEAD + "[programming]\naccept_us = 1\n",
         "unknown key programming.accept_us, did you mean programming.accept_uS?"),
        (HEAD + "programming = 3\n", "programming must be a table, not 3"),
        (HEAD + "[programming]\naccept_uS = -1\n", "programming.accept_uS must be a number from 0 to 1e+06, not -1"),
        (HEAD + "[programming]\naccept_uS = nan\n", "programming.accept_uS must be a number from 0 to 1e+06, not nan"),
        (HEAD + "[programming]\naccept_uS = true\n",
         "programming.accept_uS must be a number from 0 to 1e+06, not true"),
        (HEAD + '[programming]\nsource = 3\n', "programming.source must be a string, not 3"),
        (HEAD + "[stuck]\nfraction = 1.5\n", "stuck.fraction must be a number from 0 to 1, not 1.5"),
        (HEAD + "[stuck]\nvalues_uS = []\n", "stuck.values_uS must be a list of at least 1, not []"),
        (HEAD + '[converter]\nspread = "no"\n', 'converter.spread must be true or false, not "no"'),
        (HEAD + "[relaxation]\ntimes_s = [2, 1]\nsigma_uS = [[1], [1]]\n",
         "relaxation.times_s must increase, not [2, 1]"),
        (HEAD + "[relaxation]\ntimes_s = [1, 2]\nsigma_uS = [[1]]\n",
         "relaxation.sigma_uS must hold one polynomial for each of the 2 times, not 1"),
        (HEAD + '[relaxation]\nsigma_uS = [["x"]]\n',
         'relaxation.sigma_uS[0][0] must be a number from -1e+09 to 1e+09, not "x"'),
        (HEAD + "[range]\ng_min_uS = 5\ng_max_uS = 2\n", "range.g_min_uS must be at most g_max_uS = 2, not 5"),
    ],
)
def test_wrong_device_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path / FILE, text)
    with pytest.raises(InputError) as failure:
        load_device(path)
    assert str(failure.value) == f"{path}: {sentence}"


def test_files_that_are_no_devices(tmp_path: Path) -> None:
    sentence = rf'^device must be one of {", ".join(NAMES)} or a \.toml file, not "pcx"$'
    with pytest.raises(InputError, match=sentence):
        load_device("pcx")
    missing = tmp_path / "none.toml"
    with pytest.raises(InputError, match=r"none\.toml: cannot be read as a device \(No such file or directory\)$"):
        load_device(missing)
    with pytest.raises(InputError, match=r"my\.toml:1: not TOML: "):
        load_device(write(tmp_path / FILE, "a = = 3"))
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"my\.toml, line 1: a device must be UTF-8 text, not bytes such as 0xff$"):
        load_device(tmp_path / FILE)
