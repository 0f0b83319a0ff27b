"""What features cost: crops of the strongest examples in plain inference, and stimuli in forwards, of EfficientNet-Lite0."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from torch import nn

import pellucid
from bench.ratios import begin, finish, seconds
from pellucid.data import from_python
from pellucid.inspection.features import Asked, add_features
from pellucid.models import open_model
from pellucid.record import schema

BATCH = 32
EXAMPLES = 512
CLASSES = 1000
CROPS = 1.2
TUNED = 4  # layers that are shown stimuli, spread over the network


def stage_of(record: pellucid.Record, name: str) -> schema.StageInfo:
    return next(stage for stage in record.manifest.stages if stage.name == name)


def main() -> None:
    options = begin(__doc__)
    model = open_model("timm:efficientnet_lite0").model.eval()
    coarse = torch.rand(EXAMPLES, 3, 14, 14)
    images = nn.functional.interpolate(coarse, size=224, mode="bicubic", align_corners=False)
    labels = torch.randint(CLASSES, (EXAMPLES,)).tolist()
    source = from_python(list(zip(images, labels, strict=True)))

    def plain() -> None:
        with torch.no_grad():
            for batch in source.batches(BATCH):
                model(batch.inputs)

    plain()  # to warm up
    before = seconds(plain)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lite0.pellucid"
        record = pellucid.inspect(model, source, out=out, batch_size=BATCH, chosen=0, lenses=["graph", "activations"])
        crops = stage_of(record, "features")
        after = seconds(plain)
        names = [layer.name for layer in record.panel("features").layers]
        chosen = tuple(names[:: max(1, len(names) // TUNED)][:TUNED])
        begun = time.perf_counter()
        tuned = add_features(out, model, source, Asked(stimuli=True, layers=chosen))
        took = time.perf_counter() - begun
        stimuli = stage_of(tuned, "stimuli")
    inference = (before + after) / 2
    one = inference / EXAMPLES
    finish(
        [
            {
                "what": f"crops of the strongest {EXAMPLES} images of 224 px at their fields, all {len(names)} layers, in plain "
                "inference of the same images",
                "ours": crops.seconds / inference,
                "range": f"{crops.seconds / max(before, after):.3g} to {crops.seconds / min(before, after):.3g}",
                "limit": CROPS,
                "note": f"{crops.seconds:.1f} s on top of the sweep, which has its own budget; {crops.examples} images were read "
                "again. The pictures of a layer cost the same however many images there were, so that more of them cost less",
            },
            {
                "what": f"tuning to stimuli of {len(chosen)} layers, EfficientNet-Lite0, in forwards of as many whole images",
                "ours": stimuli.seconds / (stimuli.forward_examples * one),
                "note": f"{took:.0f} s, {stimuli.forward_examples:,} pictures; a picture is as large as the fields, and a forward "
                "ends at the layer",
            },
        ],
        options.out,
    )


if __name__ == "__main__":
    main()
