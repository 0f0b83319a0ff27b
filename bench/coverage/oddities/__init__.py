"""Small modules, each of which breaks some tracer, with what has to be true of their graphs."""

from bench.coverage.oddities import control, layers, modules, structures, tensors
from bench.coverage.oddities.registry import ODDITIES

__all__ = ["ODDITIES", "control", "layers", "modules", "structures", "tensors"]
