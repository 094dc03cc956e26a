"""How the current of a cell depends on its voltage and its transistor, or its compact model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mho.macro_models.compact.models import CompactModel, compact_model
from mho.macro_models.files.schema import Named


@dataclass(frozen=True, kw_only=True)
class Conduction:
    """Nonlinear reads. All 0: cells are ohmic and their transistors switches.

    Conductances of the device are what a verify read at ``verify_V`` finds, transistor included.
    """

    v0_V: float = 0.0
    """I = g V0 sinh(v / V0), in V; 0: not."""
    cubic_per_V2: float = 0.0
    """I = g v (1 + c v^2), in 1/V^2; 0: not."""
    access_uA_V2: float = 0.0
    """Transconductance factor of the access transistor, in uA/V^2; 0: a switch."""
    access_threshold_V: float = 0.45
    """Its threshold, in V."""
    access_slope: float = 1.35
    """Its slope factor."""
    gate_V: float = 1.2
    """Voltage of a word line that is on, in V, above the potential of lines that are not driven."""
    off_gate_V: float = -0.6
    """The same of one that is off: the cells of its row leak by so much gate voltage."""
    substrate_V: float = -0.6
    """Potential of the transistors' substrate, in V, from that of lines that are not driven: inputs have two signs."""
    verify_V: float = 0.1
    """Voltage of verify reads, in V."""
    supply_ohm: float = 0.0
    """Resistance of the supply that all rows share, in ohms; 0: none. Rows with a positive and with a negative input
    have one each."""
    source: str = ""

    @property
    def acts(self) -> bool:
        """Whether reads are not linear."""
        return any((self.v0_V, self.cubic_per_V2, self.access_uA_V2, self.supply_ohm))


@dataclass(frozen=True, kw_only=True)
class Compact:
    """A model of :mod:`mho.macro_models.compact` with constants of its own. An empty ``model``: there is none."""

    model: str = ""
    """Of :data:`~mho.macro_models.compact.MODELS`."""
    constants: Mapping[str, float] = field(default_factory=Named)
    """Constants that differ from the model's, by the names and in the units that it has."""
    source: str = ""

    @property
    def cell(self) -> CompactModel:
        """The model.

        Raises InputError if there is no such model or constant, or a constant has the wrong sign.
        """
        return compact_model(self.model, **self.constants)
