"""Sampling and optimisation by spins that take turns on transposable cores: Boltzmann machines, max-cut."""

from mho.sampler.problem import Problem, load_problem
from mho.sampler.run import Samples, Schedule, sample

__all__ = ["Problem", "Samples", "Schedule", "load_problem", "sample"]
