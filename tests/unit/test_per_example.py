"""Gradients of each example: the chunk and the way change no number, the model stays as it was, and refusals say why."""

from __future__ import annotations

import copy
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.capture import as_logits, logits_of, per_example
from pellucid.capture.memory import spare
from pellucid.capture.per_example import PerExample, Way
from pellucid.errors import ForwardError, MethodError
from support.untouched import Untouched


def cross_entropy(output: Any, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(as_logits(logits_of(output)), target)


class Convolutional(nn.Module):
    """In-place activations, batch normalisation, dropout and a weight used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Conv2d(4, 4, 3, padding=1), nn.ReLU6(inplace=True),
        )  # fmt: skip
        self.head = nn.Linear(4, 4)
        self.tail = nn.Linear(4, 4)
        self.tail.weight = self.head.weight
        self.kept: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.body(images).mean((2, 3))
        self.kept = pooled
        found: Tensor = self.tail(nn.functional.relu(self.head(pooled), inplace=True))
        return found


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(3, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, steps: Tensor) -> Tensor:
        found: Tensor = self.head(self.cell(steps)[0][:, -1])
        return found


class Branching(nn.Module):
    """Control flow that looks at values."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, numbers: Tensor) -> Tensor:
        found: Tensor = self.head(numbers)
        return found if float(numbers.sum()) > 0 else -found


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, numbers: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = self.head(numbers)
        return found


def network(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind()


def images(number: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(number, 2, 6, 6, generator=generator), torch.arange(number) % 4


def gathered(
    model: nn.Module, inputs: Any, targets: Tensor, **how: Any
) -> tuple[PerExample, Tensor, dict[str, Tensor]]:
    with PerExample(model, cross_entropy, **how) as learner:
        chunks = list(learner.of(inputs, targets))
    assert [chunk.start for chunk in chunks] == [sum(map(len, chunks[:at])) for at in range(len(chunks))]
    gradients = {name: torch.cat([chunk.gradients[name] for chunk in chunks]) for name in learner.names}
    return learner, torch.cat([chunk.losses for chunk in chunks]), gradients


def by_hand(model: nn.Module, inputs: Any, targets: Tensor) -> dict[str, Tensor]:
    """A plain loop over examples, on a copy of the model."""
    model = copy.deepcopy(model).eval()
    found: dict[str, list[Tensor]] = {name: [] for name, _ in model.named_parameters()}
    for place in range(len(targets)):
        model.zero_grad()
        nn.functional.cross_entropy(model(inputs[place : place + 1]), targets[place : place + 1]).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            found[name].append(parameter.grad.clone())
    return {name: torch.stack(parts) for name, parts in found.items()}


@pytest.mark.parametrize(("way", "most"), [("vmap", 1), ("vmap", 3), ("vmap", 64), ("loop", None), (None, None)])
def test_every_way_and_chunk_gives_the_gradients_of_a_plain_loop(way: Way | None, most: int | None) -> None:
    model, (inputs, targets) = network(Convolutional), images()
    learner, losses, gradients = gathered(model, inputs, targets, way=way, most=most)
    expected = by_hand(model, inputs, targets)
    assert set(gradients) == set(expected)  # the shared weight once
    for name, one in expected.items():
        torch.testing.assert_close(gradients[name], one, rtol=1e-5, atol=1e-6)
    wanted = nn.functional.cross_entropy(copy.deepcopy(model).eval()(inputs), targets, reduction="none")
    torch.testing.assert_close(losses, wanted.double(), rtol=1e-5, atol=1e-6)
    assert learner.way == (way or "vmap")
    calls = -(-7 // (most or 7)) if learner.way == "vmap" else 7
    assert (learner.passes.forward, learner.passes.backward) == (calls, calls)
    assert (learner.passes.forward_examples, learner.passes.backward_examples) == (7, 7)


class Gated(nn.Module):
    """A GRU, whose kernel vmap refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(3, 5, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, steps: Tensor) -> Tensor:
        found: Tensor = self.head(self.cell(steps)[0][:, -1])
        return found


class Reading(nn.Module):
    """A transformer of token ids and a mask, given by name."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.body = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu"), 2, enable_nested_tensor=False
        )
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        found = self.body(self.words(ids), src_key_padding_mask=mask == 0)
        return {"logits": self.head(found[:, 0])}


def architectures() -> dict[str, Any]:
    """Small networks of every kind, made when asked for, with the shape of an example."""
    from torchvision import models

    return {
        "mobilenet": (lambda: models.mobilenet_v2(num_classes=3, width_mult=0.25), (3, 32, 32)),
        "densenet": (lambda: models.DenseNet(4, (1, 2), 8, num_classes=3), (3, 32, 32)),
        "convnext": (lambda: models.ConvNeXt(_stages(), num_classes=3), (3, 32, 32)),
        "vit": (lambda: models.VisionTransformer(16, 8, 1, 2, 16, 32, num_classes=3), (3, 16, 16)),
        "swin": (lambda: models.SwinTransformer([4, 4], 8, [2], [2], [4, 4], num_classes=3), (3, 16, 16)),
        "lstm": (Recurrent, (4, 3)),
        "gru": (Gated, (4, 3)),
        "table": (lambda: nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 3)), (6,)),
    }


