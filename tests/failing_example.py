"""What hypothesis found, as a line to add above the test, so that the suite holds it from then on."""

import ast
import re
from collections.abc import Collection

__all__ = ["line_to_add"]

_CASE = re.compile(r"^(?:Failing test case|Falsifying example): \w+(\(.*?^\))", re.MULTILINE | re.DOTALL)
_BLOB = re.compile(r"@reproduce_failure\(.*?'\)")


def line_to_add(report: str, names: Collection[str]) -> str:
    """``@example(...)`` where the arguments are values, else hypothesis' own ``@reproduce_failure``; "" without either.

    Parameters
    ----------
    report
        What pytest prints of a failure.
    names
        Arguments that hypothesis gives; others are those of pytest, which an example does not name.
    """
    text = re.sub(r"^E {0,7}", "", report, flags=re.MULTILINE)
    blob = _BLOB.search(text)
    arguments = _values(text, names)
    return f"@example({arguments})" if arguments else blob[0] if blob else ""


def _values(text: str, names: Collection[str]) -> str:
    """Arguments as source; "" where one of them is no value, as an object that draws while the test runs."""
    case = _CASE.search(text)
    try:
        call = ast.parse(f"case{case[1]}", mode="eval").body if case else None
    except SyntaxError:
        return ""
    if not isinstance(call, ast.Call):
        return ""
    drawn = [keyword for keyword in call.keywords if keyword.arg in names]
    if any(isinstance(node, ast.Constant) and node.value is ... for keyword in drawn for node in ast.walk(keyword)):
        return ""
    return ", ".join(f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in drawn)
