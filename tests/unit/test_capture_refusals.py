"""What a capture refuses, by name: gradients that a model hides, layers and targets that are not there, models that raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.capture import Session
from pellucid.errors import ForwardError, LayerError, MethodError, TargetError
from pellucid.graph import trace
from support.awkward import CLASSES, HalfWayError, awkward, images, left_as_it_was


def test_parameters_made_under_inference_mode_are_refused_by_name() -> None:
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, CLASSES)).train()
    with pytest.raises(MethodError, match="inference_mode"):
        pellucid.attribute(model, torch.randn(4, 3), 1)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    # What needs no gradient works all the same.
    with Session(model, trace(model, torch.randn(4, 3)).layers) as session:
        assert session.forward(torch.randn(4, 3)).outputs.shape == (4, CLASSES)


@pytest.mark.parametrize("hide", [torch.no_grad, torch.inference_mode])
def test_a_model_that_hides_its_gradient_is_refused(hide: Callable[[], Any]) -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            with hide():
                return self.head(values)

    with pytest.raises(MethodError, match="'head' runs under no_grad"):
        pellucid.attribute(Hidden(), torch.randn(4, 3), 1)
    with Session(Hidden(), ()) as session, pytest.raises(MethodError, match="output has no gradient"):
        session.explain(torch.randn(4, 3), lambda logits: logits[:, 0])


def test_a_model_that_detaches_on_the_way_is_refused_rather_than_given_zeros() -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = nn.Linear(3, 3)
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(self.frozen(values).detach())

    with pytest.raises(MethodError, match="detaches or rounds"):
        pellucid.attribute(Detached(), torch.randn(4, 3), 1)


def test_a_model_without_a_backward_is_refused() -> None:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(values).relu_().add_(1.0)

    with pytest.raises(MethodError, match="backward raised RuntimeError") as caught:
        pellucid.attribute(Overwriting(), torch.randn(4, 3), 1, layers=["head"])
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_layer_that_is_overwritten_past_any_copy_is_refused() -> None:
    class Overwritten(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 5)
            self.head = nn.Linear(5, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            signal = self.first(values) * 1.0
            part = signal[:, :2]
            part.neg_()
            part.add_(1.0)
            return self.head(signal)

    model, values = Overwritten(), torch.randn(4, 3)
    with left_as_it_was(model), pytest.raises(LayerError, match=r"overwrites the output of layer 'neg\(\)'"):
        pellucid.attribute(model, values, 1, layers=["neg()"])
    assert set(pellucid.attribute(model, values, 1, layers=["first"]).layers) == {"first"}


@pytest.mark.parametrize("target", [CLASSES, -1, [0, 1, 2, CLASSES], torch.tensor([0, 0, -2, 0]), [0, 1], "best"])
def test_a_target_that_the_model_does_not_have_is_refused(target: Any) -> None:
    model, values = nn.Sequential(nn.Linear(3, CLASSES)), torch.randn(4, 3)
    with left_as_it_was(model), pytest.raises(TargetError, match=r"4 outputs, 0 to 3|got 2 targets for 4|'best'"):
        pellucid.attribute(model, values, target)


def test_a_layer_that_is_not_there_is_refused_with_names_near_it() -> None:
    with pytest.raises(LayerError, match=r"no layer 'secnd'\..*second"):
        pellucid.attribute(awkward(), images(), 1, layers=["secnd"])


def test_a_model_that_raises_is_reported_before_any_layer_it_did_not_reach() -> None:
    model = awkward()
    model.breaks = True
    with pytest.raises(ForwardError, match="half-way") as caught:
        pellucid.attribute(model, images(), 1, layers=["head"])
    assert isinstance(caught.value.__cause__, HalfWayError)


def test_grad_cam_of_a_vector_is_refused_with_the_layers_that_fit() -> None:
    with pytest.raises(LayerError, match=r"'head' gave \('batch', 4\).*first\.2, shared"):
        pellucid.attribute(awkward(), images(), 1, ["saliency", "grad_cam"], layers=["first.2", "head"])


def test_a_layer_that_depends_on_the_input_and_is_not_reached_is_left_out_and_refused_where_it_is_changed() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sometimes = nn.Linear(3, 3)
            self.head = nn.Linear(3, 2)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(self.sometimes(values) if bool((values > 0).all()) else values)

    model = Gated()
    layers = trace(model, torch.ones(2, 3)).layers
    with Session(model, layers) as session:
        seen = session.explain(-torch.ones(2, 3), lambda logits: logits[:, 0])
        assert list(seen.activations) == list(seen.gradients) == ["head"]
        assert list(session.forward(-torch.ones(2, 3), {"none": lambda output, layer: {}}).summaries) == ["head"]
        with pytest.raises(LayerError, match="'sometimes' was not reached"):
            session.forward_with(-torch.ones(2, 3), lambda layer, output: None)
        with pytest.raises(LayerError, match="'sometimes' was not reached"):
            session.explain(-torch.ones(2, 3), lambda _: session.output("sometimes")[:, 0])
    for method in ("saliency", "integrated_gradients"):
        with pytest.raises(LayerError, match="'sometimes'"):
            pellucid.attribute(model, -torch.ones(2, 3), 0, method, layers=["sometimes"])
        mixed = torch.tensor([[1.0, 1, 1], [1, 1, 1], [-1, -1, -1]])
        with pytest.raises(LayerError, match="'sometimes' was not reached"):
            pellucid.attribute(model, mixed, 0, method, layers=["sometimes"])


def test_an_error_in_forward_names_the_module_and_the_shapes() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Sequential(nn.Linear(4, 2)))
    with pytest.raises(ForwardError, match=r"in 1\.0 \(Linear\).*\(2, 3\) float32") as caught:
        pellucid.attribute(model, torch.zeros(2, 3), 0)
    assert isinstance(caught.value.__cause__, RuntimeError)
