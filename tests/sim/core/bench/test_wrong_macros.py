"""``mho verify core`` fails for macros that are wrong in one pin: the ideal one behind wrong wires, which are data."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest

from mho.hw.config import Chip, MacroSection, load_chip
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import ToolError
from mho.rtl_gen.kinds.tnsa import write_macro_model
from mho.rtl_gen.macro.contract import contract_signals
from mho.sim.core.bench import verify
from mho.sim.core.process import Simulation

OPERATIONS = 16

MUTANTS: dict[str, dict[str, str]] = {
    "direction inverted": {"backward": "~backward"},
    "direction stuck forward": {"backward": "1'b0"},
    "direction stuck backward": {"backward": "1'b1"},
    "bit lines of the other polarity": {"bl_pos": "bl_neg", "bl_neg": "bl_pos"},
    "source lines of the other polarity": {"sl_pos": "sl_neg", "sl_neg": "sl_pos"},
    "negative bit lines not connected": {"bl_neg": "16'd0"},
    "negative source lines not connected": {"sl_neg": "16'd0"},
    "bit lines reversed": {"bl_pos": "turned(bl_pos)", "bl_neg": "turned(bl_neg)"},
    "source lines off by one": {"sl_pos": "next(sl_pos)", "sl_neg": "next(sl_neg)"},
    "a source line stuck": {"sl_pos": "sl_pos & 16'hfff7"},
    "word lines inverted": {"wl_en": "~wl_en"},
    "word lines all on": {"wl_en": "16'hffff"},
    "word lines off by one": {"wl_en": "next(wl_en)"},
    "word lines reversed": {"wl_en": "turned(wl_en)"},
    "a word line stuck off": {"wl_en": "wl_en & 16'hffbf"},
    "precharge inverted": {"precharge": "~precharge"},
    "precharge never": {"precharge": "1'b0"},
    "precharge too late": {"precharge": "late[12]"},
    "sample inverted": {"sample": "~sample"},
    "sample never": {"sample": "1'b0"},
    "sample twice": {"sample": "sample | late[16]"},
    "sample too late": {"sample": "late[31]"},
    "compare inverted": {"compare": "~compare"},
    "compare never": {"compare": "1'b0"},
    "compare a cycle late": {"compare": "late[32]", "latch": "late[48]"},
    "latch inverted": {"latch": "~latch"},
    "latch never": {"latch": "1'b0"},
    "decrement inverted": {"decrement": "~decrement"},
    "decrement never": {"decrement": "1'b0"},
    "decrement for compare": {"decrement": "compare"},
    "dec_scale stuck": {"dec_scale": "3'd0"},
    "dec_scale reversed": {"dec_scale": "{dec_scale[0], dec_scale[1], dec_scale[2]}"},
    "dec_scale inverted": {"dec_scale": "~dec_scale"},
    "step_code shifted": {"step_code": "{step_code[14:0], 1'b0}"},
    "step_code reversed": {"step_code": "turned(step_code)"},
    "step_code with a bit stuck": {"step_code": "step_code | 16'h0100"},
    "cmp inverted": {"cmp": "~all"},
    "cmp reversed": {"cmp": "turned(all)"},
    "cmp off by one": {"cmp": "next(all)"},
    "cmp with a bit stuck": {"cmp": "all | 16'h0040"},
    "hold stuck": {"hold": "1'b1"},
    "write_mode inverted": {"write_mode": "~write_mode"},
    "write_mode never": {"write_mode": "1'b0"},
    "write_mode always": {"write_mode": "1'b1"},
    "write_wl off by one": {"write_wl": "next(write_wl)"},
    "write_wl reversed": {"write_wl": "turned(write_wl)"},
    "write_wl with two lines swapped": {"write_wl": "{write_wl[14], write_wl[15], write_wl[13:0]}"},
    "write_sl stuck": {"write_sl": "16'd1"},
    "write_sl reversed": {"write_sl": "turned(write_sl)"},
    "write_wl and write_sl swapped": {"write_wl": "write_sl", "write_sl": "write_wl"},
    "SET inverted": {"set_pulse": "~set_pulse"},
    "SET never": {"set_pulse": "1'b0"},
    "RESET inverted": {"reset_pulse": "~reset_pulse"},
    "RESET never": {"reset_pulse": "1'b0"},
    "SET and RESET swapped": {"set_pulse": "reset_pulse", "reset_pulse": "set_pulse"},
    "FORM inverted": {"form_pulse": "~form_pulse"},
    "FORM never": {"form_pulse": "1'b0"},
    "FORM lowers": {"form_pulse": "1'b0", "reset_pulse": "reset_pulse | form_pulse"},
    "amplitude stuck": {"amplitude": "8'd16"},
    "amplitude reversed": {"amplitude": "turned({amplitude, 8'd0})"},
    "amplitude inverted": {"amplitude": "~amplitude"},
    "amplitude with a bit stuck": {"amplitude": "amplitude & 8'hef"},
    "amplitude with two bits swapped": {"amplitude": "{amplitude[7:5], amplitude[3], amplitude[4], amplitude[2:0]}"},
    "amplitude shifted": {"amplitude": "{amplitude[6:0], 1'b0}"},
    "verify inverted": {"verify": "~verify"},
    "verify never": {"verify": "1'b0"},
    "verify_code reversed": {"verify_code": "turned({code, 6'd0})"},
    "verify_code with a bit stuck": {"verify_code": "code | 10'd32"},
}
QUICK = (
    "direction inverted", "word lines inverted", "precharge too late", "latch never", "step_code with a bit stuck",
    "cmp off by one", "write_wl reversed", "SET inverted", "FORM lowers", "verify_code with a bit stuck",
)
"""Those that are tried each time; the others before a release."""

SAID = {
    "direction inverted": "no product forward but 0 was seen",
    "a word line stuck off": "no product of bit line 6 but 0 was seen",
    "compare inverted": "must keep their contract, and broke cmp_is_kept_until_the_next_compare",
    "SET never": "SET pulses changed no cell", "SET and RESET swapped": "SET pulses must raise cells",
    "amplitude stuck": "SET pulses of a larger amplitude must move cells by more",
    "write_wl with two lines swapped": "cells that are programmed must be those that multiply",
    "RESET never": "RESET pulses changed no cell", "FORM lowers": "FORM pulses must raise cells",
}

OUTPUTS = {"cmp": "all", "hold": "held", "verify_code": "code", "verify_valid": "1'b1"}
LATE = ("precharge", "sample", "compare", "latch")


def write_mutants(signals: Mapping[str, tuple[int, bool]]) -> str:
    """The ideal macro behind wires that are wrong as the plusarg ``mutant`` says, 0 for none."""
    def chosen(signal: str, plain: str) -> str:
        for number, wrong in enumerate(MUTANTS.values(), 1):
            if signal in wrong:
                plain = f"mutant == {number} ? ({wrong[signal]}) : {plain}"
        return plain

    ports = [
        f"  {'output' if driven else 'input'} wire [{width - 1}:0] {name}" for name, (width, driven) in signals.items()
    ]
    inner = [
        f".{name}({OUTPUTS[name] if name != 'verify_valid' else ''})" if driven else f".{name}(wrong_{name})"
        for name, (_, driven) in signals.items()
    ]
    wires = [
        f"  assign {name} = {chosen(name, OUTPUTS[name])};" if driven
        else f"  wire [{width - 1}:0] wrong_{name} = {chosen(name, name)};" for name, (width, driven) in signals.items()
    ]
    shifts = [
        f"    late[{16 * k + 15}:{16 * k}] <= {{late[{16 * k + 14}:{16 * k}], {name}}};" for k, name in enumerate(LATE)
    ]
    newline = "\n"
    return f"""
