from pathlib import Path

import numpy as np
import pytest

from mho.compiler import load_input
from mho.macro_models.errors import InputError


def test_arrays_and_files(tmp_path: Path) -> None:
    x = np.arange(6).reshape(3, 2)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", images=x, labels=x[:, 0])
    np.savez_compressed(tmp_path / "one.npz", images=x)
    sources = [
        x,
        tmp_path / "x.npy",
        str(tmp_path / "x.npy"),
        f"{tmp_path / 'x.npz'}:images",
        tmp_path / "one.npz",
    ]
    for source in sources:
        loaded = load_input(source)
        assert loaded.dtype == np.float32
        assert np.array_equal(loaded, x)
    assert np.array_equal(load_input(tmp_path / "x.npz", "labels"), x[:, 0])


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.array([[1.0, np.nan]]), "has NaN or infinite values"),
        (np.array([[1.0, -np.inf]]), "has NaN or infinite values"),
        (np.array([[1e300]]), "has NaN or infinite values"),
        (np.zeros((0, 4)), r"has shape \[0, 4\]"),
        (np.float32(3), r"has shape \[\]"),
        (np.array([["a"]]), "holds <U1"),
        (np.array([[1j]]), "holds complex128"),
        (np.array([[{}]], dtype=object), "holds object"),
    ],
)
def test_bad_arrays(array: np.ndarray, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"the input array: {sentence}"):
        load_input(np.asarray(array))
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=r"x\.npy: ") as caught:
        load_input(tmp_path / "x.npy")
    assert "\n" not in str(caught.value)


def test_object_arrays_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"x\.npy: is no \.npy or \.npz file .*\(it holds objects"):
        load_input(tmp_path / "x.npy")


def test_bad_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(3))
    np.savez(tmp_path / "x.npz", a=np.ones(3), b=np.ones(3))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-4])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:100])
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "garbage.npy").write_bytes(b"garbage, no array")
    for source, sentence in [
        (tmp_path / "absent.npy", "cannot be read"),
        (tmp_path, "cannot be read"),
        (tmp_path / "x.npz", "needs a key; write x.npz:KEY with one of a, b"),
        (f"{tmp_path / 'x.npz'}:c", "has no array 'c'; write x.npz:KEY with one of a, b"),
        (tmp_path / "cut.npy", "is no .npy or .npz file"),
        (tmp_path / "cut.npz", "is no .npy or .npz file"),
        (tmp_path / "empty.npy", "is no .npy or .npz file"),
        (tmp_path / "garbage.npy", "is no .npy or .npz file"),
    ]:
        with pytest.raises(InputError) as caught:
            load_input(source)
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="which has no key 'k'"):
        load_input(tmp_path / "x.npy", "k")
