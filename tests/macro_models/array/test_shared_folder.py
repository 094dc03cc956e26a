"""A folder of arrays that several processes fill and read at once: what is found there is whole, whoever wrote it."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.array.cache import SharedFolder

NAMES = ("a", "b", "c")


def array_of(name: str) -> np.ndarray:
    """Large enough that a write takes many of the system's."""
    return np.random.default_rng(NAMES.index(name)).random((300, 300))


def fill(path: Path, times: int) -> int:
    """Keeps and looks for the same names, again and again; how many were found that are not what was kept."""
    folder, wrong = SharedFolder(path), 0
    for k in range(times):
        name = NAMES[k % len(NAMES)]
        folder.keep(name, array_of(name))
        for key in NAMES:
            stored = folder.find(key)
            wrong += stored is not None and not np.array_equal(stored, array_of(key))
    return wrong


@pytest.mark.slow
def test_two_processes_that_fill_a_folder_at_once_find_whole_arrays(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.starmap(fill, [(tmp_path, 12)] * 2) == [0, 0]
    folder = SharedFolder(tmp_path)
    for name in NAMES:
        assert np.array_equal(folder.find(name), array_of(name))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.npz" for name in NAMES]


def test_what_is_cut_or_altered_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    folder, values = SharedFolder(tmp_path), array_of("a")
    folder.keep("a", values)
    assert np.array_equal(folder.find("a"), values)
    file = tmp_path / "a.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert folder.find("a") is None
    # Bytes of a number that are not those of the seal, in a file that is whole.
    with file.open("wb") as out:
        np.savez(out, array=values + 1.0, seal=np.int64(0))
    assert folder.find("a") is None
    folder.keep("a", values)
    assert np.array_equal(folder.find("a"), values)


def test_what_is_oldest_makes_room(tmp_path: Path) -> None:
    folder = SharedFolder(tmp_path, limit_bytes=2 * array_of("a").nbytes + 2000)
    for name in NAMES:
        folder.keep(name, array_of(name))
    assert folder.find("a") is None
    assert all(folder.find(name) is not None for name in NAMES[1:])
