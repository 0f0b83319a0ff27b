from dataclasses import replace

import pytest
import torch
from torch import nn

import pellucid
from pellucid.attribution.layers import by_module, shaped, traced
from pellucid.capture import Session
from pellucid.errors import LayerError

FORWARDS: list[int] = []  # of how many examples each was; kept outside of the model, from which it would be taken back


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.head = nn.Linear(16, 5)
        self.spare = nn.Conv2d(3, 4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        FORWARDS.append(len(images))
        return self.head(self.pool(torch.relu(self.norm(self.first(images)))).flatten(1))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    FORWARDS.clear()
    return Net().eval()


IMAGES = torch.randn(6, 3, 9, 9, generator=torch.Generator().manual_seed(0))


def test_modules_that_say_where_their_channels_are_cost_one_forward(net: Net) -> None:
    pellucid.attribute(net, IMAGES, 1, ["saliency", "grad_cam"], layers=["first", "norm", "pool"])
    assert FORWARDS == [6]


def test_other_layers_are_looked_up_in_a_trace_of_two_examples(net: Net) -> None:
    pellucid.attribute(net, IMAGES, 1, layers=["relu()"])
    assert FORWARDS == [2, 6], "the trace, and the forward"


def test_a_model_that_takes_no_two_examples_is_traced_on_all() -> None:
    class Six(Net):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images.reshape(6, 3, 9, 9))

    torch.manual_seed(0)
    maps = pellucid.attribute(Six().eval(), IMAGES, 1, layers=["relu()"])
    assert maps.layers["relu()"].shape == (6, 4, 7, 7)


def test_layers_known_by_their_modules_are_those_of_the_graph(net: Net) -> None:
    names = ["first", "norm", "pool", "head"]
    plain = by_module(net, names)
    assert plain is not None
    with Session(net, plain) as session:
        found = shaped(net, plain, session.explain(IMAGES, lambda output: output[:, 1]))
    graph = traced(net, IMAGES)
    assert found is not None
    assert [replace(layer, index=0) for layer in found] == [replace(graph.layer(name), index=0) for name in names]


def test_maps_are_the_same_with_and_without_a_trace(net: Net) -> None:
    short = pellucid.attribute(net, IMAGES, 1, ["saliency", "grad_cam"], layers=["first", "pool"])
    whole = pellucid.attribute(net, IMAGES, 1, ["saliency", "grad_cam"], layers=["first", "relu()", "pool"])
    for method, maps in short.items():
        assert torch.equal(maps.input, whole[method].input)
        for name, values in maps.layers.items():
            assert torch.equal(values, whole[method].layers[name])


def test_a_module_that_the_model_never_calls_is_refused(net: Net) -> None:
    with pytest.raises(LayerError, match=r"calls no layer 'spare'"):
        pellucid.attribute(net, IMAGES, 1, layers=["spare"])


def test_a_linear_layer_is_refused_for_grad_cam_with_names_of_layers_that_fit(net: Net) -> None:
    with pytest.raises(LayerError, match=r"layer 'head' gave .*Layers that fit: relu\(\)"):
        pellucid.attribute(net, IMAGES, 1, "grad_cam", layers=["head"])
