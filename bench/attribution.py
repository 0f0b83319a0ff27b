"""Saliency and Grad-CAM of all 20 convolutions of ResNet-18, counted in bare forwards; Captum layer by layer beside it."""

from __future__ import annotations

import torch
from captum.attr import LayerGradCam
from torch import nn
from torchvision.models import resnet18

import pellucid
from bench.ratios import Ratio, begin, finish, in_turns

REPEATS = 15
LIMIT = 2.5
OF_RAW = 1.3
LAST = 1.5
PLAIN = [
    "saliency", "gradient_x_input", "grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam",
]  # fmt: skip
TARGET = 3


def main() -> None:
    options = begin(__doc__)
    model = resnet18().eval()
    images = torch.randn(8, 3, 224, 224)
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d)}

    def bare() -> None:
        with torch.no_grad():
            model(images)

    def ours() -> None:
        pellucid.attribute(model, images, TARGET, method=["saliency", "grad_cam"], layers=list(convolutions))

    def every_view() -> None:
        pellucid.attribute(model, images, TARGET, method=PLAIN, layers=list(convolutions))

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
        for module in convolutions.values():
            LayerGradCam(model, module).attribute(images, target=TARGET)

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    one_pass, forward, floor, kept = in_turns(ours, bare, backward, every_gradient, repeats=REPEATS)
    for parameter in model.parameters():
        parameter.requires_grad_(True)  # as Captum's users have them; it needs no more than the first
    layer_by_layer, beside = in_turns(captum, bare, repeats=3)
    found, peer = Ratio.of(one_pass, forward), Ratio.of(layer_by_layer, beside)
    views, raw = in_turns(every_view, every_gradient, repeats=REPEATS)
    late, once = in_turns(last, bare, repeats=REPEATS)
    family, latest = Ratio.of(views, raw), Ratio.of(late, once)
    least, plain = Ratio.of(floor, forward), Ratio.of(kept, forward)
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
                "what": "Grad-CAM of the last convolution, ResNet-18, 8 images of 224 px, in bare forwards",
                "ours": latest.median,
                "range": latest.range,
                "limit": LAST,
            },
        ],
        options.out,
    )


if __name__ == "__main__":
    main()
