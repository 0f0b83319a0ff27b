"""Token ids among several inputs: which look-up is whose, what is beside them, and how they may lie."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import IntegratedGradients, KernelShap, Lime, Occlusion, ShapleySampling
from pellucid.errors import MethodError

IDS = torch.tensor([[1, 2, 3, 4, 5], [5, 5, 0, 10, 7], [0, 1, 1, 1, 9]])
GRADIENTS = ["token_gradients", IntegratedGradients(steps=64, limit=64)]


def slopes(score: Callable[..., Tensor], *values: Tensor) -> list[Tensor]:
    """Value times gradient, summed over channels."""
    leaves = [value.detach().clone().requires_grad_() for value in values]
    gradients = torch.autograd.grad(score(*leaves).sum(), leaves)
    return [(leaf * gradient).detach().sum(-1) for leaf, gradient in zip(leaves, gradients, strict=True)]


def integrals(score: Callable[..., Tensor], *values: Tensor) -> list[Tensor]:
    """The same along the way from zeros, by the midpoint rule."""
    parts = ((torch.arange(300) + 0.5) / 300).double()[:, None, None, None]
    along = [(parts * value).flatten(0, 1) for value in values]
    share = parts.expand(-1, 3, 1, 1).flatten()[:, None]
    return [(one / share).unflatten(0, (300, 3)).mean(0) for one in slopes(score, *along)]


class Pair(nn.Module):
    """One table for two inputs; a third, the labels, goes into no output."""

    def __init__(self, how: str = "as they are", last: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how, self.last = how, last
        self.words = nn.Embedding(11, 6)
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)
        self.double()

    def score(self, source: Tensor, target: Tensor) -> Tensor:
        return self.head(torch.tanh(self.one(source) + 2 * torch.sin(self.two(target))).mean(1))[:, 1]

    def looked_up(self, ids: Tensor) -> Tensor:
        if self.how == "cast":
            ids = ids.long()
        if self.how == "cleaned":
            ids = torch.where(ids < 0, 0, ids).clone()
        if self.how == "written":
            held = torch.zeros_like(ids)
            held[:, :] = ids
            ids = held
        return self.words(ids.view(-1, 5))

    def forward(self, source: Tensor, target: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.last:
            target, source = self.looked_up(target), self.looked_up(source)
        else:
            source, target = self.looked_up(source), self.looked_up(target)
        return self.score(source, target)[:, None].repeat(1, 2)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("how", ["as they are", "cast", "cleaned", "written"])
@pytest.mark.parametrize("method", GRADIENTS, ids=str)
def test_inputs_of_equal_ids_have_maps_of_their_own_and_what_is_not_looked_up_has_none(
    method: object, how: str, last: bool
) -> None:
    model, ids = Pair(how, last), IDS.int() if how == "cast" else IDS
    given = {"labels": ids, "source": ids, "target": ids}
    found = pellucid.attribute(model, given, 1, method)  # type: ignore[call-overload]
    expected = slopes if method == "token_gradients" else integrals
    source, target = expected(model.score, model.words.weight[IDS], model.words.weight[IDS])
    torch.testing.assert_close(found.input["source"], source, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.input["target"], target, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(source, target, rtol=0.1)
    assert found.input["labels"] is None
    assert set(found.layers) == {"words", "words#2"}
    assert found.warnings == ()


class Again(Pair):
    """The ids are looked up once more: shifted as a decoder does, or by a further table as they are."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.wide = nn.Embedding(11, 6).double()
        self.tied = nn.Embedding(11, 6)
        self.tied.weight = self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        if self.way == "wide":
            target = self.wide(ids)
        elif self.way == "places":
            target = self.wide((ids != 0).cumsum(1))  # as RoBERTa counts places
        elif self.way == "prompt":
            target = self.words(torch.full_like(ids, 3))
        else:
            shifted = ids.new_zeros(ids.shape)
            shifted[:, 1:] = ids[:, :-1].clone()
            target = self.tied(shifted)
        return self.score(self.words(ids), target)[:, None].repeat(1, 2)


@pytest.mark.parametrize("method", GRADIENTS, ids=str)
@pytest.mark.parametrize(("way", "name"), [("shifted", "tied"), ("wide", "words"), ("places", ""), ("prompt", "")])
def test_a_further_look_up_of_the_ids_is_warned_of(method: object, way: str, name: str) -> None:
    found = pellucid.attribute(Again(way), IDS, 1, method)  # type: ignore[call-overload]
    told = f"looks up ids of its inputs again, as they are or changed (shifted, say), in '{name}':"
    assert [told in one for one in found.warnings] == ([True] if name else [])


