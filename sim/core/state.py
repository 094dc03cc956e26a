"""A programmed macro model as a message, so that the simulator process can rebuild it."""

import numpy as np

from mho.macro_models import MacroModel
from mho.macro_models.kinds import model_from_state
from mho.sim.core.messages import Message

__all__ = ["model_from_message", "model_message"]


def model_message(index: int, model: MacroModel) -> Message:
    """The request that puts ``model`` behind core ``index``."""
    state = model.state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in state.items() if name not in arrays}
    return Message("core", {"index": index, "state": rest}, arrays)


def model_from_message(message: Message) -> MacroModel:
    """The model of a :func:`model_message`; it gives the same bits as the original."""
    return model_from_state({**message.values["state"], **message.arrays})
