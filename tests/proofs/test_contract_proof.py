"""The contract of the macro's pins is proven on the generated core; faults in its Verilog break it."""

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import ToolError
from mho.rtl_gen.emit import module_texts
from tests.proofs.contract import edit_file, prove_contract

SHORT = {
    "timing.t_reset_ns": 30, "timing.t_plane_ns": 20, "timing.t_sample_ns": 30, "timing.t_compare_ns": 20,
    "timing.t_decrement_ns": 20, "programming.t_setup_ns": 20, "programming.t_verify_ns": 30,
}


@pytest.mark.slow
@pytest.mark.cosim("yosys", "yosys-abc")
def test_core_keeps_the_contract_for_ever() -> None:
    """16 lines: every input, reset and answer of the macro, in every order, without a bound on the cycles."""
    proof = prove_contract(load_chip("tnsa16-core", SHORT))
    assert (proof.fails, proof.unknown) == (frozenset(), frozenset())
    assert len(proof.holds) == 36


@pytest.mark.long
@pytest.mark.cosim("yosys", "yosys-abc")
def test_core_with_synchronisers_and_a_test_pin_keeps_it() -> None:
    """Pins of the macro that come at any time; a test at any time, with a reset before anything is promised again."""
    changes = {"core.synchronise": ["cmp", "hold"], "verilog.test": True, "programming.engine": False}
    proof = prove_contract(load_chip("tnsa16-core", SHORT | changes))
    assert (proof.fails, proof.unknown) == (frozenset(), frozenset())
    assert len(proof.holds) == 23


@pytest.mark.slow
@pytest.mark.cosim("yosys", "yosys-abc")
def test_fault_in_the_core_breaks_it() -> None:
    """The first comparison of a conversion is not kept as the direction of its decrements; all else still holds."""
    chip = load_chip("tnsa16-core", SHORT | {"programming.engine": False})
    proof = prove_contract(chip, edit=edit_file("sequencer", "latch_pin <= 1'b1;", "latch_pin <= 1'b0;"))
    assert (proof.fails, proof.unknown) == ({"first_compare_sets_the_direction"}, frozenset())


@pytest.mark.slow
def test_fault_must_be_where_it_is_planted() -> None:
    name, text = next(iter(module_texts(load_chip("tnsa16-core"), "none").items()))
    with pytest.raises(ToolError, match=r"must have 'nowhere' once, not 0 times$"):
        edit_file("core", "nowhere", "")(name, text)
