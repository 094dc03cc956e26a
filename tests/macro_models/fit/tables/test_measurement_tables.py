"""Tables of measurements: what is read, what is left out and counted, what is refused and in which words."""

import gzip
import math
import random
import re
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.macro_models.fit.tables.table import parse_columns, read_table
from tests.macro_models.fit.reading import read_measurements

CELLS = 30


def rows(cells: int = CELLS, times: tuple[float, ...] = (0.0, 1.0, 100.0)) -> list[tuple[int, float, float]]:
    return [(c, t, 5.0 + c + 0.1 * math.log1p(t)) for t in times for c in range(cells)]


def write(path: Path, header: str, lines: list[str]) -> Path:
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n", encoding="utf-8")
    return path


def simple(path: Path, delimiter: str = ",", header: str = "cell,t_s,g_uS") -> Path:
    lines = [delimiter.join(f"{v:g}" for v in row) for row in rows()]
    return write(path, header.replace(",", delimiter), lines)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " "])
def test_delimiters_give_the_same_cells(tmp_path: Path, delimiter: str) -> None:
    data = read_measurements(simple(tmp_path / "lab.csv", delimiter))
    assert (data.cells, len(data.g_uS)) == (CELLS, 3 * CELLS)
    assert data.times_s.tolist() == [0.0, 1.0, 100.0]
    assert np.unique(data.target_uS).tolist() == [5.0 + c for c in range(CELLS)]
    assert all(len(set(data.target_uS[data.cell == c])) == 1 for c in range(CELLS))
    assert not data.has_target
    assert data.dropped == {}


def test_gzip_and_header_marks(tmp_path: Path) -> None:
    text = "\ufeff# made in the lab\n" + simple(tmp_path / "lab.csv").read_text()
    path = tmp_path / "lab.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert read_measurements(path).cells == CELLS


def test_decimal_commas_where_semicolons_delimit(tmp_path: Path) -> None:
    lines = [f"{c};{t:g};{g:.4f}".replace(".", ",") for c, t, g in rows()]
    data = read_measurements(write(tmp_path / "lab.csv", "cell;t_s;g_uS", lines))
    assert data.g_uS.max() == pytest.approx(5.0 + CELLS - 1 + 0.1 * math.log1p(100.0), abs=1e-4)


@pytest.mark.parametrize(("column", "value"), [("g_uS", 20.0), ("g_S", 20e-6), ("r_ohm", 50e3)])
def test_units_of_conductance(tmp_path: Path, column: str, value: float) -> None:
    lines = [f"{c},{t},{value!r}" for t in (0, 1) for c in range(CELLS)]
    data = read_measurements(write(tmp_path / "lab.csv", f"cell,t_s,{column}", lines))
    assert data.g_uS == pytest.approx(20.0)


def test_columns_by_name_and_by_number(tmp_path: Path) -> None:
    named = simple(tmp_path / "named.csv", header="device,time,G")
    by_name = read_measurements(named, columns=parse_columns("cell=device, t_s=time, g_uS=G"))
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(named.read_text().splitlines()[1:]))
    by_number = read_measurements(bare, columns=parse_columns("cell=1,t_s=2,g_uS=3"))
    assert np.array_equal(by_name.g_uS, by_number.g_uS)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    lines = [f"{c},{t:g},{g:g}" for c, t, g in rows()]
    lines[3] = "3,0,nan"  # then 3 is known from 1 s on
    lines[CELLS + 4] = "4,1,-20"
    lines[CELLS + 5] = "5,1,inf"
    lines[CELLS + 6] = "6,1,"
    lines += [lines[CELLS + 7], *(f"dead,{t},0" for t in (0, 1, 100))]
    data = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS", lines), g_max_uS=30.0)
    assert data.dropped == {
        "readings that are no number, negative or out of bounds": 4,
        "readings that are there twice": 1,
        "dead cells": 1,
        "cells programmed above 30 uS": 4,
    }
    assert data.cells == CELLS - 4


