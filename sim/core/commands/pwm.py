"""Commands of a phase-change core, random ones, and the check that the RTL does what the reference does."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.core.layout import OpLayout, pack_codes
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import Bank, Command, pack_command
from mho.hw.kinds.pwm.engine.reference import CommandReference
from mho.hw.kinds.pwm.settings import SettingsFile
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.pwm.calibration import Calibration
from mho.macro_models.integer.pwm.converter import pack_trim
from mho.macro_models.integer.pwm.programming import AMPLITUDE_TOP, WriteParameters, WriteResult
from mho.macro_models.pwm.model import PwmModel
from mho.macro_models.pwm.programming import ProgrammedRows, read_number, verify_step_code
from mho.sim.core.commands import CommandedCore, Preparation

_VECTORS, _LINES = 6, 2
_ALONE_BIT = 15
"""Of a target: the device is left alone. Of a result: it is done."""


@dataclass(kw_only=True)
class Commands:
    """A sequence of commands: descriptors, their input words, and writes of settings ahead of all."""

    descriptors: list[int] = field(default_factory=list)
    inputs: list[list[int]] = field(default_factory=list)
    settings: list[tuple[int, int]] = field(default_factory=list)

    def add(self, descriptor: int, words: NDArray[Any] | None = None) -> None:
        """One more."""
        self.descriptors.append(descriptor)
        self.inputs.append([] if words is None else np.ascontiguousarray(words).view("<u4").tolist())


    def measure(
        self, session: int, vectors: NDArray[np.integer], stored: NDArray[np.integer], step_code: int
    ) -> None:
        """Commands that read vectors, with what they should give; the numbers are those of the ``session``."""
        for k, (x, right) in enumerate(zip(vectors, stored, strict=False)):
            words = np.concatenate([x.astype(np.int8), right.astype("<i2").view(np.int8)])
            self.add(pack_command(
                Command.MEASURE, number=(1 << 63) + (session << 32) + k, step_code=step_code
            ), words)

    def read_registers(self) -> None:
        """Commands that read all that corrects the converters: four results, see :func:`_check_registers`."""
        for bank in _BANKS:
            self.add(pack_command(Command.READ, bank=bank))


_BANKS = (Bank.COLUMNS, Bank.TRIM_LOW, Bank.TRIM_HIGH, Bank.RANGE)


def _check_registers(words: NDArray[np.uint32], right: Calibration, core: int, what: str) -> None:
    """Compare what :meth:`Commands.read_registers` gave with what the model has."""
    columns, low, high, range_code = np.ascontiguousarray(words).view("<u2").astype(np.int64)
    gain, offset = columns & 0xFF, (columns >> 8 ^ 0x80) - 0x80
    registers = {"gain": gain, "offset": offset, "trim": low | high << 16, "range": range_code}
    digital = right.digital
    expected = {
        "gain": digital.gain, "offset": digital.offset, "trim": pack_trim(right.trim), "range": right.range_code,
    }
    for name, values in registers.items():
        if (wrong := np.flatnonzero(values != expected[name])).size:
            column = int(wrong[0])
            expected = int(np.broadcast_to(expected[name], values.shape)[column])
            raise ToolError(f"{what} of core {core} must find {name} {expected} of column {column} as its model does, "
                            f"not {int(values[column])}")


def preparation(chip: Chip, model: PwmModel) -> Preparation | None:
    """The compensation of drift that the model has had, by commands; None if it had none."""
    compensation = model.compensation
    if compensation is None:
        return None
    commands, file = Commands(), SettingsFile(PwmCoreConfig.from_chip(chip))
    last = Command.COLUMN if compensation.how == "column" else Command.AFFINE
    for session, command in ((1, Command.RANGE), (2, last)):
        if session == 2 and compensation.how == "global":
            break
        commands.measure(session, compensation.vectors, compensation.stored, compensation.step_code)
        commands.add(pack_command(command))
    commands.read_registers()
    right, core = model.calibration, model.core
    return Preparation(
        settings=file.calibration_words(compensation.before), descriptors=commands.descriptors, inputs=commands.inputs,
        check=lambda words: _check_registers(words[-len(_BANKS) :], right, core, f"compensation ({compensation.how})"),
    )


def random_commands(chip: Chip, rng: np.random.Generator, *, lines: int, calibrate: bool = True) -> Commands:
    """Calibration, both passes of a compensation, ``lines`` that are programmed; registers are read after each.

    Of other lines than the first the last device alone is programmed. Vectors that are measured before are forgotten.
    """
    commands, config, n = Commands(), PwmChip.of(chip).macro_config(), chip.lines
    parameters = WriteParameters(
        margin=int(rng.integers(2, 12)), iterations=int(rng.integers(2, 9)), start=int(rng.integers(60, 200)),
        gain=int(rng.integers(4, 40)),
    )
    commands.settings.append((PwmCoreConfig.from_chip(chip).writing_at, parameters.word))
    if calibrate:
        commands.add(pack_command(Command.CALIBRATE))
    for bank in (Bank.TRIM_LOW, Bank.TRIM_HIGH):
        commands.add(pack_command(Command.READ, bank=bank))
    vectors = rng.integers(-127, 128, (_VECTORS, n))
    stored = rng.integers(-4000, 4001, n) + rng.integers(-400, 401, (_VECTORS, n))
    step_code = int(rng.integers(400, 4000))

    def measure(session: int, count: int) -> None:
        commands.measure(session, vectors[:count], stored, step_code)

    last = Command(int(rng.choice([Command.COLUMN, Command.AFFINE])))
    for session, command in ((1, Command.RANGE), (2, last)):
        measure(session, _VECTORS)
        commands.add(pack_command(command))
    commands.add(pack_command(Command.READ, bank=Bank.RANGE))
    for number, line in enumerate(rng.integers(0, config.cell_map.shape[0], lines).tolist()):
        targets = rng.integers(0, parameters.top + 1, n) * (rng.random(n) < 0.7)
        left = np.arange(n) < n - 1 if number else rng.random(n) < 0.1
        words = (targets | left.astype(np.int64) << _ALONE_BIT).astype("<u2")
        code = verify_step_code(config, parameters)
        measure(3 + number, 1)
        commands.add(pack_command(Command.PROGRAM, number=read_number(line), step_code=code), words)
        commands.add(pack_command(Command.READ, bank=Bank.PULSES))
    commands.add(pack_command(last))
    return commands


def takes_commands(chip: Chip) -> bool:
    """Whether cores of a chip take any."""
    return PwmChip.of(chip).programming.engine


def check_commands(
    chip: Chip, core: CommandedCore, index: int, model: PwmModel, seed: int, *, gap: int = 0, stall: int = 0
) -> dict[str, int]:
    """Run random commands through the RTL, and compare every word with the reference.

    Raises ToolError if anything differs.

    Parameters
    ----------
    index, model
        The core behind the pins, and its model.

    Returns
    -------
    dict
        How many of each command, by name.
    """
    programs, copy = _programs(model), PwmModel.from_state(model.state())
    rows = ProgrammedRows(copy, WriteParameters()) if programs else None
    return _compare(chip, core, index, copy, rows, seed, gap=gap, stall=stall)


def check_ideal(chip: Chip, core: CommandedCore, index: int, macro: Any, seed: int) -> dict[str, int]:
    """The same of a core behind whose pins is the ideal macro of generated designs.

    ``macro`` is its model, :class:`mho.rtl_gen.kinds.pwm.IdealMacro`.
    """
    return _compare(chip, core, index, macro, macro, seed)


def check_users(chip: Chip, core: CommandedCore, model: PwmModel, seed: int) -> int:
    """Commands of a core with its user's own macro: those that measure products, and write-verify of some lines.

    What reference currents count and how far a pulse goes is the macro's own: its larger amplitudes must leave less, in
    the columns that they are for, and half of the devices must come to targets between the most and the least.

    Raises ToolError if anything is otherwise.

    Returns
    -------
    int
        Devices that were programmed.
    """
    _compare(chip, core, 0, PwmModel.from_state(model.state()), None, seed, calibrate=False)
    lines = np.random.default_rng([seed, 0x9C]).permutation(model.config.cell_map.shape[0])[:_LINES].tolist()
    return sum(_UsersLine(chip, core, line).check(seed) for line in lines)


class _UsersLine:
    """Devices of a driven line of the user's own macro, which are read after pulses alone."""

    def __init__(self, chip: Chip, core: CommandedCore, line: int) -> None:
        self._core, self._line, self._columns = core, line, np.arange(chip.lines)
        self._usual, self._config = PwmChip.of(chip).write_parameters, PwmChip.of(chip).macro_config()

    def _program(
        self, targets: NDArray[np.int64], on: NDArray[np.bool_], parameters: WriteParameters
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Last counts of the columns ``on``, and whether each is where it should be."""
        commands, writes = Commands(), [(self._core.cfg.writing_at, parameters.word)]
        self._core.settings.write(*writes[0])
        commands.add(
            pack_command(Command.PROGRAM, number=read_number(self._line),
                         step_code=verify_step_code(self._config, self._usual)),
            (targets | ~on * (1 << _ALONE_BIT)).astype("<u2"),
        )
        words = self._core.operate(commands.descriptors, commands.inputs, writes).words
        halves = np.ascontiguousarray(words).view("<u2").reshape(-1).astype(np.int64)
        return halves & (1 << _ALONE_BIT) - 1, (halves >> _ALONE_BIT).astype(np.bool_)

    def _pulse(self, amplitude: int, on: NDArray[np.bool_]) -> NDArray[np.int64]:
        once = replace(self._usual, margin=255, iterations=1, start=amplitude)
        return self._program(np.ones_like(self._columns), on, once)[0]

    def check(self, seed: int) -> int:
        """See :func:`check_users`."""
        whole = np.ones_like(self._columns, dtype=bool)
        least, most = (self._pulse(amplitude, whole) for amplitude in (AMPLITUDE_TOP, 0))
        where = f"the macro's model: devices of word line {self._line}"
        if (most <= least).any():
            column = int(np.argmax(most <= least))
            raise ToolError(f"{where} must count less after a pulse of {AMPLITUDE_TOP} than of 0, and count "
                            f"{least[column]} and {most[column]} in column {column}")
        # Each column is told from each other one by a bit of its number.
        for bit in range((len(whole) - 1).bit_length()):
            for on in (self._columns >> bit & 1 == 1, self._columns >> bit & 1 == 0):
                self._pulse(AMPLITUDE_TOP, whole)
                if (2 * self._pulse(0, on) < least + most)[on].any():
                    raise ToolError(f"{where} must change in the columns that pulses are for, and others did")
        targets = np.random.default_rng([seed, self._line]).integers(np.maximum(least, 1), most + 1)
        if self._program(targets, whole, self._usual)[1].mean() < 0.5:
            raise ToolError(f"{where} must come to their targets by write-verify, and less than half of them did")
        return len(whole)


def _compare(
    chip: Chip, core: CommandedCore, index: int, macro: Any, rows: Any, seed: int, *, calibrate: bool = True,
    **pauses: int,
) -> dict[str, int]:
    """Random commands on a core and its reference."""
    lines = 0 if rows is None else _LINES
    commands = random_commands(chip, np.random.default_rng([seed, 0xC0]), lines=lines, calibrate=calibrate)
    file = core.settings
    assert isinstance(file, SettingsFile)
    for address, word in commands.settings:
        file.write(address, word)
    reference = CommandReference(file, macro, rows)
    outputs = core.operate(
        commands.descriptors, commands.inputs, commands.settings, core=index, seed=seed + 1, **pauses
    ).words
    counts: dict[str, int] = {}
    for number, (descriptor, words) in enumerate(zip(commands.descriptors, commands.inputs, strict=True)):
        fields = OpLayout().from_bits(descriptor)
        command = Command(fields["wl_select"])
        expected = pack_codes(reference.run(
            command, fields["line_select"], fields["op_id"], fields["step_code"], words
        ).astype(np.int16))
        if outputs[number].tolist() != expected:
            first = next(k for k, word in enumerate(expected) if outputs[number][k] != word)
            raise ToolError(
                f"word {first} of command {number} ({command.name.lower()}) of the core of {chip.name} must be "
                f"{expected[first]:#x} as in the reference, not {int(outputs[number][first]):#x}; seed {seed}"
            )
        counts[command.name.lower()] = counts.get(command.name.lower(), 0) + 1
    return counts


def program_lines(
    core: CommandedCore, index: int, model: PwmModel, targets: NDArray[np.int64], parameters: WriteParameters,
    skip: NDArray[np.bool_],
) -> tuple[WriteResult, NDArray[np.int64]]:
    """Have a core calibrate itself and program all driven lines, by its own commands.

    Raises ToolError if calibration finds other registers than the model has.

    Parameters
    ----------
    core
        A core with an engine.
    index, model
        Its number, and its macro, which is calibrated.
    targets, skip
        As of :func:`mho.macro_models.integer.pwm.programming.write_rows`.

    Returns
    -------
    tuple
        What the words of the core say was done, and the codes of the devices behind the pins.
    """
    file, cfg, commands = core.settings, core.cfg, Commands()
    code = verify_step_code(model.config, parameters)
    settings, right = [(cfg.writing_at, parameters.word)], model.calibration
    if model.has_converter_errors:
        commands.add(pack_command(Command.CALIBRATE))
        commands.read_registers()
    else:
        settings += file.calibration_words(right)
    first = len(commands.descriptors)
    for address, word in settings:
        file.write(address, word)
    for line, (target, left) in enumerate(zip(targets, skip, strict=True)):
        words = (target | left.astype(np.int64) << _ALONE_BIT).astype("<u2")
        commands.add(pack_command(Command.PROGRAM, number=read_number(line), step_code=code), words)
        commands.add(pack_command(Command.READ, bank=Bank.PULSES))
    core.put_model(index, model)
    result = core.operate(commands.descriptors, commands.inputs, settings, core=index)
    if first:
        # It stays: the next core of this simulation begins with it.
        for address, word in file.calibration_words(right):
            file.write(address, word)
        _check_registers(result.words[1:first], right, index, "calibration")
    halves = np.ascontiguousarray(result.words[first:]).view("<u2").reshape(len(targets), 2, -1).astype(np.int64)
    done = halves[:, 0] >> _ALONE_BIT & 1
    counts = halves[:, 0] & (1 << _ALONE_BIT) - 1
    return WriteResult(counts=counts, pulses=halves[:, 1], done=done.astype(np.bool_)), result.cells


def _programs(model: PwmModel) -> bool:
    """Whether its device says what pulses do."""
    law = getattr(model.device, "drift", None)
    return law is not None and law.set_uS > 0.0
