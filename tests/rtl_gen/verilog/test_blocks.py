# amaranth: UnusedElaboratable=no
"""A module is a contract: its file depends on its own configuration, and what would be lost in it is refused."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, DomainRenamer, EnableInserter, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable, reset_late
from mho.hw.chip.tops import WRAPS
from mho.hw.config import load_chip
from mho.hw.core.masks import MaskStore
from mho.hw.core.top import CoreTop
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.node import Mesh, Node
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen.emit import emit_block, module_texts
from mho.rtl_gen.macro.adapter import write_stub
from mho.rtl_gen.macro.pin_check import macro_map
from mho.rtl_gen.tapeout_files import waivers
from mho.rtl_gen.verilog.netlist import emit

CHIP = load_chip("tnsa16-core")
OTHER = load_chip("tnsa16-core", {"timing.t_sample_ns": 50})
CORE, WRITE = TnsaCoreConfig.from_chip(CHIP), WriteVerifyConfig.from_chip(CHIP)


class Quiet(wiring.Component):
    """Two cores, one of which nobody asks for its status, and the other for its counter alone."""

    def __init__(self, inner: TnsaCoreConfig = CORE) -> None:
        self.inner = inner
        super().__init__({"go": In(1), "mvms": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.silent = silent = CoreTop(TnsaBlocks.of(CORE, WRITE))
        m.submodules.asked = asked = CoreTop(TnsaBlocks.of(self.inner, WRITE))
        m.d.comb += [silent.op.valid.eq(self.go), asked.i.valid.eq(self.go), self.mvms.eq(asked.status.mvms)]
        return m


@cache
def _quiet(inner: TnsaCoreConfig = CORE, reset: str = "sync") -> dict[str, str]:
    return emit_block(load_chip("tnsa16-core", {"verilog.reset": reset}), Quiet(inner), "quiet", "mho_")


@cache
def _alone(core: TnsaCoreConfig, name: str, reset: str = "sync") -> dict[str, str]:
    top = CoreTop(TnsaBlocks.of(core, WRITE))
    return emit_block(load_chip("tnsa16-core", {"verilog.reset": reset}), top, name, "mho_")


@pytest.mark.parametrize("reset", [pytest.param("sync", marks=pytest.mark.long), "async_low"])
@pytest.mark.slow
def test_file_of_a_block_is_the_same_in_every_assembly(reset: str) -> None:
    chip = load_chip("tnsa16-core", {"verilog.reset": reset})
    alone, emitted = _alone(CORE, "mho_core", reset), dict[str, str]()
    for assembly in (*(module_texts(chip, wrap) for wrap in WRAPS), _quiet(reset=reset)):
        assert {name: text for name, text in assembly.items() if name in alone} == alone
        assert {name: text for name, text in emitted.items() if name in assembly} == {
            name: text for name, text in assembly.items() if name in emitted
        }
        emitted |= assembly
        # All ports of an instance are there; those that nobody reads are open.
        declared = re.findall(r"^  (?:input|output|inout) +\w+ +(?:\[.*\] )?(\w+)", alone["mho_core"], re.MULTILINE)
        whole = "\n".join(assembly.values())
        for ports in re.findall(r"^  mho_core \w+ \((.*?)^  \);", whole, re.MULTILINE | re.DOTALL):
            assert re.findall(r"\.(\w+)\(", ports) == declared


@pytest.mark.slow
def test_instances_of_one_configuration_are_one_module() -> None:
    texts = _quiet()
    assert re.findall(r"^  (\w+) (?:silent|asked) \(", texts["quiet"], re.MULTILINE) == ["mho_core", "mho_core"]


@pytest.mark.slow
def test_blocks_that_leave_their_configuration_to_their_class_are_told_apart_by_it() -> None:
    class Pair(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"idle": Out(2)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.submodules.small, m.submodules.large = parts = MaskStore(CORE), MaskStore(replace(CORE, lines=32))
            m.d.comb += [self.idle[k].eq(part.ready) for k, part in enumerate(parts)]
            return m

    small, large = (text for name, text in _emit(Pair()).items() if "mask_store" in name)
    assert small != large


def test_name_of_another_configuration_does_not_depend_on_the_assembly() -> None:
    other_core = TnsaCoreConfig.from_chip(OTHER)
    both = _quiet(other_core)
    silent, asked = re.findall(r"^  (\w+) (?:silent|asked) \(", both["quiet"], re.MULTILINE)
    assert silent == "mho_core"
    assert re.fullmatch(r"mho_core_[0-9a-f]{8}", asked)
    for alone in (_alone(CORE, silent), _alone(other_core, asked)):
        assert {name: both[name] for name in alone} == alone


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
def test_tools_accept_a_wrapper_that_asks_for_little(tmp_path: Path) -> None:
    texts = _quiet() | {name: text for name, text in module_texts(CHIP, "none").items() if "adapter" in name}
    texts |= {"stubs/tnsa_macro": write_stub(CHIP, macro_map(CHIP))}
    (tmp_path / "stubs").mkdir()
    for name, text in texts.items():
        (tmp_path / f"{name}.v").write_text(text)
    (tmp_path / "quiet.vlt").write_text(waivers({f"{name}.v": text for name, text in texts.items()}))
    files = [f"{name}.v" for name in texts]
    script = f"read_verilog {' '.join(files)}; hierarchy -check -top quiet; proc; check -assert"
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", "quiet.vlt", *files, "--top-module", "quiet"]
    for command in (lint, ["iverilog", "-g2005", "-Wall", "-o", "sim", *files], ["yosys", "-q", "-p", script]):
        run = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, ""), command[0]


@pytest.mark.slow
def test_nodes_of_a_mesh_are_one_module_and_elaborate_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = MeshConfig.from_chip(load_chip("neurram"))
    elaborated: list[type] = []
    elaborate = Node.elaborate

    def counted(self: Node, platform: object) -> Module:
        elaborated.append(type(self))
        return elaborate(self, platform)

    monkeypatch.setattr(Node, "elaborate", counted)
    texts = emit(Mesh(cfg), name="mesh", prefix="mho_", reset_low=False)
    assert cfg.nodes == 48
    assert len(elaborated) == 1
    assert len(re.findall(r"^  mho_node \w+ \(", texts["mesh"], re.MULTILINE)) == 48
    # The top is wires: nothing is clocked there, nothing is computed.
    assert set(re.findall(r"^  (mho_\w+) \w+ \(", texts["mesh"], re.MULTILINE)) == {"mho_node", "mho_host_port"}
    assert not re.search(r"always|[&|^+?]", texts["mesh"])
    for name in ("router", "network_interface", "reduction_router", "node_registers"):
        assert len(re.findall(rf"^  mho_{name} \w+ \(", texts["mho_node"], re.MULTILINE)) == 1


# ---- What is refused


class Counter(wiring.Component):
    """Counts."""

    def __init__(self) -> None:
        super().__init__({"count": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.count.eq(self.count + 1)
        return m


class Parent(wiring.Component):
    """Holds what ``make`` makes, of which ``count`` is read."""

    def __init__(self, make: Callable[[Any], Any], part: Any) -> None:
        self.make, self.part = make, part
        super().__init__({"clear": In(1), "count": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.part = self.make(self)
        m.d.comb += self.count.eq(self.part)
        return m


def _emit(component: wiring.Component) -> dict[str, str]:
    return emit(component, name="top", prefix="", reset_low=False)


def _around(transform: Callable[[Any], Any], part: Any, *, depth: int = 0) -> Parent:
    def make(parent: Parent) -> Any:
        inner = part
        for _ in range(depth):
            m = Module()
            m.submodules.inner = inner
            inner = m
        return transform(parent)(inner)

    return Parent(make, getattr(part, "count", 0))


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize(("transform", "name"), [
    (lambda p: ResetInserter(p.clear), "ResetInserter"),
    (lambda p: ResetInserter({"sync": p.clear}), "ResetInserter"),
    (lambda p: EnableInserter(p.clear), "EnableInserter"),
    (lambda p: DomainRenamer("other"), "DomainRenamer"),
])
def test_transformation_of_a_block_is_refused(transform: Callable[[Any], Any], name: str, depth: int) -> None:
    sentence = f"{name} around Counter is lost in Verilog, where that is a module of its own: give it a port for it"
    with pytest.raises(ToolError, match=f"^{re.escape(sentence)}"):
        _emit(_around(transform, Counter(), depth=depth))


def test_transformation_within_a_transformation_is_refused() -> None:
    with pytest.raises(ToolError, match=r"^EnableInserter around Counter is lost"):
        _emit(_around(lambda p: lambda part: ResetInserter(p.clear)(EnableInserter(p.clear)(part)), Counter()))


def test_enable_of_a_memory_is_refused() -> None:
    memory = Memory(shape=4, depth=4, init=[])
    memory.read_port(), memory.write_port()
    with pytest.raises(ToolError, match=r"^EnableInserter around Memory is lost"):
        _emit(_around(lambda p: EnableInserter(p.clear), memory))


def test_reset_of_a_part_that_is_no_block_is_kept() -> None:
    """A FIFO of Amaranth's library becomes part of the block that holds it, with the reset around it."""
    fifo: Any = SyncFIFO(width=4, depth=4)
    text = _emit(Parent(lambda p: ResetInserter(p.clear)(fifo), fifo.level))["top"]
    assert re.search(r"if \(clear\) begin", text)


