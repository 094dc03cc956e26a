"""Files that are none, are too large, are damaged or were made to exhaust their reader: one sentence each."""

import gzip
import os
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.comparisons.runs import read_run
from mho.compiler import load_input
from mho.compiler.network.file.archive import read_archive, write_archive
from mho.hw.config import load_chip
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, check_memory, read_file, size_text
from mho.macro_models.files.memory import available_bytes
from mho.macro_models.fit.tables.table import read_table
from mho.reports.facts import with_layout
from mho.runs.writing import read_conductances

READERS: dict[str, Callable[[Path], object]] = {
    "x.npy": load_input, "g.npz": lambda path: read_conductances(path, 1), "chip.toml": load_chip,
    "device.toml": load_device, "lab.csv": read_table,
}


def outcome(read: Callable[[Any], Any], source: object) -> Any:
    """What is read, or None after a refusal, which must be one sentence; anything else that is raised goes on."""
    try:
        return read(source)
    except InputError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    return None


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_a_device_and_a_folder_are_refused_before_they_are_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{re.escape(name)}: is no regular file, as an? .* must be$"):
        READERS[name](tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match=f"{re.escape(name)}: is no regular file, as an? .* must be$"):
        READERS[name](tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=rf"{re.escape(name)}: cannot be read as an? .* \(Is a directory\)$"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", READERS)
def test_a_file_larger_than_its_kind_can_need_is_refused_before_it_is_read(name: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as stream:
        stream.truncate(1 << 40)  # a hole: it takes no room
    with pytest.raises(InputError, match=rf"{re.escape(name)}: holds 1\.1 TB; an? .* may have .* at most"):
        READERS[name](tmp_path / name)


def test_a_file_that_says_that_it_is_small_is_read_no_further_than_its_limit() -> None:
    with pytest.raises(InputError, match=r"stat: holds .* bytes; a line may have 3 bytes at most"):
        read_file("/proc/self/stat", FileKind("line", 3))


# Arrays ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_damaged_byte_of_a_header_gives_the_array_or_a_sentence(tmp_path: Path) -> None:
    path, x = tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(3, 4) + 1
    np.save(path, x)
    data = path.read_bytes()
    refused = 0
    for place in range(128):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            array = outcome(load_input, path)
            refused += array is None
            # What is another legal header of as many bytes cannot be told.
            assert array is None or array.size == 12
    assert refused > 900


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }", "it has .* bytes, .* has 439804651"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", "it has .* has "),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "it holds objects"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "with several fields"),
        ("{'descr': '<f3', 'fortran_order': False, 'shape': (3,), }", "it holds <f3, which is no type of numbers"),
        ("{'descr': '<f4', 'descr': '<f4', 'shape': (3,), }", "its header is damaged"),
        ("[" * 60_000, "its header is damaged"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }", "no type of numbers"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, " + "4294967296, " * 3 + "), }", "is no .npy"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, " + "1, " * 90 + "), }", "is no .npy"),
    ],
)
def test_headers_that_claim_anything(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text.encode())
    with pytest.raises(InputError, match=reason):
        load_input(tmp_path / "x.npy")


def test_orders_of_bytes_and_of_dimensions(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    for array in (x, np.asfortranarray(x), x.astype(">f8"), x.astype(">i2"), x[:, ::2], x.T):
        np.save(tmp_path / "x.npy", array)
        assert np.array_equal(load_input(tmp_path / "x.npy"), array)
    with (tmp_path / "v3.npy").open("wb") as stream:
        np.lib.format.write_array(stream, x, version=(3, 0))
    assert np.array_equal(load_input(tmp_path / "v3.npy"), x)


def test_an_archive_with_a_foreign_member(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones((2, 2)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("text.npy", "hello")
    assert load_input(f"{path}:a").shape == (2, 2)
    with pytest.raises(InputError, match=r"has no array 'readme\.txt'; write x\.npz:KEY with one of a, text"):
        load_input(f"{path}:readme.txt")
    with pytest.raises(InputError, match="it does not begin as an array"):
        load_input(f"{path}:text")


def test_an_archive_that_unpacks_to_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4398046511104,), }"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    data = path.read_bytes()
    with pytest.raises(InputError, match=r"it has 79 bytes, float32 of shape \[4398046511104\] has 175"):
        load_input(path)
    # The size that the archive declares, at both places.
    real, claimed = (79).to_bytes(4, "little"), (0xFFFFFFFE).to_bytes(4, "little")
    path.write_bytes(data.replace(real, claimed))
    with pytest.raises(InputError, match=r"holds|it has 4294967294 bytes"):
        load_input(path)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_archives(seed: int, tmp_path: Path) -> None:
    path, rng = tmp_path / "x.npz", random.Random(seed)
    np.savez_compressed(path, a=np.arange(400.0).reshape(20, 20), b=np.ones(3))
    data = path.read_bytes()
    for _ in range(40):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 8])):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(changed[: rng.choice([len(data), rng.randrange(len(data))])])
        # Bytes that no checksum covers may change: dates, versions.
        array = outcome(load_input, f"{path}:a")
        assert array is None or np.array_equal(array, np.arange(400.0).reshape(20, 20))


