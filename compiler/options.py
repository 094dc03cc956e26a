"""What a user may choose when a network is compiled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from mho.compiler.types import Facts
from mho.macro_models.errors import InputError, argument

MOST_SLICES = 4

_RANGES: dict[str, tuple[float, float]] = {
    "in_bits": (1, 8),
    "in_parts": (1, 2),
    "out_bits": (2, 8),
    "tolerance": (0.0, 1.0),
    "weight_clip": (0.05, 1.0),
    "copies": (1, 16),
    "duplicates": (1, 7),
    "time_s": (0.0, 1e12),
    "error": (0.001, 1.0),
    "seeds": (1, 64),
    "samples": (1, 100_000),
    "slices": (1, MOST_SLICES),
}

CHIPS, FEW_CHIPS = 3, 2
MANY_MULTIPLICATIONS = 1 << 23
"""Chips on which candidates are tried, and of networks that multiply more than so many times for an input."""

_CHOSEN = ("in_bits", "in_parts", "out_bits", "tolerance", "weight_clip", "copies", "time_s", "error", "seeds",
           "slices")
"""Options that the compiler chooses where they are None."""
_BY_LAYER = ("in_bits", "out_bits", "slices")
"""Options that layers may have of their own."""


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """What is chosen for one layer; see :class:`CompileOptions`."""

    in_bits: int | None = None
    out_bits: int | None = None
    slices: int = 1
    tolerance: float | None = None
    weight_clip: float | None = None


@dataclass(frozen=True, kw_only=True)
class CompileOptions:
    """Options of the compiler; None means that it chooses."""

    in_bits: int | Mapping[str, int] | None = None
    """Bits of a layer's input codes, 1..8, the sign included where there is one: for all layers, or by the layer's name
    in the report or in PyTorch, as in ``{"fc1": 6}``, with None for the others. None: per layer 4 magnitude
    planes, which are one conversion, if that keeps the quantisation error within ``tolerance``; else 8 bits, which are
    two."""
    in_parts: int | None = None
    """Parts in which layers take their inputs, 1 or 2: with 2 all bits, and as many more of what those leave, so that
    each layer is called twice. None: 2 in small networks whose answers would not be right with 1, unless ``in_bits`` is
    given."""
    out_bits: int | Mapping[str, int] | None = None
    """Bits of every conversion, 2..8, for all layers or by name. None: the chip's ``adc.bits``, or fewer where that
    changes nothing."""
    tolerance: float | None = None
    """What quantising the inputs of one layer may do to the network's outputs, 0..1: for a classifier (Softmax, ArgMax
    or the like at the end) the fraction of decisions that change, by estimate from their margins; for others the error
    relative to the standard deviation. None: 0.01, and 0.021 over the root of the number of layers."""
    weight_clip: float | None = None
    """Weight that takes the largest conductance, relative to the largest of its column, 0.05..1. None: chosen on the
    device model."""
    copies: int | None = None
    """How often a layer may be repeated in columns of a core that are free anyway, and how many rows an input may take
    on average, 1..16. None: 16."""
    duplicates: int = 1
    """Tiles that may compute rows of one layer in turn, or whole images where it has one position, 1..7: the layers
    that take longest get so many where cores are free, so that more images a second are done. Of tiles with programs
    alone."""
    time_s: float | None = None
    """Time since programming, in seconds, for which the layers are calibrated. None: one day for a device that relaxes,
    else 0."""
    error: float | None = None
    """Error of the outputs by noise of the cells at that time, relative to their root mean square and by estimate,
    above which weights take more cells, 0.001..1: more cores, as far as the chip has them, and more products. None:
    0.06 for outputs that are numbers (a single one, an image, as many as the input has, or beside a choice of another
    output), else 1: none."""
    seeds: int | None = None
    """Chips on which each candidate is tried, 1..64. None: 3; 2 of a network of more than 8 million multiplications for
    an input, whose errors are means of many cells."""
    samples: int = 256
    """Most calibration inputs that are used, 1..100000."""
    slices: int | Mapping[str, int] | None = None
    """Pairs of cells over which a weight is divided, 1..4: for all layers, or by name, with 1 for the others. None: 1.
    How much more a slice counts than the next is chosen on the device model."""
    digital: Sequence[str] = ()
    """Names of products that no cells hold: the host computes them in double precision."""
    output: str | None = None
    """Which output of the model to compute, if it has several."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value: Any = getattr(self, name)
            whole, by_layer = isinstance(low, int), name in _BY_LAYER
            if value is None and name in _CHOSEN:
                continue
            if by_layer and isinstance(value, Mapping):
                object.__setattr__(self, name, dict(value))
            parts: list[Any] = list(value.values()) if by_layer and isinstance(value, Mapping) else [value]
            legal = all(isinstance(n, int if whole else (int, float)) and not isinstance(n, bool) for n in parts)
            if not legal or not all(low <= n <= high for n in parts):
                expected = f"{'a whole number' if whole else 'a number'} between {low:g} and {high:g}"
                expected += ", or such numbers by the names of layers" if by_layer else ""
                raise InputError(f"compile option {argument(name)} must be {expected}, not {value!r}")
        if isinstance(self.digital, str) or not all(isinstance(name, str) for name in self.digital):
            raise InputError(f"compile option {argument('digital')} must be names of layers, not {self.digital!r}")
        object.__setattr__(self, "digital", tuple(self.digital))
        if not (self.output is None or isinstance(self.output, str)):
            name = argument("output", "model_output")
            raise InputError(f"compile option {name} must be the name of an output, not {self.output!r}")

    def chips_for(self, multiplications: int) -> int:
        """Chips on which candidates for the layers of a network are tried that multiplies so often for an input."""
        if self.seeds is not None:
            return self.seeds
        return FEW_CHIPS if multiplications > MANY_MULTIPLICATIONS else CHIPS

    def of_layers(self, layers: Sequence[str]) -> "list[LayerOptions]":
        """The options of each of the layers with these names.

        Raises InputError if a layer is named that there is not.
        """
        chosen: dict[str, dict[str, int]] = {}
        for option in _BY_LAYER:
            value: Any = getattr(self, option)
            by_name: Any = (
                value if isinstance(value, Mapping) else {} if value is None else dict.fromkeys(layers, value))
            where = f"compile option {argument(option)}"
            chosen[option] = {layer_name(layers, name, where): n for name, n in by_name.items()}
        return [
            LayerOptions(tolerance=self.tolerance, weight_clip=self.weight_clip,
                         **{option: of_layer[layer] for option, of_layer in chosen.items() if layer in of_layer})
            for layer in layers
        ]

    def to_dict(self) -> Facts:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Facts) -> "CompileOptions":
        """Inverse of :meth:`to_dict`.

        Raises InputError if a name is unknown or a value is out of range.
        """
        names = [f.name for f in fields(cls)]
        for name in content:
            if name not in names:
                raise InputError(f"compile option {name!r} is unknown; known are {', '.join(names)}")
        return cls(**content)


def layer_name(names: Sequence[str], name: str, where: str = "") -> str:
    """The report's name of a layer, by it or by that of the module of PyTorch that it was made of, as in ``"fc1"``.

    Raises InputError if there is none; ``where`` opens the sentence.
    """
    dotted = "/" + name.replace(".", "/") + "/"
    for known in names:
        # TorchScript names what is in a sequence with it: beside/beside.0.
        if known == name or dotted in re.sub(r"/([^/]+)/\1\.", r"/\1/", f"/{known}/"):
            return known
    listed = ", ".join(dict.fromkeys(names))
    raise InputError(f"{where} names the layer {name!r}; the layers are {listed}".strip())
