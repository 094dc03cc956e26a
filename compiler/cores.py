"""Cores whose products a host schedules: placement and calibration of the layers."""

from functools import partial
from typing import Any

from mho.compiler.calibration.finer import calibrated
from mho.compiler.calibration.outputs import output_warnings, unseen_warnings
from mho.compiler.footprint import compile_bytes
from mho.compiler.job import CalibratedLayers, Job
from mho.compiler.mapping import Placement, place
from mho.compiler.mapping.redundancy import Redundancy, place_within
from mho.macro_models.files import check_memory

__all__ = ["calibrate_on_cores"]


def calibrate_on_cores(job: Job) -> CalibratedLayers:
    """Layers on cores as near each other as rectangles pack, calibrated there."""
    net, options = job.net, job.options
    placement, redundancy = _placed(job)
    check_memory(
        compile_bytes(net, placement, 1 + options.chips_for(net.multiplications), len(job.x)),
        f"compiling {net.name} with {len(job.x)} inputs for {placement.cores} cores", "take fewer inputs or seeds"
    )
    result, (placement, redundancy) = calibrated(
        net, (placement, redundancy), partial(_placed, job), job.chip, job.trial_device, options, job.x, job.progress)
    warnings = output_warnings(result.outputs, net.layers[result.at_fault].name) or unseen_warnings(result.unseen)
    return CalibratedLayers(placement=placement, redundancy=redundancy, result=result, warnings=tuple(warnings))


def _placed(job: Job, copies: int | None = None) -> tuple[Placement, Redundancy | None]:
    """Where the weights go; where outputs are numbers, or the user wants it, so that noise of the cells is small."""
    shapes, cell_map = [layer.shape for layer in job.net.layers], job.chip.macro_config().cell_map
    common: dict[str, Any] = {"copies": job.options.copies or copies, "cores": job.chip.cores, "skip": job.skip,
                              "slices": job.slices, "faults": job.faults}
    if not job.noise.matters:
        return place(shapes, cell_map, noise=job.noise.weights, **common), None
    return place_within(
        shapes, cell_map, noise=job.noise.layers, limit=job.noise.limit, ends=job.noise.ends,
        positions=job.net.positions, **common,
    )
