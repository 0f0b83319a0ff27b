"""What `pellucid.attribute` refuses, and what it says then."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.errors import LayerError, MethodError, TargetError


def test_a_method_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(MethodError, match=r"no method 'shapely'\..* Methods: saliency, gradient_x_input, "):
        pellucid.attribute(nn.Linear(3, 2), torch.randn(2, 3), 0, ["saliency", "shapely"])


def test_grad_cam_without_any_place_is_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(MethodError, match="Grad-CAM needs a layer with an activation of shape"):
        pellucid.attribute(model, torch.randn(2, 3), 0, "grad_cam")


def test_grad_cam_of_tokens_that_are_no_patches_is_refused_with_their_number() -> None:
    class Sentence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(4, 4)
            self.head = nn.Linear(4, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(torch.relu(self.mix(tokens)).mean(dim=1))

    with pytest.raises(
        LayerError, match=r"'mix' gave \('batch', 7, 4\): its 7 tokens are no patches of an image.*fit: none"
    ):
        pellucid.attribute(Sentence(), torch.randn(2, 7, 4), 0, "grad_cam", layers=["mix"])


def test_grad_cam_of_an_input_without_height_and_width_is_refused() -> None:
    class Unfolded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(1, 4, 3)
            self.head = nn.Linear(4, 2)

        def forward(self, signal: Tensor) -> Tensor:
            return self.head(torch.relu(self.convolution(signal.reshape(-1, 1, 6, 6))).mean(dim=(2, 3)))

    with pytest.raises(MethodError, match=r"got \(2, 36\)"):
        pellucid.attribute(Unfolded(), torch.randn(2, 36), 0, "grad_cam")


@pytest.mark.parametrize("shape", [(2, 2, 5, 5), (2, 3, 7)])
def test_outputs_with_positions_need_a_function_as_target(shape: tuple[int, ...]) -> None:
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, values: Tensor) -> Tensor:
            return values * self.scale

    values = torch.randn(shape)
    with pytest.raises(TargetError, match="give target as a function"):
        pellucid.attribute(Dense(), values, 0)
    found = pellucid.attribute(Dense(), values, lambda output: output.flatten(1)[:, 0])
    assert float(found.input.sum()) == 2.0


def test_a_target_function_that_gives_no_number_an_example_is_refused() -> None:
    with pytest.raises(MethodError, match=r"float\[batch\]; this one has shape \(2, 2\)"):
        pellucid.attribute(nn.Linear(3, 2), torch.randn(2, 3), lambda output: output)


def test_a_function_of_a_named_output_is_asked_for_copies_together_as_of_a_bare_one() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, values: Tensor) -> dict[str, Tensor]:
            return {"logits": self.head(values)}

    model, values = Named(), torch.randn(2, 4)
    methods = ["integrated_gradients", "smoothgrad", "occlusion"]
    named = pellucid.attribute(model, values, lambda output: output["logits"][:, 1], methods)
    bare = pellucid.attribute(model.head, values, lambda output: output[:, 1], methods)
    for method in methods:
        assert named[method].passes == bare[method].passes
        assert torch.equal(named[method].input, bare[method].input)


def test_token_ids_have_no_gradient_but_their_embedding_has() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(11, 6), nn.Flatten(), nn.Linear(24, 3))
    found = pellucid.attribute(model, torch.tensor([[1, 2, 3, 4], [5, 5, 0, 10]]), 1, "gradient_x_input")
    assert found.input is None
    weight = model[2].weight.detach()[1].reshape(4, 6)
    embedded = model[0].weight.detach()[torch.tensor([[1, 2, 3, 4], [5, 5, 0, 10]])]
    torch.testing.assert_close(found.layers["0"], embedded * weight)


def test_a_layer_that_the_score_does_not_depend_on_has_a_gradient_of_zeros() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Linear(3, 2)
            self.right = nn.Linear(3, 2)

        def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
            return self.left(values), self.right(values)

    found = pellucid.attribute(Forked(), torch.randn(4, 3), 0)
    assert torch.equal(found.layers["right"], torch.zeros(4, 2))
    assert torch.equal(found.layers["left"], torch.tensor([[1.0, 0.0]]).expand(4, 2))
