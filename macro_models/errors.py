"""The two kinds of failure that reach a user as one sentence.

They live at the bottom of the import order so that every layer can raise them and the command can tell
them from a defect of its own.
"""

__all__ = ["InputError", "MhoError", "ToolError"]


class MhoError(Exception):
    """Base of every failure that is reported as one sentence, without a traceback."""

    exit_code = 1


class InputError(MhoError, ValueError):
    """The input is wrong. The sentence names the file, the field, the bad value and what would be right.

    The command exits with 2.
    """

    exit_code = 2


class ToolError(MhoError, RuntimeError):
    """The input is right, but the work failed: a tool is missing or crashed, a result did not match.

    The command exits with 1.
    """

    exit_code = 1
