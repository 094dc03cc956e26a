"""Times and energies as people write them."""

import pytest

from mho.macro_models.errors import InputError
from mho.units import format_energy, format_time, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("1s", 1.0),
        ("1.5 m", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1y", 31557600.0),
        (3600, 3600.0),
        ("1e3s", 1000.0),
    ],
)
def test_reads_a_time(text: str | float, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "-1d", "1w", "one day", "1d2h", "nan", "inf"])
def test_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(InputError, match=r"^time must be a number with s, m, h, d or y, as in 1d, not '.*'$"):
        parse_time(text)


@pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
def test_refuses_a_number_that_is_no_time(number: float) -> None:
    with pytest.raises(InputError, match=r"^time must be finite and not negative, not "):
        parse_time(number)


@pytest.mark.parametrize("text", ["0s", "1s", "90s", "1m", "1h", "1d", "30d", "10y", "1.5h"])
def test_writes_a_time_that_reads_back(text: str) -> None:
    assert parse_time(format_time(parse_time(text))) == parse_time(text)


@pytest.mark.parametrize(("pJ", "text"), [
    (0.0, "0 pJ"), (12.34, "12.3 pJ"), (999.0, "999 pJ"), (999.9, "1 nJ"), (2500.0, "2.5 nJ"), (6.36e6, "6.36 µJ"),
    (4e9, "4 mJ"),
])
def test_energies_have_the_unit_that_fits(pJ: float, text: str) -> None:
    assert format_energy(pJ) == text