class Masked(nn.Module):
    """Ids with a mask that has no gradient, segments, and numbers that have one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.segments = nn.Embedding(30, 6), nn.Embedding(2, 6)
        self.head, self.table = nn.Linear(6, 3), nn.Linear(4, 3)
        self.double()

    def forward(
        self, ids: Tensor, mask: Tensor, segments: Tensor | None = None, numbers: Tensor | None = None
    ) -> Tensor:
        values = self.words(ids)
        if segments is not None:
            values = values + self.segments(segments)
        made = self.head(values.masked_fill((mask == 0)[..., None], 0).sum(1))
        return made if numbers is None else made + self.table(numbers) * mask.sum(1, keepdim=True)


MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])


@pytest.mark.parametrize("of", [Tensor.double, lambda mask: (1 - mask.double()) * torch.finfo(torch.float32).min])
def test_a_mask_of_floating_point_is_no_input_of_numbers_where_there_are_ids(of: Callable[[Tensor], Tensor]) -> None:
    model, mask = Masked(), of(MASK)
    shown = (mask != 0).double()  # which tokens the model reads of either
    model_score = [(model.head.weight[1] * model.words.weight[IDS]).sum(-1) * shown]
    absent = (model.head.weight[1] * model.words.weight[0]).sum() * shown
    methods = [*GRADIENTS, KernelShap(samples=200), ShapleySampling(samples=2)]
    found = pellucid.attribute(model, (IDS, mask), 1, methods)  # type: ignore[arg-type]
    for name, maps in found.items():
        expected = model_score[0] - (absent if "shap" in name else 0)
        torch.testing.assert_close(maps.input[0].double(), expected.detach(), rtol=1e-5, atol=1e-5)
        assert maps.input[1] is None
    covered = pellucid.attribute(model, (IDS, mask), 1, Occlusion(window=1)).input
    torch.testing.assert_close(covered[0].double(), (model_score[0] - absent).detach(), rtol=1e-5, atol=1e-5)
    assert covered[1] is None
    with pytest.raises(MethodError, match="The inputs of this model are ids with their mask"):
        pellucid.attribute(model, (IDS, mask), 1, "smoothgrad")


def test_numbers_beside_a_mask_are_covered_and_the_mask_is_left_alone() -> None:
    model, numbers = Masked(), torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()
    given = {"ids": IDS, "mask": MASK.double(), "numbers": numbers}
    found = pellucid.attribute(model, given, 1, Occlusion(window=1, stride=1))
    expected = numbers * model.table.weight[1] * MASK.sum(1, keepdim=True)
    torch.testing.assert_close(found.input["numbers"], expected.detach())
    assert found.input["mask"] is None


def test_a_model_that_detaches_its_numbers_is_refused_still() -> None:
    with pytest.raises(MethodError, match="No gradient of the score arrives at the inputs"):
        pellucid.attribute(nn.Sequential(Detached(), nn.Linear(4, 2)), torch.randn(2, 4), 0)


class Detached(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.detach().round()


@pytest.mark.parametrize("method", [KernelShap(samples=200), Lime(samples=50), ShapleySampling(samples=2)], ids=str)
def test_words_are_hidden_and_segments_stay(method: KernelShap | Lime | ShapleySampling) -> None:
    model = Masked()
    given = {"ids": IDS, "mask": MASK, "segments": torch.tensor([[0, 0, 1, 1, 1]]).expand(3, -1)}
    found = pellucid.attribute(model, given, 1, method)
    assert found.warnings == ("Only tokens of 'ids' are hidden; as given: 'segments'.",)
    assert (found.input["segments"], found.input["mask"]) == (None, None)
    if not isinstance(method, Lime):
        change = (model.words.weight[IDS] - model.words.weight[0]) @ model.head.weight[1] * MASK
        torch.testing.assert_close(found.input["ids"].double(), change.detach(), rtol=1e-5, atol=1e-5)


def test_two_vocabularies_are_refused_where_one_input_is_hidden() -> None:
    with pytest.raises(MethodError, match="hides features of one input, of numbers or token ids; got 2"):
        pellucid.attribute(Pair(), (IDS, IDS), 1, ShapleySampling(samples=1))


class Turned(nn.Module):
    """Time in front, as recurrent layers have it by default."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.layer, self.head = nn.Embedding(11, 6), nn.LSTM(6, 5), nn.Linear(5, 3)
        self.double()

    def score(self, values: Tensor) -> Tensor:
        return self.head(self.layer(values.transpose(0, 1))[0][-1])[:, 1]

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.layer(self.words(ids.t().long()))[0][-1])


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8])
def test_ids_that_are_turned_or_small_before_they_are_looked_up_have_maps_as_they_lie(kind: torch.dtype) -> None:
    model, ids = Turned(), IDS.to(kind)
    embedded = model.words.weight.detach()[IDS]
    found = pellucid.attribute(model, ids, 1, ["time_gradients", *GRADIENTS, ShapleySampling(samples=2)])  # type: ignore[list-item]
    torch.testing.assert_close(found["token_gradients"].input, slopes(model.score, embedded)[0])
    path = found["integrated_gradients"]
    torch.testing.assert_close(path.input, integrals(model.score, embedded)[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(path.layers["words"].sum(-1), path.input)
    with torch.no_grad():
        change = model.score(embedded) - model.score(torch.zeros_like(embedded))
    torch.testing.assert_close(path.input.sum(1), change)
    leaf = embedded.requires_grad_()
    (gradient,) = torch.autograd.grad(model.score(leaf).sum(), leaf)
    torch.testing.assert_close(found["time_gradients"].input, gradient.norm(dim=-1))
    assert float(found["shapley_sampling"].check.abs().max()) < 1e-6
    start = IntegratedGradients(steps=64, limit=64, baseline=torch.full_like(ids, 3))
    begun = model.words.weight.detach()[torch.full_like(IDS, 3)]
    with torch.no_grad():
        change = model.score(embedded) - model.score(begun)
    torch.testing.assert_close(pellucid.attribute(model, ids, 1, start).input.sum(1), change)


class Choices(nn.Module):
    """A score for each of several texts, which are folded into the batch, as models of multiple choice have it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.one, self.head = nn.Embedding(11, 6), nn.Linear(6, 6), nn.Linear(6, 1)
        self.double()

    def score(self, values: Tensor) -> Tensor:
        read = torch.tanh(self.one(values)).mean(-2)
        return (self.head(read)[..., 0].softmax(1) * values.shape[1])[:, 1]

    def forward(self, ids: Tensor) -> Tensor:
        values = self.words(ids.view(-1, ids.shape[-1]))
        return self.score(values.view(*ids.shape, -1))[:, None].repeat(1, 2)


@pytest.mark.parametrize("ids", [torch.stack([IDS, IDS.flip(1)], 1), IDS[:, :1, None].expand(3, 2, 4)])
def test_ids_that_are_folded_into_the_batch_have_maps_as_they_lie(ids: Tensor) -> None:
    model = Choices()
    embedded = model.words.weight.detach()[ids]
    found = pellucid.attribute(model, ids, 1, [*GRADIENTS, Occlusion(window=1), ShapleySampling(samples=2)])  # type: ignore[list-item]
    torch.testing.assert_close(found["token_gradients"].input, slopes(model.score, embedded)[0])
    path = found["integrated_gradients"]
    torch.testing.assert_close(path.layers["words"].sum(-1), path.input)
    with torch.no_grad():
        whole = model.score(embedded)
        torch.testing.assert_close(path.input.sum((1, 2)), whole - model.score(torch.zeros_like(embedded)))
        hidden = ids.clone()
        hidden[:, 1, 2] = 0
        fall = whole - model(hidden)[:, 1]
    torch.testing.assert_close(found["occlusion"].input[:, 1, 2], fall.float())
    assert float(found["shapley_sampling"].check.abs().max()) < 1e-6


def test_one_id_an_example_has_a_map() -> None:
    torch.manual_seed(0)
    table, head = nn.Embedding(11, 6), nn.Linear(6, 3)
    model, ids = nn.Sequential(table, head), IDS[:, 0]
    expected = (table(ids) * head.weight[1]).sum(1).detach()
    for method in ("token_gradients", "integrated_gradients", "lrp_epsilon"):
        torch.testing.assert_close(pellucid.attribute(model, ids, 1, method).input, expected, rtol=1e-4, atol=1e-5)


class Scaled(nn.Embedding):
    """As Gemma has it."""

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) * 3


@pytest.mark.parametrize("table", [Scaled(11, 6), nn.Embedding(11, 6, max_norm=0.5)], ids=["scaled", "bounded"])
def test_embeddings_that_give_other_numbers_than_they_hold_are_explained_by_what_they_give(table: nn.Embedding) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(table, nn.Flatten(), nn.Linear(30, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    held = table.weight.detach().clone()
    ended, begun = (copy.deepcopy(table)(ids).detach() for ids in (IDS, torch.full_like(IDS, 3)))
    whole = IntegratedGradients(steps=64, limit=64, baseline=torch.full_like(IDS, 3))
    found = pellucid.attribute(model, IDS, 1, ["token_gradients", whole])
    score = lambda values: model[1:](values)[:, 1]  # noqa: E731
    torch.testing.assert_close(found["token_gradients"].input, slopes(score, ended)[0])
    torch.testing.assert_close(found["integrated_gradients"].input.sum(1), (score(ended) - score(begun)).detach())
    torch.testing.assert_close(table.weight.detach(), held, rtol=0, atol=0)


@pytest.mark.parametrize("method", [KernelShap, ShapleySampling])
def test_a_model_without_a_score_where_all_words_are_padding_asks_for_another_baseline(
    method: type[KernelShap] | type[ShapleySampling],
) -> None:
    pytest.importorskip("captum", reason="the package captum is not installed")

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.table, self.head = nn.Embedding(12, 6, padding_idx=0), nn.Linear(6, 3)

        def forward(self, ids: Tensor) -> Tensor:
            there = (ids != 0).float()[..., None]
            return self.head((self.table(ids) * there).sum(1) / there.sum(1))

    ids = IDS[:1]
    with pytest.raises(MethodError, match=r"for \d of 5 features, .*padding\. Give baseline="):
        pellucid.attribute(Masked().eval(), ids, 1, method(samples=40))
    assert torch.isfinite(pellucid.attribute(Masked().eval(), ids, 1, method(samples=40, baseline=11)).input).all()
