"""A part of the proofs of the network on chip; ``./run prove`` checks all of them."""

import shutil
import sys

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.noc.fifo import RoundRobin
from mho.hw.noc.flit import WANTS, Port
from mho.macro_models.errors import InputError, ToolError
from tests.proofs.harness import Harness, assume, claim, convert, convert_cases, drive_freely, free, witness
from tests.proofs.mutants import MUTANTS
from tests.proofs.properties import PROPERTIES
from tests.proofs.prove import Line, check, main
from tests.proofs.router.routes import check_channels
from tests.proofs.solver import Engine, Outcome, Verdict, solve, tool
from tests.proofs.table import BEGIN, END, merge, write_table
from tests.proofs.waves import still


def missing():
    """The sentence about a tool that is not there."""
    try:
        for name in ("yosys", "yosys-smtbmc", "yices-smt2"):
            tool(name)
    except ToolError as error:
        return str(error)
    return ""


def solver(test):
    skip = pytest.mark.skipif(bool(missing()), reason=missing())
    return pytest.mark.cosim("yosys")(skip(test))


# Some of each kind, in ways that are quick: name, of what.
CHOSEN = [
    ("FIFO", "FlitFifo, 2 deep"),
    ("arbiter", "RoundRobin of 4"),
    pytest.param("routing", "wants(), 8 x 6", marks=pytest.mark.slow),
    ("router: grants", "1 deep"),
    pytest.param("router: a head waits", "1 deep", marks=pytest.mark.slow),
    pytest.param("router: two flits", "2 deep, west input", marks=pytest.mark.slow),
    ("mesh: the tree of each set", "8 x 6"),
    pytest.param("mesh: no deadlock", "2 x 2, 1 deep", marks=pytest.mark.slow),
    pytest.param("mesh: no flit starves", "2 x 2", marks=pytest.mark.long),
    pytest.param("mesh: it never stands still for 4 cycles with flits", "2 x 2", marks=pytest.mark.slow),
    pytest.param("mesh: it never stands still for 4 cycles with nodes that take", "2 x 2", marks=pytest.mark.long),
    pytest.param("reduction: the k-th sum", "2 contexts, 2 deep", marks=pytest.mark.slow),
    ("reduction: a lane", "2 contexts"),
    ("reduction: the sum of each group", "3 x 3"),
    pytest.param("interface: what arrives", "NetworkInterface", marks=pytest.mark.slow),
    ("registers: a node", "bursts of 2"),
    ("registers: the host", "bursts of 4"),
    ("host: its port", "9 x 2"),
    ("tile: an engine carries out", "5 deep"),
    ("tile: SEND", "SendEngine"),
    ("tile: a loop is run", "LoopStack"),
    ("memory: what is read", "Buffer, one port"),
    ("memory: what is read", "Descriptors"),
    ("a read does not wait for its bank", "Buffer"),
    ("VEC does not wait", "VectorControl"),
    ("a block of whole flits", "Receiver"),
    ("a loop that is run again counts for the one inside", "LoopStack"),
    ("PUSH does not wait", "TokenStates"),
    ("a block is acknowledged when one", "RingScoreboard"),
    ("what changes in the cycle of an answer is missed", "RingScoreboard"),
    ("an engine is busy only when", "IssueQueue"),
    ("SEND reads a block before it is there", "SendEngine"),
    ("an instruction at the end of a loop retires twice", "Sequencer"),
    pytest.param("a window is planned when its last pixel is the next to come", "WindowIterator",
                 marks=[pytest.mark.slow, pytest.mark.long]),
    ("rows above the image count in the ring", "AddressGenerator"),
    # Broken routers, a broken adder, a broken end of requests: the claims notice.
    ("an input forgets who has had its head", "InputUnit"),
    pytest.param("what is wanted next is found for the wrong router", "Router", marks=pytest.mark.slow),
    pytest.param("a sum begins while an operand is still on its way", "ReductionRouter", marks=pytest.mark.slow),
    ("a packet ends before its answer has gone", "RegisterServer"),
]


def find(name, of):
    (matching,) = [subject for subject in PROPERTIES if name in subject.name and of in subject.of]
    return matching


@pytest.mark.slow
@solver
@pytest.mark.parametrize(("name", "of"), CHOSEN)
def test_property_comes_out_as_it_must(name, of):
    line = check(find(name, of))
    assert line.right, line.text()


@solver
@pytest.mark.slow
def test_wormhole_packets_deadlock_and_the_counterexample_says_how():
    line = check(find("wormhole", "2 x 2"))
    assert line.outcome.verdict is Verdict.FAILS
    assert line.outcome.claim == "the mesh does not stand still with flits in it"
    waits = still(line.outcome.waves)
    # Somebody waits for an output that is kept for a packet whose rest is not there; nobody could go on.
    assert any("kept for the packet of the" in wait for wait in waits)
    assert not any("which is free" in wait for wait in waits)


class Claims(Harness):
    """About an arbiter of two."""

    def __init__(self, specify):
        super().__init__(RoundRobin(2))
        self.specify = lambda m, state: (drive_freely(m, self.dut.request), specify(m, self.dut))


def count(m):
    number = Signal(4)
    m.d.sync += number.eq(number + free(m, 1, "step"))
    return number


@solver
def test_fault_is_named_with_its_cycle():
    outcome = solve(convert(Claims(lambda m, dut: claim(m, "never three", count(m) != 3))), Engine.BOUNDED, 8)
    assert (outcome.verdict, outcome.claim, outcome.step) == (Verdict.FAILS, "never three", 3)
    assert outcome.waves


