"""Random macros and operations."""

from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models import Masks
from mho.macro_models.array import Wires
from mho.macro_models.devices import Device, device_from_dict, load_device
from mho.macro_models.devices.sections.noise import Telegraph
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel


@dataclass(frozen=True)
class Case:
    """One operation on one macro."""

    model: TnsaModel
    op: MvmOperation
    masks: Masks
    x: NDArray[np.int64]
    op_ids: NDArray[np.uint64]


@pytest.fixture(scope="session")
def noisy_device() -> Device:
    """Everything that a device can have, read noise that depends on conductance included."""
    tree = load_device("rram-neurram").to_dict()
    tree["read_noise"]["sigma_uS"] = [0.1, 0.9]
    tree["stuck"]["fraction"] = 0.02
    tree["converter"]["sigma_output_mV"] = 0.5
    return device_from_dict(tree)


def random_operation(rng: np.random.Generator) -> MvmOperation:
    while True:
        try:
            return TnsaOperation(
                direction=Direction(int(rng.integers(2))),
                in_bits=int(rng.integers(1, 9)),
                in_signed=bool(rng.integers(2)),
                out_bits=int(rng.integers(1, 9)),
                converter=Converter(int(rng.integers(2))),
                relu=bool(rng.integers(2)),
                early_stop=bool(rng.integers(2)),
                wl_select=int(rng.integers(8)),
                line_select=int(rng.integers(8)),
                step_code=int(2 ** rng.uniform(0, 15.99)),
            )
        except InputError:
            continue  # ReLU of two segments is the only illegal combination


def random_wires(rng: np.random.Generator) -> Wires:
    if rng.random() < 0.5:
        return Wires()
    row, col, driver = 10.0 ** rng.uniform(-1, 4, 3) * (rng.random(3) < 0.7)
    return Wires(r_row_ohm=row, r_col_ohm=col, r_driver_ohm=driver)


def random_masks(rng: np.random.Generator, lines: int) -> Masks:
    if rng.random() < 0.2:
        return Masks.reset(lines)
    density = rng.choice([0.1, 0.7, 0.95])
    return Masks(
        rng.random((8, lines)) < density,
        rng.random((8, lines)) < density,
        rng.random(lines) < rng.choice([0.0, 0.1]),
        rng.random(lines) < rng.choice([0.0, 0.1]),
    )


@pytest.fixture(scope="session")
def register_device(noisy_device: Device) -> Device:
    """The same with the read noise of a shift register."""
    tree = noisy_device.to_dict()
    tree["read_noise"].update(generator="lfsr", sigma_uS=[0.4])
    return device_from_dict(tree)


@pytest.fixture(scope="session")
def trapped_device(noisy_device: Device) -> Device:
    """The same with traps in some cells."""
    traps = Telegraph(fraction=(0.1, 0.5), amplitude_uS=(1.0, 9.0), spread=0.6, occupancy=(0.0, 0.2, 0.9, 1.0))
    return replace(noisy_device, telegraph=traps)


@pytest.fixture(scope="session")
def random_case(noisy_device: Device, register_device: Device, trapped_device: Device) -> Callable[..., Case]:
    """Factory of cases: ``random_case(rng, noisy=True, lines=16, batch=3)``."""

    def make(rng: np.random.Generator, *, noisy: bool, lines: int = 16, batch: int = 3) -> Case:
        config = TnsaConfig(
            lines=lines,
            g_bits=int(rng.choice([4, 12, 16])),
            v_read_V=0.3,
            sigma_offset_mV=float(rng.choice([0.0, 2.0])),
            sigma_gain=float(rng.choice([0.0, 0.05])),
            wires=random_wires(rng) if noisy else Wires(),
        )
        devices = register_device, noisy_device, trapped_device
        target = rng.uniform(1, 40, (lines, lines))
        target[rng.random((lines, lines)) < 0.1] = rng.choice([0.0, np.nan])
        model = TnsaModel(
            config,
            target,
            device=devices[bisect((0.3, 0.65), rng.random())] if noisy else load_device("ideal"),
            seed=int(rng.integers(2**32)),
            core=int(rng.integers(2**24)),
            time_s=float(rng.choice([0.0, 1.0, 86400.0])),
        )
        op = random_operation(rng)
        low, high = op.input_range
        width = lines if op.direction is Direction.BACKWARD else lines // 2
        x = rng.integers(low, high, (batch, width), endpoint=True)
        return Case(model, op, random_masks(rng, lines), x, rng.integers(2**64, size=batch, dtype=np.uint64))

    return make