def test_programmed_value_is_the_target_or_the_first_reading(tmp_path: Path) -> None:
    lines = [f"{c},{t:g},{g + 0.5:g},{5 + c}" for c, t, g in rows()]
    data = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS,g_target_uS", lines))
    assert data.has_target
    assert np.unique(data.target_uS).tolist() == [5.0 + c for c in range(CELLS)]
    assert data.first_uS == pytest.approx(data.target_uS + 0.5)


def test_cells_of_two_dies_are_two_cells(tmp_path: Path) -> None:
    lines = [f"{die},{c},{t:g},{g + k:g}" for k, die in enumerate("AB") for c, t, g in rows()]
    assert read_measurements(write(tmp_path / "lab.csv", "die,cell,t_s,g_uS", lines)).cells == 2 * CELLS


def test_the_same_cell_programmed_at_each_temperature(tmp_path: Path) -> None:
    lines = [f"{c},{t:g},{g + k:g},{temp}" for k, temp in enumerate((25, 85)) for c, t, g in rows()]
    data = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS,temp_C", lines))
    assert data.cells == 2 * CELLS
    assert (data.target_uS[data.temp_C == 85].min(), data.target_uS[data.temp_C == 25].min()) == (6.0, 5.0)
    cold = read_measurements(tmp_path / "lab.csv", temp_max_C=50.0)
    assert cold.dropped == {"readings above 50 C": 3 * CELLS}


def test_a_cell_programmed_cold_and_baked_keeps_its_programmed_value(tmp_path: Path) -> None:
    lines = [f"{c},{t:g},{g:g},{25 if t == 0 else 85}" for c, t, g in rows()]
    data = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS,temp_C", lines))
    hot = data.temp_C == 85
    moved = 0.1 * np.log1p(data.times_s[data.time_index[hot]])
    assert data.target_uS[hot] == pytest.approx(data.g_uS[hot] - moved, abs=1e-4)


def test_reading_times_that_scatter_are_one_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nominal = np.repeat([0.01, 1.0, 1e5], 200)
    times = nominal * rng.uniform(0.9, 1.1, nominal.size)
    lines = [f"{k % 200},{t:.9g},{5 + k % 200}" for k, t in enumerate(times)] + [f"{c},0,{5 + c}" for c in range(200)]
    times_s = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS", lines)).times_s
    assert times_s == pytest.approx([0.0, 0.01, 1.0, 1e5], rel=0.02)


