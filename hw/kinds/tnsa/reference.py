"""Reference of the whole core: what it gives, and when, from operations, masks and a model of the macro."""

from typing import Any

from mho.hw.core.reference import CoreReference
from mho.hw.kinds.tnsa.bring_up.trim import trimmed
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation


class TnsaCoreReference(CoreReference):
    """A core at transaction level. See :class:`mho.hw.core.reference.CoreReference`.

    Attributes
    ----------
    now : TnsaCoreConfig
        The configuration with the values that are in force, see :meth:`trim`.
    """

    def __init__(self, cfg: TnsaCoreConfig, macro: Any) -> None:
        super().__init__(cfg, macro)
        self.now = cfg
        self._written: dict[str, int] = {}

    @property
    def timing(self) -> TnsaCoreConfig:
        """Durations that are in force."""
        return self.now

    def trim(self, **values: int) -> None:
        """Write durations and limits, by their names in the configuration: in force from the next operation on."""
        self._written |= values
        self.now = trimmed(self.cfg, self._written)

    def operation(self, descriptor: int) -> tuple[MvmOperation, int]:
        """See :func:`mho.hw.core.layout.unpack`; an operation beyond the limits is refused, too."""
        op, op_id = super().operation(descriptor)
        if not self.now.allows(op):
            raise InputError(f"in_bits and out_bits must be at most {self.now.most_in_bits} and "
                             f"{self.now.most_out_bits}, not {op.in_bits} and {op.out_bits}")
        return op, op_id
