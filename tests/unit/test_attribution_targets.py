"""Any output as the target: units of layers; tokens and time steps as what is explained; names that are not there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import pellucid
from pellucid.attribution import GradCam, Unit
from pellucid.attribution.targets import Goal
from pellucid.errors import LayerError, MethodError, OptionError, TargetError

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(80, 2)).eval()


@pytest.mark.parametrize(
    ("place", "of"),
    [
        ("mean", lambda maps: maps[:, 1].mean(dim=(1, 2))),
        ("max", lambda maps: maps[:, 1].amax(dim=(1, 2))),
        ((2, 3), lambda maps: maps[:, 1, 2, 3]),
    ],
)
def test_a_unit_of_a_layer_is_a_target(place: str | tuple[int, int], of: object) -> None:
    model = net()
    found = pellucid.attribute(model, IMAGES, Unit("2", 1, place), ["saliency", "grad_cam"], layers=["0"])
    leaf = IMAGES.clone().requires_grad_()
    first = model[0](leaf)
    scores = of(model[2](model[1](first)))  # type: ignore[operator]
    gradient, by_layer = torch.autograd.grad(scores.sum(), [leaf, first])
    torch.testing.assert_close(found["saliency"].scores, scores.detach())
    torch.testing.assert_close(found["saliency"].input, gradient.abs())
    torch.testing.assert_close(found["saliency"].layers["0"], by_layer.abs())
    assert list(found["grad_cam"].layers) == ["0"]


def test_a_unit_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(LayerError, match=r"calls no layer '22'\. Nearest names: 2"):
        pellucid.attribute(net(), IMAGES, Unit("22", 0))
    with pytest.raises(TargetError, match="Layer '2' has no channel 5: it has 5, 0 to 4"):
        pellucid.attribute(net(), IMAGES, Unit("2", 5))
    with pytest.raises(TargetError, match=r"there is no place \(4, 0\)"):
        pellucid.attribute(net(), IMAGES, Unit("2", 0, (4, 0)))
    with pytest.raises(OptionError, match="'mean', 'max' or a position"):
        Unit("2", 0, "strongest")  # type: ignore[arg-type]


def test_a_mistyped_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(MethodError, match=r"no method 'gradcam'\. Did you mean grad_cam"):
        pellucid.attribute(net(), IMAGES, 0, "gradcam")


def test_a_method_with_two_sets_of_options_is_refused() -> None:
    with pytest.raises(MethodError, match="'grad_cam' is asked for twice"):
        pellucid.attribute(net(), IMAGES, 0, [GradCam(), GradCam(relu=False)])


class Text(nn.Module):
    def __init__(self, recurrent: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.places = nn.Embedding(9, 6)
        self.recurrent = nn.GRU(6, 6, batch_first=True) if recurrent else None
        self.mix = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, ids: Tensor) -> Tensor:
        values = self.words(ids) + self.places(torch.arange(ids.shape[1]).expand_as(ids))
        if self.recurrent is not None:
            return self.head(self.recurrent(values)[0][:, -1])
        return self.head(torch.tanh(self.mix(values)).mean(1))


IDS = torch.tensor([[1, 2, 3, 4], [5, 5, 0, 19]])


@pytest.mark.parametrize("layers", [None, ["mix"]])
def test_token_gradients_are_gradient_times_embedding_of_the_words_alone(layers: list[str] | None) -> None:
    torch.manual_seed(0)
    model = Text(recurrent=False).eval()
    found = pellucid.attribute(model, IDS, 1, "token_gradients", layers=layers)
    embedded = model.words.weight.detach()[IDS].requires_grad_()
    values = embedded + model.places.weight.detach()[:4]
    score = model.head(torch.tanh(model.mix(values)).mean(1))[:, 1].sum()
    (gradient,) = torch.autograd.grad(score, embedded)
    torch.testing.assert_close(found.input, (gradient * embedded.detach()).sum(-1))
    assert list(found.layers) == ["words"]
    assert (found.passes.forward, found.passes.backward) == (1, 1)


def test_token_gradients_are_refused_where_no_embedding_looks_up_the_input() -> None:
    with pytest.raises(MethodError, match="Token gradients need an embedding"):
        pellucid.attribute(net(), IMAGES, 0, "token_gradients")


def test_time_gradients_of_words_and_of_numbers() -> None:
    torch.manual_seed(0)
    model = Text(recurrent=True).eval()
    found = pellucid.attribute(model, IDS, 1, "time_gradients")
    embedded = model.words.weight.detach()[IDS].requires_grad_()
    values = embedded + model.places.weight.detach()[:4]
    states = model.recurrent(values)[0]
    score = model.head(states[:, -1])[:, 1].sum()
    gradient, by_state = torch.autograd.grad(score, [embedded, states])
    torch.testing.assert_close(found.input, gradient.norm(dim=-1))
    torch.testing.assert_close(found.layers["recurrent"], by_state.norm(dim=-1))

    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = nn.LSTM(3, 5, batch_first=True)
            self.head = nn.Linear(5, 2)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(self.recurrent(values)[0][:, -1])

    series, given = Series().eval(), torch.randn(4, 7, 3)
    found = pellucid.attribute(series, given, 0, ["time_gradients", "saliency"])
    torch.testing.assert_close(found["time_gradients"].input, found["saliency"].input.norm(dim=-1))
    with pytest.raises(MethodError, match="need a recurrent network"):
        pellucid.attribute(net(), IMAGES, 0, "time_gradients")


def test_copies_are_scored_where_the_outputs_are() -> None:
    """On a GPU, which torch's fake tensors stand for here: the rows of copies are numbers of the processor."""
    goal = Goal(2)
    with FakeTensorMode():
        logits = torch.empty(4, 3, device="cuda")
        assert goal.scores(logits).device.type == "cuda"
        rows = torch.arange(8) % 4
        assert goal.scores(torch.empty(8, 3, device="cuda"), rows, 4).device.type == "cuda"
