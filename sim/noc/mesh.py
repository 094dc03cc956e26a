"""The Verilog of a mesh in Verilator: traffic in, arrivals out, and whether all arrived once and in order."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import BodyLayout, FlitLayout, coordinate_bits
from mho.hw.noc.router.model import Delivery, Traffic
from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.templates import fill, template
from mho.sim.build.toolchain import HDL, cached_build, hash_files, run_logged
from mho.sim.build.verilate import compiler_key, verilate, verilog_modules

_SHARED = ("router", "node")
"""Modules that a mesh has one of for each node."""

_QUIET = 4096
"""Cycles without any movement after which nothing more will come."""


@dataclass(frozen=True, kw_only=True)
class MeshRun(Delivery):
    """What a simulation gave, beside what the model gives."""

    words: NDArray[np.uint32]
    """Flits that arrived, as 32-bit words of a :class:`mho.hw.noc.flit.BodyLayout`, of shape (ejections, words)."""
    intact: NDArray[np.bool_]
    """Whether each ejection is a flit that was sent, payload, tag and all."""


def payloads(cfg: MeshConfig, count: int) -> NDArray[np.uint32]:
    """Payloads of flits by their number, which is their first word: of shape (count, words)."""
    words = np.arange(count, dtype=np.uint32)[:, None].repeat(cfg.payload_bits // 32, axis=1)
    words[:, 1:] = words[:, 1:] * np.uint32(2654435761) + np.arange(1, words.shape[1], dtype=np.uint32)
    return words


class MeshSimulation:
    """Simulator of a :class:`mho.hw.noc.router.network.Network`, built once and kept in the cache."""

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        from mho.hw.noc.router.network import Network

        self._program = build_mesh(Network(cfg), "mesh_replay.cpp", _ports(cfg), registered=True) / "simulator"

    def run(self, traffic: Traffic, *, cycles: int, accept: NDArray[np.bool_] | None = None) -> MeshRun:
        """Run an empty mesh until all has arrived; arguments as in :meth:`mho.hw.noc.router.model.MeshModel.run`."""
        order = np.argsort(traffic.source, kind="stable")
        flits = _flits(self.cfg, traffic)
        records = np.column_stack([traffic.source, traffic.earliest, flits]).astype(np.uint32)[order]
        with Workspace("noc") as folder:
            records.tofile(folder / "traffic")
            np.asarray(() if accept is None else accept, dtype=np.uint8).tofile(folder / "accept")
            arguments = ["traffic", str(cycles), "accept", "result"]
            run_logged([str(self._program), *arguments], folder / "log", "the simulation of the mesh", cwd=folder)
            ran = int((folder / "log").read_text().split()[-2])
            result = np.fromfile(folder / "result", dtype=np.int32)
        width = 2 + word_count(BodyLayout(self.cfg).size)
        entered, left = result[: len(order)], result[len(order) :].reshape(-1, width)
        injected = np.empty(len(order), dtype=np.int64)
        injected[order] = entered
        words = left[:, 2:].view(np.uint32)
        flit = words[:, 0].astype(np.int64)
        traced = flit < len(order)
        sent = _bodies(self.cfg, flits)[np.where(traced, flit, 0)]
        return MeshRun(
            cycle=left[:, 0].astype(np.int64), node=left[:, 1].astype(np.int64), flit=flit, injected=injected,
            unroutable=np.zeros(self.cfg.nodes, dtype=np.int64), cycles=ran, words=words,
            intact=traced & (words == sent).all(axis=1),
        )


def word_count(bits: int) -> int:
    """32-bit words of so many bits."""
    return -(-bits // 32)


def _flits(cfg: MeshConfig, traffic: Traffic) -> NDArray[np.uint32]:
    """The flits as words, of shape (flits, words)."""
    size = FlitLayout(cfg).size
    result = np.zeros((len(traffic.source), word_count(size)), dtype=np.uint32)
    result[:, : cfg.payload_bits // 32] = payloads(cfg, len(traffic.source))
    fields = [(traffic.tag, cfg.tag_bits), (np.zeros_like(traffic.tag), 1)]
    for mask, side in ((traffic.rows, cfg.rows), (traffic.columns, cfg.columns)):
        if cfg.masks:
            fields.append((mask, side))
        else:
            first, last = mask & -mask, mask
            fields += [(_log2(first), coordinate_bits(side)), (_log2(last), coordinate_bits(side))]
    at = cfg.payload_bits
    for value, bits in fields:
        shifted = value.astype(np.uint64) << np.uint64(at % 32)
        result[:, at // 32] |= (shifted & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        if at % 32 + bits > 32:
            result[:, at // 32 + 1] |= (shifted >> np.uint64(32)).astype(np.uint32)
        at += bits
    return result


def _log2(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1


def _bodies(cfg: MeshConfig, flits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """What a node receives of each flit."""
    size = BodyLayout(cfg).size
    result = flits[:, : word_count(size)].copy()
    if size % 32:
        result[:, -1] &= np.uint32((1 << size % 32) - 1)
    return result


def build_mesh(component: wiring.Component, bench: str, ports: str, *, registered: bool = False) -> Path:
    """Folder of the simulator of a mesh, built unless the cache has it.

    Parameters
    ----------
    bench
        Its C++ bench, in ``sim/hdl``.
    ports
        Text of the header ``mesh_ports.h`` of the bench.
    registered
        Put flip-flops before the inputs. Then what looks at inputs is found once a cycle, together with the rest, and
        not each time when inputs or the clock change: a mesh simulates twice as fast.
    """
    texts = verilog_modules(component, "mesh")
    top = "mho_mesh"
    verilog = "\n".join(texts.values())
    if registered:
        top = "registered_mesh"
        verilog += _registered(texts["mho_mesh"], top)
    key = [verilog, ports, hash_files([Path(__file__), HDL / bench]), *compiler_key()]

    def build(folder: Path) -> None:
        (folder / "mesh.v").write_text(verilog)
        # What there are many of stays one class: 48 copies of it would take minutes to compile.
        once = [f'no_inline -module "mho_{name}"\n' for name in _SHARED if f"mho_{name}" in texts]
        (folder / "mesh.vlt").write_text("`verilator_config\n" + "".join(once))
        (folder / "mesh_ports.h").write_text(ports)
        verilate(folder, [folder / "mesh.vlt", folder / "mesh.v", HDL / bench], top=top)

    return cached_build("noc", key, build)


def _registered(mesh: str, name: str) -> str:
    """A module around a mesh with flip-flops before its inputs."""
    from mho.rtl_gen.verilog.ports import module_ports

    ports = module_ports(mesh, "mho_mesh")
    assert ports is not None
    declared, registers, moves, joined = [], [], [], []
    for port in ports.values():
        bits = f"[{(port.width or 1) - 1}:0]"
        declared.append(f"{port.direction} wire {bits} {port.name}")
        late = port.direction == "input" and port.name not in ("clk", "rst")
        joined.append(f".{port.name}({port.name}{'_q' if late else ''})")
        if late:
            registers.append(f"  reg {bits} {port.name}_q;\n")
            moves.append(f"    {port.name}_q <= {port.name};\n")
    return (
        f"\nmodule {name} ({', '.join(declared)});\n{''.join(registers)}"
        f"  always @(posedge clk) begin\n{''.join(moves)}  end\n  mho_mesh mesh ({', '.join(joined)});\nendmodule\n"
    )


def _ports(cfg: MeshConfig) -> str:
    """The header that tells the bench the ports of the mesh."""
    inject, eject = FlitLayout(cfg).size, BodyLayout(cfg).size

    def port(name: str, node: int, bits: int) -> str:
        payload = f"top.{name}_{node}_payload"
        data = f"{payload}.data()" if bits > 64 else f"&{payload}"
        return f"{{{data}, &top.{name}_{node}_valid, &top.{name}_{node}_ready}}"

    lists = {
        name: ",\n        ".join(port(name, node, bits) for node in range(cfg.nodes))
        for name, bits in (("inject", inject), ("eject", eject))
    }
    return fill(template("mesh_replay.h"), {
        "NODES": cfg.nodes, "INJECT_WORDS": word_count(inject), "EJECT_WORDS": word_count(eject),
        "QUIET": _QUIET, "INJECT": lists["inject"], "EJECT": lists["eject"],
    })


def members(cfg: MeshConfig, traffic: Traffic) -> NDArray[np.bool_]:
    """Nodes that each flit must arrive at, of shape (flits, nodes): its set without its own node."""
    node = np.arange(cfg.nodes)
    result = (traffic.columns[:, None] >> node % cfg.columns & traffic.rows[:, None] >> node // cfg.columns & 1) == 1
    result[np.arange(len(traffic.source)), traffic.source] = False
    return result


def check_delivery(cfg: MeshConfig, traffic: Traffic, run: MeshRun) -> int:
    """Number of deliveries, if each is right.

    Raises ToolError if a flit was lost, doubled, changed or delivered to a node that is no member; or if two flits of a
    source with the same tag came to a node in another order than they were sent in. The first is named.
    """

    def refuse(what: str, at: int) -> None:
        where = f"flit {run.flit[at]} at node {run.node[at]} in cycle {run.cycle[at]}"
        raise ToolError(f"{what} must not happen in a mesh of {cfg.columns} x {cfg.rows}: {where}")

    for what, wrong in (
        ("a change of a flit", ~run.intact),
        ("a delivery to a node that is no member", ~members(cfg, traffic)[run.flit % len(traffic.source), run.node]),
    ):
        if wrong.any():
            refuse(what, int(wrong.argmax()))
    flow = (run.node * cfg.nodes + traffic.source[run.flit]) << cfg.tag_bits | traffic.tag[run.flit]
    order = np.argsort(flow, kind="stable")
    step, same = np.diff(run.flit[order]), np.diff(flow[order]) == 0
    for what, wrong in (("a delivery twice", same & (step == 0)), ("a delivery out of order", same & (step < 0))):
        if wrong.any():
            refuse(what, int(order[int(wrong.argmax()) + 1]))
    # Nothing twice and nothing wrong: what is not lost is counted.
    missing = members(cfg, traffic).sum(axis=1) - np.bincount(run.flit, minlength=len(traffic.source))
    if missing.any():
        flit = int((missing != 0).argmax())
        raise ToolError(
            f"a loss must not happen in a mesh of {cfg.columns} x {cfg.rows}: "
            f"flit {flit} from node {traffic.source[flit]} did not come to {missing[flit]} of its members"
        )
    return len(run.flit)


def check_equal(cfg: MeshConfig, run: Delivery, model: Delivery) -> None:
    """Compare a run with that of the model in every cycle.

    Raises ToolError if a flit left its source or arrived in another cycle than in the model. The first is named.
    """
    mesh = f"a mesh of {cfg.columns} x {cfg.rows}"
    differs = run.injected != model.injected
    if differs.any():
        flit = int(differs.argmax())
        raise ToolError(
            f"the Verilog of {mesh} must take flit {flit} in cycle {model.injected[flit]} as the model does, "
            f"not {run.injected[flit]}"
        )
    count = min(len(run.flit), len(model.flit))
    observed, expected = (np.stack([d.cycle[:count], d.node[:count], d.flit[:count]]) for d in (run, model))
    differs = (observed != expected).any(axis=0)
    if differs.any() or len(run.flit) != len(model.flit):
        at = int(differs.argmax()) if differs.any() else count
        sentences = [
            f"flit {d.flit[at]} at node {d.node[at]} in cycle {d.cycle[at]}" if at < len(d.flit) else "nothing"
            for d in (model, run)
        ]
        raise ToolError(f"delivery {at} of {mesh} must be {sentences[0]} as in the model, not {sentences[1]}")
