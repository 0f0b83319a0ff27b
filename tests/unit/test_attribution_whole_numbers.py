"""Numbers that a model reads as whole ones: maps of gradients are 0 there and say why."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import SmoothGrad
from pellucid.errors import MethodError

TABLE = torch.tensor([[4.0, 0.5, -1.0], [1.0, -0.2, 2.0]])
WARNED = "reads numbers of its inputs as whole numbers"


class Table(nn.Module):
    """A column of categories beside columns of numbers, all in one float tensor."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.categories = nn.Embedding(5, 4)
        self.head = nn.Linear(6, 3)

    def forward(self, table: Tensor) -> Tensor:
        column = table[:, 0]
        if self.how == "long":
            read = self.categories(column.long())
        elif self.how == "to":
            read = self.categories((column * 1.0).to(torch.int32))
        elif self.how == "round":
            read = column.round()[:, None].expand(-1, 4)
        else:
            read = column[:, None].expand(-1, 4)
        scores: Tensor = self.head(torch.cat([read, table[:, 1:]], 1))
        return scores


@pytest.mark.parametrize(
    ("method", "how"),
    [
        *product(("saliency", "gradient_x_input", "integrated_gradients"), ("long", "to", "round")),
        *product(("lrp_epsilon",), ("long", "to")),  # it refuses round by itself
    ],
)
def test_a_map_that_is_0_where_numbers_are_read_as_whole_ones_says_so(method: str, how: str) -> None:
    found = pellucid.attribute(Table(how).eval(), TABLE, 1, method)
    assert not bool(found.input[:, 0].any())
    assert bool(found.input[:, 1:].all())
    (told,) = [one for one in found.warnings if WARNED in one]
    assert f"in '{how}()' (test_attribution_whole_numbers.py:" in told
    assert "occlusion and kernel_shap" in told


@pytest.mark.parametrize("method", ["saliency", "gradient_x_input", "lrp_epsilon", "integrated_gradients"])
def test_nothing_is_said_of_numbers_that_are_read_as_they_are(method: str) -> None:
    model = Table("plain").eval()
    assert not any(WARNED in one for one in pellucid.attribute(model, TABLE, 1, method).warnings)
    with torch.no_grad():
        model.head.weight[:, :4] = 0  # a column that the score does not depend on
    assert not any(WARNED in one for one in pellucid.attribute(model, TABLE, 1, method).warnings)


def test_nothing_is_said_by_a_method_that_needs_no_gradient() -> None:
    found = pellucid.attribute(Table("long").eval(), TABLE, 1, "occlusion")
    assert bool(found.input.all())
    assert found.warnings == ()


def test_noise_that_makes_ids_that_are_none_is_refused_with_what_reads_them() -> None:
    with pytest.raises(
        MethodError, match=r"SmoothGrad moves all numbers .* whole numbers, in 'long\(\)' .*occlusion or kernel_shap"
    ):
        pellucid.attribute(Table("long").eval(), TABLE, 1, SmoothGrad(noise=2.0))
