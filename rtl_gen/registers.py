"""Register maps as documents and as code for other languages: Markdown, C, SystemRDL."""

from collections.abc import Iterator

from mho.hw.host.registers import Access, AddressMap, PlacedField, Register, RegisterMap, Window

_RDL_ACCESS = {
    Access.R: "sw = r; hw = w;",
    Access.W: "sw = w; hw = r; singlepulse;",
    Access.RW: "sw = rw; hw = r;",
    Access.RW1C: "sw = rw; hw = w; onwrite = woclr;",
    Access.RW1S: "sw = rw; hw = r; onwrite = woset;",
}


def _bits(placed: PlacedField) -> str:
    return f"{placed.high}" if placed.high == placed.low else f"{placed.high}:{placed.low}"


def markdown(map: RegisterMap | AddressMap) -> str:
    """Tables of the map for people."""
    if isinstance(map, AddressMap):
        rows = (f"| `{b.base:#x}` | `{b.name}` | [{b.map.name}](#{b.map.name}) |" for b in map.blocks)
        lines = [map.doc, "", "| from | name | what |", "|---|---|---|", *rows]
        for name, kind in map.kinds.items():
            lines += ["", f"## {name}", "", "Addresses count from where the block begins.", "", markdown(kind).rstrip()]
        return "\n".join(lines) + "\n"
    lines = [overview(map).rstrip()]
    for register in map.registers:
        if len(register.placed) == 1:
            continue
        lines += ["", f"### `{register.name}` ({register.address:#05x})", "", register.doc, ""]
        for placed in register.placed:
            field = placed.field
            head = f"{_bits(placed)} `{field.name}` {field.access.value} {_reset(placed)}"
            lines.append(f"* {head.rstrip()}: {field.doc}")
    return "\n".join(lines) + "\n"


def overview(map: RegisterMap) -> str:
    """A row for each register and window, with the bits of its fields; of a single field with its reset as well."""
    lines = [map.doc, "", "| address | name | access | fields, bits, reset | |", "|---|---|---|---|---|"]
    for entry in map.entries:
        last = entry.address + 4 * entry.words - 4
        where = f"`{entry.address:#05x}`" if entry.words == 1 else f"`{entry.address:#05x}` .. `{last:#05x}`"
        access = entry.access.value if isinstance(entry, Window) else ", ".join(_accesses(entry))
        fields, doc = [] if isinstance(entry, Window) else list(entry.placed), entry.doc
        bits = ", ".join(f"`{placed.field.name}` {_bits(placed)}" for placed in fields)
        if len(fields) == 1:
            (alone,) = fields
            bits = f"{bits.removeprefix('`value` ')} {_reset(alone)}".rstrip()
            doc = doc if alone.field.doc == doc else f"{doc} {alone.field.doc}"
        lines.append(f"| {where} | `{entry.name}` | {access} | {bits} | {doc} |")
    return "\n".join(lines) + "\n"


def _reset(placed: PlacedField) -> str:
    field = placed.field
    known = field.constant or field.access in (Access.RW, Access.RW1C, Access.RW1S)
    return f"`{field.reset:#x}`" if known else ""


def _accesses(register: Register) -> list[str]:
    return sorted({field.access.value for field in register.fields})


def c_header(map: RegisterMap | AddressMap, prefix: str) -> str:
    """Addresses, shifts and masks as macros; every name begins with ``prefix``.

    Of several maps the addresses of registers count from where their block begins.
    """
    head = prefix.upper()
    lines = [f"/* {_plain(map.doc)} */", f"#ifndef {head}_H", f"#define {head}_H", ""]
    lines += ["/* Bytes of the address space. */", f"#define {head}_SIZE {2**map.address_width:#x}u"]
    if isinstance(map, AddressMap):
        lines += ["", "/* Where blocks begin. */"]
        lines += [f"#define {head}_{block.name.upper()} {block.base:#x}u" for block in map.blocks]
        for name, kind in map.kinds.items():
            inner = f"{head}_{name.upper()}"
            lines += ["", f"/* {_plain(kind.doc)} */", f"#define {inner}_SIZE {2**kind.address_width:#x}u"]
            lines += _c_entries(kind, inner)
    else:
        lines += _c_entries(map, head)
    return "\n".join([*lines, "", "#endif"]) + "\n"


