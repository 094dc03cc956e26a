"""Registers of write-verify: parameters, commands, state, and windows for targets, results and the fault map."""

from dataclasses import asdict

from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.host.registers import Access, Field, Register, Window, value_register

FIFO_DEPTH = 64
"""Targets, and results, that can wait."""

CODE_BITS = 12
"""Bits of a verify code in a word of a target or a result, whatever the verify converter has."""

WORD_FLAG = 12
"""Bit of a target that skips its cell, and of a result that says that its cell was given up."""

RESULT_VALID = 13
"""Bit of a result that says that there was one."""

RESULT_PULSES = 16
"""Lowest bit of the number of pulses in a result."""

RESET_BIT, CELL_LOW = 13, 14
"""Of a record of a blind run in the place of a target: its polarity, and the lowest bit of its cell, source line
first. Bits 11:0 are how many pulses, :data:`WORD_FLAG` ends the run."""

_SOURCE = {"tolerance": CODE_BITS, "confirmations": 2, "form": 1, "passes": 4}
_DOCS = {
    "tolerance": "Half width of the band around a target, in verify codes.",
    "confirmations": "Further reads that must lie in the band.",
    "form": "1: form fresh cells; 0: program.",
    "passes": "Passes over the array, at least 1.",
    "max_reversals": "Changes of polarity in one pass after which a cell is given up.",
    "max_at_ceiling": "Pulses at the ceiling after which a cell is given up.",
    "max_pulses": "Pulses in one pass after which a cell is given up. 0: read all cells, change none.",
    "blind": "1: the run gives the pulses that records list in `targets`, and reads nothing.",
    "start": "Amplitude of the first pulse, and after a reversal, in steps of the pulse converter.",
    "step": "Increment from one pulse to the next.",
    "ceiling": "Largest amplitude, at least the first.",
}


def _parameters(p: WriteVerifyParameters, *, pulses: bool) -> tuple[Register, ...]:
    values = {name: int(value) for name, value in asdict(p).items()}

    def field(name: str, width: int, doc: str) -> Field:
        return Field(name=name, width=width, access=Access.RW, reset=values[name], doc=doc)

    def plain(widths: dict[str, int]) -> tuple[Field, ...]:
        return tuple(field(name, width, _DOCS[name]) for name, width in widths.items())

    def ramp(kind: str, address: int) -> Register:
        fields = tuple(field(f"{kind}_{what}", 8, _DOCS[what]) for what in ("start", "step", "ceiling"))
        doc = f"Amplitudes of {kind.upper()} pulses."
        return Register(name=f"{kind}_ramp", address=address, fields=fields, doc=doc, locked=True)

    def cycles(kind: str, address: int) -> Register:
        width = field(f"{kind}_cycles", 24, "Width in clock cycles, at least 1.")
        doc = f"Width of {kind.upper()} pulses."
        return Register(name=f"{kind}_width", address=address, fields=(width,), doc=doc, locked=True)

    limits = plain({"max_reversals": 8, "max_at_ceiling": 8, "max_pulses": 16})
    source = _SOURCE | ({"blind": 1} if pulses else {})
    wait = field("wait_cycles", 32, "Clock cycles.")
    return (
        Register(
            name="write_run", address=0x0A0, fields=plain(source),
            doc="Parameters of a run. None may be written while `write_status.busy`; after reset they are those of the "
            "chip description.",
        ),
        Register(name="write_limits", address=0x0A4, fields=limits, doc="When a cell is given up.", locked=True),
        *(ramp(kind, 0x0A8 + 4 * k) for k, kind in enumerate(("set", "reset", "form"))),
        *(cycles(kind, 0x0B4 + 4 * k) for k, kind in enumerate(("set", "reset", "form"))),
        Register(name="write_wait", address=0x0C0, fields=(wait,), doc="Wait between passes, in which cells relax."),
    )


