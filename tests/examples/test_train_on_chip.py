"""The example that learns on the chip."""

import pytest

from examples import train_on_chip


@pytest.mark.slow
def test_digits_are_learned() -> None:
    assert train_on_chip.main(epochs=4) > 0.85
