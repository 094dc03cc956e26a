# For pyright: the same of PyTorch where it is installed and where it is not.
from typing import Any

def __getattr__(name: str) -> Any: ...