def _stages() -> list[Any]:
    from torchvision.models.convnext import CNBlockConfig

    return [CNBlockConfig(4, 8, 1), CNBlockConfig(8, None, 1)]


@pytest.mark.parametrize("name", ["mobilenet", "densenet", "convnext", "vit", "swin", "lstm", "gru", "table"])
def test_any_architecture_has_the_gradients_of_a_plain_loop(name: str) -> None:
    build, shape = architectures()[name]
    torch.manual_seed(0)
    model = build().double()
    inputs, targets = torch.randn(3, *shape, dtype=torch.float64), torch.tensor([0, 2, 1])
    learner, _, gradients = gathered(model, inputs, targets, way="vmap")
    assert learner.way == ("loop" if name in ("lstm", "gru") else "vmap"), learner.why
    expected = by_hand(model, inputs, targets)
    size = max(float(one.abs().max()) for one in expected.values())
    assert set(gradients) == set(expected)
    for parameter, one in expected.items():
        torch.testing.assert_close(gradients[parameter], one, rtol=1e-8, atol=1e-10 * size)


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_inputs_by_name_and_outputs_in_a_dict_are_understood(way: Way) -> None:
    model = network(Reading)
    ids = torch.randint(0, 20, (4, 5), generator=torch.Generator().manual_seed(4))
    mask = torch.ones(4, 5, dtype=torch.long)
    mask[1, 3:] = 0
    targets = torch.tensor([0, 1, 2, 0])
    learner, _, gradients = gathered(model, {"ids": ids, "mask": mask}, targets, way=way)
    assert learner.way == way, learner.why
    plain = copy.deepcopy(model).eval()
    for place in range(4):
        plain.zero_grad()
        logits = plain(ids[place : place + 1], mask[place : place + 1])["logits"]
        nn.functional.cross_entropy(logits, targets[place : place + 1]).backward()
        for name, parameter in plain.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(gradients[name][place], parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "shape"), [(Gated, (5, 4, 3)), (Branching, (5, 3))])
def test_what_vmap_refuses_goes_one_at_a_time_and_says_why(kind: type[nn.Module], shape: tuple[int, ...]) -> None:
    model = network(kind)
    inputs, targets = torch.randn(*shape, generator=torch.Generator().manual_seed(2)), torch.tensor([0, 1, 2, 0, 1])
    learner, _, gradients = gathered(model, inputs, targets)
    assert learner.way == "loop"
    assert learner.why.startswith("vmap refuses this model: ")
    assert len(learner.why) > 40
    for name, one in by_hand(model, inputs, targets).items():
        torch.testing.assert_close(gradients[name], one, rtol=1e-5, atol=1e-6)
    assert learner.passes.backward == 5


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_the_model_is_left_as_it_was_also_after_an_error(way: Way) -> None:
    model = network(Convolutional).train()
    inputs, targets = images()
    before = Untouched(model, versions=True)
    gathered(model, inputs, targets, way=way)
    assert before.differences() == []
    with pytest.raises(ForwardError, match="The model raised RuntimeError"):
        gathered(model, torch.zeros(3, 5, 6, 6), targets[:3], way=way)
    assert before.differences() == []

    def broken(output: Any, target: Tensor) -> Tensor:
        raise KeyError("a loss of someone else's")

    with pytest.raises(ForwardError, match="someone else's"), PerExample(model, broken, way=way) as learner:
        next(learner.of(inputs, targets))
    assert before.differences() == []


def test_only_what_is_set_to_learn_has_gradients_and_all_where_nothing_is() -> None:
    model, (inputs, targets) = network(Convolutional), images()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    everything, _, _ = gathered(model, inputs, targets)
    assert set(everything.names) == {name for name, _ in model.named_parameters()}
    assert everything.frozen == ()
    assert isinstance(model, Convolutional)
    model.tail.bias.requires_grad_(True)
    learner, _, gradients = gathered(model, inputs, targets)
    assert learner.names == ("tail.bias",)
    assert "head.weight" in learner.frozen
    torch.testing.assert_close(gradients["tail.bias"], by_hand_bias(model, inputs, targets), rtol=1e-5, atol=1e-6)


