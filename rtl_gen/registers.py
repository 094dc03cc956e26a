"""Register maps as documents and as code for other languages: Markdown, C, SystemRDL."""

from collections.abc import Iterator, Mapping

from mho.hw.chip.map import CHIP_MAGIC, MAP_VERSION, QUEUE, chip_page
from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.host.core.write_map import CELL_LOW, RESET_BIT, RESULT_PULSES, RESULT_VALID, WORD_FLAG, write_entries
from mho.hw.host.registers import Access, AddressMap, PlacedField, Register, RegisterMap, Window
from mho.hw.kinds import core_blocks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.interface.tables import UNIT, credit_tag
from mho.hw.tile.host_map import RESET, START, STATUS_AT
from mho.hw.tile.rtl.host import Event
from mho.macro_models.integer.operation import Direction
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.templates import fill, template

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
        accesses = {entry.access.value} if isinstance(entry, Window) else {field.access.value for field in entry.fields}
        fields, doc = [] if isinstance(entry, Window) else list(entry.placed), entry.doc
        bits = ", ".join(f"`{placed.field.name}` {_bits(placed)}" for placed in fields)
        if len(fields) == 1:
            (alone,) = fields
            bits = f"{bits.removeprefix('`value` ')} {_reset(alone)}".rstrip()
            doc = doc if alone.field.doc == doc else f"{doc} {alone.field.doc}"
        lines.append(f"| {where} | `{entry.name}` | {', '.join(sorted(accesses))} | {bits} | {doc} |")
    return "\n".join(lines) + "\n"


def _reset(placed: PlacedField) -> str:
    field = placed.field
    known = field.constant or field.access in (Access.RW, Access.RW1C, Access.RW1S)
    return f"`{field.reset:#x}`" if known else ""


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


def c_driver(chip: Chip, name: str) -> str:
    """Header-only C99 that includes ``name.h`` (:func:`mho.rtl_gen.registers.c_header`); names begin with ``name``."""
    blocks, config = core_blocks(chip), chip.macro_config()
    windows = {entry.name for entry in blocks.registers.windows}
    programs, manual = "targets" in windows, "manual_cmp" in windows
    pulses = programs and "blind" in {field.name for entry in blocks.registers.registers for field in entry.fields}
    parts = {
        "driver_write": programs, "driver_blind": pulses, "driver_manual": manual,
        "driver_manual_write": programs and manual,
    }
    values = {
        "MORE": "".join(template(f"{part}.h") for part, is_part in parts.items() if is_part)
                + macro_texts_of(chip).driver(chip),
        "NAME": name.upper(), "name": name.lower(),
        "LINES": f"{chip.lines}u", "OUTPUTS": f"{blocks.cfg.outputs}u", "OUT_BITS": chip.operation_type.most_out_bits,
        "MASK_WORDS": f"{blocks.cfg.mask_words}u",
        "FORWARD": f"{config.inputs(Direction.FORWARD)}u", "BACKWARD": f"{config.inputs(Direction.BACKWARD)}u",
        "FLAG": str(WORD_FLAG), "RESET_BIT": str(RESET_BIT), "CELL": str(CELL_LOW),
        "COLUMN_BITS": str((blocks.cfg.columns - 1).bit_length()), "VALID": str(RESULT_VALID),
        "PULSES": str(RESULT_PULSES),
    }
    text = fill(template("driver.h"), values)
    # The header of the registers is called after the top as it is.
    return text.replace(f'#include "{name.lower()}.h"', f'#include "{name}.h"')


TILES_HEADER = "mho_tiles.h"
"""Name of the file."""

_INTERRUPT, _INTERRUPT_ENABLE = 32, 36
"""Bytes of these registers of a tile."""


def tile_driver() -> str:
    """Header-only C99, from the register maps; names begin with ``mho_tiles``."""
    mesh = MeshConfig()
    page = {entry.name: entry for entry in chip_page(mesh, 16).entries}
    registers, windows = write_entries(16, WriteVerifyParameters(), ())
    core = {entry.name: entry for entry in (*registers, *windows)}
    return fill(template("tiles.h"), {
        "VERSION": MAP_VERSION, "MAGIC": CHIP_MAGIC, "QUEUE": QUEUE, "UNIT": UNIT, "PAYLOAD": 4,
        "CREDIT": credit_tag(mesh), "RESET": RESET, "START": START, "TRAP": STATUS_AT,
        "DONE": Event.DONE, "TRAPPED": Event.TRAP, "WATCHDOG": Event.WATCHDOG,
        "INTERRUPT": _INTERRUPT, "INTERRUPT_ENABLE": _INTERRUPT_ENABLE, "GIVEN_UP": WORD_FLAG,
        **{key: page[name].address for key, name in (
            ("ID", "id"), ("DESCRIPTION", "description"), ("STATUS", "status"), ("SEND", "send"),
            ("RECEIVE", "receive"), ("ENABLE", "interrupt_enable"))},
        "FAILED": _mask(page, "status", "refused", "lost", "overflow"),
        **{f"ENABLE_{name.upper()}": _mask(page, "interrupt_enable", name) for name in ("tile", "waiting", "error")},
        **{f"{name.upper()}_MASK": _mask(page, "status", name) for name in ("room", "waiting")},
        **{f"{name.upper()}_SHIFT": _low(page, "status", name) for name in ("room", "waiting")},
        **{name.upper(): core[name].address for name in (
            "write_control", "write_status", "write_levels", "targets", "results")},
        "WRITE_START": _mask(core, "write_control", "start"),
        "WRITE_FLAGS": _mask(core, "write_status", "done", "error", "overrun"),
        "WRITE_FAILED": _mask(core, "write_status", "error", "overrun"),
        "LEVEL_ROOM": _mask(core, "write_levels", "room"), "LEVEL_SHIFT": _low(core, "write_levels", "waiting"),
    })


def _placed(register: Register | Window, *fields: str) -> list[PlacedField]:
    assert isinstance(register, Register)
    return [bits for bits in register.placed if bits.field.name in fields]


def _low(map: Mapping[str, Register | Window], register: str, field: str) -> int:
    return _placed(map[register], field)[0].low


def _mask(map: Mapping[str, Register | Window], register: str, *fields: str) -> int:
    """Bits of fields of a register."""
    return sum((1 << bits.field.width) - 1 << bits.low for bits in _placed(map[register], *fields))
