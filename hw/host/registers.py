"""A register map: one definition, of which bank, documents, C header and SystemRDL are made; spaces of several."""

import re
from dataclasses import dataclass
from enum import Enum


class Access(Enum):
    """What the bus may do; the value is the name that documents use."""

    R = "R"
    """Read only: the hardware gives the value."""
    W = "W"
    """Write only: a 1 that is written acts for one cycle, reads give 0."""
    RW = "RW"
    """A register that the bus owns."""
    RW1C = "RW1C"
    """Set by hardware, cleared by writing 1."""
    RW1S = "RW1S"
    """Set by writing 1, and cleared by the reset of the clock alone."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register. ``reset`` is the value after reset, and that of a constant read-only field.

    With ``least`` and ``most`` a written value below or above becomes that; so does one that needs more bits than the
    last field of a register has.
    """

    name: str
    width: int = 1
    access: Access = Access.R
    reset: int = 0
    constant: bool = False
    least: int | None = None
    most: int | None = None
    doc: str

    def __post_init__(self) -> None:
        _check_name("Field", self.name)
        if not 1 <= self.width <= 32:
            raise ValueError(f"Field {self.name} must have between 1 and 32 bits, not {self.width!r}")
        if not 0 <= self.reset < 2**self.width:
            raise ValueError(f"Reset of field {self.name} must fit in {self.width} bits, not {self.reset!r}")
        if self.constant and self.access is not Access.R:
            raise ValueError(f"Field {self.name} must be read only to be constant, not {self.access.value}")
        if self.limited and (self.access is not Access.RW or not self._lowest <= self.reset <= self._highest):
            raise ValueError(f"Field {self.name} must be RW and hold its reset {self.reset} to have limits")

    @property
    def limited(self) -> bool:
        """Whether there are values that it does not take."""
        return self.least is not None or self.most is not None

    @property
    def _lowest(self) -> int:
        return self.least or 0

    @property
    def _highest(self) -> int:
        return 2**self.width - 1 if self.most is None else min(self.most, 2**self.width - 1)

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value."""
        return self._lowest, self._highest


def constant(name: str, width: int, value: int, doc: str) -> Field:
    """Bits that are always ``value``."""
    return Field(name=name, width=width, reset=value, constant=True, doc=doc)


def identity(magic: int, version: int, what: str) -> "Register":
    """The first register of a map: what identifies it, and the version of the map."""
    return Register(name="id", address=0x000, doc="What this is.", fields=(
        constant("magic", 16, magic, f"Identifies a {what}: `{magic:#x}`."),
        constant("version", 16, version, "Version of this map."),
    ))


def description(address: int, sha256: str) -> "Register":
    """Which chip description hardware was generated from."""
    return Register(
        name="description", address=address, doc="Which chip description this was generated from.",
        fields=(constant("hash", 32, int(sha256[:8], 16), "First 32 bits of its SHA-256."),))


def value_register(name: str, address: int, width: int, doc: str, access: Access = Access.R) -> "Register":
    """A register of one number."""
    fields = (Field(name="value", width=width, access=access, doc=doc),)
    return Register(name=name, address=address, doc=doc, fields=fields)


@dataclass(frozen=True)
class PlacedField:
    """A field and its lowest bit."""

    field: Field
    low: int

    @property
    def high(self) -> int:
        """Highest bit."""
        return self.low + self.field.width - 1


@dataclass(frozen=True, kw_only=True)
class Register:
    """One word; fields from bit 0 on, without gaps.

    ``read_strobe``: the hardware is told when it is read. ``locked``: writes do nothing while the map is locked.
    """

    name: str
    address: int
    fields: tuple[Field, ...]
    doc: str
    read_strobe: bool = False
    locked: bool = False

    def __post_init__(self) -> None:
        _check_name("Register", self.name)
        if sum(field.width for field in self.fields) > 32:
            raise ValueError(f"Register {self.name} must have at most 32 bits")

    @property
    def placed(self) -> list[PlacedField]:
        """Fields with their places."""
        low, placed = 0, []
        for field in self.fields:
            placed.append(PlacedField(field, low))
            low += field.width
        return placed

    @property
    def words(self) -> int:
        """Words of the address space."""
        return 1


@dataclass(frozen=True, kw_only=True)
class Window:
    """``words`` words of a memory, ``R``, ``W`` or ``RW``. ``byte_writes``: parts of a word may be written.

    A :class:`mho.hw.host.bank.RegisterBank` has none that are ``RW``.
    """

    name: str
    address: int
    words: int
    access: Access
    doc: str
    byte_writes: bool = False

    def __post_init__(self) -> None:
        _check_name("Window", self.name)
        if self.access not in (Access.R, Access.W, Access.RW):
            raise ValueError(f"Window {self.name} must be R, W or RW, not {self.access.value}")


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """Registers and windows of one block, by byte address in a space of ``2**address_width`` bytes.

    ``lock`` names the register whose one field locks others while it is 1. ``verilog_word`` is in the names of modules,
    where a design has several maps.

    Raises ValueError if entries overlap, are not aligned to words, lie outside the space, or share a name.
    """

    name: str
    doc: str
    address_width: int
    entries: tuple[Register | Window, ...]
    lock: str | None = None
    verilog_word: str = ""

    def __post_init__(self) -> None:
        end, seen = 0, set[str]()
        for entry in self.entries:
            if entry.address % 4 or entry.address < end:
                raise ValueError(f"{entry.name} must be at a multiple of 4 from {end:#x} on, not {entry.address:#x}")
            if entry.name in seen:
                raise ValueError(f"Names must differ, and {entry.name} is there twice")
            seen.add(entry.name)
            end = entry.address + 4 * entry.words
        if end > 2**self.address_width:
            raise ValueError(f"The map must fit in {2**self.address_width:#x} bytes, not {end:#x}")

    @property
    def registers(self) -> list[Register]:
        """The registers."""
        return [entry for entry in self.entries if isinstance(entry, Register)]

    @property
    def windows(self) -> list[Window]:
        """The windows."""
        return [entry for entry in self.entries if isinstance(entry, Window)]

    def __getitem__(self, name: str) -> Register | Window:
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(name)


def _check_name(kind: str, name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{kind} name must be lower case with digits and underscores, not {name!r}")


def register_word(map: RegisterMap, name: str, **fields: int) -> int:
    """A word of a register, fields that are not named 0."""
    register = map[name]
    assert isinstance(register, Register)
    places = {placed.field.name: placed for placed in register.placed}
    return sum(int(value) << places[field].low for field, value in fields.items())


@dataclass(frozen=True)
class Block:
    """A register map from ``base`` on."""

    name: str
    base: int
    map: RegisterMap


@dataclass(frozen=True, kw_only=True)
class AddressMap:
    """Blocks in a space of ``2**address_width`` bytes; those whose maps have one name have one map.

    Raises ValueError if blocks overlap or lie outside, are not aligned to their size, share a name, or maps of one name
    differ.
    """

    name: str
    doc: str
    address_width: int
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        end, kinds = 0, self.kinds
        for block in self.blocks:
            size = 1 << block.map.address_width
            if block.base % size or block.base < end or block.base + size > 1 << self.address_width:
                raise ValueError(f"Block {block.name} must be aligned, inside and apart, not at {block.base:#x}")
            if kinds[block.map.name] != block.map:
                raise ValueError(f"Blocks of the map {block.map.name} must have the same one")
            end = block.base + size
        if len({block.name for block in self.blocks}) < len(self.blocks):
            raise ValueError("Names of blocks must differ")

    @property
    def kinds(self) -> dict[str, RegisterMap]:
        """The maps by their names."""
        kinds: dict[str, RegisterMap] = {}
        for block in self.blocks:
            kinds.setdefault(block.map.name, block.map)
        return kinds

    def __getitem__(self, name: str) -> Block:
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(name)

    def address(self, block: str, entry: str) -> int:
        """Byte address of a register or window."""
        placed = self[block]
        return placed.base + placed.map[entry].address