@solver
def test_true_claim_without_a_reason_is_not_called_proven():
    # From 5, which is never reached, it would come to 6.
    def specify(m, dut):
        number = Signal(3)
        with m.If(number != 4):
            m.d.sync += number.eq(number + 1)
        claim(m, "never six", number != 6)

    assert solve(convert(Claims(specify)), Engine.INDUCTION, 1).verdict is Verdict.UNKNOWN
    assert solve(convert(Claims(specify)), Engine.INDUCTION, 3).verdict is Verdict.HOLDS


class Machine(wiring.Component):
    """Counts up to 4 while it is on."""

    def __init__(self):
        super().__init__({"go": In(1), "number": Out(3)})

    def elaborate(self, platform):
        m = Module()
        with m.FSM():
            with m.State("Off"), m.If(self.go):
                m.next = "On"
            with m.State("On"), m.If(self.number != 4):
                m.d.sync += self.number.eq(self.number + 1)
            with m.State("Never"):
                m.next = "Never"
        return m


class MachineClaims(Harness):
    def __init__(self, most):
        super().__init__(Machine())
        self.most = most

    def specify(self, m, state):
        drive_freely(m, self.dut.go)
        claim(m, f"at most {self.most}", self.dut.number <= self.most)


@pytest.mark.slow
@solver
def test_induction_state_by_state_is_that_of_all_together():
    harness = MachineClaims(4)
    text, steps = convert(harness), convert_cases(harness)
    assert harness.cases() == ["Off", "On", "Never", ""]
    assert solve(text, Engine.INDUCTION, 1, cases=steps).verdict is Verdict.HOLDS
    # From 5, which is never reached, it would come to 6 where it is on, and nowhere else.
    harness = MachineClaims(5)
    text, steps = convert(harness), convert_cases(harness)
    verdicts = [solve(text, Engine.INDUCTION, 1, cases=[step]).verdict for step in steps]
    assert verdicts == [Verdict.HOLDS, Verdict.UNKNOWN, Verdict.HOLDS, Verdict.HOLDS]
    assert solve(text, Engine.INDUCTION, 1, cases=steps).verdict is Verdict.UNKNOWN


@solver
def test_claims_about_what_never_occurs_are_vacuous():
    def specify(m, dut):
        assume(m, ~dut.request.all())
        claim(m, "one grant", dut.grant != 3)
        witness(m, "both ask", dut.request.all())

    outcome = solve(convert(Claims(specify)), Engine.INDUCTION, 1, within=4)
    assert (outcome.verdict, outcome.claim) == (Verdict.VACUOUS, "both ask")


@solver
def test_assumptions_that_contradict_each_other_are_refused():
    def specify(m, dut):
        assume(m, dut.request.all())
        assume(m, dut.request == 0)
        claim(m, "anything", 0)

    with pytest.raises(ToolError, match=r"^the assumptions of a proof contradict each other$"):
        solve(convert(Claims(specify)), Engine.BOUNDED, 2)


def _shown(what: str) -> bool:
    """Whether a chosen property fails on this mutant, which a circuit as before could not do."""
    return any(what.startswith(getattr(chosen, "values", chosen)[0]) for chosen in CHOSEN)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutant", [pytest.param(mutant, marks=[pytest.mark.long] * _shown(mutant.what)) for mutant in MUTANTS],
    ids=lambda mutant: mutant.what,
)
def test_mutant_is_another_circuit(mutant):
    right = convert(mutant.make())
    with mutant.within():
        assert convert(mutant.make()) != right
    assert convert(mutant.make()) == right


def test_turn_from_column_to_row_breaks_the_order_of_channels():
    turns = WANTS | {Port.NORTH: (*WANTS[Port.NORTH], Port.EAST)}
    with pytest.raises(AssertionError, match=r"NORTH to EAST$"):
        check_channels(3, turns)


def test_missing_solver_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ToolError, match=r"^yices-smt2 was not found on the PATH; proofs need yosys and"):
        tool("yices-smt2")


def test_table_takes_the_place_of_the_old_one(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"Head\n{BEGIN}\nthe one before\n{END}\nTail\n")
    line = Line(find("mesh: the tree of each set", "8 x 6"), Outcome(Verdict.HOLDS, 1.25), 7)
    write_table(page, [line.record()], 1, "Yosys 1, Yices 2")
    text = page.read_text()
    assert "the one before" not in text
    assert text.startswith(f"Head\n{BEGIN}\n")
    assert text.endswith(f"{END}\nTail\n")
    assert "1 of 1 came out as they must, in 1 s of Yosys and the solver (Yosys 1, Yices 2)." in text
    assert "| 8 x 6, all sets | all cases |" in text
    with pytest.raises(InputError, match=r"page.md must have all 2 properties, but 1 have no result yet$"):
        write_table(page, [line.record()], 2, "")
    page.write_text("no marks")
    with pytest.raises(InputError, match=r"page.md must have a line <!-- begin"):
        write_table(page, [], 0, "")


def test_results_are_kept_only_with_the_hardware_that_they_are_of(tmp_path, monkeypatch):
    file, order = tmp_path / "results.json", [("a", "x"), ("b", "x")]
    a, b = ({"name": name, "of": "x"} for name in "ab")
    assert merge(file, [b], order) == [b]
    assert merge(file, [a], order) == [a, b]
    monkeypatch.setattr("tests.proofs.table.sources", lambda: "another")
    assert merge(file, [b], order) == [b]
    file.write_text("[]")
    with pytest.raises(InputError, match=r"results.json must hold results of ./run prove --json, or not be there$"):
        merge(file, [b], order)


def test_word_that_no_property_has_is_refused(capsys):
    assert main(["perpetuum"]) == 2
    assert capsys.readouterr().err == "prove: no property has any of 'perpetuum' in its line\n"
