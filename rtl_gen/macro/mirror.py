"""A user's macro turned round: a module with its ports that is the contract's macro within, for simulation."""

from hw.macro.contract import ContractPins
from rtl_gen.macro.port_map import PortMap
from rtl_gen.macro.signals import contract_signals

__all__ = ["write_mirror"]


def write_mirror(module: str, contract: ContractPins, ports: PortMap, adapter: str) -> str:
    """Verilog of ``module``: signals of the contract from its pins, bit by bit, and the contract's macro behind them.

    What a signal has no pin for (``op_id`` in silicon) is taken from the adapter, whose path is ``adapter``.
    """
    signals = contract_signals(contract)
    found: dict[tuple[str, int], str] = {}
    for pin, bits in ports.drivers.items():
        for number, bit in bits.items():
            if bit.source:
                sign = "~" if bit.inverted else ""
                found.setdefault((bit.source, bit.index), f"{sign}{_bit(ports, pin, number)}")
    lines: list[str] = []
    for name, (signal, function, size) in ports.derived.items():
        if function == "binary":
            number = "{" + ", ".join(found[name, k] for k in reversed(range(size))) + "}"
            one = found.get((f"{signal}_one", 0), "1'b1")
            width = signals[signal][0]
            lines += [f"  wire [{size - 1}:0] {name} = {number};",
                      f"  wire [{width - 1}:0] {signal} = {one} ? {width}'d1 << {name} : {width}'d0;"]
    done = {signal for signal, function, _ in ports.derived.values() if function == "binary"}
    for signal, (width, driven) in signals.items():
        if driven:
            lines.append(f"  wire [{width - 1}:0] {signal};")
        elif signal not in done:
            above = [f"{adapter}.{signal}" + (f"[{k}]" if width > 1 else "") for k in range(width)]
            bits = [found.get((signal, k), above[k]) for k in range(width)]
            lines.append(f"  wire [{width - 1}:0] {signal} = {{{', '.join(reversed(bits))}}};")
    for signal, bits in ports.reads.items():
        for k, bit in enumerate(bits):
            if bit.source:
                sign = "~" if bit.inverted else ""
                lines.append(f"  assign {_bit(ports, bit.source, bit.index)} = {sign}{signal}[{k}];")
    listed = ",\n".join(f"  {port.direction:<6} wire {port.bits}{port.name}" for port in ports.ports.values())
    inner = ", ".join(f".{name}({name})" for name in signals)
    instance = f"\n  {contract.module} inner ({inner});\nendmodule\n"
    return f"module {module} (\n{listed}\n);\n" + "\n".join(lines) + instance


def _bit(ports: PortMap, pin: str, number: int) -> str:
    return pin if ports.ports[pin].limits is None else f"{pin}[{number}]"
