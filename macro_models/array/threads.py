"""Linear algebra in one thread.

The blocks of an array are small: on a shared machine a second BLAS thread costs more than it brings (measured: 20 to
90 times the elapsed time), and one thread makes a result independent of the number of cores.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["one_thread"]


@cache
def _controller() -> Any:
    """Handle of the loaded BLAS libraries, or ``None`` where threadpoolctl is not installed."""
    if find_spec("threadpoolctl") is None:
        return None
    import scipy.linalg  # noqa: F401 (its BLAS must be loaded before libraries are listed)

    return import_module("threadpoolctl").ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Limit BLAS to one thread in a block.

    Without threadpoolctl this does nothing: set ``OPENBLAS_NUM_THREADS=1`` before Python starts.
    """
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