def _c_entries(map: RegisterMap, head: str) -> Iterator[str]:
    for entry in map.entries:
        name = f"{head}_{entry.name.upper()}"
        yield from ("", f"/* {_plain(entry.doc)} */", f"#define {name} {entry.address:#05x}u")
        if isinstance(entry, Window):
            yield f"#define {name}_WORDS {entry.words}u"
            continue
        for placed in entry.placed:
            field, full = placed.field, f"{name}_{placed.field.name.upper()}"
            mask = (2**field.width - 1) << placed.low
            yield f"#define {full}_SHIFT {placed.low}"
            yield f"#define {full}_MASK {mask:#010x}u /* {_plain(field.doc)} */"
            if field.constant or field.access is Access.RW:
                yield f"#define {full}_RESET {field.reset:#x}u"


def _plain(text: str) -> str:
    return text.replace("`", "").replace("*/", "* /")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def system_rdl(map: RegisterMap | AddressMap, name: str) -> str:
    """The map as a SystemRDL 2.0 address map ``name``; several maps as one each before it, of which it has instances.

    Names are escaped with a backslash, so that none can be a keyword.
    """
    if isinstance(map, AddressMap):
        kinds = [system_rdl(kind, f"{name}_{kind.name}") for kind in map.kinds.values()]
        lines = [f"addrmap \\{name} {{", f"  desc = {_quoted(map.doc)};", ""]
        lines += [f"  \\{name}_{block.map.name} \\{block.name} @ {block.base:#x};" for block in map.blocks]
        return "\n".join([*kinds, *lines, "};"]) + "\n"
    lines = [f"addrmap \\{name} {{", f"  desc = {_quoted(map.doc)};", "  default regwidth = 32;", "  littleendian;", ""]
    for entry in map.entries:
        if isinstance(entry, Window):
            access = entry.access.value.lower()
            lines += [
                "  external mem {", f"    desc = {_quoted(entry.doc)};", f"    mementries = {entry.words};",
                "    memwidth = 32;", f"    sw = {access};", f"  }} \\{entry.name} @ {entry.address:#x};", "",
            ]
            continue
        lines += ["  reg {", f"    desc = {_quoted(entry.doc)};"]
        for placed in entry.placed:
            field = placed.field
            access = "sw = r; hw = na;" if field.constant else _RDL_ACCESS[field.access]
            has_reset = field.constant or field.access is not Access.R
            reset = f" = {field.width}'h{field.reset:x}" if has_reset else ""
            lines.append(
                f"    field {{ desc = {_quoted(field.doc)}; {access} }} "
                f"\\{field.name}[{placed.high}:{placed.low}]{reset};"
            )
        lines += [f"  }} \\{entry.name} @ {entry.address:#x};", ""]
    return "\n".join([*(lines if map.lock else lines[:-1]), *_locked(map), "};"]) + "\n"


def _locked(map: RegisterMap) -> list[str]:
    """While the lock is 1, locked fields are not written."""
    if map.lock is None:
        return []
    (lock,) = map[map.lock].fields  # pyright: ignore[reportAttributeAccessIssue]
    return [
        f"  \\{register.name}.\\{field.name} -> swwel = \\{map.lock}.\\{lock.name};"
        for register in map.registers
        if register.locked
        for field in register.fields
    ]


if __name__ == "__main__":
    import sys

    from mho.hw.kinds.tnsa.host.map import tnsa_map
    from mho.hw.noc.config import MeshConfig
    from mho.hw.noc.registers.map import node_map

    print(overview(node_map(MeshConfig()) if sys.argv[1:] == ["noc"] else tnsa_map(256)), end="")
