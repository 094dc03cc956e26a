"""What a simulator really did is said in the result, and that it is built while it is."""

from pathlib import Path

import numpy as np
import pytest

import mho
from mho.sim.build.toolchain import announce_build, announced_builds, cached_build
from tests.mho.conftest import Tiny


def test_nothing_is_observed_of_what_is_computed(tiny: Tiny) -> None:
    assert mho.load(tiny.path("tiny.mho")).run(tiny.x).observed is None


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_clock_cycles_and_waves_of_a_simulation(tiny: Tiny, tmp_path: Path) -> None:
    net, waves = mho.load(tiny.path("tiny.mho")), tmp_path / "run.fst"
    result = net.run(tiny.x, limit=2, backend=mho.Cosim(waves=waves))
    observed = result.observed
    assert observed is not None
    assert (observed.clock_MHz, observed.waves, observed.port) == (net.chip.description.clock.f_clk_MHz, waves, None)
    assert waves.stat().st_size > 0
    # The core counts from the start of an operation to its result; drain and next load overlap.
    assert observed.cycles is not None
    assert abs(observed.cycles / result.cycles - 1) < 0.2
    again = net.run(tiny.x, limit=2)
    assert np.array_equal(again.outputs, result.outputs)


def test_a_build_is_told_once_and_to_whoever_is_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path))
    messages: list[str] = []
    with announced_builds(messages.append), announced_builds(lambda sentence: messages.append("inner")):
        for what in ("the simulator", "the simulator", ""):
            cached_build("trial", ["key", what], lambda folder: (folder / "made").touch(), what)
    announce_build("nothing that anybody hears of")
    assert messages == ["building the simulator, which is kept for the next time ..."]
