"""Accounts of a chip in co-simulation beside those of the functional backend."""

from dataclasses import replace

from mho.sim.account import RunAccount


def check_layers(seen: RunAccount, expected: RunAccount) -> None:
    """Figures of layers are the same; energies are, but for decrements, which two segments bound."""
    for one, other in zip(seen.layers, expected.layers, strict=True):
        assert replace(one, energy_pJ={}) == replace(other, energy_pJ={})
        assert one.energy_pJ.keys() == other.energy_pJ.keys()
        for name, taken in one.energy_pJ.items():
            assert taken == other.energy_pJ[name] or (name == "steps" and taken >= other.energy_pJ[name])
            assert taken == other.energy_pJ[name] or not seen.exact