class Inner(Resettable):
    """Counts, with a counter within."""

    def __init__(self) -> None:
        super().__init__(members={"count": Out(5)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.deep = deep = Deep()
        m.d.sync += self.count.eq(self.count + deep.count)
        return self.resets(m)


class Deep(Resettable):
    """Counts."""

    def __init__(self) -> None:
        super().__init__(members={"count": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.count.eq(self.count + 1)
        return self.resets(m)


def test_port_for_the_reset_reaches_every_block() -> None:
    inner = Inner()

    def make(parent: Parent) -> Any:
        m = Module()
        m.submodules.inner = inner
        m.d.comb += inner.soft_reset.eq(parent.clear)
        return m

    texts = _emit(Parent(make, inner.count))
    assert ".soft_reset(clear)" in texts["top"]
    assert ".soft_reset(soft_reset)" in texts["inner"]
    assert all(re.search(r"if \(rst \| soft_reset\) begin", texts[name]) for name in ("inner", "deep"))


def test_a_block_has_the_reset_that_is_said() -> None:
    late, early = Deep(), Deep()

    def make(parent: Parent) -> Any:
        m = Module()
        m.submodules.late, m.submodules.early = late, early
        reset_late(m, "rst_late", parent.clear, late)
        return m

    text = _emit(Parent(make, late.count ^ early.count))["top"]
    resets = re.findall(r"deep (\w+) \(\n.*\n +\.rst\((\w+)\)", text)
    assert resets == [("part_late", "rst_late"), ("part_early", "rst")]


class Named(wiring.Component):
    """Has one port, whose name is given."""

    def __init__(self, port: str) -> None:
        self.port = port
        super().__init__({port: In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(getattr(self, self.port))
        return m


@pytest.mark.parametrize("name", ["port_2", "w1", "net7", "signal_0", "wire_3"])
def test_port_without_a_meaning_is_refused(name: str) -> None:
    with pytest.raises(ToolError, match=f"^Named: a port must be named after what it carries, not {name}$"):
        _emit(Named(name))


@pytest.mark.parametrize("name", ["module", "logic", "clk", "rst_n"])
def test_port_that_verilog_would_rename_is_refused(name: str) -> None:
    with pytest.raises(ToolError, match=f"^Named: a port must have a name of its own .*, not {name}$"):
        _emit(Named(name))


def test_signal_of_another_block_is_refused() -> None:
    class Hidden(Counter):
        """Counts in a signal that is no port."""

        def elaborate(self, platform: object) -> Module:
            m = super().elaborate(platform)
            m.d.sync += self.hidden.eq(self.hidden + 1)
            return m

        hidden = Signal(4)

    hidden = Hidden()
    with pytest.raises(ToolError, match=r"^top uses the signal hidden of hidden, which must come through a port$"):
        _emit(Parent(lambda p: hidden, hidden.hidden))


def test_blocks_of_one_name_are_refused() -> None:
    class Other(Counter):
        verilog_name = "counter"

    def make(parent: Parent) -> Any:
        m = Module()
        m.submodules.one, m.submodules.two = Counter(), Other()
        return m

    with pytest.raises(ToolError, match=r"Counter and .*Other are both counter$"):
        _emit(Parent(make, 0))
    with pytest.raises(InputError, match=r"^top must not be the name of an inner module, not 'counter'$"):
        emit(Parent(lambda p: Counter(), 0), name="counter", prefix="", reset_low=False)


def test_second_clock_is_refused() -> None:
    class Two(Counter):
        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.domains.fast = ClockDomain()
            m.d.fast += self.count.eq(1)
            return m

    with pytest.raises(ToolError, match=r"^Two must have the one clock domain sync, not fast$"):
        _emit(Two())
