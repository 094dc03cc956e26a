"""What results say of themselves at a prompt and in a notebook; keys of a device as Python changes them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mho
from mho.macro_models.shown import Shown
from mho.results.budget import Budget, BudgetRow
from mho.sim.tile_jobs.run import JobResult


@pytest.fixture(scope="module")
def net(tiny: Any) -> mho.Net:
    return mho.load(tiny.path("tiny.mho"))


def shown(net: mho.Net, tiny: Any) -> list[Any]:
    result = net.run(tiny.x, seeds=2)
    job = JobResult(outputs={"0,0:<b>": np.zeros((9, 1, 4000), np.int16)}, cycles=None, instructions=12)
    return [net, net.chip, net.device, net.program(screen=False), result, result.budget, job]


def test_each_is_one_short_paragraph_and_safe_html(net: mho.Net, tiny: Any) -> None:
    for summary in shown(net, tiny):
        text, html = repr(summary), summary._repr_html_()
        assert text.startswith(f"{type(summary).__name__}(")
        assert "\n" not in text
        assert len(text) <= 400
        assert "<script" not in html
        assert "<b>" not in html
        assert len(html) <= 4000


def test_a_result_says_what_ran_and_how_well(net: mho.Net, tiny: Any) -> None:
    text = repr(net.run(tiny.x, time="1h", seeds=2))
    for part in ("chip: tnsa16-core", "device: rram-neurram", "time: 1h", "images: 90", "chips: 2", "agreement: "):
        assert part in text


def test_a_name_is_text_in_html() -> None:
    class Named(Shown):
        def _facts(self) -> dict[str, object]:
            return {"name": "<script>alert(1)</script>\n\x1b[31m" + 300 * "x", "a<b": 1}

    named = Named()
    assert "<script" not in named._repr_html_()
    assert "&lt;script&gt;" in named._repr_html_()
    assert "a&lt;b" in named._repr_html_()
    assert "\x1b" not in repr(named)
    assert len(repr(named)) < 250
    rows = tuple(BudgetRow(name, (), (1.0,)) for name in ("float", "ideal", "<img src=x>", "all"))
    html = Budget("accuracy", rows)._repr_html_()
    assert "<img" not in html
    with pytest.raises(NotImplementedError):
        repr(Shown())


def test_a_device_takes_keys() -> None:
    device = mho.Device.load("rram-neurram", **{"read_noise.sigma_uS": [0.9], "range.g_max_uS": 30.0})
    assert list(device.model.read_noise.sigma_uS) == [0.9]
    assert device.model.g_max_uS == 30.0
    plain = mho.Device.load("rram-neurram").model
    assert replace(device.model, read_noise=plain.read_noise, range=plain.range) == plain


@pytest.mark.parametrize(("key", "value", "sentence"), [
    ("read_noise.sigma_us", [1.0], r"^overrides read_noise\.sigma_us=.*: unknown .* mean read_noise\.sigma_uS\?$"),
    ("read_nois.sigma_uS", [1.0], r"unknown key read_nois, did you mean read_noise\?$"),
    ("read_noise.sigma_uS", "much", r"read_noise\.sigma_uS must be a list of at least 1"),
    ("read_noise", 3.0, r"^overrides read_noise=3: read_noise must be a table, not 3$"),
    ("range.g_min_uS", 1e5, r"with range\.g_min_uS changed: range\.g_min_uS must be at most g_max_uS"),
])  # fmt: skip
def test_a_wrong_key_of_a_device_is_one_sentence(key: str, value: object, sentence: str) -> None:
    with pytest.raises(mho.InputError, match=sentence):
        mho.Device.load("rram-neurram", **{key: value})


def test_a_name_that_is_nearly_a_device() -> None:
    with pytest.raises(mho.InputError, match=r"did you mean rram-neurram\?$"):
        mho.Device.load("rram-neuram")
