"""Archives with a valid checksum and other insides, for tests of what reads them."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mho.compiler.network.file.archive import _sealed_zip

Members = dict[str, bytes]


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def seal(path: Path, members: Members) -> None:
    path.write_bytes(_sealed_zip(members))


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def array_of(data: bytes) -> Any:
    return np.load(io.BytesIO(data))


def header(descr: str, shape: str, data: bytes = b"") -> bytes:
    """A .npy file whose header may claim anything."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


VALUES: list[Any] = [
    None, True, -1, 0, 3, 2**40, -(2**70), 1e300, float("nan"), float("inf"), "", "x", [], {}, [[]], [{}],
]


def change_json(value: Any, rng: random.Random) -> Any:
    """The same with one place replaced, removed or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: change_json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        k = rng.randrange(len(value))
        changed = [] if rng.random() < 0.1 else [change_json(value[k], rng)]
        return value[:k] + changed + value[k + 1 :]
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice([-2, -1, 1, 2, 1000])
    return rng.choice(VALUES)


def change_array(data: bytes, rng: random.Random) -> bytes:
    """The same array with a wrong type, shape or value, or a damaged header."""
    a = array_of(data)
    changes: list[Callable[[], bytes]] = [
        lambda: npy(a.astype(rng.choice([np.float64, np.float32, np.int64, np.int16, np.uint8, bool, complex, "U3"]))),
        lambda: npy(a.reshape(-1)[: max(0, a.size - 1)]),
        lambda: npy(a[None]),
        lambda: npy(a[..., None]),
        lambda: npy(np.concatenate([a, a]) if a.ndim else a),
        lambda: npy(a[:0] if a.ndim else a),
        lambda: npy(a.T),
        lambda: npy(np.array([{}], dtype=object)),
        lambda: header("<f8", f"({2**40}, {2**20})"),
        lambda: header(a.dtype.str, "(" + "1, " * 70 + ")", a.tobytes()),
        lambda: data[: rng.randrange(len(data))],
        lambda: _flip(data, rng, 128),
        lambda: _flip(data, rng, len(data)),
        lambda: npy(_put(a, rng)),
    ]
    return rng.choice(changes)()


def _flip(data: bytes, rng: random.Random, end: int) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(min(end, len(data)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _put(a: Any, rng: random.Random) -> Any:
    changed = a.copy()
    if changed.size:
        extremes = [np.nan, np.inf, -1.0, 1e300] if a.dtype.kind == "f" else [-1, -2, 10**4, 2**31 - 1, -(2**31)]
        with np.errstate(all="ignore"):
            changed.reshape(-1)[rng.randrange(changed.size)] = np.array(rng.choice(extremes)).astype(a.dtype)
    return changed


def damaged(members: Members, seed: int) -> Members:
    """One member of the archive changed, in the JSON as often as in the arrays."""
    rng = random.Random(seed)
    changed = dict(members)
    index = next(name for name in members if name.endswith(".json"))
    if rng.random() < 0.5:
        changed[index] = json.dumps(change_json(json.loads(members[index]), rng), sort_keys=True, indent=1).encode()
    else:
        name = rng.choice(sorted(n for n in members if n.endswith(".npy")))
        changed[name] = change_array(members[name], rng)
        if rng.random() < 0.05:
            del changed[name]
    return changed
