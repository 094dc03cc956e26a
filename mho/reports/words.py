"""What limits accuracy, time and energy, in words, from the numbers of a run."""

from collections.abc import Sequence

from mho.comparisons.runs import MEASURES
from mho.compiler.network.file.stages import MOST_TURNS
from mho.macro_models.integer.operation import MAX_BITS
from mho.reports.facts import Facts, SiliconEnergy
from mho.reports.table import name_of, some_tiles, tiles_of
from mho.results.facts import TilesCost, Trace
from mho.units import format_energy

_LIMITS = 0.95
"""Share of the time from which on an array is what limits."""
_HELP = {
    "programming": "cells programmed more closely (a smaller programming.accept_uS, more passes)",
    "relaxation": "training with weight noise, or programming again before that time",
    "read-noise": "more cells a weight (mho compile --slices or --error)",
    "wire": "less resistance in [wires], smaller arrays, or longer samples where lines do not settle",
    "adc": "converters that scatter less (adc.sigma_offset_mV, adc.sigma_gain)",
    "stuck": "a map of faults when the network is compiled, and spare columns",
}
_OF_CELLS = ("programming", "relaxation", "read-noise")
_PART_HELP = {
    "word lines": "fewer bits of the inputs: word lines switch once each plane",
    "input pulses": "fewer bits of the inputs: lines are driven once each plane",
    "rows": "fewer bits of the inputs: rows are driven once each digit",
    "cells": "a lower read voltage, or columns that settle faster",
    "conversion": "fewer conversions: fewer bits of the inputs, where each of their digits is converted",
    "reset": "more rows in each conversion, or inputs in one part: this is spent once a conversion",
    "samples": "fewer bits of the inputs: samples double with each plane",
    "steps": "fewer bits of the outputs: steps of counting double with each bit",
}


def points(value: float) -> str:
    """A share of 1 in points."""
    return f"{100 * value:.2f}"


def score(facts: Facts) -> str:
    """The score with its interval."""
    run = facts.run
    if run.measure == "relative_error":
        text = f"{run.mean:.4g}"
        return text if run.half is None else f"{text} ± {run.half:.2g}"
    half = "" if run.half is None else f" (90 % interval ± {100 * run.half:.2f} points)"
    return f"{100 * run.mean:.2f} %{half}"


def accuracy_words(facts: Facts) -> str:
    """What limits accuracy, and what would help."""
    run, float_score = facts.run, facts.float_score
    parts = [f"{MEASURES[run.measure].capitalize()} is {score(facts)}"]
    if float_score is not None and run.measure == "accuracy":
        parts[0] += f"; the float model has {100 * float_score:.2f} %"
    parts[0] += "."
    causes, ideal, top = facts.causes, facts.budget_mean("ideal"), facts.budget_mean("float")
    if run.measure == "relative_error" or not causes or ideal is None or top is None:
        return " ".join(parts)
    parts.append(
        f"Quantisation alone costs {points(top - ideal)} points." if top > ideal else
        f"Quantisation alone costs nothing ({points(ideal - top)} points more than the float model)."
    )
    worst, alone, share = causes[0]
    if share <= 0.0 or (run.half is not None and share < run.half):
        half = "" if run.half is None else f" of ± {points(run.half)} points"
        parts.append(
            f"No cause costs more than the interval{half}: the largest share is {worst} with {points(share)} points. "
            "More images and seeds would tell them apart."
        )
    else:
        help_ = _finer(facts, worst) + _HELP.get(worst, "less of it")
        parts.append(f"Of what the device costs, {worst} has the largest share: {points(share)} points "
                     f"({points(alone)} alone). What would help: {help_}.")
    return " ".join(parts)


def _finer(facts: Facts, cause: str) -> str:
    """More bits of the inputs, where there may be more: a layer that rounds less is further from its noise, too."""
    few = any(layer["in"] < MAX_BITS for layer in (facts.cost or {}).get("bits", {}).values())
    return f"{MAX_BITS} bits of the inputs (mho compile --tolerance 0), " if few and cause in _OF_CELLS else ""


def time_words(facts: Facts) -> str:
    """What limits time."""
    cost = facts.cost
    if cost is None:
        return "The run says nothing of time."
    trace = facts.trace
    if trace is not None:
        return _trace_words(facts, trace)
    if "tiles" in cost and cost["tiles"] is not None:
        return _tile_words(facts, cost["tiles"])
    cores, cycles = cost["cores"], cost["interval_cycles"]
    worst = max(cores, key=lambda core: core["analog_cycles"])
    analog = sum(core["analog_cycles"] for core in cores)
    text = (
        f"An input takes {cycles:,.0f} cycles = {cost['interval_us']:,.2f} µs with its products one after the other; "
        f"in {analog / cycles:.0%} of them a macro works. "
    )
    if len(cores) > 1:
        text += (
            f"Core {worst['core']} works longest, {worst['analog_cycles']:,.0f} cycles an input: cores that all work "
            f"at a time could not take inputs faster than one each {worst['analog_cycles']:,.0f} cycles. What would "
            "help: that layer on several cores, or fewer bits of its inputs."
        )
    return text


