"""The registers of a node itself: tables, entries, counters; and what a host writes to them."""

from mho.hw.host.registers import Access, Field, Register, RegisterMap, Window, constant, identity
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import FLOWS, VALUE_BITS, Counter, flow_word, refuse_number, register_tag, slot_word
from mho.hw.noc.reduction.trees import Entry
from mho.hw.noc.registers.packet import NODE_BITS, PAGE_BITS, page_address

MAGIC = 0x6D6E
"""What identifies a node: ``mn``."""

MAP_VERSION = 1
"""Grows when a register moves or changes its meaning."""

_FLOWS, _MEMBERS, _SLOTS, _REDUCTION, _COUNTERS = 0x040, 0x080, 0x0C0, 0x100, 0x140

_COUNTED = {
    Counter.SENT: "Flits that the node injected.",
    Counter.RECEIVED: "Flits that it received and took, credits and requests to registers included.",
    Counter.STALLS: "Cycles in which a flit waited for the router.",
    Counter.WAITS: "Cycles in which a block waited for credits.",
    Counter.DROPPED: "Flits dropped on arrival: for a slot that is not in use, or a credit for no block.",
    Counter.REFUSED: "Flits and releases dropped before injection: without a flow or a slot.",
    Counter.UNROUTABLE: "Flits that the router dropped: without a destination but their own node.",
}


def node_map(cfg: MeshConfig) -> RegisterMap:
    """The map of a node's own registers."""
    page = page_address(0)
    sizes = (("columns", cfg.columns), ("rows", cfg.rows), ("payload_words", cfg.payload_bits // 32),
             ("contexts", cfg.contexts), ("slots", register_tag(cfg)))
    entries: list[Register | Window] = [
        identity(MAGIC, MAP_VERSION, "node"),
        Register(name="mesh", address=0x004, doc="Sizes of the mesh.", fields=tuple(
            constant(name, 5, value, f"{name.replace('_', ' ').capitalize()}.") for name, value in sizes
        )),
        Register(
            name="power", address=0x008,
            doc="Clock and power of what the node serves. While either bit is set its registers answer with an error, "
            "and what the network brings it is lost: set them where nobody sends to it.",
            fields=(
                Field(name="stopped", access=Access.RW, doc="Its clock stands still, if the chip has gates of clocks; "
                      "all state stays."),
                Field(name="off", access=Access.RW, doc="The pin `power_off`, for a power switch; the clock stands "
                      "still too. All state is lost: it is reset and loaded anew behind that."),
            ),
        ),
        Window(
            name="flow", address=_FLOWS, words=FLOWS, access=Access.W,
            doc="Where each flow goes: `[15:0]` destinations as in a flit, rows first; `[19:16]` slot of the "
            "receivers; `[20]` to the host, whatever the destinations. Illegal destinations: the flow is not in use.",
        ),
        Window(
            name="members", address=_MEMBERS, words=FLOWS, access=Access.W,
            doc="Number of members of each flow, which give credits. The flow's next block is an even one, and nothing "
            "is missing.",
        ),
        Window(
            name="slot", address=_SLOTS, words=register_tag(cfg), access=Access.W,
            doc="Who sends to each slot: `[15:0]` position as destinations; `[19:16]` the number of the flow there; "
            "`[20]` in use; `[21]` it is the host. The next block is an even one.",
        ),
    ]
    if cfg.contexts:
        entries.append(Window(
            name="reduction", address=_REDUCTION, words=cfg.contexts, access=Access.W,
            doc="What the reduction router does in each context: `[3:0]` children (north, east, south, west), `[4]` "
            "local, `[7:5]` parent, 4 at the root, 5 to 7: none.",
        ))
    entries += [
        Register(name=counter.name.lower(), address=_COUNTERS + 4 * counter, doc=doc, fields=(
            Field(name="value", width=VALUE_BITS, doc="It wraps."),
        ))
        for counter, doc in _COUNTED.items()
    ]
    return RegisterMap(
        name="node", address_width=PAGE_BITS, entries=tuple(entries),
        doc=f"Registers of a node of the network on chip, from {page:#x} on in its {1 << NODE_BITS:#x} bytes; below "
        "are those of its tile. Words are 32 bits, little endian; addresses count bytes.",
    )


Write = tuple[int, int]


def _row(map: RegisterMap, table: str, row: int) -> int:
    return page_address(map[table].address + 4 * row)


def write_flow(cfg: MeshConfig, flow: int, to: Destinations | None, slot: int) -> Write:
    """Where a flow goes: nodes and the slot of all of them, or the host (``None``).

    Raises InputError if flow or slot are out of range.
    """
    refuse_number("flow", flow, FLOWS)
    return _row(node_map(cfg), "flow", flow), flow_word(cfg, to, slot)


def write_members(cfg: MeshConfig, flow: int, members: int) -> Write:
    """How many members of a flow give credits; its next block is an even one, and has all credits.

    Raises InputError if a number is out of range.
    """
    refuse_number("flow", flow, FLOWS)
    refuse_number("members", members, cfg.nodes + 1)
    return _row(node_map(cfg), "members", flow), members


def write_slot(cfg: MeshConfig, slot: int, sender: int | None, flow: int) -> Write:
    """Who sends to a slot: a node, or the host (``None``), and the number of its flow there.

    Raises InputError if a number is out of range.
    """
    refuse_number("slot", slot, register_tag(cfg))
    return _row(node_map(cfg), "slot", slot), slot_word(cfg, sender, flow)


def write_entry(cfg: MeshConfig, context: int, entry: Entry) -> Write:
    """What the node's router does in a context of the reduction.

    Raises InputError if the context is out of range.
    """
    refuse_number("context", context, cfg.contexts)
    return _row(node_map(cfg), "reduction", context), entry.pack()
