"""An address space of several register maps, some of them many times."""

from dataclasses import dataclass

from mho.hw.host.registers import RegisterMap


@dataclass(frozen=True)
class Block:
    """A register map from ``base`` on."""

    name: str
    base: int
    map: RegisterMap


@dataclass(frozen=True, kw_only=True)
class AddressMap:
    """Blocks in a space of ``2**address_width`` bytes; those whose maps have one name have one map.

    Raises
    ------
    ValueError
        If blocks overlap or lie outside, are not aligned to their size, share a name, or maps of one name differ.
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
