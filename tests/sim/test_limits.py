"""Outputs that a converter clips before it has a code are counted, and told."""

from dataclasses import replace

import numpy as np

from mho.compiler.network.ranges import limit_warning
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.sim.core.test_generated_macro import network, smallest


def test_a_step_that_is_too_small_for_the_oscillators_shows_in_the_figures_of_its_layer() -> None:
    net, x = network(smallest("pwm"))
    assert [layer.limited for layer in execute(net, FunctionalBackend(), x).layers] == [0]
    (layer,) = net.layers
    mvms = tuple(replace(mvm, op=replace(mvm.op, step_code=mvm.op.step_code // 20)) for mvm in layer.mvms)
    program = replace(net.program, layers=(replace(layer, mvms=mvms),))
    narrow = replace(net, program=program)
    (figures,) = execute(narrow, FunctionalBackend(threads=2), x).layers
    total = figures.columns * figures.positions * len(x)
    assert total / 4 < figures.limited <= total
    assert "outputs (" in (limit_warning("fc", figures.limited, total) or "")
    assert limit_warning("fc", total // 200, total) is None
    assert np.abs(figures.largest) == figures.codes.top
