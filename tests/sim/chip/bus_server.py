"""The cocotb test of :mod:`tests.sim.chip.bus_bench`: a master of others at the bus of a chip. Inside the simulator."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
from cocotb.task import bridge, resume
from cocotb.utils import get_sim_time

from mho.hw.config.tree import chip_from_dict
from mho.macro_models.errors import ToolError
from mho.sim.chip.programs import programs_of
from mho.sim.chip.traffic import Expected
from mho.sim.chip.verify import run_programs
from tests.sim.chip.masters import PERIOD_NS, Master, started


class _MasterBus:
    """A :class:`mho.sim.chip.simulation.ChipBus`: one access after the other by a master."""

    def __init__(self, master: Master) -> None:
        self.master = master
        self.answer = resume(self._answer)

    async def _answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        return [await self._one(access) for access in accesses]

    async def _one(self, access: Expected) -> tuple[bool, int]:
        if access.data is None:
            word, error = await self.master.read(access.address)
            return error, word
        return await self.master.write(access.address, access.data, access.strobe), 0


@cocotb.test()
async def random_accesses_beside_programs(dut: Any) -> None:
    """None lost, reordered or doubled; illegal addresses answer with an error."""
    job = json.loads(Path(os.environ["MHO_JOB"]).read_text("utf-8"))
    bus = _MasterBus(await started(dut, job["wrap"]))
    programs, began = programs_of(chip_from_dict(job["chip"])), time.process_time()
    result: dict[str, object]
    try:
        errors, images = await bridge(run_programs)(bus, programs, job["accesses"], seed=job["seed"])
        result = {"errors": errors, "images": images}
    except ToolError as error:
        result = {"wrong": str(error)}
    result |= {"cycles": int(get_sim_time("ns")) // PERIOD_NS, "seconds": time.process_time() - began}
    Path(job["result"]).write_text(json.dumps(result), encoding="utf-8")
