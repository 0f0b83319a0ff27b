"""A model's fingerprint is of its values, however they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pellucid.models.fingerprint import fingerprint

MATRIX = torch.tensor([[0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]])


class Holding(nn.Module):
    """A layer beside a buffer of any kind, and a state of its own."""

    def __init__(self, buffer: Tensor | None = None, extra: object = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 2)
        self.register_buffer("buffer", buffer)
        self.extra = extra

    def get_extra_state(self) -> Any:
        return self.extra


class Vocabulary:
    """Has no repr of its own: it would be written with its place in memory."""


@pytest.mark.parametrize(
    "kind",
    [
        Tensor.to_sparse,
        Tensor.to_sparse_csr,
        Tensor.to_sparse_csc,
        lambda one: one.to_sparse_bsr((2, 2)),
        lambda one: one.to_sparse_bsc((2, 2)),
    ],
    ids=["COO", "CSR", "CSC", "BSR", "BSC"],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.filterwarnings("ignore:Sparse .* tensor support")
def test_a_sparse_buffer_counts_by_its_places_and_values(kind: Callable[[Tensor], Tensor]) -> None:
    found = [fingerprint(Holding(kind(one))) for one in (MATRIX, MATRIX.clone(), 2 * MATRIX, MATRIX.flip(0))]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_an_object_beside_the_weights_counts_by_its_class_wherever_it_lies() -> None:
    objects = [Vocabulary() for _ in range(2)]
    assert len({repr(one) for one in objects}) == 2
    assert len({fingerprint(Holding(extra=one)) for one in objects}) == 1
    assert len({fingerprint(Holding(extra={"words": [one], "size": 3})) for one in objects}) == 1
    assert fingerprint(Holding(extra=objects[0])) != fingerprint(Holding(extra=object()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        ("a", "b"),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ({"a": (torch.zeros(2000), None)}, {"a": (torch.zeros(2000).index_fill(0, torch.tensor(1000), 1.0), None)}),
        (np.zeros(2000), np.eye(1, 2000, 1000)[0]),
    ],
    ids=["number", "text", "list", "dict", "tensors", "array"],
)
def test_a_state_of_numbers_texts_and_tensors_counts_by_its_values(one: object, other: object) -> None:
    assert fingerprint(Holding(extra=one)) == fingerprint(Holding(extra=one))
    assert fingerprint(Holding(extra=one)) != fingerprint(Holding(extra=other))
