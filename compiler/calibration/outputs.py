"""How far the outputs of a calibrated network are from those in floating point, over the inputs of calibration.

Layers are judged one by one while they are searched. What counts is what comes out: errors that add up, terms that
cancel, decisions of the host at the end that turn on a difference. So the last value is finished as a run does it, on
perfect cells and on those chips of the device on which calibration has tried the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.compiler.mapping.redundancy import Redundancy
from mho.compiler.model import FloatNetwork, Output
from mho.compiler.types import Array, Float
from mho.hw.config import Chip
from mho.macro_models import family
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import argument

Values = Array

MOST_CLASSES = 0.015
"""Share of decisions that differ on perfect cells from which on it is said, and a standard error of it more."""
MOST_CLASSES_AGED = 0.03
"""The same on the device's."""
MOST_ERROR, MOST_PROBABILITIES, MOST_AGED = 0.05, 0.1, 0.1
"""Error from which on it is said: of numbers and of probabilities on perfect cells, of numbers on the device's."""

MOST_OF_DEVIATION = 0.2
"""The same relative to the deviation of numbers: where they are large beside what they differ by."""

FEW_INPUTS = 48
"""Inputs for which operators of ONNX at the end are done: sample by sample."""

LONGEST_NAME = 28
NO_DEVIATION = 1e-6
"""Deviation relative to the largest number that is none."""


@dataclass(frozen=True, kw_only=True)
class OutputError:
    """Errors of one output over ``inputs`` inputs: on perfect cells, and the mean over chips of the device.

    ``classes`` and ``classes_aged`` are the share of decisions that differ, None where there are none; ``error`` and
    ``error_aged`` root mean squares of the difference relative to that of the output, None where these are no numbers;
    ``allowed`` is what ``error`` may be; ``spread`` is the same difference on perfect cells relative to the deviation
    of the output, None where that is 0. Those of aged chips are None where the device is perfect.
    """

    name: str
    inputs: int
    classes: float | None = None
    classes_aged: float | None = None
    error: float | None = None
    error_aged: float | None = None
    allowed: float = MOST_ERROR
    spread: float | None = None

    @property
    def excess(self) -> float:
        """Times that the worst of them is what is allowed: up to 1 nothing is said."""
        by_chance = (MOST_CLASSES / self.inputs) ** 0.5
        return max(
            (self.classes or 0.0) / (MOST_CLASSES + by_chance), (self.error or 0.0) / self.allowed,
            (self.spread or 0.0) / MOST_OF_DEVIATION if self.allowed == MOST_ERROR else 0.0,
            (self.error_aged or 0.0) / MOST_AGED if self.classes is None else 0.0,
        )


    @property
    def is_choice(self) -> bool:
        """Whether it is a choice among classes, or their probabilities."""
        return self.classes is not None and (self.error is None or self.allowed > MOST_ERROR)

    @property
    def misses(self) -> bool:
        """Whether numbers are beyond what is allowed on perfect cells: estimates of rounding layer by layer missed it.

        Such are crossing connections, whose errors have the same cause and add up. Decisions have margins.
        """
        return self.classes is None and bool(self.described)

    @property
    def described(self) -> str:
        """What is beyond what is allowed on perfect cells, in words; empty if nothing is."""
        said = []
        if self.classes is not None and self.classes > MOST_CLASSES:
            said.append(f"decides {self.classes:.1%} otherwise")
        if self.error is not None and self.error > self.allowed:
            said.append(f"is off by {self.error:.1%}")
        elif self.allowed == MOST_ERROR and self.spread is not None and self.spread > MOST_OF_DEVIATION:
            said.append(f"is off by {self.spread:.1%} of its deviation")
        return " and ".join(said)

    @property
    def short(self) -> str:
        """Its name, cut where it is long."""
        return _short(self.name)


def output_errors(net: FloatNetwork, exact: Float, by_chip: Float) -> list[OutputError]:
    """Errors of each output of a network.

    ``exact`` is the last value in floating point, of shape (inputs, elements), ``by_chip`` that on each chip, the first
    of which is perfect, (chips, inputs, elements).
    """
    if any(op.kind == "onnx" for output in net.outputs for op in output.host):
        chosen = np.arange(min(len(exact), FEW_INPUTS)) * len(exact) // min(len(exact), FEW_INPUTS)
        exact, by_chip = exact[chosen], by_chip[:2, chosen]
    return compare_outputs(net, net.finish_all(exact), [net.finish_all(chip) for chip in by_chip], len(exact))


def compare_outputs(
    net: FloatNetwork, exact: Mapping[str, Values], by_chip: Sequence[Mapping[str, Values]], inputs: int
) -> list[OutputError]:
    """Errors of each output of a network; outputs by name, those that are right and those of each chip."""
    return [
        _errors(net, output, exact[output.name], [chip[output.name] for chip in by_chip], inputs)
        for output in net.outputs if output.size != 0
    ]


def _errors(net: FloatNetwork, output: Output, exact: Values, by_chip: Sequence[Values], inputs: int) -> OutputError:
    decided = _decisions(net, output, exact)
    differ = lost = None
    if decided is not None:
        differ = [float((_decisions(net, output, chip) != decided).mean()) for chip in by_chip]
    if exact.dtype.kind == "f":
        lost = [_relative(chip, exact) for chip in by_chip]
    pairs = [(None, None) if pair is None else (_rounded(pair[:1]), _rounded(pair[1:])) for pair in (differ, lost)]
    (classes, classes_aged), (error, error_aged) = pairs
    return OutputError(
        name=output.name, inputs=inputs, classes=classes, classes_aged=classes_aged, error=error, error_aged=error_aged,
        spread=_spread(by_chip[0], exact), allowed=MOST_PROBABILITIES if output.classes else MOST_ERROR,
    )


