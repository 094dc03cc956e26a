"""Benches for Amaranth's simulator: streams with gaps and stalls, random operations."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.hdl import Elaboratable, Value
from amaranth.hdl._ir import Fragment
from amaranth.lib import stream
from amaranth.sim import Simulator
from numpy.typing import NDArray

from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation

__all__ = [
    "PERIOD",
    "bits_of",
    "collect",
    "feed",
    "get",
    "put",
    "random_inputs",
    "random_operation",
    "run_stream",
    "simulate",
    "value_of",
]

PERIOD = 1e-6
"""Period of the clock in simulation, in seconds."""

Bench = Callable[[Any], Coroutine[Any, Any, None]]
Pauses = Callable[[], int]


def simulate(
    dut: Elaboratable, *benches: Bench, background: Sequence[Bench] = (), processes: Sequence[Bench] = (),
    deadline: int = 100_000, vcd: str | None = None, platform: object = None,
) -> None:
    """Run ``benches`` to their end.

    Parameters
    ----------
    dut
        The design, clocked by ``sync``.
    benches, background
        Test benches; those in the background may be endless.
    processes
        Models of circuits, which react in the same cycle as flip-flops do.
    deadline
        Cycles after which the run fails.
    vcd
        File for the waves, if wanted.
    platform
        Of the elaboration.

    Raises
    ------
    TimeoutError
        If the deadline passes.
    """
    simulator = Simulator(dut if platform is None else Fragment.get(dut, platform))
    simulator.add_clock(PERIOD)
    left = len(benches)

    def counted(bench: Bench) -> Bench:
        async def run(ctx: Any) -> None:
            nonlocal left
            await bench(ctx)
            left -= 1

        return run

    async def watchdog(ctx: Any) -> None:
        # A delay and no tick().repeat(), which cannot be collected while it waits.
        await ctx.delay(deadline * PERIOD)
        if left:
            raise TimeoutError(f"{left} benches did not end in {deadline} cycles")

    for bench in benches:
        simulator.add_testbench(counted(bench))
    for bench in (*background, watchdog):
        simulator.add_testbench(bench, background=True)
    for process in processes:
        simulator.add_process(process)
    if vcd is None:
        simulator.run()
    else:
        with simulator.write_vcd(vcd):
            simulator.run()


async def put(ctx: Any, port: stream.Interface, payload: Any) -> None:
    """Transfer one payload into a stream; a structure may be given as its bits."""
    ctx.set(port.valid, 1)
    ctx.set(Value.cast(port.payload) if isinstance(payload, int) else port.payload, payload)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


async def get(ctx: Any, port: stream.Interface) -> Any:
    """Transfer one payload out of a stream."""
    ctx.set(port.ready, 1)
    (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
    ctx.set(port.ready, 0)
    return payload


def feed(port: stream.Interface, payloads: Iterable[Any], gap: Pauses = lambda: 0) -> Bench:
    """Bench that puts ``payloads``, each after ``gap()`` cycles."""

    async def bench(ctx: Any) -> None:
        for payload in payloads:
            for _ in range(gap()):
                await ctx.tick()
            await put(ctx, port, payload)

    return bench


def collect(port: stream.Interface, count: int, into: list[Any], stall: Pauses = lambda: 0) -> Bench:
    """Bench that appends ``count`` payloads to ``into``, each after ``stall()`` cycles."""

    async def bench(ctx: Any) -> None:
        for _ in range(count):
            for _ in range(stall()):
                await ctx.tick()
            into.append(await get(ctx, port))

    return bench


def run_stream(dut: Any, inputs: Sequence[Any], count: int, *, gap: int = 0, stall: int = 0) -> list[Any]:
    """Payloads that ``dut.o`` gives for ``inputs`` at ``dut.i``, with idle cycles before each transfer."""
    result: list[Any] = []
    simulate(dut, feed(dut.i, inputs, lambda: gap), collect(dut.o, count, result, lambda: stall))
    return result


def random_operation(rng: np.random.Generator, **fixed: Any) -> MvmOperation:
    """Any legal operation, with the fields in ``fixed``."""
    fields: dict[str, Any] = {
        "direction": Direction(int(rng.integers(2))),
        "in_bits": int(rng.integers(1, 9)),
        "in_signed": bool(rng.integers(2)),
        "out_bits": int(rng.integers(1, 9)),
        "converter": Converter(int(rng.integers(2))),
        "early_stop": bool(rng.integers(2)),
        "wl_select": int(rng.integers(8)),
        "line_select": int(rng.integers(8)),
        "step_code": int(2 ** rng.uniform(0, 8)),
    } | fixed
    op = TnsaOperation(**fields)
    if "relu" in fixed or op.segments > 1:
        return op
    return replace(op, relu=bool(rng.integers(2)))


def random_inputs(op: MvmOperation, lines: int, rng: np.random.Generator, batch: int = 1) -> NDArray[np.int64]:
    """Vectors of shape (batch, codes) for ``op``, half of them small so that lines differ in when they flip."""
    low, high = op.input_range
    x = rng.integers(low, high + 1, (batch, lines if op.direction is Direction.BACKWARD else lines // 2))
    return np.where(rng.integers(2, size=(batch, 1)) == 1, x, x // 2)


def bits_of(value: int, width: int) -> NDArray[np.bool_]:
    """Bits of a signal's value, least significant first."""
    raw = np.frombuffer(value.to_bytes((width + 7) // 8, "little"), dtype=np.uint8)
    return np.unpackbits(raw, bitorder="little")[:width].astype(np.bool_)


def value_of(bits: NDArray[np.bool_]) -> int:
    """A signal's value from bits, least significant first. Inverse of :func:`bits_of`."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
