"""Power of a design of three cells against sums by hand, and expressions and tables of Liberty files."""

from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.sim.silicon.liberty.boolean import truth
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.liberty.library import Units, parse_liberty
from mho.sim.silicon.power.cell_power import Activities, PowerModel
from mho.sim.silicon.power.flat import Flat, flatten

LIBERTY = """/* a library */
library (hand) {
  capacitive_load_unit (1, pf);
  voltage_unit : "1V"; leakage_power_unit : "1nW"; nom_voltage : 2.0;
  power_lut_template (by_load) { variable_1 : total_output_net_capacitance; index_1 ("0.0, 0.01"); }
  lu_table_template (by_both) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.1, 0.3"); index_2 ("0.0, 0.01");
  }
  cell (AND) {
    cell_leakage_power : 4;
    leakage_power () { when : "A*B"; value : 8; }
    pin (A) { direction : input; capacitance : 0.002; }
    pin (B) { direction : input; capacitance : 0.004; }
    pin (Y) {
      direction : output; function : "A*B";
      internal_power () {
        related_pin : "A";
        rise_power (scalar) { values ("0.010"); }
        fall_power (scalar) { values ("0.020"); }
      }
      internal_power () {
        related_pin : "B";
        rise_power (scalar) { values ("0.030"); }
        fall_power (scalar) { values ("0.050"); }
      }
    }
  }
  cell (FLOP) {
    cell_leakage_power : 16
    ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }
    pin (CLK) {
      direction : input; clock : true; capacitance : 0.003;
      internal_power () {
        when : "D&Q";
        rise_power (scalar) { values ("0.001"); }
        fall_power (scalar) { values ("0.003"); }
      }
      internal_power () {
        rise_power (scalar) { values ("0.004"); }
        fall_power (scalar) { values ("0.008"); }
      }
    }
    pin (D) { direction : input; capacitance : 0.005; }
    pin (Q) {
      direction : output; function : "IQ";
      timing () {
        related_pin : "CLK";
        rise_transition (by_both) { values ("0.1, 0.3", "0.1, 0.3"); }
        fall_transition (by_both) { values ("0.1, 0.3", \\
          "0.1, 0.3"); }
      }
      internal_power () {
        related_pin : "CLK";
        rise_power (by_load) { values ("0.02, 0.04"); }
        fall_power (by_load) { values ("0.02, 0.04"); }
      }
    }
  }
  cell (NOT) {
    pin (A) { direction : input; capacitance : 0.006; }
    pin (Y) {
      direction : output; function : "!A";
      internal_power () {
        related_pin : "A";
        rise_power (by_both) { values ("1, 1", "3, 3"); }
        fall_power (by_both) { values ("1, 1", "3, 3"); }
      }
    }
  }
}
"""
NETLIST = """module top(clk, a, b, y);
  wire _0_;
  wire [1:0] a_and_b;
  input a;
  input b;
  input clk;
  output y;
  wire a;
  wire b;
  wire clk;
  wire y;
  wire q;
  AND _1_ (
    .A(a),
    .B(a_and_b[1]),
    .Y(_0_)
  );
  inner under (
    .clk(clk),
    .d(_0_),
    .q(q)
  );
  NOT _2_ (
    .A(q),
    .Y(y)
  );
  assign a_and_b = { b, a };
endmodule
"""
INNER = """module inner(clk, d, q);
  input clk;
  input d;
  output q;
  wire clk;
  wire d;
  wire q;
  FLOP _1_ (
    .CLK(clk),
    .D(d),
    .Q(q)
  );
endmodule
"""


@pytest.fixture
def design(tmp_path: Path) -> tuple[Flat, Cells]:
    """The design and its cells."""
    for name, text in (("hand.lib", LIBERTY), ("top.v", NETLIST), ("inner.v", INNER)):
        (tmp_path / name).write_text(text)
    cells = Cells(tmp_path / "hand.lib")
    netlists = {name: tmp_path / f"{name}.v" for name in ("top", "inner")}
    return flatten({"": "top", "under": "inner"}, netlists, cells), cells


