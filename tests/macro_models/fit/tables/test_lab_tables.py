"""Tables as laboratories have them: the ordinary ones become devices, what is wrong or ambiguous is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.macro_models.fit import fit_device
from mho.macro_models.fit.lab.titles import CONVERTED, unit_factor
from mho.macro_models.fit.tables.table import COLUMNS, TEXT, parse_columns, read_table
from tests.macro_models.fit.reading import read_measurements

CELLS, TIMES = 40, (0.0, 60.0, 3600.0)
READINGS = 20.0 + 5.0 * np.random.default_rng(0).standard_normal((CELLS, len(TIMES)))
TARGET = np.full(CELLS, 20.0)


def tidy_lines(
    delimiter: str, number: Callable[[float], str] = "{:.4f}".format, scale: Callable[[float], float] = float
) -> list[str]:
    return [
        delimiter.join([f"R{c}", number(t), number(scale(READINGS[c, k])), number(20.0)])
        for c in range(CELLS) for k, t in enumerate(TIMES)
    ]


def comma(value: float) -> str:
    return f"{value:.4f}".replace(".", ",")


def text(*lines: str, end: str = "\n") -> str:
    return end.join(lines) + end


HEAD = ("cell", "t_s", "g_uS", "g_target_uS")
RENAMED = "cell=Zelle,t_s=Zeit,g_uS=G,g_target_uS=Ziel"
WIDE = [f"R{c},20," + ",".join(f"{g:.4f}" for g in READINGS[c]) for c in range(CELLS)]

FILES: dict[str, tuple[bytes, str]] = {
    "decimal comma with tabs": (text("\t".join(HEAD), *tidy_lines("\t", comma)).encode(), ""),
    "UTF-16 of a spreadsheet": (text("\t".join(HEAD), *tidy_lines("\t", comma), end="\r\n").encode("utf-16"), ""),
    "UTF-16 without a mark": (text(",".join(HEAD), *tidy_lines(",")).encode("utf-16-le"), ""),
    "big-endian UTF-16": (text(",".join(HEAD), *tidy_lines(",")).encode("utf-16-be"), ""),
    "Windows-1252": (
        text("Zelle;Zeit (s);G (µS);Ziel (µS)", "# gemessen bei 25 °C", *tidy_lines(";", comma)).encode("cp1252"),
        RENAMED,
    ),
    "a row of units": (
        text("Zelle,Zeit,G,Ziel", ",s,nS,µS", *tidy_lines(",", scale=lambda g: 1e3 * g)).encode(), RENAMED
    ),
    "errors of a spreadsheet": (
        text(",".join(HEAD), *tidy_lines(","), "#N/A,0,20,20", "R1,#DIV/0!,20,20", "R2,7200,#VALUE!,20",
             "R3,7200,,20").encode(), ""
    ),
    "sep=": (text("sep=;", ";".join(HEAD), *tidy_lines(";")).encode(), ""),
    "a column for each time": (
        text("cell,g_target_uS,0,1min,t=1h", *WIDE).encode(), "g_uS=*"
    ),
    "a column for each cell": (
        text("time;" + ";".join(f"R{c}" for c in range(CELLS)),
             *(f"{t:g};" + ";".join(comma(g) for g in READINGS[:, k]) for k, t in enumerate(TIMES))).encode(),
        "t_s=time,g_uS=*",
    ),
    "lone carriage returns": (text(",".join(HEAD), *tidy_lines(","), end="\r").encode(), ""),
    "kilohms": (text("cell,t_s,r_kohm,g_target_uS", *tidy_lines(",", "{:.9g}".format, lambda g: 1e3 / g)).encode(), ""),
    "ohms in brackets": (
        text("cell,t_s,R (MΩ),g_target_uS", *tidy_lines(",", "{:.9g}".format, lambda g: 1.0 / g)).encode(), "r_ohm=R"
    ),
    "currents": (
        text("cell,t_s,i_uA,g_target_uS", *tidy_lines(",", "{:.9g}".format, lambda g: 0.2 * g)).encode(), "v_read_V=0.2"
    ),
    "hours and kelvin": (
        text("cell,t_h,g_uS,g_target_uS,temp_K", *(
            f"R{c},{t / 3600:.9g},{READINGS[c, k]:.4f},20,298.15" for c in range(CELLS) for k, t in enumerate(TIMES)
        )).encode(), "",
    ),
}


def read(path: Path, columns: str):
    return read_measurements(path, columns=parse_columns(columns) if columns else None)


@pytest.mark.parametrize("name", FILES)
def test_ordinary_files_hold_the_same_cells(name: str, tmp_path: Path) -> None:
    data, columns = FILES[name]
    (tmp_path / "lab.csv").write_bytes(data)
    measurements = read(tmp_path / "lab.csv", columns)
    assert measurements.cells == CELLS
    assert measurements.times_s == pytest.approx(TIMES)
    assert sorted(measurements.g_uS) == pytest.approx(sorted(READINGS.ravel()), abs=1e-4)
    assert measurements.temp_C == pytest.approx(25.0)
    if measurements.has_target:
        assert measurements.target_uS == pytest.approx(20.0)
    lost = sum(measurements.dropped.values())
    assert lost == (4 if "errors" in name else 0)


def test_other_spellings_are_read(tmp_path: Path) -> None:
    for header, units, number in (
        (HEAD, "[-],[s],[µS],[µS]", "{:.4f}".format),
        (("cell", "t_s", "g_S", "g_target_S"), "--,s,µS,µS", lambda v: f"{v:.6e}".replace("-", "\N{MINUS SIGN}")),
    ):
        (tmp_path / "lab.csv").write_text(text(",".join(header), units, *tidy_lines(",", number)))
        assert sorted(read(tmp_path / "lab.csv", "").g_uS) == pytest.approx(sorted(READINGS.ravel()), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_ordinary_files_become_devices(name: str, tmp_path: Path) -> None:
    data, columns = FILES[name]
    (tmp_path / "lab.csv").write_bytes(data)
    device = fit_device(read(tmp_path / "lab.csv", columns), name="lab", model="parametric")
    assert device.fit.cells == CELLS
    assert device.fit.std_uS[-1] == pytest.approx(READINGS[:, -1].std() if device.fit.n[0] else 5.0, rel=0.6)


def wrong(header: str, lines: list[str], columns: str = "") -> tuple[bytes, str]:
    return text(header, *lines).encode(), columns


GOOD = tidy_lines(",")
WRONG: dict[str, tuple[tuple[bytes, str], str]] = {
    "siemens as uS": (
        wrong("cell,t_s,g_uS", [f"R{c},{t},{2e-5 + 1e-7 * c:.3g}" for c in range(CELLS) for t in TIMES]),
        "lab.csv, column g_uS: the median is 2.19e-05 uS; if it is in siemens, it is --columns g_S=NAME",
    ),
    "a workbook": (
        (b"\xd0\xcf\x11\xe0" + bytes(range(256)), ""),
        "lab.csv: is a workbook of old (.xls); save it as .xlsx or CSV",
    ),
    "a cell twice": (
        wrong("t_s,R1,R2,R1", [f"{t:g},20,21,22" for t in TIMES], "g_uS=*"),
        "lab.csv, line 1: column R1 is there twice; each cell needs a name of its own",
    ),
    "uS as siemens": (
        wrong("cell,t_s,g_S", [f"R{c},{t},{0.5 + 1e-2 * c:.3g}" for c in range(CELLS) for t in TIMES]),
        "lab.csv, column g_S: the median is 0.695 S; if it is in uS, it is --columns g_uS=NAME",
    ),
    "kilohms as ohms": (
        wrong("cell,t_s,r_ohm", [f"R{c},{t},{40 - 0.1 * c:.3g}" for c in range(CELLS) for t in TIMES]),
        "lab.csv, column r_ohm: the median is 38 ohm; if it is in kilohms, it is --columns r_kohm=NAME",
    ),
    "kelvin as Celsius": (
        wrong("cell,t_s,g_uS,temp_C", [f"R{c},{t},20,{298 if c % 2 else 358}" for c in range(CELLS) for t in TIMES]),
        "lab.csv, column temp_C: 298 C beside nothing below 200 C; if it is in kelvin, it is --columns temp_K=NAME",
    ),
    "targets in another unit": (
        wrong("cell,t_s,g_uS,g_target_uS", [f"R{c},{t},20,0.002" for c in range(CELLS) for t in TIMES]),
        "lab.csv: g_uS has a median of 20 uS and g_target_uS of 0.002 uS: one of them is in another unit",
    ),
    "dates as times": (
        wrong("cell,t_s,g_uS", [f"R{c},{1764170000 + t},20" for c in range(CELLS) for t in TIMES]),
        "lab.csv, column t_s: the first time is 1764170000 s, a date by all appearance; times count from programming",
    ),
    "commas of one or the other kind": (
        wrong("cell\tt_s\tg_uS", [f"R{c}\t{t:.0f}\t12,345" for c in range(CELLS) for t in TIMES]),
        "lab.csv, line 2: '12,345' may have a decimal comma or a mark of thousands; write it with a point, or delimit "
        "with semicolons",
    ),
    "commas and points": (
        wrong("cell\tt_s\tg_uS", [f"R{c}\t{t:.1f}\t12,34" for c in range(CELLS) for t in TIMES]),
        "lab.csv, line 2: '0.0' has a point where '12,34' has a decimal comma; numbers must have one or the other",
    ),
    "thousands": (
        wrong("cell\tt_s\tg_uS", [f"R{c}\t{t:.0f}\t1,012.5" for c in range(CELLS) for t in TIMES]),
        "lab.csv, line 2: '1,012.5' has marks of thousands; numbers must be without them",
    ),
    "a wide table of nobody knows what": (
        wrong("cell,0,60,3600", [f"R{c},20,20,20" for c in range(CELLS)]),
        "lab.csv: has a column for each time, 0 to 3600; say what they hold, as in --columns g_uS=*",
    ),
    "wide columns that are no times": (
        wrong("cell,0,60,note", [f"R{c},20,20,20" for c in range(CELLS)], "g_uS=*"),
        "lab.csv: columns of g_uS=* must be times, as 10, 10s or t=1h, or t_s a column; not note",
    ),
    "currents without a voltage": (
        wrong("cell,t_s,i_uA", [f"R{c},{t},4" for c in range(CELLS) for t in TIMES]),
        "lab.csv: currents need the voltage of the read, as in --columns v_read_V=0.2, or a column of it",
    ),
    "a unit of another quantity": (
        wrong("Zelle,Zeit,G,Ziel", [",s,V,uS", *GOOD], RENAMED),
        "lab.csv, line 2: column G is in 'V', which is no unit of g_uS",
    ),
    "two of the same quantity": (
        wrong("cell,t_s,t_h,g_uS", [f"R{c},{t},{t},20" for c in range(CELLS) for t in TIMES]),
        "lab.csv, line 1: columns t_s and t_h are the same quantity",
    ),
    "half of a UTF-16 file": (
        (text(",".join(HEAD), *GOOD).encode("utf-16")[:-1], ""),
        "lab.csv: begins as UTF-16 text, but is not all of it: it is cut or damaged",
    ),
    "no text at all": (
        (bytes(range(256)) * 10, ""),
        "lab.csv, line 2: a table of measurements must be UTF-8 text, not bytes such as 0x80",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_units_and_what_is_ambiguous_are_one_sentence(name: str, tmp_path: Path) -> None:
    (data, columns), sentence = WRONG[name]
    (tmp_path / "lab.csv").write_bytes(data)
    with pytest.raises(InputError) as failure:
        read(tmp_path / "lab.csv", columns)
    assert str(failure.value) == f"{tmp_path}/{sentence}"
    assert len(sentence) <= 200


def test_what_a_file_says_of_its_units_is_believed(tmp_path: Path) -> None:
    lines = [f"R{c},{t},{0.5e-3 + 1e-5 * c:.3g},{300 if t else 290}" for c in range(CELLS) for t in TIMES]
    (tmp_path / "lab.csv").write_bytes(text("cell,t_s,g_uS (µS),temp_C (°C)", *lines).encode())
    data = read(tmp_path / "lab.csv", "g_uS=g_uS,temp_C=temp_C")
    assert data.g_uS.max() < 1e-3
    assert set(data.temp_C) == {290.0, 300.0}


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [("t_s", "min", 60.0), ("g_uS", "nS", 1e-3), ("g_uS", "S", 1e6), ("g_S", "µS", 1e-6), ("r_ohm", "kΩ", 1e3),
     ("r_ohm", "MOhm", 1e6), ("pulse_ns", "µs", 1e3), ("g_uS", "V", None), ("cell", "s", None)],
)
def test_units(name: str, unit: str, factor: float | None) -> None:
    assert unit_factor(name, unit) == factor


@pytest.mark.parametrize("title", ["{}", "its {}"])
@pytest.mark.parametrize("name", sorted({CONVERTED.get(name, (name, ""))[0] for name in COLUMNS} - {"i_A", "v_read_V"}))
def test_every_column_that_is_understood_is_read(name: str, title: str, tmp_path: Path) -> None:
    reading = {"g_S": "3e-5"} if name in ("g_S", "g_target_S") else {"g_uS": "30"} if name != "r_ohm" else {}
    fields = {k: v for k, v in {"t_s": "1", **reading}.items() if k != name}
    values = [digit + {"r_ohm": "e4", "g_S": "e-5", "g_target_S": "e-5"}.get(name, "") for digit in "234"]
    path = tmp_path / "columns.csv"
    path.write_text(text(",".join([*fields, title.format(name)]), *(",".join([*fields.values(), v]) for v in values)))
    table = read_table(path, {name: title.format(name)})
    columns = table.names if name in TEXT else table.numbers
    np.testing.assert_array_equal(columns[name], [0, 1, 2] if name in TEXT else [float(v) for v in values])
