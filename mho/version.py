"""Versions of this project and of what it stands on, as they go into results."""

import platform
from functools import cache
from importlib import metadata

JSON_FORMAT = 2
"""Key ``format`` of what ``--json`` writes. It grows when a key goes or means something else, not when one comes."""


def _own_version() -> str:
    try:
        return metadata.version("mho")
    except metadata.PackageNotFoundError:
        # A source tree that was not installed: the one home of the number is pyproject.toml.
        import tomllib
        from pathlib import Path

        pyproject = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return tomllib.loads(pyproject.read_text())["project"]["version"]


__version__ = _own_version()


def library_versions() -> dict[str, str]:
    """Versions that a result depends on: mho, Python and the installed numeric libraries."""
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    # Read once: each is a search through all that is installed.
    versions = {"mho": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "onnx", "amaranth", "cocotb", "numba"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
