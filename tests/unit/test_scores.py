"""What a model's outputs are: told by their values and by what made them, never by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.capture import explained_scores, kind_of, log_scores, sum_to_one
from pellucid.types import OutputKind, Task


class Ends(nn.Module):
    """Three numbers of four, and whatever comes after them."""

    def __init__(self, outputs: int, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(4, outputs)
        self.end = end

    def forward(self, inputs: Tensor) -> Any:
        return self.end(self.head(inputs))


def told(model: nn.Module, task: Task = "classification", examples: int = 1) -> OutputKind:
    inputs = torch.randn(examples, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return kind_of(model(inputs), pellucid.graph(model, inputs), task)


def by_hand(scores: Tensor) -> Tensor:
    return scores.exp() / scores.exp().sum(1, keepdim=True)


@pytest.mark.parametrize(
    "end",
    [
        lambda z: z.softmax(1),
        nn.Softmax(-1),
        by_hand,
        lambda z: {"logits": z.softmax(1)},
        lambda z: (torch.softmax(z, 1), z),
        lambda z: nn.functional.dropout(z.softmax(1), training=False).to(torch.float64),
        lambda z: z.softmax(1).to(torch.bfloat16),
    ],
)
def test_rows_that_add_up_to_one_are_probabilities(end: Callable[[Tensor], Any]) -> None:
    assert told(Ends(3, end), examples=8) == "probabilities"


@pytest.mark.parametrize(
    ("outputs", "end", "task"),
    [
        (3, lambda z: z, "classification"),
        (3, lambda z: z.log_softmax(1), "classification"),
        (3, lambda z: (z, z.softmax(1)), "classification"),
        (3, lambda z: z.abs() / 100, "classification"),
        (3, lambda z: z.sigmoid(), "classification"),
        (1, lambda z: z.abs() / 100, "classification"),
        (3, lambda z: z.abs() / 100, "multilabel"),
        (3, lambda z: z.softmax(1), "regression"),
    ],
)
def test_other_numbers_are_logits(outputs: int, end: Callable[[Tensor], Any], task: Task) -> None:
    assert told(Ends(outputs, end), task, examples=8) == "logits"


@pytest.mark.parametrize(
    ("outputs", "end", "task"),
    [
        (1, nn.Sigmoid(), "classification"),
        (1, lambda z: z.sigmoid().squeeze(1), "classification"),
        (1, lambda z: (z.sigmoid(), z), "classification"),
        (3, lambda z: torch.sigmoid(z).float(), "multilabel"),
    ],
)
def test_numbers_between_0_and_1_are_probabilities_where_a_sigmoid_made_them(
    outputs: int, end: Callable[[Tensor], Any], task: Task
) -> None:
    assert told(Ends(outputs, end), task) == "probabilities"


def test_their_logarithms_give_the_probabilities_back_and_let_gradients_pass() -> None:
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    scores = log_scores(logits.softmax(1), "probabilities", "classification", torch.float64)
    torch.testing.assert_close(scores.softmax(1), logits.softmax(1))
    loss = nn.functional.cross_entropy
    wanted = torch.autograd.grad(loss(logits, torch.tensor([0, 1, 2, 0, 1])), logits)
    torch.testing.assert_close(torch.autograd.grad(loss(scores, torch.tensor([0, 1, 2, 0, 1])), logits), wanted)
    sets = log_scores(logits.sigmoid(), "probabilities", "multilabel", torch.float64)
    torch.testing.assert_close(sets, logits)
    single = log_scores(logits[:, :1].sigmoid(), "probabilities", "classification", torch.float64)
    torch.testing.assert_close(single[:, 1] - single[:, 0], logits[:, 0])


def test_certain_probabilities_have_finite_logarithms() -> None:
    certain = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert log_scores(certain, "probabilities", "classification").isfinite().all()
    assert log_scores(certain, "probabilities", "multilabel").isfinite().all()
    assert log_scores(certain.half(), "probabilities", "classification").amin() > -17  # the smallest number of its type


def test_rows_of_one_number_or_of_nan_do_not_add_up_to_one() -> None:
    assert sum_to_one(torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
    assert not sum_to_one(torch.tensor([[0.25, 0.75], [1.5, -0.5]]))
    assert not sum_to_one(torch.tensor([[0.25, 0.75], [torch.nan, 0.5]]))
    assert not sum_to_one(torch.ones(3, 1))


def test_a_probability_near_1_is_warned_of_and_what_goes_into_the_softmax_is_not() -> None:
    model = Ends(3, nn.Softmax(1))
    sure, unsure = model.head.weight.detach()[:1] * 40, torch.zeros(1, 4)
    found = pellucid.attribute(model, torch.cat([sure, unsure]), "prediction", ["saliency", "gradient_x_input"])
    for one in found.values():
        (warning,) = one.warnings
        assert warning.startswith("The model's outputs are probabilities, and in 1 of 2 examples")
    assert pellucid.attribute(model, unsure, 0, "saliency").warnings == ()
    assert pellucid.attribute(model, sure, pellucid.attribution.Unit("head", 0), "saliency").warnings == ()
    assert pellucid.attribute(model.head, sure, 0, "saliency").warnings == ()
    planes = nn.Sequential(nn.Conv2d(1, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1))
    images = torch.full((1, 1, 4, 4), 1e4)
    by_method = pellucid.attribute(planes, images, "prediction", ["grad_cam", "eigen_cam"], layers=["0"])
    assert "outputs are probabilities" in by_method["grad_cam"].warnings[-1]
    assert by_method["eigen_cam"].warnings == ()


@pytest.mark.parametrize("method", ["saliency", "gradient_x_input", "integrated_gradients", "lrp_epsilon"])
def test_what_speaks_for_the_first_of_two_classes_speaks_against_the_second(method: str) -> None:
    model, inputs = Ends(1, lambda z: z), torch.randn(2, 4)
    first, second = (pellucid.attribute(model, inputs, target=target, method=method) for target in (0, 1))
    sign = 1 if method == "saliency" else -1
    torch.testing.assert_close(first.input, sign * second.input)
    assert second.input.abs().amax() > 0
    torch.testing.assert_close(first.scores, -second.scores)
    torch.testing.assert_close(explained_scores(model(inputs))[:, 1], model(inputs)[:, 0])
