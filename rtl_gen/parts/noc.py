"""The network on chip alone."""

from mho.hw.config import Chip
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.mesh import Mesh
from mho.hw.noc.registers.map import node_map
from mho.rtl_gen.emit import emit_block
from mho.rtl_gen.parts.assembly import port_bits, register_texts, rtl_texts, tapeout_texts, with_readme
from mho.rtl_gen.tapeout_files import Design

__all__ = ["noc_texts"]


def noc_texts(chip: Chip, name: str, prefix: str) -> dict[str, str]:
    """Texts of all files by path."""
    cfg = MeshConfig.of_network(chip)
    modules = emit_block(chip, Mesh(cfg), name, prefix)
    rtl = rtl_texts(modules, name, prefix)
    what = f"Network on chip of {chip.name}, {chip.mesh.columns} x {chip.mesh.rows} nodes"
    registers = register_texts(node_map(cfg), f"{prefix}node")
    inputs, outputs = port_bits(modules[name], name)
    design = Design(chip=chip, what=what, top=name, rtl=tuple(rtl), inputs=inputs, outputs=outputs)
    return with_readme(design, rtl | registers | tapeout_texts(design, rtl))
