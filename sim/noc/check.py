"""Whether all that was sent through a mesh arrived: once at each member, unchanged, in order."""

import numpy as np
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.router.model import Delivery, Traffic
from mho.macro_models.errors import ToolError
from mho.sim.noc.mesh import MeshRun


def members(cfg: MeshConfig, traffic: Traffic) -> NDArray[np.bool_]:
    """Nodes that each flit must arrive at, of shape (flits, nodes): its set without its own node."""
    node = np.arange(cfg.nodes)
    result = (traffic.columns[:, None] >> node % cfg.columns & traffic.rows[:, None] >> node // cfg.columns & 1) == 1
    result[np.arange(len(traffic.source)), traffic.source] = False
    return result


def check_delivery(cfg: MeshConfig, traffic: Traffic, run: MeshRun) -> int:
    """Number of deliveries, if each is right.

    Raises
    ------
    ToolError
        If a flit was lost, doubled, changed or delivered to a node that is no member; or if two flits of a source with
        the same tag came to a node in another order than they were sent in. The first is named.
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

    Raises
    ------
    ToolError
        If a flit left its source or arrived in another cycle than in the model. The first is named.
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
