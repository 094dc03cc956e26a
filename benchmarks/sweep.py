"""Sweeps that are killed, a cluster that loses a worker, and chips that are shared by processes.

    python benchmarks/sweep.py kills [-o DIR]
    python benchmarks/sweep.py cluster [-o DIR]
    python benchmarks/sweep.py chips [--network LeNet-5] [--images 60] [--chips 10] [--jobs 2]

`kills`: 200 rows of the digits (two widths of the converter, two times, 50 seeds) in two processes, killed by signal 9
after 50 and after 120 rows, begun again, and once undisturbed: the rows have to be the same. `cluster`: the same rows
by three workers of Dask on this machine, one of which is killed after 60 rows. `chips`: seconds by the clock of ten
chips of a network with random weights in one process and in several, of which the ratio is what counts.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SWEEP = """schema = 1
chips = ["tnsa16-core"]
times = ["1s", "1d"]
seeds = 50
[axes]
"adc.bits" = [5, 6]
[networks.digits]
sample = "digits"
images = 100
"""


def rows(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "rows.json").read_text())


def started(sweep: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "mho", "sweep", str(sweep), "-o", str(folder), "--jobs", "2", "-q"])


def undisturbed(folder: Path) -> list[dict[str, Any]]:
    """Rows of the sweep that nobody kills."""
    assert started(folder / "sweep.toml", folder / "whole").wait() == 0
    return rows(folder / "whole")


def kills(folder: Path) -> bool:
    for least in (50, 120):
        process = started(folder / "sweep.toml", folder / "killed")
        while (there := len(list((folder / "killed").glob("rows/*/*.json")))) < least and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        print(f"killed with {there} rows: exit {process.wait()}", flush=True)
    print("begun again: exit", started(folder / "sweep.toml", folder / "killed").wait(), flush=True)
    return same(rows(folder / "killed"), undisturbed(folder))


def cluster(folder: Path) -> bool:
    from distributed import Client, LocalCluster

    from mho.sweeps import Folder, load_spec, run_sweep
    from mho.sweeps.cluster import on_cluster

    killed: list[int] = []

    def kill(done: int, _total: int) -> None:
        if done >= 60 and not killed:
            killed.append(processes[0])
            os.kill(processes[0], signal.SIGKILL)
            print(f"killed a worker of {len(processes)} with {done} rows", flush=True)

    options: dict[str, Any] = {"dashboard_address": None, "host": "127.0.0.1", "local_directory": str(folder / "dask")}
    with LocalCluster(n_workers=3, threads_per_worker=1, silence_logs=50, **options) as made:
        with Client(made.scheduler_address, set_as_default=False) as client:
            processes = list(client.run(os.getpid).values())
        of_cluster = run_sweep(
            load_spec(folder / "sweep.toml"), Folder(folder / "cluster"),
            open_workers=on_cluster(made.scheduler_address, print), progress=kill,
        )
    return same(list(of_cluster.rows), undisturbed(folder))


def same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    print(f"{len(found)} rows, {len({row['point'] for row in found})} points; the same: {found == wanted}")
    return found == wanted and len(wanted) == 200


def chips(network: str, images: int, count: int, jobs: int) -> bool:
    from networks import lenet, resnet8

    import mho

    builder, model = {"LeNet-5": lenet, "ResNet-8": resnet8}[network]()
    x = np.random.default_rng(1).standard_normal((max(images, 64), *builder.shape)).astype(np.float32)
    net, taken, outputs = mho.compile(model, "neurram-core", calibrate=x[:64]), [], []
    net.run(x[:2], time="1d")  # what is compiled, or loaded, once
    for shared in (1, jobs):
        start = time.perf_counter()
        run = net.run(x[:images], time="1d", seeds=count, device_draws=0, jobs=shared, keep_codes=False)
        outputs.append(run.outputs)
        taken.append(time.perf_counter() - start)
    ratio, same_bits = taken[0] / taken[1], bool(np.array_equal(*outputs))
    print(f"{network}: {count} chips, {images} images: {taken[0]:.1f} s in one process, {taken[1]:.1f} s in {jobs}: "
          f"x {ratio:.2f}; the same bits: {same_bits}")
    return same_bits


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("kills", "cluster", "chips"))
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--network", choices=("LeNet-5", "ResNet-8"), default="ResNet-8")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    if asked.part == "chips":
        return 0 if chips(asked.network, asked.images, asked.chips, asked.jobs) else 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sweep.toml").write_text(SWEEP)
        return 0 if (kills if asked.part == "kills" else cluster)(folder) else 1


if __name__ == "__main__":
    sys.exit(main())
