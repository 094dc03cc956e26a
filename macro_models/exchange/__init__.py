"""Devices for other simulators: text that they run."""

from mho.macro_models.exchange.aihwkit import export_aihwkit
from mho.macro_models.exchange.tables import export_crosssim

__all__ = ["EXPORTS", "export_aihwkit", "export_crosssim"]

EXPORTS = {"aihwkit": export_aihwkit, "crosssim": export_crosssim}
"""What writes a device for each simulator: text, and a sentence for each thing that is lost."""
