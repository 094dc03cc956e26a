"""Laws that the fit has not seen: cells and times that were held out are met, or a warning names the reason.

Mean within two standard errors (of the cells that were fitted, at one target) or 2 % of the range, deviation within
10 %. Seeds are fixed.
"""

import math
from pathlib import Path

import pytest

from tests.macro_models.fit.laws import LAWS, compared, fitted


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_what_was_held_out_is_met_or_named(tmp_path: Path, name: str) -> None:
    truth = LAWS[name]
    device = fitted(tmp_path / "lab.csv", truth)
    warnings = [w for w in device.fit.warnings if "several times in a row" not in w]
    excused = any(truth.excuse in w for w in warnings) if truth.excuse else False
    each = truth.count / (truth.levels or len(truth.at))
    missed = [
        f"{t:g} s, {g:g} uS: mean {mean:+.3g} of {std:.3g}, deviation x{ratio:.3f}"
        for t, g, mean, std, ratio in compared(device, truth)
        if not device.warnings(t, 25.0)  # what is outside of the data has a warning of its own
        and (abs(mean) > max(2.0 * std / math.sqrt(each), 0.02 * truth.high) or abs(ratio - 1.0) > 0.1)
    ]
    assert not missed or excused, [missed, warnings]
