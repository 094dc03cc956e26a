"""Single accesses over a register bus in Amaranth's simulator."""

from typing import Any

__all__ = ["access_bus", "answer_of_bus"]


async def answer_of_bus(
    ctx: Any, bus: Any, address: int, value: int | None = None, strobe: int = 15
) -> tuple[bool, int]:
    """Write a word, or read one where there is no value: whether the answer is an error, and its word."""
    ctx.set(bus.request.payload, {
        "address": address >> 2, "write": int(value is not None), "data": value or 0, "strobe": strobe,
    })
    ctx.set(bus.request.valid, 1)
    await ctx.tick().until(bus.request.ready)
    ctx.set(bus.request.valid, 0)
    ctx.set(bus.response.ready, 1)
    (response,) = await ctx.tick().sample(bus.response.payload).until(bus.response.valid)
    ctx.set(bus.response.ready, 0)
    return bool(response.error), response.data


async def access_bus(ctx: Any, bus: Any, address: int, value: int | None = None) -> int:
    """The word of an answer that must be no error."""
    error, data = await answer_of_bus(ctx, bus, address, value)
    assert not error
    return data
