"""Gradient views of all 20 convolutions of ResNet-18, in bare forwards and raw passes; Captum and pytorch-grad-cam beside."""

from __future__ import annotations

import pytorch_grad_cam
import torch
from captum.attr import InputXGradient, LayerGradCam, LayerGradientXActivation, Saliency
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision.models import resnet18

import pellucid
from bench.ratios import Ratio, begin, finish, in_turns

REPEATS = 15
LIMIT = 2.5
OF_RAW = 1.3
LAST = 1.5
FASTER_THAN_CAPTUM = 8
FASTER_THAN_GRAD_CAM = 4
CAMS = {
    "grad_cam": "GradCAM", "grad_cam_plus_plus": "GradCAMPlusPlus", "hires_cam": "HiResCAM", "layer_cam": "LayerCAM",
    "xgrad_cam": "XGradCAM", "eigen_cam": "EigenCAM",
}  # fmt: skip
PLAIN = ["saliency", "gradient_x_input", *CAMS]
BOTH = ["saliency", "gradient_x_input", "grad_cam"]
TARGET = 3


def main() -> None:
    options = begin(__doc__)
    model = resnet18().eval()
    images = torch.randn(8, 3, 224, 224)
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}
    names = list(convolutions)

    def bare() -> None:
        with torch.no_grad():
            model(images)

    def ours() -> None:
        pellucid.attribute(model, images, TARGET, method=["saliency", "grad_cam"], layers=names)

    def every_view() -> None:
        pellucid.attribute(model, images, TARGET, method=PLAIN, layers=names)

    def every_cam() -> None:
        pellucid.attribute(model, images, TARGET, method=list(CAMS), layers=names)

    def as_captum_has() -> None:
        pellucid.attribute(model, images, TARGET, method=BOTH, layers=names)

    def last() -> None:
        pellucid.attribute(model, images, TARGET, method="grad_cam", layers=["layer4.1.conv2"])

    def backward() -> None:
        leaf = images.clone().requires_grad_()
        torch.autograd.grad(model(leaf)[:, TARGET].sum(), [leaf])

    def every_gradient() -> None:
        kept: list[torch.Tensor] = []
        handles = [one.register_forward_hook(lambda *call: kept.append(call[2])) for one in convolutions.values()]
        leaf = images.clone().requires_grad_()
        torch.autograd.grad(model(leaf)[:, TARGET].sum(), [leaf, *kept])
        for handle in handles:
            handle.remove()

    def captum() -> None:
        """What Captum has of these views: the input's, then gradient x activation and Grad-CAM of one layer after the other."""
        leaf = images.clone().requires_grad_()
        Saliency(model).attribute(leaf, target=TARGET)
        InputXGradient(model).attribute(leaf, target=TARGET)
        for module in convolutions.values():
            LayerGradientXActivation(model, module).attribute(images, target=TARGET)
            LayerGradCam(model, module).attribute(images, target=TARGET)

    def captum_grad_cam() -> None:
        for module in convolutions.values():
            LayerGradCam(model, module).attribute(images, target=TARGET)

    def grad_cam() -> None:
        """The same six maps of each layer from pytorch-grad-cam, an object for each method and layer."""
        targets = [ClassifierOutputTarget(TARGET)] * len(images)
        for kind in CAMS.values():
            for module in convolutions.values():
                with getattr(pytorch_grad_cam, kind)(model=model, target_layers=[module]) as one:
                    one(input_tensor=images, targets=targets)

    _frozen(model, frozen=True)
    one_pass, forward, floor, kept = in_turns(ours, bare, backward, every_gradient, repeats=REPEATS)
    views, raw = in_turns(every_view, every_gradient, repeats=REPEATS)
    late, once = in_turns(last, bare, repeats=REPEATS)
    _frozen(model, frozen=False)  # as the others' users have them; ours needs no more than before
    layer_by_layer, beside, same = in_turns(captum_grad_cam, bare, ours, repeats=3)
    theirs, mine = in_turns(captum, as_captum_has, repeats=2)
    maps, my_maps = in_turns(grad_cam, every_cam, repeats=1)
    found, peer = Ratio.of(one_pass, forward), Ratio.of(layer_by_layer, beside)
    family, latest = Ratio.of(views, raw), Ratio.of(late, once)
    least, plain = Ratio.of(floor, forward), Ratio.of(kept, forward)
    of_captum, alone, of_grad_cam = Ratio.of(theirs, mine), Ratio.of(layer_by_layer, same), Ratio.of(maps, my_maps)
    finish(
        [
            {
                "what": "saliency and Grad-CAM of all 20 convolutions, ResNet-18, 8 images of 224 px, in bare forwards",
                "ours": found.median,
                "range": found.range,
                "limit": LIMIT,
                "peer": f"Captum's LayerGradCam, 20 calls: {peer.median:.3g} ({peer.range})",
                "note": (
                    f"torch.autograd.grad alone: {least.median:.3g} ({least.range}) for the input, {plain.median:.3g} "
                    f"({plain.range}) for the input and the 20 outputs"
                ),
            },
            {
                "what": f"{len(PLAIN)} gradient views of all 20 convolutions, ResNet-18, 8 images, in raw passes",
                "ours": family.median,
                "range": family.range,
                "limit": OF_RAW,
                "note": "a raw pass is torch.autograd.grad for the input and the 20 outputs",
            },
            {
                "what": "the views that Captum has too (saliency and gradient x input, gradient x activation and Grad-CAM of "
                "all 20 convolutions), in Captum's time layer by layer",
                "ours": 1 / of_captum.median,
                "limit": 1 / FASTER_THAN_CAPTUM,
                "peer": "Captum: 1",
                "note": f"{of_captum.median:.3g} times faster ({of_captum.range}); Grad-CAM alone in Captum, saliency and "
                f"Grad-CAM here: {alone.median:.3g} times ({alone.range})",
            },
            {
                "what": f"{len(CAMS)} class activation maps of each of the 20 convolutions, in pytorch-grad-cam's time, one map a "
                "layer at a time",
                "ours": 1 / of_grad_cam.median,
                "limit": 1 / FASTER_THAN_GRAD_CAM,
                "peer": "pytorch-grad-cam: 1",
                "note": f"{of_grad_cam.median:.3g} times faster ({of_grad_cam.range})",
            },
            {
                "what": "Grad-CAM of the last convolution, ResNet-18, 8 images of 224 px, in bare forwards",
                "ours": latest.median,
                "range": latest.range,
                "limit": LAST,
            },
        ],
        options.out,
    )


def _frozen(model: nn.Module, *, frozen: bool) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(not frozen)


if __name__ == "__main__":
    main()
