"""The cocotb test inside the simulator: it serves batches that arrive over a socket until the other side closes.

While it waits for a request the simulation stands still; while a batch runs, cocotb sleeps until ``wake`` changes.
"""

import time
from collections.abc import Mapping

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
    """Answer ``core`` (a macro model to hold) and ``run`` requests (with a batch)."""
    # Behind the initial blocks.
    await Timer(1, "step")
    if cocotb.SIM_NAME.lower().startswith("verilator"):
        driver = Shim(dut)
    else:
        # Imported here: it takes more than the process of Verilator needs.
        from mho.sim.core.simulator.driver_vpi import VpiDriver

        driver = VpiDriver(dut)

    async def run(link: Link, batch: Batch, models: Mapping[int, MacroModel]) -> None:
        result, start = BatchResult.empty(batch), time.process_time()
        await driver.run(Work(batch, result, models.get(batch.core)))
        result.cpu_s = time.process_time() - start
        link.send("result", result)

    await serve_jobs("run", run)