@pytest.mark.cosim("yosys")
def test_energy_and_leakage_are_those_by_hand(design: tuple[Flat, Cells]) -> None:
    """pJ of the library, 2 V, loads of inputs; the net between the AND and the flip-flop has no name."""
    flat, cells = design
    model, activities = PowerModel(flat, cells), Activities.none(flat.nets)
    names, under = flat.names
    by_net = {"a": (0.2, 0.25), "b": (0.1, 0.5), "q": (0.12, 0.125), "y": (0.12, 0.875), "clk": (2.0, 0.5)}
    for name, (changes, duty) in by_net.items():
        activities.set(names[name], changes, duty)
    assert model.states(activities) == (1, 1)
    model.carry(activities)
    # The AND changes with A while B is 1, with B while A is 1.
    by_a, by_b, both = 0.2 * 0.5, 0.1 * 0.25, 0.25 * 0.5
    assert activities.changes[under["d"]] == pytest.approx(by_a + by_b)
    assert activities.duty[under["d"]] == pytest.approx(both)
    power = model.power(activities)
    gate = by_a * 0.015 + by_b * 0.040 + (by_a + by_b) * 0.5 * 0.005 * 4
    # q has a load of 6 fF: energy 0.02 .. 0.04 over 0 .. 10 fF; so its transition is 0.22.
    inverter = 0.12 * (1 + 2 * (0.22 - 0.1) / 0.2)
    assert power.changes[0] == pytest.approx(1e-12 * (gate + inverter))
    assert power.changes[1] == pytest.approx(1e-12 * 0.12 * (0.032 + 0.5 * 0.006 * 4))
    # D is what Q is but before Q changes.
    enabled = 0.125 * (1 - 0.12)
    assert power.clock == pytest.approx([0.0, 1e-12 * 2.0 * (enabled * 0.002 + (1 - enabled) * 0.006)])
    assert power.leakage == pytest.approx([1e-9 * (both * 8 + (1 - both) * 4), 16e-9])


@pytest.mark.cosim("yosys")
def test_a_flip_flop_without_a_name_takes_over_its_input(design: tuple[Flat, Cells]) -> None:
    flat, cells = design
    model, activities = PowerModel(flat, cells), Activities.none(flat.nets)
    for name, (changes, duty) in {"a": (0.2, 0.25), "b": (0.1, 0.5), "clk": (2.0, 0.5)}.items():
        activities.set(flat.names[0][name], changes, duty)
    assert model.states(activities) == (0, 1)
    model.carry(activities)
    assert activities.changes[flat.names[0]["y"]] == pytest.approx(0.125)
    assert activities.duty[flat.names[0]["y"]] == pytest.approx(0.875)


@pytest.mark.cosim("yosys")
def test_a_net_changes_once_a_cycle_at_most(design: tuple[Flat, Cells]) -> None:
    flat, cells = design
    model, activities = PowerModel(flat, cells), Activities.none(flat.nets)
    for name, duty in {"a": 0.5, "b": 0.9}.items():
        activities.set(flat.names[0][name], 2.0, duty)
    model.carry(activities)
    assert activities.changes[flat.names[1]["d"]] == pytest.approx(2 * 0.45)


@pytest.mark.parametrize(("text", "ones"), [
    ("A*B", 1), ("A&!B", 1), ("A B'", 1), ("A+B", 3), ("A|B^A", 3), ("(A^B)", 2), ("!(A B)", 3), ("A*!A", 0), ("1", 4),
])
def test_expressions_are_true_where_they_say(text: str, ones: int) -> None:
    half = {"A": np.full(1, 0.5), "B": np.full(1, 0.5)}
    assert truth(text).probability(half, 1) == pytest.approx(ones / 4)


@pytest.mark.parametrize("text", ["A*", "(A", "A)", "A $ B", ""])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expression"):
        truth(text)


def test_units_are_those_of_the_head() -> None:
    library = parse_liberty('library (x) { capacitive_load_unit (10,fF); voltage_unit : "100mV"; }', "x.lib")
    units = Units.of(library)
    assert (units.farad, units.joule, units.watt) == pytest.approx((1e-14, 1e-16, 1e-9))


@pytest.mark.parametrize("text", ["", "library (x) { } }", "some words", "cell (x) { }"])
def test_what_is_no_liberty_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^x\.lib: must be a Liberty file"):
        parse_liberty(text, "x.lib")