def _decisions(net: FloatNetwork, output: Output, y: Values) -> Values | None:
    """What an output decides: whole numbers, words, the largest of scores, or what is more likely than not."""
    if y.dtype.kind != "f":
        return y
    if output.classes and any(op.kind == "sigmoid" for op in output.host):
        return y > 0.5
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 and not net.gives_numbers else None


def _relative(approximation: Values, exact: Values) -> float:
    finite = np.isfinite(exact) & np.isfinite(approximation)
    a, b = approximation[finite].astype(np.float64), exact[finite].astype(np.float64)
    size = float((b**2).sum())
    return float((((a - b) ** 2).sum() / size) ** 0.5) if size > 0.0 else 0.0


def _spread(approximation: Values, exact: Values) -> float | None:
    """Error relative to the deviation over inputs, root mean squares over all elements."""
    if exact.dtype.kind != "f" or not (np.isfinite(exact).all() and np.isfinite(approximation).all()):
        return None
    deviation = float(np.sqrt(exact.astype(np.float64).var(axis=0).mean()))
    lost = float(np.sqrt(((approximation.astype(np.float64) - exact) ** 2).mean()))
    return float(f"{lost / deviation:.4g}") if deviation > NO_DEVIATION * float(np.abs(exact).max()) else None


def _rounded(values: Sequence[float]) -> float | None:
    """The mean with few digits, which linear algebra of other processors agrees on; None of nothing."""
    return float(f"{np.mean(values):.4g}") if values else None


def output_warnings(errors: Sequence[OutputError], layer: str) -> list[str]:
    """A sentence on the output that is furthest beyond what is allowed; ``layer`` is where most of it comes from."""
    top = max(errors, key=lambda e: e.excess, default=None)
    if top is None:
        return []
    if top.excess <= 1.0:
        aged = max(errors, key=lambda e: e.classes_aged or 0.0)
        lost = aged.classes_aged or 0.0
        return [] if lost <= MOST_CLASSES_AGED else [
            f"output {aged.short!r} decides {lost:.1%} otherwise on cells of the device: more cells a weight, or "
            "training for the chip, would do"
        ]
    if not top.described:
        return [
            f"output {top.short!r} is off by {top.error_aged:.1%} on cells of the device: more cells for each weight "
            f"would do ({argument('error')})"
        ]
    return [
        f"output {top.short!r} {top.described} on perfect cells, most of it behind layer {_short(layer)}: check it, or "
        "scale what that layer takes"
    ]


def unseen_warnings(errors: Sequence[OutputError]) -> list[str]:
    """A sentence on the output that is furthest beyond what is allowed on inputs that calibration has not seen."""
    worst = max(errors, key=lambda e: e.excess, default=None)
    if worst is None or worst.excess <= 1.0 or not worst.described:
        return []
    return [
        f"output {worst.short!r} {worst.described} on perfect cells for every other calibration input, if the rest "
        "calibrate: more of them would do"
    ]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


@dataclass(frozen=True, kw_only=True)
class Converters:
    """Registers that the converters of chip number ``seed`` found for themselves, of each core."""

    seed: int
    cores: tuple[Mapping[str, Any], ...]


def converters_of(chip: Chip, device: Device, cores: int) -> Converters | None:
    """Those of so many cores; None where a kind has none.

    Another chip calibrates its own converters when it is programmed.
    """
    make = family(chip.core.kind).converters
    if make is None or not device.converter.spread:
        return None
    config = chip.macro_config()
    return Converters(seed=0, cores=tuple(make(config, device, 0, core) for core in range(cores)))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Facts about the calibration of a network; lists have an entry for each layer."""

    samples: int
    sha256: str
    time_s: float
    """Inputs that were used, the hash of all that were given, and the time since programming, in seconds."""
    errors: tuple[float, ...]
    cycles: tuple[float, ...]
    """Error relative to the standard deviation of the layer's output, and analog cycles of an image in the mean."""
    slices: tuple[int, ...]
    slice_bits: tuple[int, ...]
    """Sets of cells of a weight, and by how many bits one counts more than the next, 0 where there is one."""
    clipped: tuple[float | None, ...]
    """Share of a layer's inputs beyond what its codes reach; None where an old file does not say it."""
    outputs: tuple[OutputError, ...] = ()
    warnings: tuple[str, ...] = ()
    """Errors of the network's outputs, and sentences."""
    cores_least: int | None = None
    cores_bound: int | None = None
    """Cores that would do, and below how many nothing does; None where an old file does not say it."""
    redundancy: Redundancy | None = None
    """What more cells for each weight do; None where nothing was asked for."""
    converters: Converters | None = None
    """What converters found for themselves; None where a kind has no such converters."""
    cells: Mapping[str, Any] | None = None
    """Where the cells came from for which it was compiled: file, seed, faults and dead lines. None without."""
    hop_bytes: tuple[int, int] | None = None
    """Bytes of an image times hops on the mesh before and after cores were placed; None where they stay."""
    tile_cycles: Mapping[str, Any] | None = None
    """What is predicted of tiles, as of :meth:`mho.compiler.tile.pipelined.Programmed.facts`; None without."""
