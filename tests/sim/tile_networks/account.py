"""Accounts of a chip in co-simulation beside those of the functional backend."""

from dataclasses import replace

from mho.sim.account import RunAccount


def check_layers(account: RunAccount, expected: RunAccount) -> None:
    """Figures of layers are the same; energies are, but for decrements, which two segments bound."""
    for left, right in zip(account.layers, expected.layers, strict=True):
        assert replace(left, energy_pJ={}) == replace(right, energy_pJ={})
        assert left.energy_pJ.keys() == right.energy_pJ.keys()
        for name, energy in left.energy_pJ.items():
            assert energy == right.energy_pJ[name] or (name == "steps" and energy >= right.energy_pJ[name])
            assert energy == right.energy_pJ[name] or not account.exact