def _commands() -> tuple[Register, ...]:
    count = FIFO_DEPTH.bit_length()
    return (
        Register(name="write_control", address=0x080, doc="Commands to write-verify.", fields=(
            Field(name="start", access=Access.W, doc="Begin a run when the operation in progress has ended. Operations "
                  "wait until it has ended."),
            Field(name="stop", access=Access.W, doc="End the run after the cell that is on, or in a wait."),
        )),
        Register(name="write_status", address=0x084, doc="State of write-verify, and what happened.", fields=(
            Field(name="busy", doc="A run is on, or waits for the operation in progress."),
            Field(name="done", access=Access.RW1C, doc="A run has ended."),
            Field(name="error", access=Access.RW1C, doc="A start was refused, since the parameters are not legal or "
                  "programming is not enabled; or a run ended since it was no longer."),
            Field(name="overrun", access=Access.RW1C, doc="`start` while `busy`, or a target without room: ignored."),
            Field(name="write_pass", width=4, doc="Number of the pass, from 0. Stays after the run."),
            Field(name="enabled", doc="Programming is enabled by the pin `programming_enable`."),
        )),
        Register(name="write_levels", address=0x088, doc="What the windows can take and give.", fields=(
            Field(name="room", width=count, doc="Targets that can be written."),
            Field(name="waiting", width=count, doc="Results that can be read."),
        )),
        Register(name="fault_row", address=0x08C, doc="Which row of the fault map the window shows.", fields=(
            Field(name="row", width=8, access=Access.RW, doc="Bit line."),
        )),
    )


def _counters() -> tuple[Register, ...]:
    docs = {
        "sets": "SET pulses of the run.", "resets": "RESET pulses of the run.", "forms": "FORM pulses of the run.",
        "reads": "Verify reads of the run.", "pulsed": "Cells that needed pulses in this pass.",
        "faults": "Cells that were given up in this pass.",
    }
    return tuple(
        value_register(f"write_{name}", 0x0D0 + 4 * k, 32, doc) for k, (name, doc) in enumerate(docs.items())
    )


def write_entries(
    columns: int, parameters: WriteVerifyParameters, counters: tuple[Register, ...], *, pulses: bool = False
) -> tuple[tuple[Register, ...], tuple[Window, ...]]:
    """Registers and windows of write-verify.

    Parameters
    ----------
    columns
        Source lines.
    parameters
        Values after reset.
    counters
        Registers of the counters of 48 bits, which come behind the others.
    pulses
        Runs may be blind.
    """
    record = (
        f" With `blind` records of pulses: how many in bits {CODE_BITS - 1}:0, bit {WORD_FLAG} ends the run, bit "
        f"{RESET_BIT} is RESET, source line and bit line from bit {CELL_LOW} up, each as wide as the core has lines."
    ) if pulses else ""
    targets = Window(
        name="targets", address=0x700, words=FIFO_DEPTH, access=Access.W,
        doc=f"Targets of all cells, row by row, once for each pass: verify code in bits {CODE_BITS - 1}:0, bit "
        f"{WORD_FLAG} leaves the cell alone. Whole words only. Every word of the window is the same queue of "
        f"{FIFO_DEPTH} targets, so that blocks can be copied.{record}",
    )
    results = Window(
        name="results", address=0x900, words=FIFO_DEPTH, access=Access.R,
        doc=f"Results in the same order: last verify code in bits {CODE_BITS - 1}:0, bit {WORD_FLAG}: the cell was "
        f"given up, bit {RESULT_VALID}: there was a result, pulses of this pass in bits 31:{RESULT_PULSES}. Every word "
        f"of the window is the same queue of {FIFO_DEPTH} results. The run waits while it is full.",
    )
    faults = Window(
        name="faults", address=0xA00, words=-(-columns // 32), access=Access.R,
        doc="Row `fault_row` of the fault map, source line 0 in bit 0 of the first word: cells that were given up in "
        "the last pass that reached them.",
    )
    return (*_commands(), *_parameters(parameters, pulses=pulses), *_counters(), *counters), (targets, results, faults)
