"""Concepts at layers that do not give one row a picture: no channel is credited with pictures that others saw."""

from __future__ import annotations

import pytest
import torch

from pellucid.errors import LayerError
from pellucid.features.concepts import Generated, dissect
from support.experts import MapExperts

MEAN, STD = (0.5,), (0.5,)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_an_expert_is_not_dissected_by_pictures_that_it_did_not_see(batch_size: int) -> None:
    torch.manual_seed(0)
    model, concepts = MapExperts(3).eval(), Generated((3, 32, 32), 20)
    name = f"experts.{int(concepts.picture(0).mean() > 0.5)}.1"
    why = rf"'{name}' (gave \d rows? for a batch of 8|was not reached)"
    with pytest.raises(LayerError, match=why):
        dissect(model, name, concepts=concepts, mean=MEAN, std=STD, batch_size=batch_size)
    found = dissect(model, "shared.1", concepts=concepts, mean=MEAN, std=STD, batch_size=batch_size)
    assert list(found) == ["shared.1"]
