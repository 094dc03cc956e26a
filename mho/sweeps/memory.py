"""How many processes a sweep may have: by the processors and by the memory that is left, said beforehand."""

from collections.abc import Callable

from mho.compiler.footprint import work_bytes
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.mapping import place
from mho.hw.config import Chip
from mho.macro_models.files.memory import available_bytes
from mho.sweeps.spec.spec import Spec
from mho.workers import PROCESS_BYTES, check_jobs, check_processes, processes_text, processors


def point_bytes(spec: Spec) -> int:
    """Memory that a process takes for a point, by estimate, in bytes: of the largest network on the largest chip."""
    chips = [chip for chip in spec.built.values() if isinstance(chip, Chip)]
    largest = max(chips, key=lambda chip: (chip.macro_config().cell_map.shape[0], chip.cores))
    needed = 0
    for workload in spec.networks.values():
        net = import_onnx(workload.model, x=workload.calibrate)
        placement = place(
            [layer.shape for layer in net.layers], largest.macro_config().cell_map, copies=1, cores=largest.cores
        )
        needed = max(needed, work_bytes(net, placement, samples=len(workload.calibrate), images=workload.images))
    return PROCESS_BYTES + needed


def bounded_jobs(spec: Spec, limit: int | None, points: int, note: Callable[[str], None]) -> int:
    """Processes of a sweep; says what they take.

    Parameters
    ----------
    asked
        As many; None: one for each processor, as far as the memory allows.
    points
        Rows that are to be done at most.

    Raises
    ------
    InputError
        If there is no memory for as many as are asked for, or for one.
    """
    if limit is not None:
        check_jobs(limit)
    process_bytes = point_bytes(spec)
    jobs = max(1, min(limit or min(processors(), max(1, available_bytes() // process_bytes)), points))
    check_processes(jobs, process_bytes)
    note(processes_text(jobs, process_bytes))
    return jobs
