"""Traces in VCD with any names: each bit's changes and ones are counted; what is damaged is a count or a sentence."""

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from mho.macro_models.errors import InputError
from mho.sim.silicon.power.activity import Activity, read_activity

NAMES = ("&", "end", "signal", "memory", "x", "a[3]", "a[2]", "[1]", "b.c", "$", "q$end", "#1", "%", "é")
"""Names of scopes and signals; each has to come back as it is, but for letters that are not of ASCII."""


def made(random: Random) -> tuple[str, Activity]:
    """A trace, and what is in it: a cycle is 10 long, its edge at 5."""
    lines, changes, ones, values = ["$timescale 1ns $end"], {}, {}, {}
    depth, scope = random.randrange(3), []
    for _ in range(depth):
        scope.append(random.choice(NAMES))
        lines.append(f"$scope {random.choice(['module', 'begin', 'task'])} {scope[-1]} $end")
    signals = [("clk", 1), *((name, random.choice([1, 1, 2, 5])) for name in random.sample(NAMES[:-1], 6))]
    cycles = random.randrange(1, 9)
    for number, (name, width) in enumerate(signals):
        spread = random.choice([f" [{width - 1}:0]", f"[{width - 1}:0]"]) if width > 1 else ""
        lines.append(f"$var wire {width} {chr(33 + number)} {name}{spread} $end")
        path = ".".join([*scope, name]).replace("é", "__")
        changes[path], ones[path], values[number] = [0] * width, [0] * width, (path, "0" * width)
    lines += ["$upscope $end"] * depth
    lines += ["$enddefinitions $end", "#0", "$dumpvars"]
    lines += [f"b{value} {chr(33 + number)}" for number, (_, value) in values.items()] + ["$end"]
    for cycle in range(cycles):
        for number, (path, before) in list(values.items()) if cycle else []:
            if number == 0 or random.random() < 0.4:
                continue
            after = "".join(random.choice("01") for _ in before)
            # What is left out on the left is 0.
            short = after.lstrip("0") or "0"
            lines.append(f"{after}{chr(33 + number)}" if len(after) == 1 else f"b{short} {chr(33 + number)}")
            changes[path] = [n + (a != b) for n, a, b in zip(changes[path], after[::-1], before[::-1], strict=True)]
            values[number] = path, after
        for path, value in list(values.values())[1:]:
            ones[path] = [n + (bit == "1") for n, bit in zip(ones[path], value[::-1], strict=True)]
        lines += [f"#{10 * cycle + 5}", "1!", f"#{10 * cycle + 8}", "0!"]
    clock = values[0][0]
    changes[clock], ones[clock] = [2 * cycles], [0]
    return "\n".join([*lines, ""]), Activity(cycles=cycles, changes=changes, ones=ones, accesses={})


@pytest.mark.slow
@pytest.mark.cosim("verilator")
@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.long) for first in range(20, 100, 20))])
def test_signals_of_any_name_are_counted(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + 20):
        text, expected = made(Random(seed))
        (tmp_path / "made.vcd").write_text(text, "utf-8")
        assert read_activity(tmp_path / "made.vcd") == expected, seed


@pytest.mark.slow
@pytest.mark.cosim("verilator")
def test_a_memory_of_a_top_without_a_name_is_counted(tmp_path: Path) -> None:
    names = "".join(f"$var wire 1 {code} {name} $end\n" for code, name in zip(
        "abcd", ["clk", "write_enable", "read_enable", "&"], strict=True))
    (tmp_path / "flat.vcd").write_text(f"{names}$enddefinitions $end\n#0\n0a\n1b\n0c\n0d\n#5\n1a\n")
    assert read_activity(tmp_path / "flat.vcd").accesses == {"": (1, 0, 0)}


@pytest.mark.slow
@pytest.mark.cosim("verilator")
def test_damage_of_a_text_is_a_sentence_or_a_count(tmp_path: Path) -> None:
    random, refused = Random(1), 0
    for seed in range(30):
        data = bytearray(made(Random(seed))[0].encode())
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(data))
            change = random.randrange(3)
            if change == 0:
                data[at] = random.randrange(256)
            elif change == 1:
                del data[at : at + random.randrange(1, 40)]
            else:
                wrong = [b"$scope module $end ", b"$var wire -5 ! x $end ", b" $end ", b"$upscope $end "]
                data[at:at] = random.choice(wrong)
        (tmp_path / "damaged.vcd").write_bytes(data)
        with suppress(InputError):
            read_activity(tmp_path / "damaged.vcd")
            refused -= 1
        refused += 1
    assert 5 < refused < 30


@pytest.mark.cosim("verilator")
@pytest.mark.parametrize("text", ["$scope module $end\n", "$scope $end\n", "$var wire 1 a $end\n"])
def test_what_has_no_name_is_refused(text: str, tmp_path: Path) -> None:
    rest = "$var wire 1 ! clk $end\n$upscope $end\n$enddefinitions $end\n#0\n0!\n"
    (tmp_path / "wrong.vcd").write_text(text + rest)
    with pytest.raises(InputError, match=r"wrong\.vcd: must be FST, .*, or VCD; it is damaged"):
        read_activity(tmp_path / "wrong.vcd")
