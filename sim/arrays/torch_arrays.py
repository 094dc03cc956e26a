"""Products by PyTorch, on its CPU or on a GPU; matrices stay on the device as long as they are there."""

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError, ToolError, argument


class TorchArrays:
    """See :class:`mho.macro_models.arrays.ArrayLibrary`.

    Raises InputError if there is no such device, or it has no doubles, in which not all sums would be exact. Raises
    ToolError if PyTorch is not installed.

    Parameters
    ----------
    device
        As PyTorch calls it; empty: a GPU if there is one, else the CPU.
    """

    def __init__(self, device: str = "") -> None:
        try:
            import torch  # pyright: ignore[reportMissingModuleSource]
        except ImportError:
            raise ToolError("PyTorch is missing; install it with: pip install 'mho[torch]'") from None
        self._torch = torch
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._device = torch.device(device)
            torch.zeros(1, dtype=torch.float64, device=self._device)
        except (RuntimeError, AssertionError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            sentence = f"{argument('arrays')}: PyTorch cannot compute in double on {device!r}: {reason}"
            raise InputError(sentence) from None
        # Ten bits of a mantissa are not enough for exact sums.
        torch.backends.cuda.matmul.allow_tf32 = False
        self.name = f"torch:{device}"
        self._held: dict[int, Any] = {}

    def product(self, x: NDArray[Any], matrix: NDArray[Any]) -> NDArray[Any]:
        """See :meth:`mho.macro_models.arrays.ArrayLibrary.product`."""
        kind = np.result_type(x, matrix)
        tensor = self._tensor(x.astype(kind, copy=False))
        return self._torch.matmul(tensor, self._matrix(matrix, kind)).cpu().numpy()

    def _matrix(self, matrix: NDArray[Any], kind: Any) -> Any:
        """A matrix on the device, until nobody else has it."""
        tensor = self._held.get(id(matrix))
        if tensor is None or tensor.dtype != self._tensor_type(kind):
            tensor = self._tensor(matrix.astype(kind, copy=False))
            self._held[id(matrix)] = tensor
            weakref.finalize(matrix, self._held.pop, id(matrix), None)
        return tensor

    def _tensor(self, array: NDArray[Any]) -> Any:
        whole = np.ascontiguousarray(array)
        return self._torch.from_numpy(whole if whole.flags.writeable else whole.copy()).to(self._device)

    def _tensor_type(self, kind: Any) -> Any:
        return {np.dtype(np.float32): self._torch.float32, np.dtype(np.float64): self._torch.float64}[np.dtype(kind)]
