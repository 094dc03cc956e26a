"""Points on the workers of a Dask cluster: the same rows as of the processes of one machine.

Workers need mho of the same version. A worker that is lost is one of the others' work: its points are computed again.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from mho.macro_models.errors import InputError, ToolError
from mho.version import __version__
from mho.workers import Outcome, Workers, guarded, result_of

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

Task = TypeVar("Task")
Made = TypeVar("Made")
WAIT_S = 30.0
"""How long a scheduler, and then a worker, is waited for."""
_begun: dict[str, object] = {}
_one = Lock()
"""A worker with several threads does one point at a time."""


def on_cluster(
    address: str, note: Callable[[str], None], certificates: Path | None = None
) -> Callable[[Callable[..., object], tuple[object, ...]], AbstractContextManager[Workers]]:
    """Opens workers of the cluster whose scheduler is at ``address``, for :func:`mho.sweeps.run.run_sweep`.

    ``certificates`` is a folder with ``ca.pem``, ``cert.pem`` and ``key.pem`` for TLS; without, Dask's configuration.
    """

    @contextmanager
    def opened(begin: Callable[..., object], arguments: tuple[object, ...]) -> Iterator[Workers]:
        with _client(address, certificates) as client:
            try:
                note(f"{len(client.scheduler_info()['workers'])} Dask workers at {address}")
                team = _Cluster(client, begin, arguments)
            except Exception as error:
                raise _lost(address, error) from None
            yield team

    return opened


class _Cluster:
    """See :class:`mho.workers.Workers`."""

    def __init__(self, client: Any, begin: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._client, self._begin = client, begin
        # What a sweep is of goes to every worker once, not with every point.
        [self._shared] = client.scatter([arguments], broadcast=True, hash=False)

    def run(self, function: Callable[[Task], Made], tasks: Sequence[Task]) -> Iterator[tuple[int, Made]]:
        from distributed import as_completed

        key = self._shared.key
        futures = {
            self._client.submit(
                _work, self._begin, self._shared, key, function, task, pure=False
            ): number
            for number, task in enumerate(tasks)
        }
        try:
            for future in as_completed(futures, loop=self._client.loop):
                yield futures[future], result_of(self._result(future))
        finally:
            with suppress(OSError, TimeoutError, RuntimeError):
                self._client.cancel(list(futures))

    def _result(self, future: "Future[Outcome[Made]]") -> "Outcome[Made]":
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            return future.result()
        except KilledWorker:
            raise ToolError(
                f"Dask workers at {self._client.scheduler.address} end again and again; see their logs"
            ) from None
        except FutureCancelledError:
            raise ToolError("the Dask scheduler was lost; the same command goes on where it was") from None
        except OSError as error:
            raise _lost(self._client.scheduler.address, error) from None


def _work(
    begin: Callable[..., object], arguments: tuple[object, ...], key: str, function: Callable[[Task], Made], task: Task
) -> "Outcome[Made]":
    """A task on a worker, which begins once for each sweep."""
    with _one:
        if _begun.get("key") != key:
            begin(*arguments)
            _begun["key"] = key
        return guarded(function, task)


@contextmanager
def _client(address: str, certificates: Path | None) -> "Iterator[Client]":
    try:
        from distributed import Client
    except ImportError:
        raise ToolError("dask.distributed was not found; install it with: pip install 'mho[sweep]'") from None
    # Made in two steps: one that could not begin is closed here. Left to the garbage collector, it takes Dask's lock of
    # event loops in whatever thread that runs, the one that has the lock too, and waits for ever.
    client: Any = Client.__new__(Client)
    try:
        client.__init__(address, timeout=WAIT_S, set_as_default=False, security=_security(certificates))
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError, LookupError) as error:
        with suppress(AttributeError, OSError, TimeoutError, RuntimeError):
            client.close()
        raise InputError(
            f"--dask must be the address of a Dask scheduler, as in tcp://127.0.0.1:8786, or tls://host:8786 with "
            f"certificates, not {address!r} ({_reason(error)})"
        ) from None
    with _closed(client):
        try:
            client.wait_for_workers(1, timeout=WAIT_S)
            versions = set(client.run(_version).values())
        except TimeoutError:
            raise ToolError(f"{address}: the Dask scheduler has no worker after {WAIT_S:g} s; start some") from None
        except Exception as error:  # whatever Dask makes of a worker that is lost meanwhile
            raise _lost(address, error) from None
        if versions != {__version__}:
            raise ToolError(f"{address}: Dask workers have mho {', '.join(sorted(versions))}, not {__version__}")
        yield client


@contextmanager
def _closed(client: "Client") -> Iterator[None]:
    """Closed at the end, whether or not there still is a scheduler that could be told."""
    try:
        yield
    finally:
        with suppress(OSError, TimeoutError, RuntimeError):
            client.close()


def _security(folder: Path | None) -> "Security | None":
    """What TLS needs, of a folder; None: what Dask's own configuration says."""
    if folder is None:
        return None
    from distributed.security import Security

    files = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
    for file in files.values():
        if not file.is_file():
            raise InputError(f"{folder}: must hold ca.pem, cert.pem and key.pem; {file.name} is not there")
    ca, cert, key = map(str, files.values())
    return Security(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True)


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__


def _lost(address: str, error: BaseException) -> ToolError:
    return ToolError(f"Dask workers at {address} were lost ({_reason(error)}); the same command goes on where it was")


def _version() -> str:
    return __version__
