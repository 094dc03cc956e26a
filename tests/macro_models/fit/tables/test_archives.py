"""Parquet, HDF5, MAT and xlsx give what CSV gives; nothing in them reaches outside, or grows without a bound."""

import importlib.util
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.macro_models.fit.lab import archives
from tests.macro_models.fit.lab_files import columns, written
from tests.macro_models.fit.reading import read_measurements


def _same(path: Path, folder: Path) -> None:
    archive, expected = read_measurements(path), read_measurements(written(folder))
    # Cells are in the order of their names.
    np.testing.assert_allclose(np.sort(archive.g_uS), np.sort(expected.g_uS))
    np.testing.assert_allclose(np.sort(archive.target_uS), np.sort(expected.target_uS))
    assert archive.times_s.tolist() == [0.0, 3600.0]


def test_parquet(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = columns() | {"cell": [f"{c:02}" for c in columns()["cell"]], "note": [{"a": 1}] * 60}
    parquet.write_table(pa.table(table), tmp_path / "lab.parquet")
    _same(tmp_path / "lab.parquet", tmp_path)
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "lab.parquet").read_bytes()[:-30])
    with pytest.raises(InputError, match="damaged"):
        read_measurements(tmp_path / "cut.parquet")


def test_hdf5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        for name, values in columns().items():
            file.create_dataset(name, data=values, compression="gzip", chunks=(20,))
        file["image"] = np.zeros((8, 8))
    _same(tmp_path / "plain.h5", tmp_path)
    with h5py.File(tmp_path / "records.h5", "w") as file:
        file["run/table"] = np.rec.fromarrays(list(columns().values()), names=",".join(columns()))
    _same(tmp_path / "records.h5", tmp_path)
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        for name in ("cell", "g_uS", "g_target_uS"):
            file[name] = columns()[name]
        file["t_s"] = h5py.ExternalLink("plain.h5", "t_s")
    layout = h5py.VirtualLayout((60,), dtype="f8")
    layout[:] = h5py.VirtualSource("plain.h5", "t_s", (60,))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        for name in ("cell", "g_uS", "g_target_uS"):
            file[name] = columns()[name]
        file.create_virtual_dataset("t_s", layout)
    monkeypatch.chdir(tmp_path)
    for name in ("outside.h5", "virtual.h5"):
        with pytest.raises(InputError, match="column t_s is missing"):
            read_measurements(Path(name))
    with h5py.File(tmp_path / "vast.h5", "w") as file:
        file.create_dataset("t_s", shape=(1 << 40,), dtype="f8", chunks=(1 << 16,))
    with pytest.raises(InputError, match="a table may have 16,777,216"):
        read_measurements(tmp_path / "vast.h5")


def test_mat(tmp_path: Path) -> None:
    scipy_io = importlib.import_module("scipy.io")
    for packed in (False, True):
        scipy_io.savemat(tmp_path / "lab.mat", columns() | {"note": "x", "more": {"a": 1}}, do_compression=packed)
        _same(tmp_path / "lab.mat", tmp_path)
    scipy_io.savemat(tmp_path / "lab.mat", {"data": columns()})
    with pytest.raises(InputError, match=r"data \(struct\); save each column as a variable"):
        read_measurements(tmp_path / "lab.mat")


def test_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(columns()))
    for row in zip(*columns().values(), strict=True):
        sheet.append([float(v) for v in row])
    book.save(tmp_path / "lab.xlsx")
    _same(tmp_path / "lab.xlsx", tmp_path)


def test_a_workbook_with_a_damaged_sheet_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl").Workbook().save(tmp_path / "whole.xlsx")
    with zipfile.ZipFile(tmp_path / "whole.xlsx") as whole, zipfile.ZipFile(tmp_path / "lab.xlsx", "w") as damaged:
        for name in whole.namelist():
            damaged.writestr(name, whole.read(name).replace(b"<sheetData", b"<sheetData <") if "sheet1" in name
                             else whole.read(name))
    with pytest.raises(InputError, match=r"lab\.xlsx: is no table of measurements, or is damaged \(not well-formed"):
        read_measurements(tmp_path / "lab.xlsx")


def test_the_rest_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(data: bytes, sentence: str) -> None:
        path = tmp_path / "lab.bin"
        path.write_bytes(data)
        with pytest.raises(InputError, match=sentence):
            read_measurements(path)

    refused(b"\xd0\xcf\x11\xe0" + bytes(600), r"workbook of old \(.xls\)")
    refused(pickle.dumps(columns()), "must be UTF-8 text")
    arrays = io.BytesIO()
    np.savez(arrays, **columns())
    refused(arrays.getvalue(), "is an archive, and no workbook")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/workbook.xml", "<workbook/>")
        parts.writestr("xl/worksheets/sheet1.xml", bytes(300 << 20))
    if importlib.util.find_spec("openpyxl") is not None:
        refused(bomb.getvalue(), "unpacks to more than 256 MB")

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(archives, "import_module", missing)
    refused(b"\x89HDF\r\n\x1a\n" + bytes(600), r"is an HDF5 file, which h5py reads: pip install 'mho\[lab\]'")
    refused(b"PAR1" + bytes(600), "is a Parquet file, which pyarrow reads")
