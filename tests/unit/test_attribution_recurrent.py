"""Gradients by time step where a forward writes its recurrence out as a loop: against recurrent layers and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.errors import MethodError

STEPS = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Step(nn.Module):
    """A cell written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(7, 4)

    def forward(self, given: Tensor, state: Tensor) -> Tensor:
        return torch.tanh(self.mix(torch.cat([given, state], 1)))


class Loop(nn.Module):
    """One recurrence in several styles; all steps read the same weights."""

    def __init__(self, style: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.style = style
        cells: dict[str, type[nn.Module]] = {"gru": nn.GRUCell, "lstm": nn.LSTMCell, "rnn": nn.RNNCell}
        self.cell = cells[style](3, 4) if style in cells else Step() if style == "module" else nn.Linear(7, 4)
        self.head = nn.Linear(4, 2)
        self.double()

    def forward(self, series: Tensor) -> Tensor:
        state = carried = series.new_zeros(len(series), 4)
        for given in series.unbind(1):
            if self.style == "lstm":
                state, carried = self.cell(given, (state, carried))
            elif self.style == "by hand":
                state = torch.tanh(self.cell(torch.cat([given, state], 1)))
            else:
                state = self.cell(given, state)
        return self.head(state)


def slopes(model: nn.Module, series: Tensor, target: int) -> Tensor:
    """Length of the gradient at each step by central differences: float64[batch time]."""
    found, step = torch.zeros_like(series), 1e-5
    with torch.no_grad():
        for place in range(series[0].numel()):
            moved = torch.zeros_like(series).flatten(1)
            moved[:, place] = step
            moved = moved.reshape(series.shape)
            found.flatten(1)[:, place] = (model(series + moved) - model(series - moved))[:, target] / (2 * step)
    return found.norm(dim=-1)


@pytest.mark.parametrize("style", ["gru", "lstm", "rnn", "by hand", "module"])
def test_a_recurrence_written_as_a_loop_has_gradients_by_step(style: str) -> None:
    model = Loop(style)
    found = pellucid.attribute(model, STEPS, 1, "time_gradients")
    torch.testing.assert_close(found.input, slopes(model, STEPS, 1), rtol=1e-6, atol=1e-9)
    name = {"by hand": "tanh()", "module": "cell.tanh()"}.get(style, "cell")
    states = found.layers[name]
    assert states.shape == (2, 5)
    head = model.head.weight.detach()[1].norm().expand(2)
    torch.testing.assert_close(states[:, -1], head)  # the last state is what the head reads
    assert bool((states[:, 0] > 0).all())
    assert bool((states[:, 0] < states[:, -1]).all())
    assert (found.passes.forward, found.passes.backward) == (1, 1)


def test_states_of_a_loop_are_those_of_the_layer_of_the_same_weights() -> None:
    class Layer(nn.Module):
        def __init__(self, of: Loop) -> None:
            super().__init__()
            self.layer, self.head = nn.GRU(3, 4, batch_first=True).double(), of.head
            self.layer.load_state_dict({f"{name}_l0": one for name, one in of.cell.state_dict().items()})

        def forward(self, series: Tensor) -> Tensor:
            return self.head(self.layer(series)[0][:, -1])

    loop = Loop("gru")
    by_loop = pellucid.attribute(loop, STEPS, 0, "time_gradients")
    by_layer = pellucid.attribute(Layer(loop), STEPS, 0, "time_gradients")
    torch.testing.assert_close(by_loop.input, by_layer.input)
    # The layer's output at a step before the last is read by nothing but the next step, inside it.
    torch.testing.assert_close(by_loop.layers["cell"][:, -1], by_layer.layers["layer"][:, -1])


def test_words_that_a_loop_reads_have_the_gradient_of_their_embedding() -> None:
    class Words(Loop):
        def __init__(self) -> None:
            super().__init__("gru")
            self.words = nn.Embedding(9, 3).double()

        def forward(self, ids: Tensor) -> Tensor:
            return super().forward(self.words(ids))

    model, ids = Words(), torch.tensor([[1, 2, 3, 4], [5, 5, 0, 8]])
    found = pellucid.attribute(model, ids, 0, ["time_gradients", "token_gradients"])
    leaf = model.words.weight.detach()[ids].requires_grad_()
    (gradient,) = torch.autograd.grad(Loop.forward(model, leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(found["time_gradients"].input, gradient.norm(dim=-1))
    torch.testing.assert_close(found["token_gradients"].input, (gradient * leaf.detach()).sum(-1))
    assert found["time_gradients"].layers["cell"].shape == (2, 4)


def test_a_layer_used_at_every_step_without_a_state_is_no_recurrence() -> None:
    class Each(Loop):
        def forward(self, series: Tensor) -> Tensor:
            zeros = series.new_zeros(len(series), 4)
            return self.head(torch.stack([self.cell(given, zeros) for given in series.unbind(1)]).mean(0))

    with pytest.raises(MethodError, match=r"need a recurrent network: .* a loop in the forward"):
        pellucid.attribute(Each("gru"), STEPS, 0, "time_gradients")


@pytest.mark.parametrize("batch_first", [True, False])
def test_states_that_are_not_behind_the_examples_are_missing_and_named(batch_first: bool) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.GRU(3, 4, batch_first=batch_first), nn.Linear(4, 2)

        def forward(self, series: Tensor) -> Tensor:
            states, _ = self.layer(series if batch_first else series.transpose(0, 1))
            return self.head(states[:, -1] if batch_first else states[-1])

    maps = pellucid.attribute(Reader().double().eval(), STEPS, 1, "time_gradients")
    assert ("layer" in maps.layers) is batch_first
    assert any("No hidden states of layer" in warning for warning in maps.warnings) is not batch_first
