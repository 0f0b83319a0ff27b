"""Token ids whatever looks them up: hidden by an id, scored by forwards alone; and refusals that say what the inputs are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import KernelShap, Occlusion, ShapleySampling, deletion, insertion
from pellucid.errors import MethodError, OptionError

IDS = torch.tensor([[1, 2, 3, 4, 5], [5, 5, 2, 10, 7], [3, 1, 1, 1, 9]])


class Words(nn.Module):
    """A sum of what each id adds to the score, looked up in one of four ways."""

    def __init__(self, how: str = "embedding") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how = how
        self.table: nn.Module = nn.EmbeddingBag(11, 4, mode="sum") if how == "bag" else nn.Embedding(11, 4)
        self.rows = nn.Parameter(torch.randn(11, 4))
        self.head = nn.Linear(4, 3)

    def weights(self) -> Tensor:
        """What each id adds to output 1, float[id]."""
        rows = self.rows if self.how in ("function", "one hot") else next(self.table.parameters())
        return (rows @ self.head.weight[1]).detach()

    def forward(self, ids: Tensor) -> Tensor:
        if self.how == "function":
            read = F.embedding(ids, self.rows).sum(1)
        elif self.how == "one hot":
            read = (F.one_hot(ids, 11).float() @ self.rows).sum(1)
        else:
            read = self.table(ids) if self.how == "bag" else self.table(ids).sum(1)
        scores: Tensor = self.head(read)
        return scores


@pytest.mark.parametrize("how", ["embedding", "bag", "function", "one hot"])
@pytest.mark.parametrize("method", [KernelShap(samples=200), ShapleySampling(samples=2), Occlusion(window=1)])
def test_ids_alone_are_hidden_whatever_looks_them_up(
    how: str, method: KernelShap | ShapleySampling | Occlusion
) -> None:
    model = Words(how).eval()
    expected = model.weights()[IDS] - model.weights()[0]
    found = pellucid.attribute(model, IDS, 1, method).input
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", ["embedding", "bag"])
def test_ids_are_deleted_and_inserted_by_the_id_that_is_given(how: str) -> None:
    model = Words(how).eval()
    weights = model.weights()
    ranking = weights[IDS] - weights[6]

    def score(outputs: Tensor) -> Tensor:
        return outputs[:, 1]

    gone = deletion(model, IDS, score, ranking, steps=5, fill=6)
    come = insertion(model, IDS, score, ranking, steps=5, fill=6)
    ordered = ranking.sort(dim=1, descending=True).values.double()
    falls = torch.cat([torch.zeros(3, 1), ordered.cumsum(1)], 1).double()
    whole = model(IDS)[:, 1:2].detach().double()
    torch.testing.assert_close(gone.scores, whole - falls, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(come.scores, whole - falls[:, -1:] + falls, rtol=1e-5, atol=1e-5)


def test_what_takes_the_place_of_ids_is_an_id() -> None:
    model = Words().eval()
    with pytest.raises(
        OptionError, match=r"Occlusion puts an id in the place of token ids: fill must be whole; got 0\.5"
    ):
        pellucid.attribute(model, IDS, 1, Occlusion(fill=0.5))
    with pytest.raises(OptionError, match="A deletion or insertion curve puts an id"):
        deletion(model, IDS, 1, torch.rand(3, 5), fill=0.5)


@pytest.mark.parametrize("method", ["integrated_gradients", "token_gradients"])
def test_a_bag_is_named_where_a_method_needs_one_row_a_token(method: str) -> None:
    with pytest.raises(
        MethodError, match=r"has an nn\.EmbeddingBag, whose output is of bags, not of tokens.*kernel_shap"
    ):
        pellucid.attribute(Words("bag").eval(), IDS, 1, method)


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(5, 3, dtype=torch.complex64)

    def forward(self, values: Tensor) -> Tensor:
        return torch.as_tensor(self.linear(values)).abs()


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 3))

    def forward(self, values: Tensor) -> Tensor:
        return torch.sparse.mm(values, self.weight)


@pytest.mark.parametrize("method", ["smoothgrad", "integrated_gradients", "kernel_shap", "occlusion"])
def test_complex_and_sparse_inputs_are_refused_as_what_they_are(method: str) -> None:
    with pytest.raises(MethodError, match=r"Complex inputs have no map: split .*\(3, 5\) complex64"):
        pellucid.attribute(Complex().eval(), torch.randn(3, 5, dtype=torch.complex64), 1, method)
    with pytest.raises(MethodError, match=r"Sparse inputs have no map: give them dense .*\(3, 5\) float32"):
        pellucid.attribute(Sparse().eval(), torch.eye(5)[:3].to_sparse(), 1, method)


class Halves(nn.Module):
    """Reads a complex input as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(10, 3)

    def forward(self, values: Tensor) -> Tensor:
        return torch.as_tensor(self.linear(torch.view_as_real(values).flatten(1))).relu()


@pytest.mark.parametrize("method", ["saliency", "gradient_x_input"])
def test_complex_inputs_without_a_map_are_told_of(method: str) -> None:
    given = torch.randn(3, 5, dtype=torch.complex64)
    found = pellucid.attribute(Halves().eval(), given, 1, method)
    assert found.input is None
    assert found.warnings == (
        "Complex inputs have no map: split them into real and imaginary part, which the model joins.",
    )
    with pytest.raises(
        MethodError, match="The inputs are complex, of which no gradient is taken: split them into real and"
    ):
        pellucid.attribute(Complex().eval(), given, 1, method)