def _tile_words(facts: Facts, predicted: TilesCost) -> str:
    worst = next(tile for tile in predicted["tiles"] if tile["tile"] == predicted["bottleneck"])
    busy = sum(tile["utilisation"] for tile in predicted["tiles"]) / len(predicted["tiles"])
    layers = worst.get("layers", [])
    limit = (
        f"so its array limits. What would help: {_more_tiles(facts, layers)}fewer bits of its inputs"
        if worst["utilisation"] > _LIMITS else
        "so digital work or waiting limits: mho run --backend cosim --trace says which"
    )
    return (
        f"Tiles work on several images at a time: {_taken(facts)}. The array of tile {worst['tile']}{_named(layers)} "
        f"works longest, {worst['analog_cycles']:,.0f} cycles an input ({worst['utilisation']:.0%} of the time), "
        f"{limit}."
        f"{_arrays(len(predicted['tiles']), busy)}"
    )


def _taken(facts: Facts) -> str:
    cost = facts.cost or {}
    return (
        f"as {'is predicted' if cost['time_predicted'] else 'was seen'}, an input is done each "
        f"{cost['interval_cycles']:,.0f} cycles = {cost['interval_us']:,.2f} µs, {cost['latency_cycles']:,.0f} cycles "
        "after it begins where none is before it"
    )


def _arrays(tiles: int, busy: float) -> str:
    """How much of the time all arrays work; of one it is said already."""
    return f" Arrays of all {tiles} tiles with programs work {busy:.0%} of the time." if tiles > 1 else ""


def _named(layers: Sequence[str]) -> str:
    """The layers of a tile in brackets."""
    return f" ({' and '.join(layers)})" if layers else ""


def _more_tiles(facts: Facts, layers: Sequence[str]) -> str:
    """What copies of a tile's layer would bring; it may have some, or as many as there are, or as it may have."""
    name, count = name_of(layers[0]) if len(layers) == 1 else ("", 1)
    mesh = facts.content["chip"]["mesh"]
    if count == MOST_TURNS or mesh["columns"] * mesh["rows"] == 1:
        return ""
    duplicates = facts.content.get("compile_options", {}).get("duplicates") or 1
    limit = f" {duplicates}, which says what is in the way" if duplicates > count else ""
    more = f"{name} on more than {count} tiles" if count > 1 else "that layer on several tiles"
    return f"{more} (mho compile --duplicates{limit}), or "


def _trace_words(facts: Facts, trace: Trace) -> str:
    worst = max(trace["tiles"], key=lambda tile: tile["array"] + tile["digital"])
    whole = trace["last"] - trace["first"]
    limit = "the array" if worst["array"] >= worst["digital"] else "digital work"
    tiles = ((facts.cost or {}).get("tiles") or {}).get("tiles", ())
    layers = next((tile.get("layers", []) for tile in tiles if tile["tile"] == worst["tile"]), [])
    help_ = (
        f"{_more_tiles(facts, layers)}fewer bits of its inputs"
        if limit == "the array" else
        "its codes in fewer words (fewer columns a tile), or more lanes (tile.lanes)"
    )
    busy = sum(tile["array"] for tile in trace["tiles"]) / (whole * len(trace["tiles"]))
    parts = [f"{worst[kind] / whole:.0%}" for kind in ("array", "digital", "waiting")]
    return (
        f"In the steady state, {_taken(facts)}. Tile {worst['tile']}{_named(layers)} works most: its array "
        f"{parts[0]} of the time, something digital alone {parts[1]}, waiting {parts[2]}; so {limit} of it limits."
        f"{_arrays(len(trace['tiles']), busy)} What would help: {help_}."
    )


def energy_words(facts: Facts) -> str:
    """What limits energy."""
    energy = None if facts.cost is None else facts.cost["energy"]
    silicon, took = facts.silicon, facts.energy
    digital = None if took is None else took["image_pJ"]
    parts = []
    if energy is None:
        parts.append("The description of the chip gives no energies of its macros, so that their part is left out.")
    else:
        name, largest_pJ = max(energy["by_part_pJ"].items(), key=lambda item: item[1])
        bound = "" if energy["exact"] else "at most "
        parts.append(
            f"The macros take {bound}{format_energy(energy['total_pJ'], 4)} an input; most of it, "
            f"{largest_pJ / energy['total_pJ']:.0%}, is {name}."
        )
        if name in _PART_HELP and (digital is None or digital < energy["total_pJ"]):
            parts.append(f"What would help: {_PART_HELP[name]}.")
        if energy["left_out"]:
            parts.append(f"Left out, since the description has no number: {', '.join(energy['left_out'])}.")
    if silicon is not None and took is not None and digital is not None:
        first, part = max(took["blocks"], key=lambda block: block["image_pJ"]), some_tiles(took)
        whose = "" if part is None else f" of {part}, not of the whole chip,"
        parts.append(
            f"The digital part{whose} takes {format_energy(digital)} an input in the library "
            f"{silicon['library']}, {first['image_pJ'] / digital:.0%} of it in {first['block']}; "
            f"{took['still_pJ'] / digital:.0%} would be there if nothing changed but the clock."
            + _memory_energy(took) + _tile_energy(took)
        )
        if energy is not None and digital > energy["total_pJ"]:
            gates = "" if took.get("clock_gates") else "a library with a cell that gates clocks, "
            parts.append(f"What would help: {gates}a clock that stops while a tile waits.")
    return " ".join(parts)


