"""Methods with rules: every way to write an activation, refusals by name, nothing left behind."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

import pellucid
from pellucid.attribution import LrpEpsilon, LrpGamma, LrpZPlus
from pellucid.attribution.rules.lrp.step import Step
from pellucid.attribution.rules.mode import RuledBackward
from pellucid.attribution.rules.recording import Call
from pellucid.attribution.rules.rectifiers import guided_backprop
from pellucid.attribution.rules.way import PLAIN, Node, Way
from pellucid.capture import Session
from pellucid.errors import MethodError, OptionError

RELUS = {
    "F.relu": F.relu,
    "in place": lambda a: F.relu(a, inplace=True),
    "torch.relu_": torch.relu_,
    "method": lambda a: a.relu(),
    "clamp": lambda a: a.clamp(min=0),
    "maximum": lambda a: torch.maximum(torch.zeros_like(a), a),
    "mask": lambda a: a * (a > 0),
    "where": lambda a: torch.where(a <= 0, 0.0, a),
    "masked_fill": lambda a: a.masked_fill(a < 0, 0),
    "leaky 0": lambda a: F.leaky_relu(a, 0.0),
}


class Net(nn.Module):
    def __init__(self, activation: object) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last, self.activation = nn.Linear(6, 8), nn.Linear(8, 3), activation

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        for _ in range(10):
            hidden = self.activation(hidden) - 0.05  # type: ignore[operator]
        return self.last(hidden)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_a_rectifier_that_was_not_noted_is_refused_and_not_passed(
    method: str, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = Way.call

    def call(way: Way, node: Node) -> Call | None:
        return None if str(node.name()).startswith("Relu") else noted(way, node)

    monkeypatch.setattr(Way, "call", call)
    with pytest.raises(MethodError, match="cannot tell which operator of the forward 'ReluBackward0' stands for"):
        pellucid.attribute(Net(lambda a: F.relu(a.clamp(min=0))), x, 0, method)


def test_a_recurrent_layer_of_rectifiers_is_guided_like_its_steps_by_hand() -> None:
    torch.manual_seed(0)
    layer, head, series = nn.RNN(5, 8, nonlinearity="relu", batch_first=True), nn.Linear(8, 3), torch.randn(2, 4, 5)

    class Fused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = layer, head

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layer(x)[0][:, -1])

    class Steps(Fused):
        def forward(self, x: Tensor) -> Tensor:
            state = x.new_zeros(len(x), 8)
            for step in x.unbind(1):
                given = F.linear(step, layer.weight_ih_l0, layer.bias_ih_l0)
                state = F.relu(given + F.linear(state, layer.weight_hh_l0, layer.bias_hh_l0))
            return self.head(state)

    for method in ("guided_backprop", "deconvnet"):
        fused, steps = (pellucid.attribute(make(), series, 1, method).input for make in (Fused, Steps))
        torch.testing.assert_close(fused, steps)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
@pytest.mark.parametrize("name", RELUS)
def test_every_way_to_write_a_relu_is_guided(name: str, method: str, x: Tensor) -> None:
    expected = pellucid.attribute(Net(nn.ReLU()), x, 2, method).input
    torch.testing.assert_close(pellucid.attribute(Net(RELUS[name]), x, 2, method).input, expected)
    plain = pellucid.attribute(Net(nn.ReLU()), x, 2, "gradient_x_input").input / x
    assert not torch.allclose(expected, plain)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_relu6_differs_from_the_gradient(method: str) -> None:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    model = torchvision.models.mobilenet_v2(num_classes=5)
    image = torch.randn(1, 3, 64, 64)
    found = pellucid.attribute(model, image, 0, ["saliency", method], layers=["features.18"])
    assert (found[method].input.abs() - found["saliency"].input).abs().max() > 0.1 * found["saliency"].input.max()


def test_the_forward_is_the_plain_one_bit_by_bit(x: Tensor) -> None:
    model = Net(F.relu).eval()
    with Session(model, ()) as session:
        seen = session.explain(x, lambda output: output[:, 0], within=RuledBackward(model, guided_backprop()))
    assert torch.equal(seen.outputs, model(x))
    assert _get_current_dispatch_mode() is None


def test_what_cannot_be_guided_is_refused_by_name(x: Tensor) -> None:
    with pytest.raises(MethodError, match=r"nothing to guide.*aten gelu"):
        pellucid.attribute(Net(F.gelu), x, 0, "guided_backprop")
    with pytest.raises(MethodError, match=r"defined for rectifiers only.*aten silu, called in .* at test_rules.py"):
        pellucid.attribute(Net(lambda a: F.silu(F.relu(a))), x, 0, "deconvnet")
    with pytest.raises(MethodError, match=r"rectifiers only.*self-gated"):
        pellucid.attribute(Net(lambda a: F.relu(a) + a * torch.sigmoid(a)), x, 0, "guided_backprop")


def test_lrp_refuses_the_fused_cells_of_a_gpu_and_says_where_they_can_be_explained() -> None:
    call = Call("_thnn_fused_lstm_cell", where="recurrent at net.py:3")
    with pytest.raises(
        MethodError, match=r"a GPU's fused cell \(aten _thnn_fused_lstm_cell\), called in recurrent at net.py:3"
    ):
        Step(Way(torch.zeros(1), {}, lambda way, node: PLAIN), None, call, LrpEpsilon()).refuse()


def test_lrp_refuses_by_name_and_place_and_leaves_nothing_behind(x: Tensor) -> None:
    model = Net(lambda a: a.cumprod(1))
    before = {name: one.clone() for name, one in model.state_dict().items()}
    with pytest.raises(MethodError, match=r"LRP has no rule for aten cumprod, called in .* at test_rules.py:"):
        pellucid.attribute(model, x, 0, "lrp_epsilon")
    assert _get_current_dispatch_mode() is None
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert all(one.requires_grad for one in model.parameters())
    assert model.training


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "lrp_epsilon", "lrp_gamma", "lrp_z_plus"])
def test_one_further_forward_and_backward(method: str, x: Tensor) -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    both = pellucid.attribute(model, x, 0, ["saliency", method], layers=["0", "2"])
    assert (both[method].passes.forward, both[method].passes.backward) == (2, 2)
    assert set(both[method].layers) == {"0", "2"}


def test_relevance_of_layers_comes_from_the_same_backward_and_adds_up(x: Tensor) -> None:
    model = nn.Sequential(
        nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)
    ).double()
    found = pellucid.attribute(model, x.double(), 0, "lrp_epsilon", layers=["0", "2"])
    for relevance in (found.input, *found.layers.values()):
        torch.testing.assert_close(relevance.sum(1), found.scores, rtol=1e-4, atol=1e-6)


def test_options_are_checked() -> None:
    from pellucid.attribution import LrpGamma, LrpZPlus

    for wrong in (lambda: LrpGamma(gamma=-1.0), lambda: LrpZPlus(epsilon=0.0), lambda: LrpZPlus(dense="all")):  # type: ignore[arg-type]
        with pytest.raises(OptionError):
            wrong()


F_WRITING = {
    "relu6": (nn.ReLU6, lambda a: F.relu6(a, inplace=True)),
    "silu": (nn.SiLU, lambda a: F.silu(a, inplace=True)),
    "hardswish": (nn.Hardswish, lambda a: F.hardswish(a, inplace=True)),
    "clamp": (lambda: lambda a: a.clamp(0, 2), lambda a: a.clamp_(0, 2)),
    "threshold": (lambda: nn.Threshold(0.0, 0.0), lambda a: F.threshold_(a, 0.0, 0.0)),
    "self-gated": (lambda: lambda a: a * torch.sigmoid(a), lambda a: a.mul_(torch.sigmoid(a))),
    "gate": (lambda: lambda a: a * torch.sigmoid(a.flip(1)), lambda a: a.mul_(torch.sigmoid(a.flip(1)))),
}


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "lrp_epsilon", "lrp_gamma", "lrp_z_plus"])
@pytest.mark.parametrize("name", F_WRITING)
def test_what_writes_in_place_follows_the_rule_of_what_does_not(name: str, method: str, x: Tensor) -> None:
    """The backward of these needs what they overwrite, of which autograd makes a copy first."""

    def outcome(activation: object) -> Tensor | str:
        try:
            return pellucid.attribute(Net(activation), x, 2, method).input
        except MethodError as error:
            return str(error).split(",")[0]

    make, in_place = F_WRITING[name]
    expected, found = outcome(make()), outcome(in_place)
    if isinstance(expected, Tensor):
        torch.testing.assert_close(found, expected)
        assert not torch.allclose(expected, pellucid.attribute(Net(make()), x, 2, "gradient_x_input").input)
    else:
        assert found == expected


def test_a_gate_written_into_a_part_is_refused() -> None:
    def write(a: Tensor) -> Tensor:
        a = F.relu(a)
        a[:, 0].mul_(torch.sigmoid(a[:, 1].clone()))
        return a

    with pytest.raises(MethodError, match=r"LRP cannot reach aten mul_, called in .*: it writes into a part"):
        pellucid.attribute(Net(write), torch.randn(2, 6), 0, "lrp_epsilon")


PARTS = {
    "sum": (lambda a, b: a + b, lambda a, b: a.add_(b)),
    "difference": (lambda a, b: a - b, lambda a, b: a.sub_(b)),
    "scaled": (lambda a, b: a * 1.5, lambda a, b: a.mul_(1.5)),
    "relu": (lambda a, b: F.relu(a), lambda a, b: F.relu(a, inplace=True)),
    "relu6": (lambda a, b: F.relu6(a), lambda a, b: F.relu6(a, inplace=True)),
    "tanh": (lambda a, b: torch.tanh(a), lambda a, b: a.tanh_()),
    "silu": (lambda a, b: F.silu(a), lambda a, b: F.silu(a, inplace=True)),
    "twice": (lambda a, b: F.relu(a + b), lambda a, b: a.add_(b).relu_()),
}


@pytest.mark.parametrize(
    "method", ["guided_backprop", "deconvnet", LrpEpsilon(0.3), LrpGamma(epsilon=0.3), LrpZPlus(epsilon=0.3)], ids=str
)
@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("whole", [True, False])
def test_what_writes_into_a_view_follows_the_rule_of_what_does_not(kind: str, method: object, whole: bool) -> None:
    """A linear layer of tokens gives a view of a matrix; a part of the tokens is a view of a view."""

    class Writing(nn.Module):
        def __init__(self, number: int) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.other, self.last = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 3)
            self.number = number
            self.double()

        def forward(self, x: Tensor) -> Tensor:
            a, b = self.first(x), F.relu(self.other(x))
            change = PARTS[kind][self.number]
            if whole:
                made = change(a, b)
            elif self.number:
                change(a[:, 1:, ::2], b[:, 1:, ::2])
                made = a
            else:
                kept = torch.zeros(5, 6, dtype=torch.bool)
                kept[1:, ::2] = True
                made = torch.where(kept, change(a, b), a)
            return self.last(made + b).mean(1)

    x = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def outcome(number: int) -> Tensor | str:
        try:
            return pellucid.attribute(Writing(number), x, 1, method, layers=[]).input  # type: ignore[call-overload]
        except MethodError as error:
            return str(error)

    expected, found = outcome(0), outcome(1)
    if isinstance(expected, str):
        assert isinstance(found, str)
    else:
        assert isinstance(found, Tensor), found
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_a_self_gated_product_that_writes_into_a_view_is_refused_like_any(method: str) -> None:
    class Swish(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            a = self.first(x)
            a.mul_(torch.sigmoid(a))
            return self.last(F.relu(a - 0.1)).mean(1)

    with pytest.raises(MethodError, match="also has self-gated product, called in"):
        pellucid.attribute(Swish(), torch.randn(2, 5, 4), 0, method)
