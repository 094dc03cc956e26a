"""What a chip costs, as its description says: energy of the macro's operations, and its area.

A number that is not known is 0: it is left out of every sum, and reports say so. A number needs a source. It is of the
chip in whose description it stands; where another description, or an override, changes what it depends on, it follows
by the rules of the chip's kind (:meth:`mho.hw.config.Chip.relative_costs`), and ``extrapolated`` says so.
"""

from dataclasses import dataclass

from mho.hw.config.keys import ChipError, Section, key, keys_of

_MOST_PJ = 1e9


def energy_key(doc: str) -> float:
    """A key of an energy in picojoule; 0: not known."""
    return key(0.0, f"{doc}, in pJ; 0: not known, left out.", low=0.0, high=_MOST_PJ, later=True)


def area_key(doc: str) -> float:
    """A key of an area in mm2; 0: not known."""
    return key(0.0, f"{doc}, in mm2; 0: not known, left out.", low=0.0, high=1e6, later=True)


@dataclass(frozen=True, kw_only=True)
class _SourcedSection(Section):
    """Numbers that nobody takes without a source."""

    source: str = key("", "Where the numbers come from; without it there are none.", later=True)
    extrapolated: str = key(
        "", "What has changed since the numbers were right, so that they were scaled; written when a chip is loaded.",
        later=True,
    )

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
        return [name for name, spec in keys_of(self).items() if isinstance(spec.default, float)]


@dataclass(frozen=True, kw_only=True)
class ProcessSection(Section):
    """``[process]``: the CMOS process, on which energy and area depend, and nothing else."""

    _name = "process"
    node_nm: float = key(0.0, "Technology node, in nm; 0: not said.", low=0.0, high=10_000.0, later=True)
    vdd_V: float = key(
        0.0, "Supply of logic, converters and word lines, in volts; 0: not said.", low=0.0, high=100.0, later=True
    )

    def relative(self, base: "ProcessSection") -> tuple[float, float]:
        """Ratios of the nodes and of the supplies to those of another process; 1 of what one of them does not say."""
        pairs = ((self.node_nm, base.node_nm), (self.vdd_V, base.vdd_V))
        node, supply = (mine / reference if mine and reference else 1.0 for mine, reference in pairs)
        return node, supply


@dataclass(frozen=True, kw_only=True)
class EnergySection(_SourcedSection):
    """``[energy]``: what operations of a macro take; each kind of core has keys of its own."""

    _name = "energy"


@dataclass(frozen=True, kw_only=True)
class AreaSection(_SourcedSection):
    """``[area]``: area that no library of standard cells knows."""

    _name = "area"
    macro_mm2: float = area_key("One macro: array, drivers and converters")

    @property
    def total_mm2(self) -> float:
        """One macro, as stated or the sum of its parts; 0: not known."""
        return self.macro_mm2 or sum(self.by_part_mm2.values())

    @property
    def by_part_mm2(self) -> dict[str, float]:
        """Areas that are known, of what."""
        return {name.removesuffix("_mm2"): getattr(self, name) for name in self.known}
