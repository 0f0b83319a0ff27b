"""A model that raises in its own forward: whoever looks for a layer of it hears of that, not of a name that is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import pellucid
from pellucid.attribution import Unit, deletion
from pellucid.errors import ForwardError
from pellucid.features import Generated, dissect, maximise
from support.untouched import Untouched

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
DRAWN = Generated((3, 32, 32))
ASKED: dict[str, Callable[[nn.Module], object]] = {
    "attribute": lambda model: pellucid.attribute(model, IMAGES, Unit("3", 0)),
    "deletion": lambda model: deletion(model, IMAGES, Unit("3", 0), IMAGES),
    "maximise": lambda model: maximise(model, "3", 0, (3, 32, 32), steps=2),
    "dissect": lambda model: dissect(model, ["3"], concepts=DRAWN),
    "dissect all": lambda model: dissect(model, concepts=DRAWN),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_forward_that_raises_is_said_to_and_the_models_own_error_is_the_cause(asked: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.Flatten()).train()
    before = Untouched(model)
    with pytest.raises(ForwardError, match=r"raised RuntimeError in 2 \(Conv2d\): .*to have 5 channels") as raised:
        ASKED[asked](model)
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert before.differences() == []
