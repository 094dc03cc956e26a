"""The macro's side: the adapter that knows its names, and its black box."""

from collections.abc import Iterable, Mapping, Sequence

from mho.hw.config import Chip, MacroSection
from mho.hw.kinds import core_blocks
from mho.hw.macro.contract import ContractPins
from mho.rtl_gen.macro.contract import contract_signals, pin_signals
from mho.rtl_gen.macro.port_map import Bit, PortMap, macro_files, read_module
from mho.rtl_gen.macro.supplies import Through, guarded, supply_nets, supply_pins
from mho.rtl_gen.verilog.names import range_text, wrap
from mho.rtl_gen.verilog.ports import Port, module_ports

_SHORT = 4
"""Bits that are turned round one by one; more of them by a function."""


def module_name(chip: Chip) -> str:
    """Module of the macro: of its own, or the contract's, whose pins are the contract's signals and ``clk``."""
    return core_blocks(chip).pins.module if chip.macro is None else chip.macro.module


def through(macro: MacroSection | None, ports: PortMap) -> Through:
    """What passes from the macro to the top: nets of supplies, and pins of the macro as ports of other names."""
    power, ground = supply_nets(macro)
    extra = {top: ports.ports[pin] for pin, top in ports.extra.items()}
    return Through((*power, *(net for net in ground if net not in power)), extra)


class _Words:
    """Bits as Verilog: runs of bits of one word, and which functions they need."""

    def __init__(self, widths: dict[str, int]) -> None:
        self.widths = widths
        self.turned: set[int] = set()

    def text(self, bits: Sequence[Bit]) -> str:
        """An expression of these bits, the most significant first."""
        runs: list[list[Bit]] = []
        for bit in bits:
            if runs and self._follows(runs[-1], bit):
                runs[-1].append(bit)
            else:
                runs.append([bit])
        pieces = [piece for run in runs for piece in self._run(run)]
        return pieces[0] if len(pieces) == 1 else "{" + ", ".join(pieces) + "}"

    def _follows(self, run: list[Bit], bit: Bit) -> bool:
        first, last = run[0], run[-1]
        if (bit.source, bit.inverted) != (first.source, first.inverted):
            return False
        if not bit.source:
            return True
        step = bit.index - last.index
        return abs(step) == 1 and (len(run) == 1 or step == last.index - run[-2].index)

    def _run(self, run: list[Bit]) -> list[str]:
        first, last, size = run[0], run[-1], len(run)
        if not first.source:
            value = int("".join(str(bit.index) for bit in run), 2)
            return [f"{size}'d{value}"]
        low, high = sorted((first.index, last.index))
        whole = (low, high) == (0, self.widths[first.source] - 1)
        word = first.source if whole else f"{first.source}[{high}]" if size == 1 else f"{first.source}[{high}:{low}]"
        sign = "~" if first.inverted else ""
        if first.index >= last.index:
            return [sign + word]
        if size <= _SHORT:
            return [f"{sign}{first.source}[{bit.index}]" for bit in run]
        self.turned.add(size)
        return [f"{sign}turned_{size}({word})"]

    def functions(self) -> list[str]:
        """The functions that expressions use."""
        return [_TURN.format(size=size, top=size - 1) for size in sorted(self.turned)]


_TURN = """\
  // A word from its last bit to its first.
  function [{top}:0] turned_{size};
    input [{top}:0] word;
    integer k;
    for (k = 0; k < {size}; k = k + 1) begin
      turned_{size}[k] = word[{top} - k];
    end
  endfunction"""


def write_adapter(
    macro: MacroSection | None, contract: ContractPins, ports: PortMap, *, name: str, reset: str = "rst",
    command_port: str = "command_port",
) -> str:
    """Verilog of the adapter ``name``: the only module that knows the macro's module and pins.

    ``reset`` is the port of the core's reset, ``rst_n`` where that is active low; ``command_port`` is the module that
    stands before a macro which takes commands.
    """
    signals, passing = contract_signals(contract, macro), through(macro, ports)
    inner = pin_signals(contract, macro)
    sizes = {signal: width for signal, (width, _) in (signals | inner).items()}
    words = _Words(sizes | {derived: size for derived, (_, _, size) in ports.derived.items()})
    listed, wires, assigns = [], [], []
    plain = _plain_outputs(ports, sizes)
    for port in ports.ports.values():
        value = ports.extra.get(port.name) or plain.get(port.name, "")
        if port.direction == "input" and port.name not in ports.extra:
            bits = ports.drivers.get(port.name, {})
            value = words.text([bits.get(number, Bit("", 0)) for number in port.numbers])
        elif not value and any(bit.source == port.name for bits in ports.reads.values() for bit in bits):
            value = _net(ports, port.name)
            words.widths[value] = port.width or 1
            wires.append(f"  wire {range_text(port.width or 1)}{value};")
        listed.append(wrap(f".{port.name}({value})", 2))
    for signal, bits in ports.reads.items():
        if signal not in plain.values():
            text = words.text([_from_net(ports, bit) for bit in reversed(bits)])
            assigns.append(wrap(f"assign {signal} = {text};", 1))
    derived = [_derive(item, *ports.derived[item], sizes) for item in ports.derived]
    note = [f"  // Not connected: {', '.join(ports.unconnected)}."] if ports.unconnected else []
    pins = [f"    .{pin}({net})," for table in supply_pins(macro) for pin, net in table.items()]
    instance = [f"  {macro.outer if macro else contract.module} macro (", guarded(pins) + ",\n".join(listed), "  );"]
    if macro is not None and "rst" in macro.pins and reset != "rst":
        derived.insert(0, f"  wire rst;\n  assign rst = ~{reset};")
    if macro is not None and macro.command_table and (port := contract.command_port(macro.command_table)):
        members = tuple(port.signature.members)
        derived.insert(0, _command_port(signals, inner, members, command_port, reset))
    parts = (words.functions(), derived, wires, assigns, note, instance)
    body = "\n\n".join("\n".join(part) for part in parts if part)
    supplies, extra = passing.declarations()
    sizes = {reset if signal == "rst" else signal: width for signal, (width, _) in signals.items()}
    header = [*_header(sizes, {signal for signal, (_, driven) in signals.items() if driven}), *extra]
    return (
        "// The macro behind the pins of the contract: the only file that knows its module and its pins.\n"
        f"module {name} (\n{supplies}" + ",\n".join(header) + f"\n);\n\n{body}\n\nendmodule\n"
    )


