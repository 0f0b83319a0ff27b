"""Maps by channels and of attention against libraries: pytorch-grad-cam, Captum, scikit-learn, transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from captum.attr import LayerGradCam
from captum.attr import Saliency as CaptumsSaliency
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection
from sklearn.decomposition import TruncatedSVD
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import AblationCam, EigenCam, GradCamPlusPlus, ScoreCam

CLOSE: dict[str, float] = {"rtol": 1e-5, "atol": 1e-6}
TARGETS = [2, 0, 1, 1]


def net(steep: float = 1.0) -> nn.Sequential:
    """Maps as large as the images, which no library needs to enlarge; a head that is no mean."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * 36, 9), nn.Tanh(), nn.Linear(9, 3),
    ).eval()  # fmt: skip
    with torch.no_grad():
        model[7].weight *= steep
    return model


def images() -> Tensor:
    return torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def theirs(name: str, model: nn.Module, layer: nn.Module, given: Tensor) -> Tensor:
    """pytorch-grad-cam's map before it is cut at 0, scaled and enlarged."""
    with getattr(pytorch_grad_cam, name)(model=model, target_layers=[layer]) as peer:
        targets = [ClassifierOutputTarget(target) for target in TARGETS]
        peer(given.clone().requires_grad_(), targets)
        kept = peer.activations_and_grads
        maps, slopes = (part[0].detach().numpy() if part else None for part in (kept.activations, kept.gradients))
        return torch.as_tensor(peer.get_cam_image(given, layer, targets, maps, slopes, False))


@pytest.mark.parametrize(
    ("ours", "name", "steep"),
    [
        # It adds 1e-6 to a divisor of squared gradients, which are large here.
        (GradCamPlusPlus(relu=False), "GradCAMPlusPlus", 1e6),
        (ScoreCam(relu=False), "ScoreCAM", 20.0),
        (AblationCam(relu=False), "AblationCAM", 1.0),
    ],
)
def test_maps_are_those_of_pytorch_grad_cam(ours: Any, name: str, steep: float, capfd: pytest.CaptureFixture) -> None:
    model, given = net(steep), images()
    found = pellucid.attribute(model, given, TARGETS, ours, layers=["3"]).layers["3"]
    expected = theirs(name, model, model[3], given)
    if name == "AblationCAM":  # it divides by the score itself, not by its size
        scores = model(given).detach().gather(1, torch.tensor(TARGETS)[:, None])
        expected = expected * scores.sign()[:, :, None]
        assert bool((scores < 0).any())
    scale = float(expected.abs().amax())
    torch.testing.assert_close(found / scale, expected.to(found) / scale, **CLOSE)
    assert float(found.flatten(1).std(1).min()) > 0
    capfd.readouterr()  # its progress bars


def test_the_projection_of_eigen_cam_is_that_of_scikit_learn_and_of_pytorch_grad_cam_where_maps_have_no_mean() -> None:
    model, given = net().double(), images().double()
    found = pellucid.attribute(model, given, TARGETS, EigenCam(relu=False), layers=["2"]).layers["2"]
    maps = model[:3](given).detach()
    for example, area in enumerate(maps.flatten(2).transpose(1, 2).numpy()):
        expected = TruncatedSVD(1, algorithm="arpack", random_state=0).fit_transform(area)[:, 0].reshape(6, 6)
        mine = found[example].numpy()
        np.testing.assert_allclose(mine * np.sign(mine.sum()), expected * np.sign(expected.sum()), rtol=1e-5, atol=1e-7)

    class Centred(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            made = model[:3](images)
            return made - made.mean((2, 3), keepdim=True)

    centred = nn.Sequential(Centred(), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3)).double()
    mine = pellucid.attribute(centred, given, TARGETS, EigenCam(relu=False), layers=["0"]).layers["0"]
    expected = torch.from_numpy(get_2d_projection(centred[0](given).detach().numpy())).double()
    turned = (mine * expected).sum((1, 2), keepdim=True).sign()  # with no mean either sign is right
    torch.testing.assert_close(mine * turned, expected, **CLOSE)


def test_cam_is_captums_grad_cam_on_a_pooled_linear_head_times_the_positions() -> None:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU())
    model = nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)).double().eval()
    given = images().double().requires_grad_()
    found = pellucid.attribute(model, given.detach(), TARGETS, "cam").layers["0.1"]
    peer = LayerGradCam(model, features).attribute(given, torch.tensor(TARGETS)).detach()
    torch.testing.assert_close(found, peer[:, 0] * 16, **CLOSE)


def test_rollouts_are_made_of_the_attention_that_transformers_gives_out() -> None:
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    shape = ViTConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24, image_size=32, patch_size=8,
        num_labels=3, attn_implementation="eager", initializer_range=0.3,
    )  # fmt: skip
    model = ViTForImageClassification(shape).double().eval()
    given = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    found = pellucid.attribute(model, given, 1, ["attention_rollout", "gradient_rollout"])
    told = model(given, output_attentions=True)
    slopes = torch.autograd.grad(told.logits[:, 1].sum(), told.attentions)
    identity = np.eye(17)
    for example in range(2):
        joint, relevance = identity, identity
        for layer, slope in zip(told.attentions, slopes, strict=True):
            attention = layer[example].detach().numpy()
            raw = attention.mean(0) + identity
            joint = (raw / raw.sum(-1, keepdims=True)) @ joint
            relevance = relevance + np.maximum(attention * slope[example].numpy(), 0).mean(0) @ relevance
        for name, expected in (("attention_rollout", joint), ("gradient_rollout", relevance - identity)):
            mine = found[name].layers["attention"][example].numpy()
            np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-9)


def test_gradients_by_step_are_the_lengths_of_captums() -> None:
    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 3)

        def forward(self, series: Tensor) -> Tensor:
            return self.head(F.softplus(self.layer(series)[0]).mean(1))

    torch.manual_seed(0)
    model, series = Series().double(), torch.randn(4, 6, 3, dtype=torch.float64)
    found = pellucid.attribute(model, series, TARGETS, "time_gradients")
    peer = CaptumsSaliency(model).attribute(series.clone().requires_grad_(), torch.tensor(TARGETS), abs=False)
    torch.testing.assert_close(found.input, peer.detach().norm(dim=-1), **CLOSE)
