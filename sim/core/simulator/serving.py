"""What simulators answer over their socket: macro models to hold, and jobs, until the other side closes."""

import os
import socket
from collections.abc import Awaitable, Callable, Mapping

from mho.macro_models import MacroModel
from mho.sim.core.messages import Closed, Link, Message
from mho.sim.core.state import model_from_message

__all__ = ["Job", "serve_jobs"]

Job = Callable[[Link, Message, Mapping[int, MacroModel]], Awaitable[None]]
"""Answers a request over the link; the models are those that were sent, by their number."""


async def serve_jobs(kind: str, job: Job) -> None:
    """Answer ``core`` (a macro model to hold) and requests of ``kind`` (by ``job``)."""
    link = Link(socket.socket(fileno=int(os.environ["MHO_COSIM_FD"])))
    models: dict[int, MacroModel] = {}
    try:
        link.send(Message("ready", {"pid": os.getpid()}))
        while True:
            request = link.receive()
            if request.kind == "core":
                models[int(request.values["index"])] = model_from_message(request)
                link.send(Message("ok"))
            elif request.kind == kind:
                await job(link, request, models)
            else:
                break
    except Closed:
        pass
    finally:
        link.close()
