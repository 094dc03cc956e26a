"""A board programs its cells by write-verify, pulse for pulse as the other backends."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from mho.hw.board.config import BoardConfig, load_base
from mho.hw.board.load_port import load_offset
from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.emulator.config import EXTRA
from mho.hw.emulator.pulses.records import LOG, LOG_DEPTH, records_from
from mho.hw.host.core.write_map import RESULT_PULSES, RESULT_VALID
from mho.hw.host.link.tasks import Read
from mho.macro_models import load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.pulse import RECORD_WORDS, PulseRecord
from mho.sim.board.backend import PARTS, FpgaSimBackend
from mho.sim.board.bus import BoardBus, BusSimulation
from mho.sim.board.program import BoardProgrammer
from mho.sim.core.bench.stimulus import make_stimulus
from mho.sim.core.bench.write_stimulus import make_write_stimulus
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.write_verify import target_codes
from tests.sim.board.test_fpga_sim import TOOLS, models

CHIP = load_chip("tnsa16-core")


def same_run(run, expected, where):
    """Two runs of write-verify gave the same, to the last bit of a cell."""
    for name in ("pulses", "codes", "faults", "counts"):
        np.testing.assert_array_equal(getattr(run, name), getattr(expected, name), err_msg=f"{name}, {where}")
    assert (run.counters, run.cycles) == (expected.counters, expected.cycles), where
    state, expected_state = run.array.changes(), expected.array.changes()
    for name in expected_state:
        np.testing.assert_array_equal(state[name], expected_state[name], err_msg=f"{name}, {where}")


@TOOLS
@pytest.mark.cosim
@pytest.mark.slow
def test_a_board_programs_its_cells_as_the_other_backends():
    """Weak, dead, fresh and skipped cells, forming, passes, every limit: what random parameters lead to."""
    from mho.sim.core.cosim import CosimBackend

    board, cosim = FpgaSimBackend(), CosimBackend()
    cases = {"form": set(), "fresh": set(), "passes": set()}
    try:
        for backend in (board, cosim):
            backend.open(CHIP, [])
        for number in range(12):
            stimulus = make_write_stimulus(CHIP, 31, number)
            expected = stimulus.expected()
            for backend in (board, cosim):
                run = backend.program(number, stimulus.array(), stimulus.targets, stimulus.skip, stimulus.parameters)
                same_run(run, expected, f"{backend.name}, {stimulus}")
            assert expected.fault_map.any()
            case = stimulus.parameters.form, stimulus.fresh, stimulus.parameters.passes
            for kind, value in zip(cases.values(), case, strict=True):
                kind.add(value)
    finally:
        board.close()
        cosim.close()
    assert cases == {"form": {False, True}, "fresh": {False, True}, "passes": {1, 2, 3}}


@TOOLS
@pytest.mark.slow
def test_a_cell_may_get_more_pulses_than_the_log_holds():
    device = load_device("rram-neurram")
    device = replace(device, stuck=replace(device.stuck, fraction=0.02, values_uS=(0.0, 45.0)))
    # Below its ceiling an amplitude that does not grow has no limit but the number of pulses.
    parameters = replace(WriteVerifyParameters.from_chip(CHIP), passes=1, set_step=0, reset_step=0, max_pulses=1100)
    parameters = replace(parameters, set_start=120, reset_start=120)
    targets = target_codes(CHIP, np.random.default_rng(5).uniform(5.0, 40.0, (16, 16)))
    runs = []
    for backend in (FpgaSimBackend(), FunctionalBackend()):
        backend.open(CHIP, [])
        try:
            array = PulseArray(CHIP.pulse_config(), device=device, seed=8, core=2)
            runs.append(backend.program(2, array, targets, None, parameters))
        finally:
            backend.close()
    run, expected = runs
    same_run(run, expected, "fpga-sim")
    assert run.counts.max() == 1100 > 2 * LOG_DEPTH
    assert run.faults.any()


class Altered:
    """A bus on which one word is read as another, once."""

    def __init__(self, bus: BoardBus) -> None:
        self.bus = bus
        self.alter(-1, 0, 0)

    def alter(self, address: int, place: int, change: int) -> None:
        """In the next words that are read from ``address`` on."""
        self.address, self.place, self.change = address, place, change

    def execute(self, tasks: Any, *, progress: Callable[[int, int], None] | None = None) -> list[Any]:
        tasks = list(tasks)
        answers = self.bus.execute(tasks, progress=progress)
        for k, task in enumerate(tasks):
            if isinstance(task, Read) and task.address == self.address and len(answers[k]):
                answers[k] = answers[k].copy()
                answers[k][self.place] ^= self.change
                self.address = -1
        return answers


@TOOLS
@pytest.mark.slow
def test_what_does_not_agree_is_told_and_changes_nothing():
    cfg, stimulus = BoardConfig(chip=CHIP.hardware(*PARTS), programs=True, lanes=16), make_write_stimulus(CHIP, 31, 0)
    stimulus = replace(stimulus, skip=stimulus.skip | (np.arange(256).reshape(16, 16) >= 24))
    bus, parts, core = BusSimulation(cfg), cfg.emulator, cfg.blocks.registers
    altered = Altered(bus)
    cell = records_from(parts) + RECORD_WORDS * int(np.flatnonzero(~stimulus.skip)[0])
    log, record = (load_base(parts) + load_offset(parts, EXTRA, index) for index in (LOG, cell))
    kinds, counts = "count the pulses that were seen at its pins", "have had the pulses and reads that the core counts"
    cases = (
        (log, 0, 1 << 8, kinds), (log, 0, 1 << 15, counts), (record, PulseRecord.PULSES, 1, counts),
        (record, PulseRecord.READS, 2, counts), (core["write_sets"].address, 0, 1, kinds),
        (core["write_sets"].address, 4, 1, counts), (core["faults"].address, 0, 4, "fault map of the core must be"),
        (core["results"].address, 0, 1 << RESULT_VALID, "give a result for each cell"),
        (core["results"].address, 0, 1 << RESULT_PULSES, counts),
    )
    programmer, array = BoardProgrammer(altered, cfg, looks=16), stimulus.array()
    try:
        for address, place, change, sentence in cases:
            altered.alter(address, place, change)
            with pytest.raises(ToolError, match=sentence):
                programmer.program(0, array, stimulus.targets, stimulus.skip, stimulus.parameters)
            np.testing.assert_array_equal(array.records(), stimulus.array().records())
        run = programmer.program(0, array, stimulus.targets, stimulus.skip, stimulus.parameters)
        same_run(run, stimulus.expected(), "after all that")
    finally:
        bus.close()


@TOOLS
@pytest.mark.slow
def test_products_and_programming_take_turns():
    cores, stimulus, write = models(CHIP), make_stimulus(models(CHIP), 3, 1), make_write_stimulus(CHIP, 31, 0)
    board, functional = FpgaSimBackend(lanes=16), FunctionalBackend()
    board.open(CHIP, cores)
    functional.open(CHIP, cores)
    arguments = stimulus.core, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id
    try:
        for _ in range(2):
            np.testing.assert_array_equal(board.mvm(*arguments).codes, functional.mvm(*arguments).codes)
            run = board.program(0, write.array(), write.targets, write.skip, write.parameters)
            same_run(run, write.expected(), "in turn")
    finally:
        board.close()


def test_a_core_without_an_engine_programs_nothing(monkeypatch):
    monkeypatch.setattr("mho.sim.board.bus.board_simulator", lambda cfg: 1 / 0)
    stimulus, backend = make_write_stimulus(CHIP, 31, 0), FpgaSimBackend()
    arguments = 0, stimulus.array(), stimulus.targets, None, stimulus.parameters
    with pytest.raises(RuntimeError, match="must be open"):
        backend.program(*arguments)
    backend.open(load_chip("tnsa16-core", {"programming.engine": False}), [])
    with pytest.raises(InputError, match=r"^tnsa16-core: programming.engine must be true to program cells on a board$"):
        backend.program(*arguments)


def test_a_board_whose_cells_do_not_answer_to_pulses_has_nothing_to_program():
    cfg = BoardConfig(chip=CHIP)
    with pytest.raises(InputError, match=r"^tnsa16-core: programs must be true to program cells on a board$"):
        BoardProgrammer(cast("BoardBus", None), cfg)
