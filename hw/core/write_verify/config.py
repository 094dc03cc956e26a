"""Static parameters of write-verify, and the values of its registers."""

from dataclasses import dataclass, fields
from typing import Any

from amaranth.lib import data

from mho.hw.config import SYNCHRONISER_CYCLES, Chip, PulseChip
from mho.hw.config.chip import FEWEST_LINES, MOST_ROWS
from mho.hw.core.shape import check_lines, duration_bits
from mho.hw.macro.contract import PASS_BITS, WritePins
from mho.macro_models.errors import InputError, check_whole
from mho.macro_models.integer.pulse import AMPLITUDE_BITS

LIMIT_BITS = 8
"""Width of the limits of reversals and of pulses at the ceiling."""

COUNT_BITS = 16
"""Width of a cell's count of pulses in one pass."""

MAP_WORD = 32
"""Bits of a word of the fault map; a map of 16 source lines has words of 16."""

CELL_BITS = 18
"""Bits of a cell in a record of a blind run."""

COARSEST_uS = 0.25
"""Largest step of the verify converter: an eighth of the width of the usual band."""

_AMPLITUDES = ("set_start", "set_step", "set_ceiling", "reset_start", "reset_step", "reset_ceiling", "form_start",
               "form_step", "form_ceiling")
_WIDTHS = {
    "form": 1, "confirmations": 2, "passes": PASS_BITS,
    **dict.fromkeys(_AMPLITUDES, AMPLITUDE_BITS),
    "max_reversals": LIMIT_BITS, "max_at_ceiling": LIMIT_BITS, "max_pulses": COUNT_BITS,
    "set_cycles": 24, "reset_cycles": 24, "form_cycles": 24, "wait_cycles": 32,
}


