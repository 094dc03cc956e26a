"""What a chip costs, as its description says: energy of the macro's operations, and its area.

A number that is not known is 0: it is left out of every sum, and reports say so. A number needs a source.
"""

from dataclasses import dataclass

from hw.config.keys import ChipError, Section, key, keys_of

__all__ = ["AreaSection", "EnergySection", "energy_key"]

_MOST_PJ = 1e9


def energy_key(doc: str) -> float:
    """A key of an energy in picojoule; 0: not known."""
    return key(0.0, f"{doc}, in pJ; 0: not known, left out.", low=0.0, high=_MOST_PJ, later=True)


@dataclass(frozen=True, kw_only=True)
class _SourcedSection(Section):
    """Numbers that nobody takes without a source."""

    source: str = key("", "Where the numbers come from; without it there are none.", later=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.known and not self.source.strip():
            name = f"{self._name}.source"
            raise ChipError(name, f"{name} must say where {self._name}.{self.known[0]} comes from, not nothing")

    @property
    def known(self) -> tuple[str, ...]:
        """Keys whose numbers are known."""
        return tuple(name for name in self._numbers if getattr(self, name))

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys whose numbers are not."""
        return tuple(name for name in self._numbers if not getattr(self, name))

    @property
    def _numbers(self) -> list[str]:
        return [name for name in keys_of(self) if name != "source"]


@dataclass(frozen=True, kw_only=True)
class EnergySection(_SourcedSection):
    """``[energy]``: what operations of a macro take; each kind of core has keys of its own."""

    _name = "energy"


@dataclass(frozen=True, kw_only=True)
class AreaSection(_SourcedSection):
    """``[area]``: area that no library of standard cells knows."""

    _name = "area"
    macro_mm2: float = key(
        0.0, "One macro: array, drivers and converters, in mm2; 0: not known, left out.", low=0.0, high=1e6, later=True
    )