def layout_words(facts: Facts) -> str:
    """Area, clock and energy of the layout, wires included; empty without one."""
    routed, cost, took = facts.routed, facts.cost, facts.energy
    if routed is None:
        return ""
    period, cycle_pJ = routed["period_ns"] - routed["slow_ns"], routed["power_mW"] * routed["period_ns"]
    energy = f"{format_energy(cycle_pJ)} a cycle"
    if cost is not None:
        energy += f", {format_energy(cycle_pJ * cost['interval_cycles'])} from input to input"
    if took is not None:
        energy += f", {cycle_pJ * took['cycles'] / took['average_pJ']:.2g} times that of the netlist without wires"
    return (
        f"{routed['top']} is {routed['width_um'] * routed['height_um'] / 1e6:.4g} mm² in {routed['process']}, "
        f"of which cells fill {routed['utilisation']:.0%} of the rows; {period:.4g} ns ({1e3 / period:.0f} MHz) in the "
        f"slow corner, {routed['fast_ns']:+.3g} ns of hold in the fast one. An average activity of 0.1 takes {energy}."
        + ("" if routed["clean"] else " The layout is not clean.")
    )


def _memory_energy(energy: SiliconEnergy) -> str:
    """What accesses to memories take, where they are known, and which most."""
    memories = energy.get("memories")
    if not memories:
        return ""
    largest, share = max(memories, key=lambda memory: memory["image_pJ"]), energy.get("memory_pJ", 0.0)
    return (
        f" Accesses to macros of memories take {share / energy['image_pJ']:.0%} of it, most of them "
        f"those of {largest['memory']}: {largest['writes'] + largest['reads']:,.0f} an input."
    )


def _tile_energy(energy: SiliconEnergy) -> str:
    """Which tiles take most and least."""
    tiles = tiles_of(energy)
    if len(tiles) < 2:
        return ""
    these = "these " if energy.get("unseen_tiles") else ""
    largest, smallest = (pick(tiles, key=lambda tile: tile["image_pJ"]) for pick in (max, min))
    return (
        f" Of {these}{len(tiles)} tiles, {largest['tile']} takes most, {format_energy(largest['image_pJ'])}, and "
        f"{smallest['tile']} least, {format_energy(smallest['image_pJ'])}."
    )


def missing_words(facts: Facts) -> list[tuple[str, str]]:
    """What the page does not show, and the command that gives it."""
    tiles = bool((facts.content["chip"].get("tile") or {}).get("programs"))
    rows = [
        (facts.run.measure != "accuracy", "accuracy", "mho run .. --labels Y.npy"),
        (len(facts.run.scores) < 2, "what the chip, the device and the images add to the uncertainty",
         "mho run .. --seeds 10"),
        (facts.budget is None, "what each cause costs", "mho run .. --budget"),
        (facts.cost is None, "time and energy", "a new mho run .. --json"),
        (facts.trace is None and tiles, "what the tiles do at each moment, and cycles of the chip as they are",
         "mho run .. --backend cosim --trace"),
        (facts.cost is not None and facts.cost["energy"] is None, "energy of the macros",
         "energies with their source in [energy] of the chip description"),
        (facts.cost is not None and facts.cost["macros_mm2"] is None, "area of the macros, and TOPS/mm2",
         "area.macro_mm2 with its source in the chip description"),
        (facts.silicon is None, "area of the digital part by block", "mho report .. --liberty LIBRARY.lib"),
        (facts.silicon is not None and "memory_mm2" not in facts.silicon, "area and energy of the memories",
         "mho report .. --liberty LIB.lib --memories MACRO.lib"),
        (facts.energy is None, "energy of the digital part, from switching activity",
         "mho run .. --backend cosim --waves F.fst, then mho report .. --liberty LIB.lib --activity F.fst"),
        (facts.energy is not None and bool(facts.energy.get("unseen_tiles")),
         "energy of the digital part of the other tiles", "mho run .. --waves F.fst without --waves-tiles"),
    ]
    return [(what, how) for missing, what, how in rows if missing]
