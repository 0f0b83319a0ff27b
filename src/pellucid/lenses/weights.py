"""Weights: are the parameters themselves healthy?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec
import numpy as np

from pellucid.lenses import LensContext
from pellucid.measures import histogram
from pellucid.record.schema import Finding, ParameterRow, WeightsPanel
from pellucid.types import Needs, Observation

if TYPE_CHECKING:
    from torch import Tensor

LONGEST_SPECTRUM = 64

# The spectrum of a matrix costs about m * n * min(m, n) operations; a matrix beyond this waits for a faster question.
MOST_OPERATIONS = 4e10


@dataclass
class WeightsLens:
    """Histogram, moments, norm and spectrum of every parameter, counted once where it is shared."""

    name: ClassVar[str] = "weights"
    needs: ClassVar[Needs] = Needs(stages=frozenset({"trace"}))

    context: LensContext = field(default_factory=LensContext)
    rows: dict[str, ParameterRow] = field(default_factory=dict)

    def observe(self, seen: Observation) -> None:
        """Takes the parameters by name."""
        owners = {node.name: node.id for node in seen.graph.nodes} if seen.graph is not None else {}
        for name, parameter in seen.parameters.items():
            if parameter.device.type != "meta":
                self.rows[name] = _row(name, parameter, owners.get(name.rpartition(".")[0]))

    def merge(self, other: Self) -> None:
        """One model has one set of parameters."""
        self.rows = {**other.rows, **self.rows}

    def report(self) -> WeightsPanel:
        """One row a parameter."""
        rows = list(self.rows.values())
        return WeightsPanel(
            count=sum(row.count for row in rows),
            findings=[finding for row in rows for finding in _findings(row)],
            parameters=rows,
        )


def _row(name: str, parameter: Tensor, node: int | None) -> ParameterRow:
    import torch

    values = parameter.detach().float()
    counted = histogram.of_tensor(values)
    nonfinite = int(counted.special[1:].sum())
    row = ParameterRow(
        name=name,
        node=node,
        shape=list(parameter.shape),
        dtype=str(parameter.dtype).removeprefix("torch."),
        count=parameter.numel(),
        nonfinite=nonfinite,
        mean=None,
        std=None,
        minimum=None,
        maximum=None,
        norm=None,
        zero_share=int(counted.special[0]) / max(parameter.numel(), 1),
        histogram=counted.to_schema(),
        spectrum=None,
        spectral_norm=None,
        stable_rank=None,
    )
    if nonfinite or not parameter.numel():
        return row
    norm = float(torch.linalg.vector_norm(values.double()))
    spectrum = _spectrum(values)
    mean = float(values.double().mean())
    return msgspec.structs.replace(
        row,
        mean=mean,
        std=float(np.sqrt(max(norm**2 / parameter.numel() - mean**2, 0.0))),
        minimum=float(values.min()),
        maximum=float(values.max()),
        norm=norm,
        spectrum=spectrum[:LONGEST_SPECTRUM] if spectrum else None,
        spectral_norm=spectrum[0] if spectrum else None,
        stable_rank=norm**2 / spectrum[0] ** 2 if spectrum and spectrum[0] > 0 else None,
    )


def _spectrum(values: Tensor) -> list[float] | None:
    """Singular values of the tensor as a matrix, first axis by the rest, largest first.

    By the eigenvalues of the smaller Gram matrix in float64: singular values below 1e-8 of the largest drown in rounding,
    far below what is drawn.
    """
    import torch

    if values.ndim < 2:
        return None
    matrix = values.reshape(values.shape[0], -1)
    small, large = sorted(matrix.shape)
    if small**2 * large + 10 * small**3 > MOST_OPERATIONS:
        return None
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide.double()
    squares = torch.linalg.eigvalsh(wide @ wide.T).flip(0).clamp(min=0)
    return [float(value) for value in squares.sqrt()]


def _findings(row: ParameterRow) -> list[Finding]:
    selection = {"layer": row.name.rpartition(".")[0], "v.kind": "weights"}
    if row.nonfinite:
        return [
            Finding(
                kind="nonfinite-weights",
                severity="high",
                sentence=f"{row.nonfinite:,} of {row.count:,} values of {row.name} are NaN or infinite.",
                count=row.count,
                page="histograms",
                weight=1.0,
                evidence={"nonfinite": row.nonfinite},
                selection=selection,
            )
        ]
    if row.zero_share == 1.0 and len(row.shape) > 1:
        return [
            Finding(
                kind="zero-weights",
                severity="medium",
                sentence=f"Every one of the {row.count:,} values of {row.name} is zero: nothing passes it.",
                count=row.count,
                page="histograms",
                weight=0.5,
                evidence={"zeros": row.count, "values": row.count},
                selection=selection,
            )
        ]
    return []
