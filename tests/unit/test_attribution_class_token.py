"""CAMs of a vision transformer whose head reads the class token alone: the gradient at its last patches is 0."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from torch import Tensor, nn
from torchvision.models import VisionTransformer

import pellucid
from pellucid.attribution import AblationCam, ScoreCam
from pellucid.inspection.live import LiveModel


def vit() -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=5
    )
    torch.nn.init.normal_(model.heads.head.weight)  # zeros otherwise, and then nothing depends on anything
    return model.eval()


def images() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam"])
def test_the_map_is_that_of_the_deepest_layer_whose_patches_the_score_reads(method: str) -> None:
    found = pellucid.attribute(vit(), images(), 2, method)
    name = next(words for words in found.warnings if "reads no position of" in words).split("'")[-2]
    order = list(found.layers)
    assert not any(found.layers[each].any() for each in order[order.index(name) + 1 :])
    wide = torch.nn.functional.interpolate(
        found.layers[name][:, None], size=(32, 32), mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(found.input, wide.expand_as(found.input))
    assert order.index(name) < len(order) - 3, "what is behind the last attention is left out"


def test_a_named_layer_that_the_score_does_not_read_is_said_to_be_0() -> None:
    found = pellucid.attribute(vit(), images(), 2, "grad_cam", layers=["encoder.ln"])
    assert not found.input.any()
    assert any("and so is the map" in words for words in found.warnings)


def test_eigen_cam_needs_no_gradient_and_stays_at_the_deepest_layer() -> None:
    found = pellucid.attribute(vit(), images(), 2, "eigen_cam")
    assert not found.warnings
    assert found.input.any()


def test_ablation_cam_takes_channels_from_the_patches_alone_at_the_deepest_layer_that_is_read() -> None:
    model = vit()
    expected = next(
        words
        for words in pellucid.attribute(model, images(), 2, "grad_cam").warnings
        if "reads no position of" in words
    ).split("'")[-2]
    found = pellucid.attribute(model, images(), 2, AblationCam(relu=False))
    assert list(found.layers) == [expected], "the same layer as the gradient finds"
    assert "The score reads no position of" in found.warnings[0]
    # By hand: the block's output without one channel of its patches, the class token as it was.
    kept: list[Tensor] = []
    module = model.get_submodule(expected)
    with torch.no_grad():
        handle = module.register_forward_hook(lambda _, given, output: kept.append(output.clone()))
        whole = model(images())[:, 2]
        handle.remove()
        weights = []
        for channel in range(16):

            def without(_: nn.Module, given: object, output: Tensor, channel: int = channel) -> Tensor:
                output = output.clone()
                output[:, 1:, channel] = 0
                return output

            handle = module.register_forward_hook(without)
            weights.append((whole - model(images())[:, 2]) / whole.abs())
            handle.remove()
    patches = kept[0][:, 1:].transpose(1, 2).reshape(2, 16, 4, 4)
    map_ = torch.einsum("bchw,bc->bhw", patches, torch.stack(weights, 1))
    torch.testing.assert_close(found.layers[expected], map_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["score_cam", "ablation_cam"])
def test_forward_only_cams_say_of_a_named_layer_that_it_is_not_read(method: str) -> None:
    found = pellucid.attribute(vit(), images(), 2, method, layers=["encoder.ln"])
    assert "The score reads no position of 'encoder.ln' but its class token." in found.warnings
    assert bool(found.input.any()) == (method == "score_cam"), "nothing falls where nothing is read"


def test_score_cam_masks_the_image_by_patches_of_the_deepest_layer_that_is_read() -> None:
    model = vit()
    found = pellucid.attribute(model, images(), 2, ScoreCam(relu=False))
    (name,) = found.layers
    kept: list[Tensor] = []
    with torch.no_grad():
        handle = model.get_submodule(name).register_forward_hook(lambda _, given, output: kept.append(output))
        model(images())
        handle.remove()
        maps = kept[0][:, 1:].transpose(1, 2).reshape(2, 16, 4, 4)
        wide = nn.functional.interpolate(maps, size=(32, 32), mode="bilinear", align_corners=False)
        low, high = wide.amin((2, 3), keepdim=True), wide.amax((2, 3), keepdim=True)
        masks = (wide - low) / (high - low)
        table = torch.stack([model(images() * masks[:, channel, None])[:, 2] for channel in range(16)], 1)
    expected = torch.einsum("bchw,bc->bhw", maps, table.softmax(1))
    torch.testing.assert_close(found.layers[name], expected, rtol=1e-3, atol=1e-5)


def test_the_first_map_on_screen_is_not_blank_and_those_of_token_layers_are_planes(tmp_path: Path) -> None:
    examples = [(image, at) for at, image in enumerate(images())]
    record = pellucid.inspect(
        vit(), examples, out=tmp_path / "vit.pellucid", chosen=1, lenses=["graph", "predictions"]
    )  # fmt: skip
    live = record.live
    assert isinstance(live, LiveModel)
    for layers in ([], ["*"]):
        given = {"row": ["1"], "method": ["grad_cam"], "explained": ["2"], "layers": layers}
        content = live.inquiry("attribute", given)[1](lambda _: True)
        (length,) = struct.unpack("<Q", content[:8])
        said = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["attribute"])
        tensors = load(content)
        assert np.ptp(tensors["grad_cam.input"].astype(float)) > 0
        assert [(one["height"], one["width"]) for one in said["layers"]] == [(4, 4)] * len(said["layers"])
        assert {tensors[f"grad_cam.{one['index']}"].shape for one in said["layers"]} == {(4, 4)}
    checked = live.inquiry("sanity", {"row": ["1"], "method": ["grad_cam"], "explained": ["2"]})[1](lambda _: True)
    (length,) = struct.unpack("<Q", checked[:8])
    found = json.loads(json.loads(checked[8 : 8 + length])["__metadata__"]["sanity"])
    assert None not in found["correlations"][:-1], "a map that is 0 everywhere correlates with nothing"
    maps = pellucid.attribute(live.model, images()[1:], 2, "grad_cam").layers
    for one in said["layers"]:
        drawn = tensors[f"grad_cam.{one['index']}"].astype(float) * said["scales"][f"grad_cam.{one['index']}"]
        assert drawn == pytest.approx(maps[one["name"]][0].numpy(), rel=2e-3, abs=1e-6)
