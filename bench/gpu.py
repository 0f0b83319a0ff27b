"""A model on a GPU, a trace, gradient views, an inspection and a Watch beside bare passes; and frames that the card draws."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from torch import nn

import pellucid
from bench.browsing import programs
from bench.clock import stopped_clock
from bench.frames import on_a_card
from bench.ratios import Ratio, begin, finish, in_turns
from pellucid.capture import to_device
from pellucid.data import from_python
from pellucid.features import maximise
from pellucid.graph import trace

DEVICE = "cuda"
TRACED = (("ResNet-50", "resnet50"), ("ViT-B/16", "vit_b_16"), ("EfficientNet-B0", "efficientnet_b0"))
REPEATS = 7
BATCH, STEPS, GROUP = 128, 240, 20
EXAMPLES = 1024
PLAIN = ["saliency", "gradient_x_input", "grad_cam", "layer_cam", "hires_cam"]
TARGET = 3


def waited(run: Callable[[], object]) -> Callable[[], None]:
    """The same, to the end of what the device was given to do."""

    def whole() -> None:
        run()
        torch.cuda.synchronize()

    return whole


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.get_model(name).eval().to(DEVICE)


def traced(title: str, name: str) -> dict[str, object]:
    """One row: a trace beside a forward of one image."""
    model, image = made(name), torch.randn(1, 3, 224, 224, device=DEVICE)
    with torch.no_grad():
        bare, ours = in_turns(waited(lambda: model(image)), waited(lambda: trace(model, image)), repeats=REPEATS)
    ratio = Ratio.of(ours, bare)
    return {
        "what": f"trace of {title}, one image of 224 px, in bare forwards",
        "ours": ratio.median,
        "range": ratio.range,
        "limit": 3.0,
        "note": f"a forward takes {1000 * min(bare):.1f} ms, in which the processor gives out work that the GPU waits for",
    }


def views() -> list[dict[str, object]]:
    """Gradient views of all convolutions of ResNet-50, and one CAM."""
    model, images = made("resnet50"), torch.randn(64, 3, 224, 224, device=DEVICE)
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]

    def bare() -> None:
        with torch.no_grad():
            model(images)

    def backward() -> None:
        leaf = images.clone().requires_grad_()
        torch.autograd.grad(model(leaf)[:, TARGET].sum(), [leaf])

    def every_view() -> None:
        pellucid.attribute(model, images, TARGET, method=PLAIN, layers=names)

    def last() -> None:
        pellucid.attribute(model, images, TARGET, method="grad_cam", layers=["layer4.2.conv3"])

    plain, raw, every, one = in_turns(*map(waited, (bare, backward, every_view, last)), repeats=REPEATS)
    note = f"64 images; a forward takes {1000 * min(plain):.0f} ms"
    return [
        {
            "what": f"{len(PLAIN)} plain gradient views of all {len(names)} convolutions of ResNet-50, in a forward and a backward",
            "ours": Ratio.of(every, raw).median,
            "range": Ratio.of(every, raw).range,
            "note": note,
        },
        {
            "what": "Grad-CAM of ResNet-50's last layer, in bare forwards",
            "ours": Ratio.of(one, plain).median,
            "range": Ratio.of(one, plain).range,
            "limit": 1.5,
            "note": note,
        },
    ]


def inspected() -> dict[str, object]:
    """One row: the sweep of every lens beside plain inference of the same examples."""
    model = made("resnet50")
    coarse = torch.rand(EXAMPLES, 3, 14, 14)
    images = nn.functional.interpolate(coarse, size=224, mode="bicubic", align_corners=False)
    source = from_python(list(zip(images, torch.randint(1000, (EXAMPLES,)).tolist(), strict=True)))

    def plain() -> None:
        with torch.no_grad():
            for batch in source.batches(64):
                model(to_device(batch.inputs, torch.device(DEVICE))).cpu()

    taken, sweeps = [], []
    plain()
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(3):
            begun = time.perf_counter()
            plain()
            taken.append(time.perf_counter() - begun)
            record = pellucid.inspect(model, source, out=Path(folder) / str(turn), batch_size=64, chosen=8)
            sweeps.append(next(stage.seconds for stage in record.manifest.stages if stage.name == "sweep"))
    ratio = Ratio.of(sweeps, taken)
    return {
        "what": f"sweep of every lens over {EXAMPLES} images of 224 px, ResNet-50, in plain inference",
        "ours": ratio.median,
        "range": ratio.range,
        "note": f"plain inference takes {min(taken):.2f} s, with the images on their way to the device",
    }


def pictures() -> dict[str, object]:
    """One row: pictures of channels, a forward and a backward each step."""
    model = made("resnet50")
    channels = list(range(32))

    def ours() -> None:
        maximise(model, "layer3", channels, (3, 224, 224), steps=32)

    (taken,) = in_turns(waited(ours), repeats=3)
    return {
        "what": "pictures of 32 channels of layer3, ResNet-50, 224 px, 32 steps, in seconds",
        "ours": min(taken),
        "range": f"{min(taken):.3g} to {max(taken):.3g}",
        "note": "all channels in one batch, up to the layer",
    }


def watched() -> dict[str, object]:
    """One row: two trainings in turns, some steps at a time, one of them under a Watch at its default cadence."""
    images, targets = torch.randn(BATCH, 3, 224, 224, device=DEVICE), torch.randint(1000, (BATCH,), device=DEVICE)
    nets = [made("resnet50").train() for _ in range(2)]
    optimizers = [torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9) for net in nets]

    def steps(number: int, watch: pellucid.Watch | None = None) -> float:
        begun = time.perf_counter()
        for _ in range(GROUP):
            with torch.autocast(DEVICE, torch.bfloat16):
                outputs = nets[number](images)
                loss = nn.functional.cross_entropy(outputs, targets)
            optimizers[number].zero_grad()
            loss.backward()
            optimizers[number].step()
            if watch is not None:
                watch.observe(outputs, targets, loss)
        torch.cuda.synchronize()
        return time.perf_counter() - begun

    for number in (0, 1):
        steps(number)
    ours, bare = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        stopped_clock() as clock,
        pellucid.watch(nets[1], optimizers[1], out=Path(folder) / "run") as watch,
    ):
        for turn in range(STEPS // GROUP):
            for number in sorted((0, 1), reverse=bool(turn % 2)):
                taken = steps(number, watch if number else None)
                (ours if number else bare).append(taken)
                clock.left_out += 0.0 if number else taken
    ratio = Ratio.of(ours, bare)
    return {
        "what": f"share of a training step that a Watch takes at its default cadence, ResNet-50 in bfloat16, batch of {BATCH}",
        "ours": f"{ratio.median - 1:.1%}",
        "range": f"{ratio.low - 1:.1%} to {ratio.high - 1:.1%}",
        "limit": "3%",
        "note": (
            f"{STEPS} steps of {1000 * sum(bare) / STEPS:.0f} ms, median and range of groups of {GROUP}; over all of them "
            f"{sum(ours) / sum(bare) - 1:.1%}, the first included, in which the device loads the code of the looks"
        ),
    }


def main() -> None:
    options = begin(__doc__)
    if not torch.cuda.is_available():
        finish([], options.out)
        return
    name = torch.cuda.get_device_name()
    rows = [*(traced(*one) for one in TRACED), *views(), inspected(), pictures(), watched()]
    rows = [{**row, "note": f"{row['note']}; {name}"} for row in rows]
    browser, node = programs()
    finish([*rows, *(on_a_card(node, browser) if browser and node else [])], options.out)


if __name__ == "__main__":
    main()
