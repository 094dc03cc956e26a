"""For cocotb tests of your own: models of memristive arrays behind the pins of the generated Verilog.

::

    import cocotb, mho.cosim
    from bench_mho_core_wb import Host          # of the folder tb/ that mho generate wrote

    @cocotb.test()
    async def noisy(dut):
        host = Host(dut)
        await host.start_up()
        mho.cosim.behind_pins(dut, mho.cosim.macro_of("tnsa16-core", conductances, device="rram-neurram", time="1d"))
        codes = await host.run(backward=False, codes=[3, -1, 0, 7, 0, 0, 2, -5], step=288)
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mho.api.chip import Chip, chip_description
from mho.api.device import Device, device_model
from mho.api.inputs import PathLike
from mho.macro_models.registry import lazy_names
from mho.units import parse_time

if TYPE_CHECKING:
    from mho.macro_models import MacroModel
    from mho.sim.core.behind import behind_pins

__all__ = ["behind_pins", "macro_of"]

__getattr__ = lazy_names(__name__, {"mho.sim.core.behind": ("behind_pins",)})


def macro_of(
    chip: "Chip | PathLike", conductances: ArrayLike, *, device: "Device | PathLike | None" = None, seed: int = 0,
    core: int = 0, time: "str | float" = 0.0, temp: float = 25.0, causes: "frozenset[str] | None" = None,
    **keys: object,
) -> "MacroModel":
    """A programmed core: what stands behind the pins.

    Raises InputError if the shape is wrong, or a name or a value is unknown.

    Parameters
    ----------
    chip
        The chip whose core was generated; ``keys`` as at :meth:`mho.Chip.load`.
    conductances
        Targets of its cells in uS, of shape (bit lines, source lines); NaN is a dead cell.
    device, time, temp, causes
        Of its cells, as at :meth:`mho.Net.run`; None: the chip's device, all causes.
    seed, core
        Which chip, and which core of it: randomness is drawn by these and by the number of each operation.
    """
    from mho.hw.config import check_device, default_device
    from mho.macro_models.kinds import family

    description = chip_description(chip, keys)
    cells = device_model(device, default_device(description))
    check_device(description, cells)
    return family(description.core.kind).model(
        description.macro_config(), np.asarray(conductances, np.float32), device=cells, seed=seed, core=core,
        time_s=parse_time(time), temp_C=temp, causes=causes)
