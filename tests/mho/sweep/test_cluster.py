"""The same rows from a Dask cluster, of which a worker is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from macro_models.errors import InputError
from mho.cli import run
from mho.sweep import Folder, load_spec, run_sweep
from mho.sweep.cluster import on_cluster

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50,
        local_directory=str(tmp_path / "dask"),
    ) as made:
        yield made


def test_three_workers_one_of_them_killed(cluster: Any, sweep_text: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(sweep_text.replace("seeds = 3", "seeds = 25"))
    spec, killed, said = load_spec(path), [], []
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())

    def kill(done: int, _total: int) -> None:
        if done >= 20 and not killed:
            killed.append(workers[1])
            os.kill(workers[1], signal.SIGKILL)

    of_cluster = run_sweep(
        spec, Folder(tmp_path / "cluster"), open_workers=on_cluster(cluster.scheduler_address, said.append),
        progress=kill,
    )
    assert killed
    assert said == [f"3 Dask workers at {cluster.scheduler_address}"]
    here = run_sweep(spec, Folder(tmp_path / "here"))
    assert len(here.rows) == 100
    assert of_cluster.rows == here.rows


def test_an_address_without_a_scheduler_is_one_sentence(
    sweep_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.sweep.cluster.WAIT_S", 0.5)
    out = str(tmp_path / "out")
    assert run(["sweep", str(sweep_file), "-o", out, "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "error: --dask must be the address of a Dask scheduler" in capsys.readouterr().err
    assert run(["sweep", str(sweep_file), "-o", out, "--dask", "nowhere", "--jobs", "2"]) == 2
    assert "--jobs and --dask exclude each other" in capsys.readouterr().err
    with pytest.raises(InputError, match="not 'bad://x'"), on_cluster("bad://x", print)(print, ()):
        pass