module mutant_macro (
{f",{newline}".join(ports)}
);
  integer mutant;
  reg [{16 * len(LATE) - 1}:0] late = 0;  // strobes, 1 to 16 cycles late
  wire [15:0] all;
  wire held;
  wire [9:0] code;
  initial if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;
  function [15:0] turned(input [15:0] word);
    integer k;
    for (k = 0; k < 16; k = k + 1) turned[k] = word[15 - k];
  endfunction
  function [15:0] next(input [15:0] word);
    next = {{word[14:0], word[15]}};
  endfunction
  always @(posedge clk) begin
{newline.join(shifts)}
  end
{newline.join(wires)}
  start_macro array ({", ".join(inner)});
endmodule
"""


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Chip:
    """A chip whose macro is one of them; the simulator is built once."""
    folder, plain = tmp_path_factory.mktemp("mutants"), load_chip("tnsa16-core")
    signals = contract_signals(core_blocks(plain).pins)
    text = write_macro_model("start_macro", 16, core_blocks(plain).pins.verify_bits) + write_mutants(signals)
    (folder / "mutants.v").write_text(text)
    macro = MacroSection(module="mutant_macro", files=("mutants.v",), pins={name: name for name in signals})
    return replace(plain, macro=macro, folder=folder)


@pytest.mark.slow
@pytest.mark.cosim
def test_the_ideal_macro_is_verified(chip: Chip) -> None:
    report = verify.verify_core(chip, operations=OPERATIONS)
    assert "256 of 256 programmed: the verify codes are the codes that multiply" in report.macro


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long]) for name in MUTANTS]
)
def test_a_wrong_macro_is_not(name: str, chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    number = list(MUTANTS).index(name) + 1
    monkeypatch.setattr(verify, "Simulation", partial(Simulation, arguments=(f"+mutant={number}",)))
    with pytest.raises(ToolError) as error:
        verify.verify_core(chip, operations=OPERATIONS)
    assert "\n" not in str(error.value)
    if said := SAID.get(name):
        assert said in str(error.value)
