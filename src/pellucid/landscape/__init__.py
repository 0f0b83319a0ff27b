"""The loss around a model's weights: planes and lines through the space of weights, and how it curves there.

Pure functions of a model, labelled batches and a loss; the model is left as it was.
"""

from __future__ import annotations

from pellucid.landscape.curvature import Curvature, Matrix, twice_differentiable
from pellucid.landscape.losses import Objective, objective_of
from pellucid.landscape.norms import BatchNorm, Labelled, batch_norms, recalculated
from pellucid.landscape.sharpness import extreme_eigenvalues, spectral_density, trace_of
from pellucid.landscape.surface import Barrier, Points, held, losses_at, surveyed
from pellucid.landscape.weights import Direction, Normalisation, between, moved_to, random_direction

__all__ = [
    "Barrier",
    "BatchNorm",
    "Curvature",
    "Direction",
    "Labelled",
    "Matrix",
    "Normalisation",
    "Objective",
    "Points",
    "batch_norms",
    "between",
    "extreme_eigenvalues",
    "held",
    "losses_at",
    "moved_to",
    "objective_of",
    "random_direction",
    "recalculated",
    "spectral_density",
    "surveyed",
    "trace_of",
    "twice_differentiable",
]