def _command_port(
    outer: Mapping[str, tuple[int, bool]], inner: Mapping[str, tuple[int, bool]], members: Sequence[str], module: str,
    reset: str,
) -> str:
    """The wires of commands, and what drives them."""
    internal = {name: width for name, (width, _) in inner.items() if name not in outer}
    wires = "\n".join(f"  wire {range_text(width)}{name};" for name, width in internal.items())
    listed = ",\n".join(f"    .{port}({port})" for port in ("clk", reset, *members))
    return f"  // Commands stand for the strobes of the core.\n{wires}\n  {module} commands (\n{listed}\n  );"


def _net(ports: PortMap, pin: str) -> str:
    """Wire behind an output of the macro; names of pins may differ in case alone."""
    alike = sum(port.lower() == pin.lower() for port in ports.ports)
    return f"pin_{pin.lower() if alike == 1 else pin}"


def _plain_outputs(ports: PortMap, sizes: dict[str, int]) -> dict[str, str]:
    """Outputs of the macro that are a signal of the contract as they are: pin to signal."""
    sources = {}
    for signal, bits in ports.reads.items():
        port = ports.ports.get(bits[0].source)
        uses = sum(any(bit.source == bits[0].source for bit in bits_read) for bits_read in ports.reads.values())
        whole = port is not None and list(reversed(bits)) == [Bit(port.name, number) for number in port.numbers]
        if port is not None and whole and uses == 1 and sizes[signal] == port.width:
            sources[port.name] = signal
    return sources


def _from_net(ports: PortMap, bit: Bit) -> Bit:
    """A bit of a pin as one of the net behind it, which runs down to 0."""
    if not bit.source:
        return bit
    numbers = ports.ports[bit.source].numbers
    return Bit(_net(ports, bit.source), len(numbers) - 1 - numbers.index(bit.index), bit.inverted)


def _derive(name: str, signal: str, function: str, size: int, sizes: dict[str, int]) -> str:
    """Verilog of what stands for a signal of the contract where its pin takes it in another form."""
    width = sizes[signal]
    if function == "one":
        unit = f"{width}'d1"
        text = f"{signal} != {width}'d0 && ({signal} & ({signal} - {unit})) == {width}'d0"
        return f"  // Exactly one line of {signal} is selected.\n  wire {name};\n  assign {name} = {text};"
    if function == "saturate":
        top = f"{signal}[{width - 1}:{size}]" if width - size > 1 else f"{signal}[{size}]"
        low = f"{signal}[{size - 1}:0]" if size > 1 else f"{signal}[0]"
        return (
            f"  // {signal} in {size} bits: the largest value where it is larger.\n  wire {range_text(size)}{name};\n"
            f"  assign {name} = |{top} ? {size}'d{2**size - 1} : {low};"
        )
    lines = [f"  // Number of the selected line of {signal}: 0 where none is.", f"  wire {range_text(size)}{name};"]
    for k in range(size):
        mask = sum(1 << line for line in range(width) if line >> k & 1)
        target = name if size == 1 else f"{name}[{k}]"
        lines.append(f"  assign {target} = |({signal} & {width}'h{mask:x});")
    return "\n".join(lines)


def hard_ports(chip: Chip, ports: PortMap) -> tuple[list[str], list[Port]]:
    """Supply pins and other ports of the module that is hardened."""
    macro = chip.macro
    if macro is not None and macro.wrapper:
        text, _ = read_module(macro_files(chip), macro.module)
        ports_found = module_ports(text or "", macro.module) or {}
        pins = [port.name for port in ports_found.values() if port.guarded]
        return pins, [port for port in ports_found.values() if not port.guarded]
    return [pin for table in supply_pins(macro) for pin in table], list(ports.ports.values())


def write_stub(chip: Chip, ports: PortMap) -> str:
    """Verilog black box of the macro; supplies only where ``USE_POWER_PINS`` is defined, as tools for tape-out do."""
    pins, listed = hard_ports(chip, ports)
    lines = ",\n".join(f"  {port.direction:<6} wire {port.bits}{port.name}" for port in listed)
    supplies = guarded([f"  inout wire {pin}," for pin in pins])
    return (
        f"// Black box of the macro: its ports, and no body.\n(* blackbox *)\nmodule {module_name(chip)} (\n"
        f"{supplies}{lines}\n);\nendmodule\n"
    )


def _header(sizes: dict[str, int], driven: set[str]) -> Iterable[str]:
    for signal, width in sizes.items():
        yield f"  {'output' if signal in driven else 'input':<6} wire {range_text(width)}{signal}"