# TOML --------------------------------------------------------------------------------------------

DEEP = [
    ("a = " + "[" * 990 + "]" * 990, "more than 16 levels are nested"),
    ("a = " + "[" * 100_000, "more than 16 levels are nested"),
    ("a = " + "{a = " * 990 + "1" + "}" * 990, "more than 16 levels are nested"),
    (".".join("a" * 100_000) + " = 1", "more than 16 levels are nested"),
    ("[" + ".".join(["'a'"] * 50_000) + "]", "more than 16 levels are nested"),
    ("[a]\n" + ".".join("a" * 20) + " = 1", "more than 16 levels are nested"),
    ("a = " + "9" * 5000, "not TOML: "),
    ("a = 0x" + "f" * 50_000, "an integer has more than 64 bits"),
    ("a = 9223372036854775808", "an integer has more than 64 bits"),
    ("a = " + "-" * 100_000, "not TOML: invalid value"),
]


@pytest.mark.parametrize("load", [load_chip, load_device])
@pytest.mark.parametrize(("text", "sentence"), DEEP)
def test_toml_without_measure(load: Callable[[Path], object], text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "deep.toml").write_text(f"schema = 1\n{text}\n")
    with pytest.raises(InputError, match=sentence) as caught:
        load(tmp_path / "deep.toml")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("read", [read_run, lambda path: with_layout([], path)], ids=["run", "layout"])
@pytest.mark.parametrize("levels", [65, 900, 100_000])
def test_json_without_measure(read: Callable[[str], object], levels: int, tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"format": 1, "a": ' + "[" * levels + "]" * levels + "}")
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: ") as caught:
        read(str(path))
    assert len(str(caught.value)) < 400


def test_index_of_an_archive_without_measure(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    for _ in range(100):
        content = {"a": content}
    write_archive(tmp_path / "deep.mho", content, {})
    with pytest.raises(InputError, match=r"deep\.mho: is no network file, or is damaged \(more than 64 levels are"):
        read_archive(tmp_path / "deep.mho")


@pytest.mark.parametrize("load", [load_chip, load_device])
def test_extends_that_leads_nowhere(load: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for target, sentence in (
        ("pipe.toml", r"pipe\.toml: is no regular file"), ("/dev/zero.toml", "No such file"),
        ("zero.toml", r"zero\.toml: is no regular file"), ("loop.toml", "too many levels|Too many levels"),
        ("nul\\u0000.toml", "embedded null (byte|character)"), ("x" * 300 + ".toml", "File name too long"),
    ):
        (tmp_path / "zero.toml").unlink(missing_ok=True)
        (tmp_path / "zero.toml").symlink_to("/dev/zero")
        (tmp_path / "loop.toml").unlink(missing_ok=True)
        (tmp_path / "loop.toml").symlink_to("loop.toml")
        (tmp_path / "first.toml").write_text(f'schema = 1\nextends = "{target}"\nname = "a"\n')
        with pytest.raises(InputError, match=sentence):
            load(tmp_path / "first.toml")


@pytest.mark.parametrize("load", [load_chip, load_device])
def test_extends_of_3000_files(load: Callable[[Path], object], tmp_path: Path) -> None:
    for k in range(3000):
        (tmp_path / f"c{k}.toml").write_text(f'schema = 1\nextends = "c{k + 1}.toml"\nname = "a"\n')
    with pytest.raises(InputError, match="extends must not go over more than 16 files"):
        load(tmp_path / "c0.toml")


@pytest.mark.parametrize(
    ("preset", "load"),
    [("hw/config/presets/neurram-core", load_chip), ("macro_models/devices/rram-neurram", load_device)],
)
@pytest.mark.parametrize("seed", range(4))
def test_damaged_toml(preset: str, load: Callable[[Path], object], seed: int, tmp_path: Path) -> None:
    root, rng = Path(__file__).parents[3], random.Random(seed)
    data = (root / f"{preset}.toml").read_bytes()
    for _ in range(25):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3])):
            changed[rng.randrange(len(data))] = rng.choice([*b'\0\r\n"[]{}=.#', rng.randrange(256)])
        (tmp_path / "x.toml").write_bytes(changed)
        outcome(load, tmp_path / "x.toml")


