"""Nets of a module made one: what is computed alike, outputs that are another net, constants with names."""

from collections.abc import Iterable, Iterator, Mapping

from mho.rtl_gen.verilog.rtlil import (
    NAMED_CONSTANT,
    Assign,
    Const,
    Module,
    Sig,
    Slice,
    Statement,
    Switch,
    slices,
    whole,
)


def share(module: Module) -> None:
    """Compute once what several unnamed operators, or processes of unnamed nets, compute alike."""
    renamed: dict[str, str] = {}
    next_values = {chunk.wire for cell in module.cells for chunk in slices([cell.ports.get("D", ())])}
    changed = True
    while changed:
        changed, first = False, dict[object, str]()
        for wire, key in _computed(module, next_values, renamed):
            if wire not in renamed and (twin := first.setdefault(key, wire)) != wire:
                renamed[wire], changed = twin, True
    outputs = ((cell, cell.ports.get("Y", ())) for cell in module.cells)
    module.cells = [cell for cell, output in outputs if not any(chunk.wire in renamed for chunk in slices([output]))]
    module.processes = [process for process in module.processes if process.target not in renamed]
    _rename(module, renamed)


def _computed(module: Module, next_values: set[str], renamed: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    """Unnamed nets, with what they compute from the nets that stay."""
    for cell in module.cells:
        if cell.outputs == {"Y"} and not cell.type.startswith("\\") and len(cell.ports["Y"]) == 1:
            (target,) = cell.ports["Y"]
            if isinstance(target, Slice) and target == whole(module.wires[target.wire]) and target.wire[0] == "$":
                inputs = {port: _renamed(sig, renamed) for port, sig in cell.ports.items() if port != "Y"}
                yield target.wire, (cell.type, *cell.parameters.items(), *inputs.items())
    for process in module.processes:
        target = process.target
        # What is the next value of a register is told apart from its resets later.
        if target[0] == "$" and target not in next_values:
            yield target, (module.wires[target].width, _key(process.body, target, renamed))


def _key(body: Iterable[Statement], target: str, renamed: Mapping[str, str]) -> tuple[object, ...]:
    return tuple(
        (s.target.high, s.target.low, _renamed(s.value, renamed)) if isinstance(s, Assign)
        else (_renamed(s.test, renamed), *((c.patterns, _key(c.body, target, renamed)) for c in s.cases))
        for s in body
    )


def _renamed(sig: Sig, renamed: Mapping[str, str]) -> Sig:
    """A signal of other nets."""
    for chunk in sig:
        if isinstance(chunk, Slice) and chunk.wire in renamed:
            break
    else:
        return sig
    chunks: list[Const | Slice] = []
    for chunk in sig:
        if isinstance(chunk, Slice):
            wire = chunk.wire
            while wire in renamed:
                wire = renamed[wire]
            chunk = Slice(wire, chunk.high, chunk.low)
        chunks.append(chunk)
    return tuple(chunks)


def _rename(module: Module, renamed: Mapping[str, str]) -> None:
    """Put other nets in the place of some."""

    def rename(body: list[Statement]) -> None:
        for k, statement in enumerate(body):
            if isinstance(statement, Switch):
                statement.test = _renamed(statement.test, renamed)
                for case in statement.cases:
                    rename(case.body)
            else:
                body[k] = Assign(statement.target, _renamed(statement.value, renamed))

    for cell in module.cells:
        cell.ports = {port: _renamed(value, renamed) for port, value in cell.ports.items()}
    for process in module.processes:
        rename(process.body)
    module.connects = [(target, _renamed(value, renamed)) for target, value in module.connects]


def take_constants(module: Module) -> dict[str, str]:
    """Constants with names, by their wires, which have no drivers from now on."""
    constants: dict[str, str] = {}
    for cell in module.cells:
        if cell.type == f"\\{NAMED_CONSTANT}":
            (chunk,) = cell.ports["o"]
            assert isinstance(chunk, Slice)
            constants[chunk.wire] = cell.bits("VALUE")
    module.cells = [cell for cell in module.cells if cell.type != f"\\{NAMED_CONSTANT}"]
    return constants


def join_outputs(module: Module) -> None:
    """Where an output is another net as a whole, make them one."""
    drivers = {chunk.wire for cell in module.cells for chunk in slices(cell.ports[p] for p in cell.outputs)}
    renamed: dict[str, str] = {}
    for target, value in module.connects:
        if module.wires[target.wire].port != "output" or len(value) != 1 or not isinstance(source := value[0], Slice):
            continue
        wire = module.wires[source.wire]
        if source == whole(wire) and not wire.port and wire.name in drivers and wire.name not in renamed:
            renamed[wire.name] = target.wire
    _rename(module, renamed)
    module.connects = [(target, value) for target, value in module.connects if value != (target,)]
