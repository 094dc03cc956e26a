"""Devices for other simulators and from them: text that they run or that they printed; nothing here runs it."""

from mho.macro_models.exchange.aihwkit import export_aihwkit, import_aihwkit
from mho.macro_models.exchange.tables import export_crosssim

__all__ = ["EXPORTS", "export_aihwkit", "export_crosssim", "import_aihwkit"]

EXPORTS = {"aihwkit": export_aihwkit, "crosssim": export_crosssim}
"""What writes a device for each simulator: text, and a sentence for each thing that is lost."""