# Tables ------------------------------------------------------------------------------------------


def _table(path: Path, rows: int = 60) -> bytes:
    lines = [f"{k % 30},{60 * (k // 30)},{5 + k % 7}.25,{5 + k % 7}" for k in range(rows)]
    path.write_text("\n".join(["cell,t_s,g_uS,g_target_uS", *lines]) + "\n")
    return path.read_bytes()


@pytest.mark.parametrize("ends", [b"\r", b"\r\n"])
def test_lines_may_end_by_a_carriage_return(ends: bytes, tmp_path: Path) -> None:
    data = _table(tmp_path / "lab.csv")
    whole = read_table(tmp_path / "lab.csv")
    (tmp_path / "lab.csv").write_bytes(data.replace(b"\n", ends))
    assert np.array_equal(read_table(tmp_path / "lab.csv").numbers["g_uS"], whole.numbers["g_uS"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.replace(b"1,0,6.25,6", b"1,0,6.\r25,6"), "line 3: has 3 fields where the first line has 4"),
        (lambda d: d.replace(b"1,0,6.25,6\n", b'1,0,6.25,"6\n'), "is not a number|quoted field that goes on"),
        (lambda d: b"a" * 200_000 + b"," + d, "field larger than field limit"),
        (lambda d: d + b"1" * 200_000 + b",1,1,1\n", "field larger than field limit"),
    ],
)
def test_tables_that_are_refused(change: Callable[[bytes], bytes], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_bytes(change(_table(tmp_path / "lab.csv")))
    with pytest.raises(InputError, match=sentence):
        read_table(tmp_path / "lab.csv")


def test_a_table_that_unpacks_to_more_than_a_table_can_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.macro_models.fit.tables.table._KIND", FileKind("table of measurements", 3_000_000))
    (tmp_path / "lab.csv").write_bytes(gzip.compress(bytes(1 << 26)))
    with pytest.raises(InputError, match=r"holds 3\.15 MB; a table of measurements may have 3 MB at most"):
        read_table(tmp_path / "lab.csv")


def test_a_quote_that_is_not_closed_loses_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_text('t_s,g_uS,note\n0,1,"a\n1,2,b\n2,3,c\n')
    with pytest.raises(InputError, match=r"lab\.csv: has a quoted field that goes on over the end of its line"):
        read_table(path)


# Memory ------------------------------------------------------------------------------------------


def test_what_needs_more_memory_than_there_is() -> None:
    assert 0 < available_bytes() < 1 << 50
    check_memory(1, "a byte", "take less")
    with pytest.raises(InputError, match=r"^seeds 9 would need about 1e\+03 TB of memory, and .* are available; take"):
        check_memory(1e15, "seeds 9", "take fewer")
    assert [size_text(n) for n in (0, 999, 1000, 6.4e9, 2e15)] == ["0 bytes", "999 bytes", "1 kB", "6.4 GB", "2e+03 TB"]


def test_an_integer_that_is_no_float_is_a_sentence() -> None:
    """JSON has integers of any size, TOML of 64 bits."""
    from mho.hw.config import chip_from_dict, load_chip

    content = load_chip("tnsa16-core").to_dict()
    content["neuron"]["sigma_amplifier_offset_mV"] = 10**400
    with pytest.raises(InputError, match=r"neuron\.sigma_amplifier_offset_mV must be"):
        chip_from_dict(content, origin="cells.npz: chip")
