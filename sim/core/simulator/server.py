"""The cocotb test inside the simulator: it serves batches that arrive over a socket until the other side closes.

While it waits for a request the simulation stands still; while a batch runs, cocotb sleeps until ``wake`` changes.
"""

import os
import time
from collections.abc import Mapping, Sequence

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import Timer

from mho.macro_models import MacroModel
from mho.sim.core.batch import Batch, BatchResult, Work
from mho.sim.core.messages import Link
from mho.sim.core.simulator.serving import serve_jobs
from mho.sim.core.simulator.shim import Shim


@cocotb.test()
async def serve(dut: SimHandleBase) -> None:
    """Answer ``core`` (a macro model to hold) and ``run`` requests (with the batches that are run together)."""
    # Behind the initial blocks.
    await Timer(1, "step")
    if cocotb.SIM_NAME.lower().startswith("verilator"):
        driver = Shim(dut, os.environ["MHO_COSIM_SCOPES"].split(","))
    else:
        # Imported here: it takes more than the process of Verilator needs.
        from mho.sim.core.simulator.driver_vpi import VpiDriver

        driver = VpiDriver(dut)

    async def run(link: Link, batches: Sequence[Batch], models: Mapping[int, MacroModel]) -> None:
        work = [Work(batch, BatchResult.empty(batch), models.get(batch.core)) for batch in batches]
        start = time.process_time()
        await driver.run(work)
        for job in work:
            job.result.cpu_s = time.process_time() - start
        link.send("result", [job.result for job in work])

    await serve_jobs("run", run)
