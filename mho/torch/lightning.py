"""Networks that aihwkit-lightning trained: weights, and the ranges in which its tiles take inputs."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mho.macro_models.errors import InputError

_WHOLE = ("Linear", "Conv1d", "Conv2d")


def from_lightning(module: torch.nn.Module, state: Mapping[str, Any]) -> torch.nn.Module:
    """A copy of the module with the weights of a state dict, whose layers clip their inputs as the trained tiles do.

    The compiler takes these limits for the ranges of input codes. Where a layer of more inputs than a tile takes was
    divided, each part has its range; a convolution then has the widest of them.

    Raises InputError if the state is of another network, or has layers that are neither dense nor convolutions.

    Parameters
    ----------
    module
        The network of PyTorch that aihwkit_lightning's ``convert_to_analog`` converted.
    state
        ``state_dict()`` of what it made, after training.
    """
    result, ranges = copy.deepcopy(module).cpu().eval(), dict[str, torch.Tensor]()
    own = set(result.state_dict())
    for key, value in state.items():
        if key.rpartition(".")[2] == "input_range":
            ranges[key.rpartition(".")[0]] = torch.as_tensor(value).detach().cpu().float().flatten()
    tiles = ("input_range", "input_range_update_idx", "x_min", "x_max", "learnable_weight_clip")
    weights = {key: value for key, value in state.items() if key in own or key.rpartition(".")[2] not in tiles}
    try:
        result.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"the state is not of this module: {' '.join(str(error).split())}") from None
    for name, limits in ranges.items():
        layer = result.get_submodule(name)
        if type(layer).__name__ not in _WHOLE:
            raise InputError(f"layer {name!r}: input ranges of {type(layer).__name__} have no form here; known are "
                             f"{', '.join(_WHOLE)}")
        if not bool((limits > 0).all() and limits.isfinite().all()):
            raise InputError(f"{name}.input_range must be positive numbers, not {limits.tolist()}")
        layer.register_forward_pre_hook(_Clip(layer, limits))
    return result


class _Clip:
    """Clips the inputs of a layer."""

    def __init__(self, layer: Any, limits: torch.Tensor) -> None:
        self.high = limits.max()
        if len(limits) > 1 and isinstance(layer, torch.nn.Linear):
            sizes = [len(part) for part in np.array_split(np.arange(layer.in_features), len(limits))]
            self.high = limits.repeat_interleave(torch.tensor(sizes))

    def __call__(self, layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        del layer
        if self.high.ndim == 0:
            return inputs[0].clamp(-float(self.high), float(self.high))
        return torch.minimum(torch.maximum(inputs[0], -self.high), self.high)
