"""What is told to the bench is done at the ports of the design, and nothing else."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.errors import ToolError
from mho.sim.build.bench import build_bench, cached_bench
from tests.stream_bench import StreamBench

pytestmark = [pytest.mark.cosim("verilator", "g++", "make"), pytest.mark.slow]

DESIGN = """
// Takes a word in every cycle in which it has room for one, gives it three cycles later with KEY added.
module echo (
  input clk, input rst, input [69:0] i_payload, input i_valid, output i_ready,
  output [69:0] o_payload, output o_valid, input o_ready,
  output reg [7:0] taken, input [15:0] extra, output ask
);
  reg [69:0] word;
  reg [1:0] age;
  reg full;
  assign i_ready = !full;
  assign o_valid = full && age == 2;
  assign o_payload = word;
  assign ask = i_valid && i_ready;
  always @(posedge clk)
    if (rst) begin full <= 0; taken <= 0; end
    else begin
      if (i_valid && i_ready) begin full <= 1; age <= 0; word <= i_payload + extra + `KEY; taken <= taken + 1; end
      else if (full && age != 2) age <= age + 1;
      if (o_valid && o_ready) full <= 0;
    end
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bench(tmp_path_factory.mktemp("echo"), DESIGN, "echo", options=["-DKEY=5"], fast="-O0")


@pytest.fixture
def bench(folder: Path) -> Iterator[StreamBench]:
    bench = StreamBench(folder)
    bench.reset()
    yield bench
    bench.close()


@pytest.mark.parametrize(("pause", "stall"), [(0, 0), (1, 0), (7, 0), (0, 1), (0, 9), (3, 4)])
def test_all_words_come_in_their_order(bench: StreamBench, pause: int, stall: int) -> None:
    words = [(k * 0x123456789ABCDEF01) % 2**70 for k in range(40)]
    bench.feed("i", answer="taken", latency=1)
    bench.catch("o", stall=stall)
    probe = bench.probe("ask", "taken")
    bench.queue("i", words, pause=pause)
    assert bench.run_until_sent("o_valid", 0, 10)
    caught, sent = bench.caught("o"), bench.sent()
    sums = [int.from_bytes(row[1:].astype("<u4").tobytes(), "little") for row in caught]
    assert sums == [(w + 5) % 2**70 for w in words]
    assert list(bench.answers("i")) == list(range(1, 41))
    notes = bench.noted(probe)
    assert list(notes[:, 0]) == list(sent)
    assert list(notes[:, 2]) == list(range(40))
    # A word is given three cycles after it was taken, and leaves room for the next in the cycle after that.
    assert (np.diff(sent)[1:] == max(1 + pause, 4, 1 + stall)).all()
    assert (np.diff(caught[:, 0]) == max(1 + pause, 4, 1 + stall)).all()
    assert not len(bench.caught("o"))


def test_a_reply_is_there_in_the_cycle_that_asks(bench: StreamBench) -> None:
    bench.feed("i")
    bench.catch("o")
    bench.reply("ask", "extra", [100, 200, 300])
    bench.queue("i", [0, 0, 0])
    assert bench.run_until_sent("o_valid", 0, 10)
    assert list(bench.caught("o")[:, 1]) == [105, 205, 305]


def test_a_queue_repeats_and_another_waits(bench: StreamBench) -> None:
    bench.feed("i")
    bench.catch("o")
    changes = bench.probe("taken", changes=True)
    bench.queue("i", [1, 2], repeat=True)
    assert bench.run_until_seen(changes, 8)
    assert list(bench.noted(changes)[:, 1]) == list(range(8))
    bench.queue("i", [])
    assert bench.run_until_sent("o_valid", 0, 10)
    bench.caught("o")
    before = bench.get("taken")
    bench.wait("taken", before, 50)
    bench.queue("i", [7])
    start = bench.sent()
    assert bench.run_until("taken", before + 1, limit=1000)
    assert np.diff(bench.sent()) >= 1
    assert len(start)
    assert not bench.run_until("taken", before + 2, limit=100)


def test_what_a_port_cannot_hold_is_refused(bench: StreamBench) -> None:
    bench.feed("i")
    for put in (lambda: bench.set("extra", 1 << 16), lambda: bench.set("extra", -1)):
        with pytest.raises(ValueError, match=r"^extra has 16 bits and cannot be (65536|-1)$"):
            put()
    with pytest.raises(ValueError, match=r"^i_payload has 70 bits and cannot be "):
        bench.queue("i", [2**70])


def test_a_design_is_compiled_once_for_each_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "a cache with blanks"))
    written: list[str] = []

    def result(key: str, added: int) -> int:
        def write() -> str:
            written.append(key)
            return DESIGN

        bench = StreamBench(cached_bench("echo", [key], write, "echo", options=[f"-DKEY={added}"], fast="-O0"))
        bench.reset()
        bench.feed("i")
        bench.catch("o")
        bench.queue("i", [1000])
        assert bench.run_until_sent("o_valid", 0, 10)
        output = int(bench.caught("o")[0, 1])
        bench.close()
        return output

    assert [result("a", 1), result("a", 2), result("a", 1), result("b", 1)] == [1001, 1002, 1001, 1001]
    assert written == ["a", "a", "b"]
    # Verilator's own library is compiled once for all of them.
    logs = {path.parent.name: path.read_text() for path in tmp_path.rglob("build.log")}
    assert len(logs) == 4
    assert [name.partition("-")[0] for name, log in logs.items() if "-o verilated.o" in log] == ["runtime"]


def test_a_simulation_that_ended_is_told(bench: StreamBench) -> None:
    os.kill(bench._process.pid, signal.SIGKILL)
    with pytest.raises(ToolError, match=r"^the simulation ended$"):
        bench.get("taken")


def test_a_low_reset_reaches_what_has_a_gated_clock(tmp_path: Path) -> None:
    text = """
    module gated(input clk, input rst_n, input en, input [7:0] d, output reg [7:0] q);
        reg open;
        wire gclk = clk & open;
        always @(*) if (!clk) open = en;
        always @(posedge gclk or negedge rst_n) if (!rst_n) q <= 8'h5a; else q <= d;
    endmodule
    """
    bench = StreamBench(build_bench(tmp_path, text, "gated", options=["-Wno-LATCH"]))
    bench.reset()
    assert bench.get("q") == 0x5A
    bench.set("d", 0x33)
    bench.set("en", 1)
    bench.run(2)
    assert bench.get("q") == 0x33
    bench.close()