def by_hand_bias(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The gradient of cross-entropy by the last bias: p - y."""
    with torch.no_grad():
        logits = copy.deepcopy(model).eval()(inputs)
    return torch.softmax(logits, 1) - nn.functional.one_hot(targets, 4)


def test_too_little_memory_halves_the_chunk_and_says_so() -> None:
    model, (inputs, targets) = network(Convolutional), images()
    sizes: list[int] = []

    class Greedy(PerExample):
        def _chunk(self, inputs: Any, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            sizes.append(len(targets))
            if len(targets) > 3:
                raise torch.OutOfMemoryError("no more")
            return super()._chunk(inputs, targets)

    with Greedy(model, cross_entropy) as learner:
        chunks = list(learner.of(inputs, targets))
    assert sizes == [7, 3, 3, 1]
    assert list(map(len, chunks)) == [3, 3, 1]
    assert learner.notes == ["Memory did not suffice for 7 examples at a time: 3 were used."]

    class Starved(PerExample):
        def _chunk(self, inputs: Any, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            raise MemoryError

    with Starved(model, cross_entropy) as learner, pytest.raises(MethodError, match="of a single example"):
        next(learner.of(inputs, targets))


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_whole_gradients_are_let_go_before_the_next_are_taken(way: Way) -> None:
    model, (inputs, targets) = network(Convolutional), images()
    seen: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def watching(output: Any, target: Tensor) -> Tensor:
        alive.append(sum(one() is not None for one in seen))
        return cross_entropy(output, target)

    with PerExample(model, watching, way=way, most=2) as learner:
        for chunk in learner.of(inputs, targets):
            seen.append(weakref.ref(chunk.gradients["head.weight"]))
            del chunk
    assert len(seen) == (4 if way == "vmap" else 7)
    assert alive == [0] * len(seen)


def test_refusals_name_what_cannot_be_right() -> None:
    inputs, targets = images(4)
    with pytest.raises(MethodError, match="no parameters with gradients"):
        gathered(nn.Flatten(), inputs, targets)
    mixing = nn.Sequential(nn.Conv2d(2, 4, 6), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten())
    with pytest.raises(MethodError, match=r"'1' \(BatchNorm2d\) keeps no running statistics"):
        gathered(mixing, inputs, targets)
    for way in ("vmap", "loop"):
        with pytest.raises(MethodError, match="no gradient by the model's parameters"):
            gathered(network(Detached), torch.randn(3, 3), torch.tensor([0, 1, 2]), way=way)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scripted = torch.jit.script(nn.Linear(3, 3))
    with pytest.raises(MethodError, match="TorchScript"):
        gathered(scripted, torch.randn(3, 3), torch.tensor([0, 1, 2]))


def test_a_model_for_which_memory_does_not_suffice_is_refused_before_it_is_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, (inputs, targets) = network(Convolutional), images(2)
    size = sum(one.numel() * one.element_size() for one in model.parameters())
    monkeypatch.setattr(per_example, "spare", lambda device: per_example.COPIES * size - 1)
    with pytest.raises(MethodError, match=r"GB are free"):
        gathered(model, inputs, targets)
    for free in (per_example.COPIES * size, None):
        monkeypatch.setattr(per_example, "spare", lambda device, free=free: free)
        gathered(model, inputs, targets)


def test_what_is_free_is_what_the_system_says() -> None:
    free = spare(torch.device("cpu"))
    known = Path("/proc/meminfo").is_file()
    assert (free is not None and free > 1 << 20) if known else free is None
    assert spare(torch.device("meta")) is None


def test_a_sparse_embedding_has_the_gradients_of_a_dense_one() -> None:
    class Words(nn.Module):
        def __init__(self, sparse: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.table, self.head = nn.Embedding(9, 4, sparse=sparse), nn.Linear(4, 4)

        def forward(self, ids: Tensor) -> Tensor:
            found: Tensor = self.head(self.table(ids).mean(1))
            return found

    ids, targets = torch.arange(24).reshape(6, 4) % 9, torch.arange(6) % 4
    wanted = by_hand(Words(sparse=False), ids, targets)
    for way in ("loop", "vmap"):
        _, _, found = gathered(Words(sparse=True), ids, targets, way=way)
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, wanted[name])
