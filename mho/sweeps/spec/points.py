"""Points of a sweep: combinations of what its file lists, by numbers along axes, and as rows by a hash."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mho.compiler import CompileOptions
from mho.hw.config import Chip, check_device
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError
from mho.sweeps.spec.spec import Spec
from mho.version import __version__

ROWS = 2
"""Version of what a row holds."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """A combination, for all seeds."""

    network: str
    chip: str
    device: str | None
    axes: tuple[tuple[str, object], ...]
    """Names and values of the further axes."""
    time_s: float
    temp_C: float

    def columns(self) -> dict[str, object]:
        """What a table says of it."""
        return {
            "network": self.network, "chip": self.chip, "device": self.device or "", **dict(self.axes),
            "time_s": self.time_s, "temp_C": self.temp_C,
        }


@dataclass(frozen=True, kw_only=True)
class Point:
    """A design on the chip of one seed: a row."""

    design: Design
    seed: int
    name: str
    """Hash of all that its row is a function of: the contents of the files that it names, and the version of mho."""
    compiled: str
    """Hash of what its network is compiled from."""


class Space:
    """All designs of a sweep, by an index along each axis.

    Members
    -------
    axes
        Name and values of each axis: network, chip, device, further ones, time_s, temp_C.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.axes: tuple[tuple[str, tuple[object, ...]], ...] = (
            ("network", tuple(spec.networks)), ("chip", spec.chips), ("device", spec.devices),
            *((axis.name, axis.values) for axis in spec.axes), ("time_s", spec.times_s), ("temp_C", spec.temps_C),
        )

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Values of each axis."""
        return tuple(len(values) for _, values in self.axes)

    @cached_property
    def ordered(self) -> tuple[bool, ...]:
        """Of each axis, whether its values are numbers that go up or down, so that near ones are alike."""
        return tuple(_ordered(values) for _, values in self.axes)

    def design(self, number: int) -> Design:
        """Design by its number; the last axis counts fastest."""
        values = {}
        for name, choices in reversed(self.axes):
            number, index = divmod(number, len(choices))
            values[name] = choices[index]
        axes = tuple((axis.name, values[axis.name]) for axis in self.spec.axes)
        return Design(axes=axes, **{key: values[key] for key in ("network", "chip", "device", "time_s", "temp_C")})

    def points(self, number: int) -> Iterator[Point]:
        """The rows of a design, a seed each."""
        design = self.design(number)
        compiled, ran = self._hashes(design)
        for seed in self.spec.seeds:
            yield Point(
                design=design, seed=seed, compiled=compiled,
                name=_hash([ROWS, __version__, ran, design.time_s, design.temp_C, seed])[:24],
            )

    def _hashes(self, design: Design) -> tuple[str, str]:
        """Of what the network is compiled from, and of that with the images."""
        try:
            chip, device, options = parts(self.spec, design)
        except InputError as error:
            compiled = _hash([str(error)])
        else:
            compiled = _hash([chip.to_dict(), device.to_dict(), options, self.spec.networks[design.network].sha256])
        return compiled, _hash([compiled, self.spec.networks[design.network].sha256])


def parts(spec: Spec, design: Design) -> tuple[Chip, Device, dict[str, Any]]:
    """Chip, device and options of the compiler.

    Raises InputError if there is no such chip, or it cannot have such a device.
    """
    axes = dict(design.axes)
    options = {name.removeprefix("compile."): value for name, value in axes.items() if name.startswith("compile.")}
    values = tuple(value for name, value in design.axes if not name.startswith("compile."))
    chip = spec.built[design.chip, values]
    if isinstance(chip, str):
        raise InputError(chip)
    device = spec.device(design.device, chip)
    check_device(chip, device)
    return chip, device, CompileOptions.from_dict(options).to_dict()


def _ordered(values: Sequence[object]) -> bool:
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return len(numbers) == len(values) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
