"""A kind with hardware is co-simulated by what it does at its pins: bodies, benches and operations are those of all."""

import sys
from collections.abc import Iterator

import pytest

from mho.hw import kinds as hw_kinds
from mho.hw.config import kinds as config_kinds
from mho.macro_models import kinds as models
from mho.sim import kinds as bodies
from mho.sim.core.bench.verify import verify_core
from tests.hw.kinds.test_plain_kind import HERE, described

ROOMS = {"config": config_kinds, "hw": hw_kinds, "macro_models": models, "sim": bodies}


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for folder, room in ROOMS.items():
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(HERE / folder)])
    monkeypatch.syspath_prepend(str(HERE / "site"))
    yield
    for room in ROOMS.values():
        sys.modules.pop(f"{room.__name__}.plain", None)
        vars(room).pop("plain", None)


@pytest.mark.slow
@pytest.mark.parametrize("simulator", [
    pytest.param("verilator", marks=pytest.mark.cosim),
    pytest.param("icarus", marks=pytest.mark.cosim("iverilog", "cocotb")),
])
def test_random_operations_are_those_of_the_model(simulator: str) -> None:
    report = verify_core(described(24, 40, bits=6), simulator=simulator, operations=12, seed=1, devices=["ideal"])
    assert report.operations == 12
    assert report.transposed == 0
    assert report.counts["codes"]["within the range"] > 300
    assert report.counts["pauses"].total() == 12
