"""A register map as an IP-XACT component (IEEE 1685-2014), for tools that assemble systems."""

from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from mho.hw.host.registers import Access, AddressMap, Block, PlacedField, Register, RegisterMap, Window

NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
_SCHEMA = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014/index.xsd"
_ACCESS = {
    Access.R: "read-only", Access.W: "write-only", Access.RW: "read-write", Access.RW1C: "read-write",
    Access.RW1S: "read-write",
}


def ip_xact(map: RegisterMap | AddressMap, name: str) -> str:
    """XML of a component ``name`` whose one memory map is ``map``: a block of registers or a memory after the other."""
    blocks = map.blocks if isinstance(map, AddressMap) else (Block("", 0, map),)
    Xml.register_namespace("ipxact", NAMESPACE)
    root = Xml.Element(_tag("component"))
    root.set("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", f"{NAMESPACE} {_SCHEMA}")
    for key, value in (("vendor", "mho"), ("library", "cores"), ("name", name), ("version", "1.0")):
        _add(root, key, value)
    memory_map = _add(_add(root, "memoryMaps"), "memoryMap")
    _add(memory_map, "name", map.name)
    _add(memory_map, "description", _plain(map.doc))
    for block in blocks:
        for entries in _blocks(block.map):
            _block(memory_map, entries, block)
    _add(memory_map, "addressUnitBits", "8")
    _add(root, "description", _plain(map.doc))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _blocks(map: RegisterMap) -> Iterator[list[Register | Window]]:
    """Registers that follow each other together, each window alone."""
    run: list[Register | Window] = []
    for entry in map.entries:
        if isinstance(entry, Window):
            yield from ([run] if run else [])
            yield [entry]
            run = []
        else:
            run.append(entry)
    if run:
        yield run


def _block(parent: Xml.Element, entries: list[Register | Window], within: Block) -> None:
    first, last = entries[0], entries[-1]
    block = _add(parent, "addressBlock")
    before = f"{within.name}_" if within.name else ""
    _add(block, "name", before + (first.name if isinstance(first, Window) else f"registers_from_{first.name}"))
    if isinstance(first, Window):
        _add(block, "description", _plain(first.doc))
    _add(block, "baseAddress", f"'h{within.base + first.address:x}")
    _add(block, "range", str(last.address + 4 * last.words - first.address))
    _add(block, "width", "32")
    _add(block, "usage", "memory" if isinstance(first, Window) else "register")
    if isinstance(first, Window):
        _add(block, "access", _ACCESS[first.access])
    for entry in entries:
        if isinstance(entry, Register):
            _register(block, entry, entry.address - first.address)


def _register(block: Xml.Element, register: Register, offset: int) -> None:
    node = _add(block, "register")
    _add(node, "name", register.name)
    _add(node, "description", _plain(register.doc))
    _add(node, "addressOffset", f"'h{offset:x}")
    _add(node, "size", "32")
    for placed in register.placed:
        _field(node, placed)


def _field(register: Xml.Element, placed: PlacedField) -> None:
    field, node = placed.field, _add(register, "field")
    _add(node, "name", field.name)
    _add(node, "description", _plain(field.doc))
    _add(node, "bitOffset", str(placed.low))
    if field.constant or field.access in (Access.RW, Access.RW1C, Access.RW1S):
        _add(_add(_add(node, "resets"), "reset"), "value", f"'h{field.reset:x}")
    _add(node, "bitWidth", str(field.width))
    if field.access in (Access.R, Access.RW1C) and not field.constant:
        _add(node, "volatile", "true")
    _add(node, "access", _ACCESS[field.access])
    if field.access is Access.RW1C:
        _add(node, "modifiedWriteValue", "oneToClear")
    if field.access is Access.RW1S:
        _add(node, "modifiedWriteValue", "oneToSet")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: Xml.Element, name: str, text: str = "") -> Xml.Element:
    node = Xml.SubElement(parent, _tag(name))
    node.text = text or None
    return node


def _plain(text: str) -> str:
    return text.replace("`", "")
