"""The one way in which files are written: whole or not at all.

Only a regular file is replaced, where a symbolic link leads to one that file and not the link; a device, a FIFO and
the standard streams are written through. What fails leaves nothing behind.
"""

import errno
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mho.macro_models.errors import InputError, MhoError, ToolError

PathLike = str | os.PathLike[str]

_WRONG = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOENT)
"""Errors of a name that was never right, where others are of the place."""


def cannot_write(path: PathLike, error: OSError) -> MhoError:
    """What to raise for an output: :class:`InputError` if its name is wrong, :class:`ToolError` if its place fails."""
    kind = InputError if error.errno in _WRONG else ToolError
    return kind(f"{os.fspath(path)}: cannot be written ({error.strerror or error})")


def npz_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Contents of an ``.npz`` with arrays by their names, none of objects."""
    import numpy as np  # here, since commands that write text alone begin without it

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def check_output(path: PathLike) -> None:
    """Refuse a file that cannot be written later, before the work begins.

    Raises InputError if it is a folder, or in one that does not exist. Raises ToolError if it may not be written there.
    """
    temporary = None
    try:
        status = _status(path)
        if status is None or _replaceable(status):
            temporary = _beside(_target(path))
            os.close(_made(temporary))
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        _removed(temporary)


def check_folder(path: PathLike) -> None:
    """Refuse a folder that cannot be made or written to later, as :func:`check_output` does a file."""
    try:
        folder = _target(path)
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            reason = "is a file" if folder == _target(path) else f"cannot be written, {folder} is a file"
            raise InputError(f"{os.fspath(path)}: {reason}, the name of a folder is needed")
        _check_access(folder)
    except OSError as error:
        raise cannot_write(path, error) from None


def write_output(path: PathLike, data: bytes) -> None:
    """Write a file (see the module), or raise as :func:`check_output` does."""
    with open_output(path) as stream:
        stream.write(data)


@contextmanager
def open_output(path: PathLike) -> Iterator[IO[bytes]]:
    """A stream into a file that has its name once the ``with`` ends without an error.

    Raises InputError or ToolError as :func:`check_output`; from every method of the stream, too.
    """
    temporary = None
    try:
        try:
            status, target = _status(path), _target(path)
            if status is None or _replaceable(status):
                temporary = _beside(target)
                handle = _made(temporary)
                if status is not None:
                    _like(handle, status)
            else:
                handle = _through(path, status)
            raw = _Raw(handle, path)
        except OSError as error:
            raise cannot_write(path, error) from None
        with io.BufferedWriter(raw) as stream:
            yield stream
        if temporary is not None:
            try:
                temporary.replace(target)
            except OSError as error:
                raise cannot_write(path, error) from None
    finally:
        _removed(temporary)


def text_stream(number: int, name: str) -> io.TextIOWrapper:
    """A standard stream whose failures are sentences, but for a reader that went away."""
    raw = _Raw(number, name, closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=raw.isatty()
    )


class _Raw(io.FileIO):
    """A file whose failures are sentences."""

    def __init__(self, handle: int, path: PathLike, *, closefd: bool = True) -> None:
        super().__init__(handle, "wb", closefd=closefd)
        self._path = path

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write(self._path, error) from None

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            raise cannot_write(self._path, error) from None


def _status(path: PathLike) -> os.stat_result | None:
    """Of what there is, or ``None``."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        folder = _target(path).parent
        if not folder.is_dir():
            raise InputError(f"{os.fspath(path)}: the folder {str(_folder(path))!r} does not exist") from None
        return None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{os.fspath(path)}: is a folder, the name of a file is needed")
    if stat.S_ISBLK(status.st_mode):
        raise InputError(f"{os.fspath(path)}: is a block device, the name of a file is needed")
    _check_access(path)
    return status


def _check_access(path: PathLike) -> None:
    if not os.access(path, os.W_OK):
        number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(number, os.strerror(number))


def _folder(path: PathLike) -> Path:
    """The folder of an output as the user wrote it, or where a link of that name leads."""
    return _target(path).parent if Path(path).is_symlink() else Path(path).parent


def _target(path: PathLike) -> Path:
    return Path(os.path.realpath(path))


def _replaceable(status: os.stat_result) -> bool:
    """A regular file that is not where this process prints."""
    return stat.S_ISREG(status.st_mode) and _standard(status) is None


def _standard(status: os.stat_result) -> int | None:
    """Which of the standard streams a file is."""
    for number in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(number), status):
                return number
    return None


def _beside(target: Path) -> Path:
    """Name of a new file beside ``target``; known before there is one, so that no interrupt leaves it behind."""
    return target.with_name(f".mho-{secrets.token_hex(6)}.part")


def _made(temporary: Path) -> int:
    """A new file, as private as the user's mask asks for."""
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _removed(temporary: Path | None) -> None:
    if temporary is not None:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _like(handle: int, status: os.stat_result) -> None:
    """Owner and mode of the file that is replaced, as far as this user may."""
    with suppress(OSError):
        os.fchown(handle, status.st_uid, status.st_gid)
    with suppress(OSError):
        os.fchmod(handle, stat.S_IMODE(status.st_mode))


def _through(path: PathLike, status: os.stat_result) -> int:
    """A handle into what is there already."""
    number = _standard(status)
    if number is not None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return os.dup(number)
    # A FIFO that nobody reads is an error, and no wait for ever.
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(handle, True)
    return handle
