"""Tables in files that are no text: Parquet, HDF5, MAT and xlsx, each by the library that is made for it.

Only columns of plain numbers and texts are taken: no macro, formula, pickle, object or link to another file is
followed, and what a file says that it holds is bounded before it is read.
"""

import io
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, reading

MOST_FIELDS = 1 << 24
"""Rows times columns of a table, whatever its file."""
_MOST_UNPACKED = 1 << 28
_MOST_TEXT = 1000
_FILTERS = frozenset({"gzip", "shuffle", "fletcher32", "szip", "lzf"})  # of h5py itself: others load a library
_ADVICE = "save the table as CSV"

Columns = Mapping[str, Sequence[Any]]


def table_in(path: Path, data: bytes, kind: FileKind) -> list[list[str]] | None:
    """Header and rows of the table in a file, fields in plain notation; None if it is not of these formats.

    Raises InputError if its library is missing, or it holds something else, or too much.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(f"{path}: is a workbook of old (.xls); save it as .xlsx or CSV")
    for name, library, matches, read in (
        ("a Parquet file", "pyarrow.parquet", data.startswith(b"PAR1"), _parquet),
        ("an HDF5 file", "h5py", b"\x89HDF\r\n\x1a\n" in (data[:8], data[512:520]), _hdf5),
        ("a MAT file", "scipy.io", data.startswith(b"MATLAB 5.0"), _mat),
        ("a workbook", "openpyxl", data.startswith(b"PK\x03\x04"), _workbook),
    ):
        if matches:
            return _read(path, data, kind, name, library, read)
    return None


def _read(
    path: Path, data: bytes, kind: FileKind, name: str, library: str, read: Callable[[Path, bytes, Any], Any]
) -> list[list[str]]:
    try:
        module = import_module(library)
    except ImportError:
        package = library.split(".")[0]
        raise InputError(f"{path}: is {name}, which {package} reads: pip install 'mho[lab]', or {_ADVICE}") from None
    with reading(path, kind):
        columns = read(path, data, module)
        if isinstance(columns, list):
            return columns
        return [list(columns), *([_text(v) for v in row] for row in zip(*columns.values(), strict=True))]


def _bounded(path: Path, fields: int) -> None:
    if fields > MOST_FIELDS:
        raise InputError(f"{path}: holds {fields:,} numbers, a table may have {MOST_FIELDS:,}")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, bool | int | np.integer):
        return str(int(value))
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)[:_MOST_TEXT].strip()


def _alike(path: Path, columns: dict[str, Any], what: str) -> Columns:
    """The columns of the length that most have; other arrays of a file are passed over."""
    lengths = [len(column) for column in columns.values()]
    rows = max(set(lengths), key=lambda n: (lengths.count(n), n), default=0)
    table = {name: column.tolist() for name, column in columns.items() if len(column) == rows}
    if rows < 2 or len(table) < 2:
        raise InputError(f"{path}: has no {what} of one length, such as t_s and g_uS; {_ADVICE}")
    _bounded(path, rows * len(table))
    return table


def _parquet(path: Path, data: bytes, parquet: Any) -> Columns:
    schema = parquet.read_schema(io.BytesIO(data))
    texts = [field.name for field in schema if str(field.type) in ("string", "large_string")]
    # Texts stay indices into their dictionary: one may be there a million times.
    file = parquet.ParquetFile(io.BytesIO(data), read_dictionary=texts)
    groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
    _bounded(path, file.metadata.num_rows * max(file.metadata.num_columns, 1))
    if sum(group.total_byte_size for group in groups) > _MOST_UNPACKED:
        raise InputError(f"{path}: unpacks to more than {_MOST_UNPACKED >> 20} MB; {_ADVICE}")
    plain = [
        field.name for field in schema
        if field.name in texts or str(field.type) in ("bool", "float", "double", "halffloat")
        or str(field.type).startswith(("int", "uint"))
    ]
    table = file.read(columns=plain)
    return {name: table.column(name).to_pylist() for name in plain}


def _hdf5(path: Path, data: bytes, h5py: Any) -> Columns:
    with h5py.File(io.BytesIO(data), "r") as file:
        groups = [file, *(file[name] for name in _hard(file, h5py) if isinstance(file[name], h5py.Group))]
        best: Columns = {}
        for group in groups[:64]:
            sets = {name: group[name] for name in _hard(group, h5py) if isinstance(group[name], h5py.Dataset)}
            columns: dict[str, Any] = {}
            for name, dataset in sets.items():
                columns |= _dataset(path, name, dataset, h5py)
            if len(columns) > len(best):
                best = columns
        return _alike(path, dict(best), "datasets of plain numbers")


def _hard(group: Any, h5py: Any) -> list[str]:
    """Names that are in the file itself: a soft link may be a ring, an external one another file."""
    names = [name for name, _ in zip(group, range(1024), strict=False) if not name.startswith("#")]
    return [name for name in names if isinstance(group.get(name, getlink=True), h5py.HardLink)]


def _dataset(path: Path, name: str, dataset: Any, h5py: Any) -> dict[str, Any]:
    """Columns of one dataset: itself, or the fields of a table."""
    if dataset.shape is None or dataset.size != max(dataset.shape, default=0) or dataset.size < 2:
        return {}
    kinds = dataset.dtype.fields
    plain = all(part[0].kind in "biufS" for part in kinds.values()) if kinds else (
        dataset.dtype.kind in "biufS" or h5py.check_string_dtype(dataset.dtype) is not None
    )
    filters = set(getattr(dataset, "_filters", {}))
    chunk = math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize
    if not plain or dataset.external or dataset.is_virtual or not filters <= _FILTERS:
        return {}  # another file, or code, would be read
    _bounded(path, dataset.size * len(kinds or (1,)))
    if max(chunk, dataset.size * dataset.dtype.itemsize) > _MOST_UNPACKED:
        raise InputError(f"{path}: {name} unpacks to more than {_MOST_UNPACKED >> 20} MB; {_ADVICE}")
    values = dataset[()].reshape(-1)
    return {key: values[key] for key in kinds} if kinds else {name: values}


def _mat(path: Path, data: bytes, scipy_io: Any) -> Columns:
    variables = scipy_io.whosmat(io.BytesIO(data))
    plain = [
        name for name, shape, kind in variables
        if kind in ("double", "single", "logical") or kind.startswith(("int", "uint"))
        if math.prod(shape) == max(shape, default=0) > 1
    ]
    _bounded(path, sum(math.prod(shape) for name, shape, _ in variables if name in plain))
    if not plain:
        kinds = ", ".join(f"{name} ({kind})" for name, _, kind in variables[:5])
        raise InputError(f"{path}: has no vectors of numbers but {kinds}; save each column as a variable, or as CSV")
    arrays = scipy_io.loadmat(io.BytesIO(data), variable_names=plain)
    return _alike(path, {name: np.asarray(arrays[name]).reshape(-1) for name in plain}, "vectors of numbers")


def _workbook(path: Path, data: bytes, openpyxl: Any) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        if "xl/workbook.xml" not in parts.namelist():
            raise InputError(f"{path}: is an archive, and no workbook (.xlsx); {_ADVICE}")
        if sum(part.file_size for part in parts.infolist()) > _MOST_UNPACKED:
            raise InputError(f"{path}: unpacks to more than {_MOST_UNPACKED >> 20} MB; {_ADVICE}")
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what the sheet says of its size
    rows: list[list[str]] = []
    fields = 0
    for row in sheet.iter_rows(values_only=True):
        text = [_text(value) for value in row]
        while text and not text[-1]:
            text.pop()
        fields += len(text) + 1
        _bounded(path, fields)
        if text:
            rows.append(text)
    width = len(rows[0]) if rows else 0
    if not width or any(len(row) > width for row in rows):
        raise InputError(f"{path}: its first sheet must begin with a header, one title above each column")
    return [row + [""] * (width - len(row)) for row in rows]
