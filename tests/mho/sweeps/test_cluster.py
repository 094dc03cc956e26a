"""The same rows from a Dask cluster, of which a worker is killed."""

import gc
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mho.cli import run
from mho.macro_models.errors import InputError, ToolError
from mho.sweeps import Folder, load_spec, run_sweep
from mho.sweeps.cluster import on_cluster

dask = pytest.importorskip("dask")
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
        n_workers=3, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1", silence_logs=50,
        local_directory=str(tmp_path / "dask"),
    ) as local_cluster:
        yield local_cluster


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
    monkeypatch.setattr("mho.sweeps.cluster.WAIT_S", 0.5)
    out = str(tmp_path / "out")
    assert run(["sweep", str(sweep_file), "-o", out, "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "error: --dask must be the address of a Dask scheduler" in capsys.readouterr().err
    assert run(["sweep", str(sweep_file), "-o", out, "--dask", "nowhere", "--jobs", "2"]) == 2
    assert "--jobs and --dask exclude each other" in capsys.readouterr().err
    with pytest.raises(InputError, match="not 'bad://x'"), on_cluster("bad://x", print)(print, ()):
        pass


def test_a_client_that_cannot_begin_is_not_left_to_the_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end takes a lock of Dask's that the next client holds while it waits for its own thread."""
    monkeypatch.setattr("mho.sweeps.cluster.WAIT_S", 1.0)
    before = threading.active_count()
    with dask.config.set({"distributed.comm.tls.ca-file": None}):
        gc.disable()
        try:
            with pytest.raises(InputError, match="TLS expects"), on_cluster("tls://127.0.0.1:9", print)(print, ()):
                pass
            assert threading.active_count() == before
        finally:
            gc.enable()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the page makes them."""
    folder = tmp_path_factory.mktemp("certificates")
    page = (Path(__file__).parents[3] / "docs/howto/sweep.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("openssl ")]
    assert len(lines) == 3
    for line in lines:
        subprocess.run(line.replace("rsa:3072", "rsa:2048").split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl was not found")
def test_a_cluster_behind_tls(
    certificates: Path, sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By certificates in a folder and by Dask's own configuration; without them it is one sentence."""
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("mho.sweeps.cluster.WAIT_S", 5.0)
    files = {name: str(certificates / f"{name}.pem") for name in ("ca", "cert", "key")}
    both = {f"tls_{who}_{what}": files[what] for who in ("client", "scheduler", "worker") for what in ("cert", "key")}
    security = distributed.Security(tls_ca_file=files["ca"], require_encryption=True, **both)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", host="tls://127.0.0.1", silence_logs=50,
        local_directory=str(tmp_path / "dask"), security=security, protocol="tls://",
    ) as cluster:
        command = ["sweep", str(sweep_file), "--dask", cluster.scheduler_address]
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        assert run([*command, "-o", str(tmp_path / "a"), "--dask-security", str(certificates)]) == 0
        assert "1 Dask workers at tls://" in capsys.readouterr().err
        assert run([*command, "-o", str(tmp_path / "b"), "-q"]) == 2
        assert "error: --dask must be the address of a Dask scheduler" in capsys.readouterr().err
        credentials = {"ca-file": files["ca"], "client.cert": files["cert"], "client.key": files["key"]}
        with dask.config.set({f"distributed.comm.tls.{key}": file for key, file in credentials.items()}):
            assert run([*command, "-o", str(tmp_path / "b"), "-q"]) == 0
        assert run([*command, "-o", str(tmp_path / "c"), "--dask-security", str(tmp_path)]) == 2
        assert "must hold ca.pem, cert.pem and key.pem; ca.pem is not there" in capsys.readouterr().err
    assert (tmp_path / "a" / "rows.csv").read_text() == (tmp_path / "b" / "rows.csv").read_text()
    assert run(["sweep", str(sweep_file), "-o", str(tmp_path / "c"), "--dask", "tcp://x:1",
                "--dask-security", "."]) == 2
    assert "--dask-security is for --dask tls://HOST:PORT, not for tcp://x:1" in capsys.readouterr().err


def test_workers_that_are_lost_while_it_connects_are_one_sentence(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are killed between the look at them and the first thing that they are asked for."""
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())
    cluster.adapt(minimum=0, maximum=0)  # none comes in their place

    def killed(*_arguments: object, **_options: object) -> None:
        for worker in workers:
            os.kill(worker, signal.SIGKILL)

    monkeypatch.setattr("mho.sweeps.cluster.WAIT_S", 5.0)
    monkeypatch.setattr(distributed.Client, "wait_for_workers", killed)
    opened = on_cluster(cluster.scheduler_address, lambda line: None)
    with pytest.raises(ToolError, match=r"Dask (workers|scheduler)"), opened(print, ()) as team:
        list(team.run(abs, [-1] * 4))
