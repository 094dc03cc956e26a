"""Memory macros of Liberty files: shape, area, and the energy of a cycle in which a port writes, reads or rests.

A cycle takes the internal energies of both edges at the pin of the clock, under the condition for what is done: as the
setup times of data and address have it (``when``), or by the names that OpenRAM gives to enables (``csb``, ``web``, 0
is on). Where several conditions are the same to an access, the least is taken: pins can be wired for it. Of a table the
number in its middle is taken, and of pins of data, address and mask the mean over conditions and directions.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mho.macro_models.errors import InputError
from mho.macro_models.files import reading
from mho.sim.silicon.liberty.boolean import Truth, truth
from mho.sim.silicon.liberty.library import LIBERTY, Group, Lookup, Units, liberty_text, parse_liberty

_TEST = re.compile("bist", re.IGNORECASE)
"""In the names of pins of a self-test, which takes the place of those of a port."""

_MOST_PINS = 12
"""In the conditions of a clock, all values of which are looked at."""


@dataclass(frozen=True, kw_only=True)
class MemoryPort:
    """A port: energy in J of a cycle in which it writes, reads or rests; None for what it cannot do."""

    write: float | None
    read: float | None
    idle: float


@dataclass(frozen=True, kw_only=True)
class MemoryMacro:
    """A memory macro."""

    name: str
    depth: int
    width: int
    """Words, and bits a word."""
    granularity: int
    """Bits that one bit of the write mask covers; ``width`` without a mask."""
    area: float
    leakage: float
    """um2 and W."""
    ports: tuple[MemoryPort, ...]
    """One or several, those of a self-test left out."""
    data: float
    address: float
    mask: float
    """J of a change of a pin of each."""
    inputs: dict[str, int] = field(default_factory=dict[str, int], compare=False)
    """Widths of all inputs by their names."""

    @property
    def pair(self) -> tuple[MemoryPort, MemoryPort] | None:
        """A port that writes, and another that reads in the same cycle; None without two such."""
        pairs = [(writer, reader) for writer, reader in itertools.permutations(self.ports, 2)
                 if writer.write is not None and reader.read is not None]
        return min(pairs, key=lambda two: (two[0].read is not None) + (two[1].write is not None), default=None)


def read_memory_macros(path: Path) -> list[MemoryMacro]:
    """The memories of a Liberty file.

    Raises InputError if it is none, has no memory, or does not say what is needed of one.
    """
    library = parse_liberty(liberty_text(path), str(path))
    cells = [cell for cell in library.all("cell") if cell.first("memory") is not None]
    if not cells:
        raise InputError(f"{path}: must have a memory (a cell with a group memory); none is there")
    with reading(path, LIBERTY):
        return [_Reader(path, library, cell).macro() for cell in cells]


class _Reader:
    """Reads a cell of a memory."""

    def __init__(self, path: Path, library: Group, cell: Group) -> None:
        self.path, self.cell, self.units = path, cell, Units.of(library)
        self.types = {group.name: group for group in library.all("type")}
        self.templates = {group.name: group for group in library.all("lu_table_template", "power_lut_template")}
        self.buses = {bus.name: bus for bus in cell.all("bus") if not _TEST.search(bus.name)}
        self.writes = [(bus, group) for bus in self.buses.values() for group in bus.all("memory_write")]
        self.reads = [(bus, group) for bus in self.buses.values() for group in bus.all("memory_read")]

    def macro(self) -> MemoryMacro:
        memory = self.cell.first("memory")
        assert memory is not None
        area = self.cell.values.get("area")
        for what, value in (("address_width", memory.values.get("address_width")),
                            ("word_width", memory.values.get("word_width")), ("area", area)):
            if value is None:
                raise InputError(f"{self.path}: {self.cell.name} must have {what}")
        width, address = (self._whole(memory, *limits) for limits in (("word_width", 1 << 16), ("address_width", 32)))
        addresses = dict.fromkeys(group.values["address"] for _, group in (*self.writes, *self.reads))
        unused = [
            bus for name, bus in self.buses.items()
            if bus.values.get("direction") == "input" and name not in addresses and bus.first("memory_write") is None
        ]
        masks = [size for bus in unused if (size := self._size(bus)) and width % size == 0]
        ports = tuple(self._port(address) for address in addresses)
        if not any(port.read is not None for port in ports):
            raise InputError(f"{self.path}: {self.cell.name} must have a port that reads (memory_read)")
        return MemoryMacro(
            name=self.cell.name, depth=1 << address, width=width,
            granularity=width // max(masks, default=1), area=float(area or 0), leakage=self._leakage(), ports=ports,
            data=self._pins([bus for bus, _ in self.writes]), mask=self._pins(unused),
            address=self._pins([self.buses[name] for name in addresses if name in self.buses]), inputs=self._inputs(),
        )

    def _inputs(self) -> dict[str, int]:
        pins = {pin.name: 1 for pin in self.cell.all("pin") if pin.values.get("direction") == "input"}
        buses = [bus for bus in self.cell.all("bus") if bus.values.get("direction") == "input"]
        return pins | {bus.name: self._size(bus) for bus in buses}

    def _whole(self, group: Group, name: str, largest: int) -> int:
        """A number from 1 on of a group."""
        value = int(group.values[name])
        if not 1 <= value <= largest:
            raise InputError(f"{self.path}: {self.cell.name} must have a {name} of 1 to {largest}, not {value}")
        return value

    def _size(self, bus: Group) -> int:
        kind = self.types.get(bus.values.get("bus_type", ""))
        return 1 if kind is None else self._whole(kind, "bit_width", 1 << 16)

    def _leakage(self) -> float:
        states = [float(group.values["value"]) for group in self.cell.all("leakage_power") if "value" in group.values]
        mean = sum(states) / len(states) if states else float(self.cell.values.get("cell_leakage_power", 0))
        return mean * self.units.watt

    def _numbers(self, power: Group) -> list[float]:
        rows = power.all("rise_power", "fall_power", "power")
        return [Lookup(row, self.templates, self.units.farad).middle() * self.units.joule for row in rows]

    def _pins(self, buses: list[Group]) -> float:
        """J of a change of a pin of some buses."""
        windows = [
            value for bus in buses for group in (bus, *bus.all("pin")) for power in group.all("internal_power")
            for value in self._numbers(power)
        ]
        return sum(windows) / len(windows) if windows else 0.0

    def _port(self, address: str) -> MemoryPort:
        """The port with an address."""
        write = [(bus, group) for bus, group in self.writes if group.values["address"] == address]
        read = [(bus, group) for bus, group in self.reads if group.values["address"] == address]
        clocks = [group.values["clocked_on"] for _, group in write if "clocked_on" in group.values]
        timings = [timing.values for bus, _ in read for timing in _timings(bus)]
        clocks += [values["related_pin"] for values in timings if "related_pin" in values]
        pins = {pin.name: pin for pin in self.cell.all("pin")}
        if not clocks or clocks[0] not in pins:
            raise InputError(f"{self.path}: {self.cell.name} must name the clock of the port with {address}")
        powers = list(pins[clocks[0]].all("internal_power"))
        names = tuple(dict.fromkeys(name for power in powers for name in truth(power.values.get("when", "1")).names))
        access = self._condition(self.buses.get(address), names, write=False)
        writing = self._condition(write[0][0], names, write=True) if write else None
        kinds: dict[str, list[float]] = {"write": [], "read": [], "idle": []}
        for values, energy in self._states(powers, names):
            enabled = access is None or access.given(values)
            kind = "idle" if not enabled else "write" if writing is not None and writing.given(values) else "read"
            kinds[kind].append(energy)
        functions = (*(["write"] if write else []), *(["read"] if read else []))
        for kind in functions:
            if not kinds[kind]:
                raise InputError(f"{self.path}: {self.cell.name} must have the energy of its clock while it {kind}s")
        return MemoryPort(
            write=min(kinds["write"]) if write else None, read=min(kinds["read"]) if read else None,
            idle=min(kinds["idle"], default=0.0),
        )

    def _states(self, powers: list[Group], names: tuple[str, ...]) -> Iterator[tuple[dict[str, bool], float]]:
        """All values of the pins in conditions, and the energy of a cycle, where the file has one."""
        if len(names) > _MOST_PINS:
            raise InputError(f"{self.path}: {self.cell.name} must have at most {_MOST_PINS} pins in its conditions")
        for bits in itertools.product((False, True), repeat=len(names)):
            values = dict(zip(names, bits, strict=True))
            fits = [power for power in powers if "when" in power.values and truth(power.values["when"]).given(
                {name: values[name] for name in truth(power.values["when"]).names})]
            fits = fits or [power for power in powers if "when" not in power.values]
            if fits:
                yield values, sum(self._numbers(fits[0]))

    def _condition(self, bus: Group | None, names: tuple[str, ...], *, write: bool) -> Truth | None:
        """When a port is accessed, or writes: by the setup times of a bus, or by OpenRAM's names; None: always."""
        for timing in () if bus is None else _timings(bus):
            if timing.values.get("timing_type") == "setup_rising" and "when" in timing.values:
                return truth(timing.values["when"])
        enables = [name for name in names if re.match("csb", name) or (write and re.match("web", name))]
        strange = [name for name in names if not re.match("csb|web", name)]
        if strange or (write and not any(name.startswith("web") for name in names) and names):
            raise InputError(
                f"{self.path}: {self.cell.name} must say when it {'writes' if write else 'is accessed'}: as the "
                f"condition of a setup time, or by pins csb and web; it has {', '.join(names)}"
            )
        return truth("&".join(f"!{name}" for name in enables)) if enables else None


def _timings(bus: Group) -> Iterator[Group]:
    """Timing of a bus and of its pins."""
    for group in (bus, *bus.all("pin")):
        yield from group.all("timing")
