"""Relevance through recurrent layers against formulas in float64, step by step, from their papers' equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import LrpEpsilon

STEPS = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **options: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell = kind(4, 6, batch_first=True, bias=False, **options)
        self.head = nn.Linear(12 if options.get("bidirectional") else 6, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x)[0][:, -1])


class Cells(nn.Module):
    """The same weights, one cell that is called at every step."""

    def __init__(self, kind: type[nn.Module], of: Recurrent) -> None:
        super().__init__()
        self.cell, self.head = kind(4, 6, bias=False).double(), of.head
        self.cell.load_state_dict({name.removesuffix("_l0"): one for name, one in of.cell.state_dict().items()})

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


def back(relevance: Tensor, given: Tensor, weight: Tensor) -> Tensor:
    """LRP-0 through z = given @ weight.T, written out as shares of z."""
    shares = given[:, None] * weight / (given @ weight.T)[:, :, None]
    return (shares * relevance[:, :, None]).sum(1)


def by_hand(model: Recurrent, x: Tensor) -> Tensor:
    """Relevance of the inputs of a GRU: gates get nothing, sums are shared in proportion, tanh passes on what it gets."""
    of_x, of_h = (one.detach().chunk(3) for one in (model.cell.weight_ih_l0, model.cell.weight_hh_l0))
    states, kept = [x.new_zeros(len(x), 6)], []
    for step in x.unbind(1):
        h = states[-1]
        reset = torch.sigmoid(step @ of_x[0].T + h @ of_h[0].T)
        update = torch.sigmoid(step @ of_x[1].T + h @ of_h[1].T)
        outside, inside = step @ of_x[2].T, reset * (h @ of_h[2].T)
        new = torch.tanh(outside + inside)
        states.append((1 - update) * new + update * h)
        kept.append((update, outside, inside, new))
    head = model.head.weight.detach()[1:2]
    relevance = back(states[-1] @ head.T, states[-1], head)
    found = torch.zeros_like(x)
    for number in reversed(range(x.shape[1])):
        (update, outside, inside, new), h = kept[number], states[number]
        of_new = relevance * (1 - update) * new / states[number + 1]
        stays = relevance * update * h / states[number + 1]
        whole = outside + inside
        found[:, number] = back(of_new * outside / whole, x[:, number], of_x[2])
        if number:
            relevance = stays + back(of_new * inside / whole, h, of_h[2])
    return found


def test_gru_by_hand() -> None:
    model = Recurrent(nn.GRU).double()
    found = pellucid.attribute(model, STEPS, 1, LrpEpsilon(epsilon=0.0))
    torch.testing.assert_close(found.input, by_hand(model, STEPS), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=["one", "two both ways"])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_are_complete(kind: type[nn.RNNBase], options: dict[str, object]) -> None:
    found = pellucid.attribute(Recurrent(kind, **options).double(), STEPS, 0, LrpEpsilon(epsilon=1e-10))
    assert found.check is not None
    assert (found.check.abs() < 1e-5 * found.scores.abs()).all()
    assert torch.backends.mkldnn.enabled


@pytest.mark.parametrize(("kind", "cell"), [(nn.RNN, nn.RNNCell), (nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell)])
def test_a_cell_called_at_each_step_has_the_relevance_of_the_layer(
    kind: type[nn.RNNBase], cell: type[nn.Module]
) -> None:
    whole = Recurrent(kind).double()
    layer, steps = (
        pellucid.attribute(one, STEPS, 2, LrpEpsilon(epsilon=0.0)).input for one in (whole, Cells(cell, whole))
    )
    torch.testing.assert_close(layer, steps, rtol=1e-5, atol=1e-9)
