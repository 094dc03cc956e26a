"""The command port against commands and numbers worked out by hand, with a macro that takes its time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mho.hw.config.macros.commands import parse_commands
from mho.hw.kinds.tnsa.pins import CommandPort, CommandPortConfig
from tests.hw.amaranth_bench import simulate

LINES = 4
TABLE: dict[str, Any] = {
    "clear": ["1"], "sample": ["2 pos", "3 neg", "4 wl_en | 0x80", "5 backward << 2 | first"], "code_bits": 8,
    "data_bits": 8, "read": ["7 plane", "6 line << 1"],
}


class _Macro:
    """Carries commands out after a while, by one of the handshakes; ``codes`` are those of all lines."""

    def __init__(self, dut: CommandPort, codes: list[int], rng: np.random.Generator) -> None:
        self.dut, self.codes, self.rng = dut, codes, rng
        self.seen: list[tuple[int, int]] = []

    async def run(self, ctx: Any) -> None:
        dut, table = self.dut, self.dut.cfg.table
        while True:
            ctx.set(dut.done, int(self.rng.integers(2)) if table.handshake == "level" else 0)
            ctx.set(dut.code, int(self.rng.integers(2 ** len(dut.code))))
            while not ctx.get(dut.request):
                await ctx.tick()
            word = (ctx.get(dut.command), ctx.get(dut.data))
            self.seen.append(word)
            wait = int(self.rng.integers(3))
            if table.handshake == "level":
                await ctx.tick()
                ctx.set(dut.done, 0)
            for _ in range(wait):
                assert (ctx.get(dut.command), ctx.get(dut.data)) == word
                assert ctx.get(dut.request) == (table.handshake != "level")
                await ctx.tick()
            line = word[1] >> 1
            line_codes = self.codes[line : line + table.codes]
            ctx.set(dut.done, 1)
            ctx.set(dut.code, sum(code % 256 << 8 * k for k, code in enumerate(line_codes)))
            await ctx.tick()
            if table.handshake == "four_phase":
                for _ in range(wait):
                    assert not ctx.get(dut.request)
                    await ctx.tick()


async def _strobe(ctx: Any, dut: CommandPort, name: str, **values: int) -> int:
    """A strobe as the sequencer gives it; cycles in which the core was held."""
    for pin, value in values.items():
        ctx.set(getattr(dut, pin), value)
    ctx.set(getattr(dut, name), 1)
    stretch = 0
    while ctx.get(dut.hold):
        await ctx.tick()
        ctx.set(getattr(dut, name), 0)
        stretch += 1
    if not stretch:
        await ctx.tick()
    ctx.set(getattr(dut, name), 0)
    return stretch


def _converted(codes: list[int], steps: list[int], latches: list[bool]) -> list[list[bool]]:
    """Answers at the first comparison and after each decrement of ``steps``, half units."""
    charge = np.array([2 * code + 1 for code in codes])
    minus, signs = charge < 0, [(charge < 0).tolist()]
    for step, latch in zip(steps, latches, strict=True):
        charge = np.where(minus, charge + 2 * step, charge - 2 * step)
        signs.append((charge < 0).tolist())
        minus = charge < 0 if latch else minus
    return signs


@pytest.mark.parametrize(
    "change", [{}, {"handshake": "ready", "codes": 2}, {"handshake": "four_phase", "lines": 2}, {"clear": []}],
)
def test_strobes_become_commands_and_codes_are_counted(change: Mapping[str, Any]) -> None:
    rng = np.random.default_rng(7)
    table = parse_commands({**TABLE, **change}, "macro.commands")
    dut = CommandPort(CommandPortConfig(lines=LINES, table=table))
    lines = table.converted(LINES)
    macro = _Macro(dut, [], rng)

    async def bench(ctx: Any) -> None:
        for turn in range(6):
            codes = [int(code) for code in rng.integers(-128, 128, lines)]
            macro.codes = codes
            macro.seen.clear()
            pos, neg, words, plane = (int(value) for value in (*rng.integers(16, size=3), rng.integers(8)))
            back = turn % 2
            side = {f"{'sl' if back else 'bl'}_pos": pos, f"{'sl' if back else 'bl'}_neg": neg}
            opposite = {f"{'bl' if back else 'sl'}_{sign}": 15 for sign in ("pos", "neg")}
            stretch = await _strobe(ctx, dut, "precharge", backward=back, wl_en=words, plane=plane, **side, **opposite)
            assert (stretch == 0) == (not table.clear)
            for _ in range(2):
                assert await _strobe(ctx, dut, "sample") > 4
            steps = [int(step) for step in rng.integers(1, 40, 8)]
            latches = [bool(latch) for latch in rng.integers(2, size=8)]
            scaled = [step << k % 2 for k, step in enumerate(steps)]
            answers = _converted(codes + [0] * (LINES - lines), scaled, latches)
            assert await _strobe(ctx, dut, "compare", latch=1) > 0
            comparisons = [ctx.get(dut.cmp)]
            for k, (step, latch) in enumerate(zip(steps, latches, strict=True)):
                assert await _strobe(ctx, dut, "decrement", step_code=step, dec_scale=k % 2) == 0
                assert await _strobe(ctx, dut, "compare", latch=int(latch)) == 0
                comparisons.append(ctx.get(dut.cmp))
            assert comparisons == [sum(bit << k for k, bit in enumerate(bits)) for bits in answers]
            samples = [(2, pos), (3, neg), (4, words | 0x80)]
            reads = [word for line in range(0, lines, table.codes) for word in ((7, plane), (6, line << 1))]
            assert macro.seen == [
                *[(1, 0)] * len(table.clear), *samples, (5, back << 2 | 1), *samples, (5, back << 2), *reads
            ]

    simulate(dut, bench, background=[macro.run])


def test_a_precharge_meanwhile_takes_its_turn() -> None:
    table = parse_commands(TABLE, "macro.commands")
    dut = CommandPort(CommandPortConfig(lines=LINES, table=table))
    macro = _Macro(dut, [-3, 2, 1, -1], np.random.default_rng(8))

    async def bench(ctx: Any) -> None:
        await _strobe(ctx, dut, "precharge")
        ctx.set(dut.sample, 1)
        await ctx.tick().repeat(2)
        ctx.set(dut.sample, 0)
        await _strobe(ctx, dut, "precharge")
        assert [command for command, _ in macro.seen] in ([1, 2, 1], [1, 2, 3, 1])
        await _strobe(ctx, dut, "sample")
        await _strobe(ctx, dut, "compare", latch=1)
        assert ctx.get(dut.cmp) == 0b1001

    simulate(dut, bench, background=[macro.run])
