"""What simulators answer over their socket: macro models to hold, and jobs, until the other side closes."""

import os
from collections.abc import Awaitable, Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from mho.macro_models import MacroModel
from mho.macro_models.kinds import model_from_state
from mho.sim.core.messages import Closed, Link

Job = Callable[[Link, Any, Mapping[int, MacroModel]], Awaitable[None]]
"""Answers the content of a request over the link; the models are those that were sent, by their number."""


async def serve_jobs(kind: str, job: Job) -> None:
    """Answer ``core`` (a macro model to hold) and requests of ``kind`` (by ``job``)."""
    link = Link(Connection(int(os.environ["MHO_COSIM_FD"])))
    models: dict[int, MacroModel] = {}
    try:
        link.send("ready")
        while True:
            request, content = link.receive()
            if request == "core":
                index, state = content
                models[index] = model_from_state(state)
                link.send("ok")
            elif request == kind:
                await job(link, content, models)
            else:
                break
    except Closed:
        pass
    finally:
        link.close()
