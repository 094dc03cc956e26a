"""Laws that the fit has not seen: cells and times that were held out are met, or a warning names the reason.

Mean within two standard errors (of the cells that were fitted, at one target) or 2 % of the range, deviation within
10 %. Seeds are fixed.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from macro_models.cells.programming import programmed_uS
from macro_models.devices import CAUSES
from tests.macro_models.fit.laws import LAWS, compared, fitted, pcm


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


@pytest.mark.slow
def test_beyond_the_data_the_law_goes_on_and_before_it_comes_from_nothing(tmp_path: Path) -> None:
    # Phase-change cells of 2 to 25 uS read from 1 s to a day: 0.99 uS are left of 2 uS after 30 days.
    device = fitted(tmp_path / "lab.csv", replace(LAWS["pcm"], low=2.0))
    assert device.law.onset_s == pytest.approx(20.0, rel=0.3)
    for g, late in ((2.0, 0.15), (12.0, 0.4), (25.0, 0.8)):
        target = np.full(40_000, g)
        for time_s, off in ((0.1, 0.06), (30 * 86400.0, late)):
            truth = pcm(np.random.default_rng(5), target, (time_s,))[time_s]
            drawn = programmed_uS(target, device=device, seed=1, core=0, time_s=time_s, causes=frozenset(CAUSES))
            assert abs(drawn.mean() - truth.mean()) < off
            assert drawn.std() == pytest.approx(truth.std(), rel=0.15)
            assert len(device.warnings(time_s, 25.0)) == 1