@dataclass(frozen=True, kw_only=True)
class WriteVerifyConfig:
    """Static parameters of a :class:`mho.hw.core.write_verify.engine.WriteVerify`.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    lines: int = 256
    """Bit lines of the array."""
    columns: int | None = None
    """Source lines; None: as many."""
    verify_bits: int = 10
    """Width of the verify converter's code, 8..12. 8 bits over 50 uS are steps of 0.2 uS."""
    setup_cycles: int = 10
    """From a new amplitude to the pulse, in cycles, 1..65535."""
    verify_cycles: int = 20
    """Shortest duration of a verify read, settling included, in cycles, 2..65535."""
    trim: bool = False
    """Both durations are registers; the values here are those after reset."""
    synchronise: tuple[str, ...] = ()
    """Pins of the macro that pass through two flip-flops: with ``verify_valid`` a verify read, with ``hold`` the setup
    too lasts at least two cycles longer, which the durations here hold."""
    bias: str = ""
    """Of lines that are not selected, where cells have no transistors: half (V/2) or third (V/3)."""
    float_lines: bool = False
    """These lines float at verify reads."""
    pulses: bool = False
    """A run may be blind: pulses for listed cells, without reads."""

    def __post_init__(self) -> None:
        for number in self.shape:
            check_lines(number, FEWEST_LINES, MOST_ROWS)
        if self.pulses and sum(self.cell_bits) > CELL_BITS:
            raise InputError(
                f"programming.pulses must be false for {self.shape[0]} x {self.shape[1]} cells, not true: a record has "
                f"{CELL_BITS} bits for a cell"
            )
        durations = [(name, self.least(name), 65535) for name in ("setup_cycles", "verify_cycles")]
        for name, low, high in (("verify_bits", 8, 12), *durations):
            check_whole(name, getattr(self, name), low, high)

    @classmethod
    def from_chip(cls, chip: Chip) -> "WriteVerifyConfig":
        """Write-verify of a chip's core: durations rounded up to cycles of its clock.

        Raises InputError if a duration is too long, or a step of the verify converter is above 0.25 uS.
        """
        chip = PulseChip.of(chip)
        programming, full_scale = chip.programming, chip.cells.g_full_scale_uS
        step = full_scale / (2**programming.verify_bits - 1)
        if step > COARSEST_uS:
            raise InputError(
                f"programming.verify_bits must give steps of at most {COARSEST_uS:g} uS over cells.g_full_scale_uS = "
                f"{full_scale:g}, not {step:.3g} uS with {programming.verify_bits} bits"
            )
        synchronise = chip.core.synchronise
        late = {name: SYNCHRONISER_CYCLES * late for name, late in _late(synchronise).items()}
        return cls(
            lines=chip.lines,
            columns=None if chip.source_lines == chip.lines else chip.source_lines,
            verify_bits=programming.verify_bits,
            setup_cycles=_cycles(chip, "t_setup_ns", 16) + late["setup_cycles"],
            verify_cycles=max(2, _cycles(chip, "t_verify_ns", 16)) + late["verify_cycles"],
            trim=chip.core.trim,
            synchronise=synchronise,
            bias=chip.bias,
            float_lines=chip.float_lines,
            pulses=programming.pulses,
        )

    @property
    def duration_bits(self) -> dict[str, int]:
        """Bits of the registers of the durations; none without ``trim``."""
        return {name: duration_bits(getattr(self, name)) for name in ("setup_cycles", "verify_cycles") if self.trim}

    def least(self, name: str) -> int:
        """The shortest that the duration ``name`` can be, in cycles."""
        return (2 if name == "verify_cycles" else 1) + SYNCHRONISER_CYCLES * _late(self.synchronise)[name]

    @property
    def shape(self) -> tuple[int, int]:
        """Bit lines and source lines."""
        return self.lines, self.columns or self.lines

    @property
    def cells(self) -> int:
        """Cells of the array."""
        return self.shape[0] * self.shape[1]

    @property
    def cell_bits(self) -> tuple[int, int]:
        """Bits of the numbers of a source line and of a bit line."""
        rows, columns = self.shape
        return (columns - 1).bit_length(), (rows - 1).bit_length()

    @property
    def map_width(self) -> int:
        """Bits of a word of the fault map."""
        return min(self.shape[1], MAP_WORD)

    @property
    def row_words(self) -> int:
        """Words of a row of the fault map: a power of two, so that an address is a row and a word."""
        return 1 << (-(-self.shape[1] // self.map_width) - 1).bit_length()

    @property
    def map_words(self) -> int:
        """Words of the fault map, row by row."""
        return self.lines * self.row_words


def write_pins(cfg: WriteVerifyConfig) -> WritePins:
    """Pins of the macro of a core that programs its cells."""
    return WritePins(cfg.lines, cfg.verify_bits, cfg.columns, biased=bool(cfg.bias), floats=cfg.float_lines)


@dataclass(frozen=True, kw_only=True)
class WriteVerifyParameters:
    """Values of the registers of write-verify.

    Amplitudes are codes of the pulse converter. The defaults are the voltages of NeuRRAM (Wan et al., Nature 608, 504
    (2022), and the public test software of that chip) for a pulse converter of 20 mV a step from 0 V, and a verify
    converter of 10 bits over 50 uS, at 100 MHz.

    Parameters
    ----------
    tolerance
        Half width of the acceptance band around the target, in verify codes. 18: 0.88 uS, so that rounding and
        noise of the last read leave a cell within 1 uS.
    confirmations
        Further reads that must also lie in the band before a cell is done, 0..3.
    form
        Form instead of programming: pulses of kind FORM until the code is at least the target.
    passes
        Passes over the array, 1..15.
    wait_cycles
        Wait between two passes, in cycles, 0..2**32 - 1, during which cells relax.
    set_start, reset_start, form_start
        Amplitude of the first pulse, and after a reversal (60: 1.2 V, 75: 1.5 V, 210: 4.2 V).
    set_step, reset_step, form_step
        Increment from one pulse to the next of the same kind (5: 0.1 V).
    set_ceiling, reset_ceiling, form_ceiling
        Largest amplitude (165: 3.3 V, 225: 4.5 V), at least the first.
    set_cycles, reset_cycles, form_cycles
        Width of a pulse in cycles, 1..2**24 - 1 (100: 1 us, 100000: 1 ms).
    max_reversals
        Changes of polarity in one pass after which a cell is given up, 0..255.
    max_at_ceiling
        Pulses at the ceiling, since the last reversal, after which it is given up, 0..255.
    max_pulses
        Pulses in one pass after which it is given up, 0..65535. 0: read all cells, change none.
    blind
        A run of pulses for listed cells, of amplitudes ``set_start`` and ``reset_start``, without reads.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    tolerance: int = 18
    confirmations: int = 1
    form: bool = False
    passes: int = 3
    wait_cycles: int = 100_000_000
    set_start: int = 60
    set_step: int = 5
    set_ceiling: int = 165
    reset_start: int = 75
    reset_step: int = 5
    reset_ceiling: int = 165
    form_start: int = 210
    form_step: int = 5
    form_ceiling: int = 225
    set_cycles: int = 100
    reset_cycles: int = 100
    form_cycles: int = 100_000
    max_reversals: int = 30
    max_at_ceiling: int = 30
    max_pulses: int = 500
    blind: bool = False

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            low = 1 if name == "passes" or name in ("set_cycles", "reset_cycles", "form_cycles") else 0
            check_whole(name, getattr(self, name), low, 2 ** _WIDTHS.get(name, 12) - 1)
        for kind in ("set", "reset", "form"):
            start, ceiling = getattr(self, f"{kind}_start"), getattr(self, f"{kind}_ceiling")
            if start > ceiling:
                raise InputError(f"{kind}_start must be at most {kind}_ceiling, which is {ceiling}, not {start}")

    @classmethod
    def from_chip(cls, chip: Chip, *, form: bool = False) -> "WriteVerifyParameters":
        """Registers for a chip: amplitudes in the nearest codes of its pulse converter, durations in cycles that cover.

        Raises InputError if a duration is too long.

        Parameters
        ----------
        form
            For a run that forms, in one pass.
        """
        programming = PulseChip.of(chip).programming
        step = chip.cells.g_full_scale_uS / (2**programming.verify_bits - 1)
        values: dict[str, Any] = {}
        for kind in ("set", "reset", "form"):
            values[f"{kind}_start"] = programming.amplitude(getattr(programming, f"{kind}_start_V"))
            values[f"{kind}_ceiling"] = programming.amplitude(getattr(programming, f"{kind}_ceiling_V"))
            increment = round(getattr(programming, f"{kind}_step_V") * 1000.0 / programming.v_step_mV)
            values[f"{kind}_step"] = min(increment, 2**AMPLITUDE_BITS - 1)
            values[f"{kind}_cycles"] = _cycles(chip, f"t_{kind}_pulse_ns", _WIDTHS[f"{kind}_cycles"])
        return cls(
            tolerance=int((programming.accept_uS - programming.guard_uS) / step),
            confirmations=programming.confirmations,
            form=form,
            passes=1 if form else programming.passes,
            wait_cycles=_cycles(chip, "t_wait_s", _WIDTHS["wait_cycles"]) if programming.t_wait_s > 0.0 else 0,
            max_reversals=programming.max_reversals,
            max_at_ceiling=programming.max_at_ceiling,
            max_pulses=programming.max_pulses,
            **values,
        )

    def pack(self, cfg: WriteVerifyConfig) -> int:
        """The registers as an integer.

        Raises InputError if the tolerance does not fit the verify converter.
        """
        if self.tolerance >= 2**cfg.verify_bits:
            raise InputError(f"tolerance must be below {2**cfg.verify_bits}, not {self.tolerance}")
        if self.blind and not cfg.pulses:
            raise InputError("programming.pulses must be true for a run of pulses alone, not false")
        layout = ParameterLayout(cfg)
        values: dict[int | str, int] = {name: int(getattr(self, str(name))) for name in layout.members}
        return layout.const(values).as_bits()


def _late(synchronise: tuple[str, ...]) -> dict[str, bool]:
    """Which durations end with a pin that passes through a synchroniser."""
    hold = "hold" in synchronise
    return {"setup_cycles": hold, "verify_cycles": hold or "verify_valid" in synchronise}


def _cycles(chip: Chip, name: str, bits: int) -> int:
    """A duration of ``[programming]`` in cycles of the clock, which must fit ``bits`` bits."""
    value = getattr(PulseChip.of(chip).programming, name)
    cycles = chip.clock.cycles(value * (1e9 if name.endswith("_s") else 1.0))
    if cycles >= 2**bits:
        raise InputError(
            f"programming.{name} must be below {2**bits:,} cycles at clock.f_clk_MHz = {chip.clock.f_clk_MHz:g}, "
            f"not {value:g} {name.rpartition('_')[2]}"
        )
    return cycles


class ParameterLayout(data.StructLayout):
    """Layout of :class:`WriteVerifyParameters`, least significant field first."""

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        super().__init__({"tolerance": cfg.verify_bits, **_WIDTHS, **({"blind": 1} if cfg.pulses else {})})