def test_times_all_over_the_decades_are_grouped(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = [f"{c},{t:.9g},{5 + c % 30}" for c in range(300) for t in (0.0, *10 ** rng.uniform(-2, 5, 4))]
    data = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS", lines))
    assert 8 <= len(data.times_s) <= 24
    assert (np.diff(np.log(data.times_s[1:])) > 0.2).all()


GOOD = ["1,0,5", "1,1,5"]


@pytest.mark.parametrize(
    ("header", "lines", "sentence"),
    [
        ("cell,t_s,g_uS", ["1,0,5", "2,0,five"], "lab.csv, line 3, column g_uS: 'five' is not a number"),
        ("cell,t_s,g_uS", ["1,0,5", "2,0"], "lab.csv, line 3: has 2 fields where the first line has 3"),
        ("cell,time,g_uS", GOOD,
         "lab.csv: column t_s is missing, it has cell, time, g_uS (rename one with --columns t_s=NAME)"),
        ("cell,t_s,G", GOOD,
         "lab.csv: one of the columns g_uS, g_S, r_ohm is missing, it has cell, t_s, G (rename one with "
         "--columns g_uS=NAME)"),
        ("id,t_s,g_uS", GOOD,
         "lab.csv: column cell or g_target_uS is needed, to know what each cell was programmed to"),
        ("cell,t_s,t_s,g_uS", ["1,0,0,5"], "lab.csv, line 1: column t_s is there twice"),
        ("cell,t_s,g_uS", [], "lab.csv: has a header and no rows"),
        ("cell,t_s,g_uS", GOOD, "lab.csv: a fit needs at least 20 cells, 1 are left of the data"),
        ("cell,t_s,g_uS", ["1,0,5"], "lab.csv: a fit needs at least 20 cells, 1 are left of the data"),
        ("", GOOD, "lab.csv, line 1: has no header; name the columns by number, as in --columns cell=1,t_s=2,g_S=4"),
    ],
)
def test_wrong_table_is_one_sentence(tmp_path: Path, header: str, lines: list[str], sentence: str) -> None:
    path = write(tmp_path / "lab.csv", header, lines)
    with pytest.raises(InputError, match=re.escape(sentence) + "$"):
        read_measurements(path)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read as a table of measurements \(No such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("\n\n")
    with pytest.raises(InputError, match=r"empty.csv: is empty, a header with t_s"):
        read_table(tmp_path / "empty.csv")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"cell,t_s,g_uS\n" * 100)[:30])
    with pytest.raises(InputError, match=r"cut.csv.gz: is no table of measurements, .*Compressed file ended"):
        read_table(tmp_path / "cut.csv.gz")
    (tmp_path / "bytes.csv").write_bytes(b"cell,t_s,g_uS\n1,0,\xb5\0\n")
    with pytest.raises(InputError, match=r"bytes.csv, line 2: a table of measurements must be UTF-8 text"):
        read_table(tmp_path / "bytes.csv")


@pytest.mark.parametrize("text", ["time", "g=t", "t_s=", ""])
def test_wrong_columns_option(text: str) -> None:
    with pytest.raises(InputError, match="--columns must be NAME=HEADER"):
        parse_columns(text)


def test_a_named_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lab.csv, line 1: has no column when \(of --columns\), it has cell, t_s"):
        read_table(simple(tmp_path / "lab.csv"), {"t_s": "when"})
    with pytest.raises(InputError, match="--columns t_s=9 must be between 1 and 3"):
        read_table(tmp_path / "lab.csv", {"cell": "1", "t_s": "9", "g_uS": "3"})


@pytest.mark.parametrize(
    ("column", "field"),
    [(1, "1e300"), (1, "1e12"), (2, "1e300"), (2, "1e7"), (2, "nan"), (3, "1e300"), (3, "nan"), (3, "-1"), (4, "1e4")],
)
def test_one_number_that_nobody_measured_is_left_out(column: int, field: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table: list[list[object]] = [
        [c, t, 10 + c % 5 + rng.normal(), 10 + c % 5, 25] for c in range(CELLS) for t in (0, 60)
    ]
    table[7][column] = field
    lines = [",".join(map(str, row)) for row in table]
    data = read_measurements(write(tmp_path / "lab.csv", "cell,t_s,g_uS,g_target_uS,temp_C", lines))
    assert data.dropped == {"readings that are no number, negative or out of bounds": 1}
    assert len(data.g_uS) == 2 * CELLS - 1


@pytest.mark.parametrize("seed", range(4))
def test_damaged_tables(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    lines = [f"{c},{60 * k},{10 + c % 5 + 0.1 * k},{10 + c % 5},25" for c in range(30) for k in range(3)]
    data = write(tmp_path / "lab.csv", "cell,t_s,g_uS,g_target_uS,temp_C", lines).read_bytes()
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 4])):
            changed[rng.randrange(len(data))] = rng.choice([13, 10, 0, 34, 44, 9, 45, 101, rng.randrange(256)])
        (tmp_path / "lab.csv").write_bytes(changed)
        try:
            measurements = read_measurements(tmp_path / "lab.csv")
        except InputError as error:
            sentence = str(error)
        else:
            sentence = ""
            assert np.isfinite(measurements.g_uS).all()
        assert "\n" not in sentence
