"""Pictures of many channels in one batch, run up to their layer, against one channel at a time through the whole network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.ratios import Ratio, begin, finish, in_turns
from pellucid.features import Ascent, maximise
from pellucid.features.look import Look
from pellucid.features.parameterisation import Fourier
from pellucid.features.transformations import robust
from pellucid.graph import trace
from pellucid.models import open_model

SIDE = 64
STEPS = 4
# Layer and how many of its channels.
LAYERS = (("layer2", 16), ("layer4", 16))


def one_at_a_time(model: nn.Module, layer: str, channels: int) -> None:
    """What one would write first: a hook, a whole forward and a whole backward for each channel and step."""
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output))
    form = Fourier(Look.usual(3, (SIDE, SIDE)), (SIDE, SIDE))
    try:
        for channel in range(channels):
            random = torch.Generator().manual_seed(channel)
            free = form.begin(random, 0.01)[None].requires_grad_()
            adam = torch.optim.Adam([free], lr=form.rate)
            for _ in range(STEPS):
                kept.clear()
                model(robust(form.pictures(free), [random]))
                adam.zero_grad()
                (-kept[0][0, channel].mean()).backward()
                adam.step()
    finally:
        handle.remove()


def main() -> None:
    arguments = begin(__doc__)
    model = open_model("torchvision:resnet18").model.eval()
    size = (3, SIDE, SIDE)
    graph = trace(model, torch.zeros(1, *size))
    rows: list[dict[str, object]] = []
    for layer, channels in LAYERS:
        spent: list[tuple[int, int]] = []

        def ours(layer: str = layer, channels: int = channels, spent: list[tuple[int, int]] = spent) -> None:
            made = maximise(model, layer, range(channels), size, ascent=Ascent(steps=STEPS), graph=graph)
            spent.append((made.passes.forward, made.passes.backward))

        def theirs(layer: str = layer, channels: int = channels) -> None:
            one_at_a_time(model, layer, channels)

        mine, other = in_turns(ours, theirs, repeats=2)
        ratio = Ratio.of(mine, other)
        forwards, backwards = spent[-1]
        rows.append(
            {
                "what": f"pictures of {channels} channels of {layer}, ResNet-18, {SIDE} px, {STEPS} steps",
                "ours": ratio.median,
                "range": ratio.range,
                "limit": "below 1",
                "peer": f"whole passes, channel by channel: 1; {channels * STEPS} forwards, as many backwards",
                "note": f"{forwards} forwards and {backwards} backwards in all, each up to the layer: the starts and the final "
                "responses are among them",
            }
        )
    finish(rows, arguments.out)


if __name__ == "__main__":
    main()
