"""What a host writes to the registers of nodes: address within the node, and value."""

from mho.hw.host.registers import RegisterMap
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.words import FLOWS, flow_word, refuse_number, register_tag, slot_word
from mho.hw.noc.reduction.trees import Entry
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import page_address

Write = tuple[int, int]


def _row(map: RegisterMap, table: str, row: int) -> int:
    return page_address(map[table].address + 4 * row)


def write_flow(cfg: MeshConfig, flow: int, to: Destinations | None, slot: int) -> Write:
    """Where a flow goes: nodes and the slot of all of them, or the host (``None``).

    Raises
    ------
    InputError
        If flow or slot are out of range.
    """
    refuse_number("flow", flow, FLOWS)
    return _row(node_map(cfg), "flow", flow), flow_word(cfg, to, slot)


def write_members(cfg: MeshConfig, flow: int, members: int) -> Write:
    """How many members of a flow give credits; its next block is an even one, and has all credits.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    refuse_number("flow", flow, FLOWS)
    refuse_number("members", members, cfg.nodes + 1)
    return _row(node_map(cfg), "members", flow), members


def write_slot(cfg: MeshConfig, slot: int, sender: int | None, flow: int, *, in_use: bool = True) -> Write:
    """Who sends to a slot: a node, or the host (``None``), and the number of its flow there.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    refuse_number("slot", slot, register_tag(cfg))
    return _row(node_map(cfg), "slot", slot), slot_word(cfg, sender, flow, in_use=in_use)


def write_entry(cfg: MeshConfig, context: int, entry: Entry) -> Write:
    """What the node's router does in a context of the reduction.

    Raises
    ------
    InputError
        If the context is out of range.
    """
    refuse_number("context", context, cfg.contexts)
    return _row(node_map(cfg), "reduction", context), entry.pack()
