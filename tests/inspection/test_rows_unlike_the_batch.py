"""Layers whose output has not one row an example: what is left of a record is right, and says what was left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.graph import trace
from pellucid.lenses.activations import ActivationsLens
from pellucid.lenses.graph import GraphLens
from pellucid.lenses.reductions import summarise
from pellucid.lenses.similarity import SimilarityLens
from pellucid.types import Batch, Layer, Observation
from support import experts as mixtures
from support.faults import Experts, Frames


class Routed(Experts):
    """The experts behind a layer that sees every example."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.act = nn.Linear(64, 64), nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(self.act(self.shared(images.flatten(1))))


class LastState(nn.Module):
    """Answers by the last state of a recurrent layer, float[1 batch unit]."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.steps, self.act = nn.Embedding(60, 16), nn.GRU(16, 24, batch_first=True), nn.ReLU()
        self.answer = nn.Linear(24, 3)

    def forward(self, ids: Tensor) -> Tensor:
        _, state = self.steps(self.words(ids))
        logits: Tensor = self.answer(self.act(state)).squeeze(0)
        return logits


class SequenceFirst(nn.Module):
    """An encoder of (token, batch, channel) between layers that have the batch in front."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.encoder = nn.Embedding(60, 8), nn.TransformerEncoderLayer(8, 2, 16)
        self.answer = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.answer(self.encoder(self.words(ids).transpose(0, 1)).mean(0))
        return logits


def pictures(count: int = 64) -> list[tuple[Tensor, int]]:
    made = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return [(image, row % 2) for row, image in enumerate(made)]


def texts(count: int = 40) -> list[tuple[Tensor, int]]:
    made = torch.randint(0, 60, (count, 9), generator=torch.Generator().manual_seed(0))
    return [(ids, row % 2) for row, ids in enumerate(made)]


def names(record: pellucid.Record, panel: str) -> list[str]:
    return [layer.name for layer in record.panel(panel).layers]  # type: ignore[union-attr]


def test_experts_that_see_some_of_the_examples_are_left_out_and_the_others_are_right(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, examples = Routed().eval(), pictures()
    record = pellucid.inspect(model, examples, out=tmp_path / "r", chosen=8, batch_size=16)
    for panel in ("activations", "similarity", "gradients"):
        assert names(record, panel) == ["act"]
        (said,) = [one for one in record.panel(panel).findings if one.kind == "unlike-batch"]
        assert said.sentence.startswith("Layers light.1, light.2 are not ")
        assert "light.1 gave 8 rows for a batch of 16" in said.sentence or panel == "gradients"
    focus, _ = record.focus(record.focused[0])
    assert [layer.name for layer in focus.layers] == ["act"]
    with torch.no_grad():
        fired = model.act(model.shared(torch.stack([image for image, _ in examples]).flatten(1))).numpy()
    index = record.panel("activations").layers[0].index  # type: ignore[union-attr]
    strongest = np.argsort(-fired, axis=0, kind="stable")[:9].T
    np.testing.assert_array_equal(record.array("activations", f"{index}.top_rows"), strongest)
    np.testing.assert_allclose(
        record.array("activations", f"{index}.top_values"), np.take_along_axis(fired.T, strongest, 1), rtol=1e-5
    )


def test_the_last_state_of_a_recurrent_layer_is_no_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, examples = LastState().eval(), texts()
    record = pellucid.inspect(model, examples, out=tmp_path / "many", chosen=8, batch_size=16)
    for panel in ("activations", "similarity", "gradients"):
        assert names(record, panel) == ["words"]
    # One example at a time the first axis is the batch, and everything is of that example.
    record = pellucid.inspect(model, examples, out=tmp_path / "one", chosen=8, batch_size=1)
    assert names(record, "activations") == ["words", "act", "answer"]
    with torch.no_grad():
        fired = model.act(model.steps(model.words(torch.stack([ids for ids, _ in examples])))[1])[0].numpy()
    strongest = np.argsort(-fired, axis=0, kind="stable")[:9].T
    values = np.take_along_axis(fired.T, strongest, 1)
    index = next(layer.index for layer in record.panel("activations").layers if layer.name == "act")  # type: ignore[union-attr]
    np.testing.assert_allclose(record.array("activations", f"{index}.top_values"), values, rtol=1e-4, atol=1e-6)
    rows = record.array("activations", f"{index}.top_rows")
    assert (rows == strongest)[values > 0].mean() > 0.95  # but where two are equal up to rounding


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("kind", [mixtures.Experts, mixtures.MapExperts])
def test_experts_that_some_batches_do_not_reach_end_no_inspection(
    tmp_path: Path, kind: type[nn.Module], batch_size: int
) -> None:
    torch.manual_seed(0)
    model, images = kind().eval(), mixtures.pictures()
    record = pellucid.inspect(
        model,
        [(image, row % 2) for row, image in enumerate(images)],
        out=tmp_path / "r",
        chosen=8,
        batch_size=batch_size,
    )
    assert {stage.state for stage in record.manifest.stages} == {"complete"}
    assert len(record.focused) == 8
    for panel in ("activations", "similarity"):
        assert not [name for name in names(record, panel) if name.startswith("experts")]
        (said,) = [one for one in record.panel(panel).findings if one.kind == "unlike-batch"]
        assert said.sentence.startswith("Layer")
        assert "experts." in said.sentence
    first = {"Experts": "gate", "MapExperts": "shared.1"}[kind.__name__]
    with torch.no_grad():
        outputs = model.get_submodule(first.split(".")[0])(images.flatten(1) if first == "gate" else images)
    strongest = outputs.flatten(2).amax(2).numpy() if outputs.ndim > 2 else outputs.numpy()
    index = next(layer.index for layer in record.panel("activations").layers if layer.name == first)  # type: ignore[union-attr]
    rows = np.argsort(-strongest, axis=0, kind="stable")[:9].T
    np.testing.assert_array_equal(record.array("activations", f"{index}.top_rows"), rows)
    np.testing.assert_allclose(
        record.array("activations", f"{index}.top_values"), np.take_along_axis(strongest.T, rows, 1), rtol=1e-4
    )
    if kind is mixtures.MapExperts:
        # One picture at a time the first of the experts that are looked at gives the map of that very picture.
        focus, tensors = record.focus(next(row for row in record.focused if mixtures.ROUTES[row] == 1))
        (layer,) = [one for one in focus.layers if one.name == "experts.1.1"] or [None]
        assert (layer is not None) == (batch_size == 1)
        if layer is not None:
            with torch.no_grad():
                maps = model.experts[1](model.shared(images[focus.row][None]))[0].numpy()  # type: ignore[index, operator]
            channels, held = tensors[f"{layer.index}.channels"], tensors[f"{layer.index}.maps"]
            np.testing.assert_allclose(held * focus.scales[f"{layer.index}.maps"], maps[channels], atol=2e-3)


def seen(rows: int, start: int) -> Observation:
    """A batch of eight whose layer "odd" gave so many rows."""
    layers = {name: Layer(index, name, "Linear", (4,), "vector") for index, name in enumerate(("even", "odd"))}
    made = {"even": torch.rand(8, 4), "odd": torch.rand(rows, 4)}
    pool = SimilarityLens().needs.reductions["similarity"]
    return Observation(
        stage="sweep",
        batch=Batch(start, [str(row) for row in range(start, start + 8)], torch.zeros(8, 1)),
        layers=layers,
        summaries={
            name: {"activations": summarise(values, layers[name], None, 9), "similarity": pool(values, layers[name])}
            for name, values in made.items()
        },
    )


@pytest.mark.parametrize("kind", [ActivationsLens, SimilarityLens])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_a_layer_is_left_out_of_all_parts_once_one_batch_was_unlike(kind: type, order: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    batches = [seen(8, 0), seen(3, 8), seen(8, 16)]
    apart = []
    for one in batches:
        lens = kind()
        lens.observe(one)
        apart.append(lens)
    total, at_once = kind(), kind()
    for place in order:
        total.merge(apart[place])
        at_once.observe(batches[place])
    for lens in (total, at_once):
        assert [layer.name for layer in lens.report().layers] == ["even"]
        assert lens.unlike == {"odd": [3, 8]}
        assert not any(name.startswith("1.") for name in lens.arrays())
    assert len(total.arrays()["rows"]) == 24 if kind is SimilarityLens else total.count == 24


def test_layers_whose_batch_is_folded_or_second_are_named() -> None:
    graph = trace(Frames(), torch.rand(1, 1, 8, 8))
    assert [node.name for node in graph.left_out] == ["look.1", "mean()"]
    assert graph.left_out[0].outputs[0] == (2, 4, 2, 6)
    graph = trace(SequenceFirst(), torch.zeros(1, 5, dtype=torch.long))
    assert [layer.name for layer in graph.layers] == ["words", "answer"]
    assert {node.outputs[0][:2] for node in graph.left_out} == {(5, 1)}
    assert "encoder.norm2" in [node.name for node in graph.left_out]
    findings = GraphLens()
    findings.observe(Observation("trace", graph=graph))
    (said,) = findings.report().findings
    assert (said.kind, said.count) == ("layers-left-out", len(graph.left_out))
    assert said.sentence.endswith("gives (5, 1, 8) for 1 example.")


def test_parameters_that_others_may_read_are_said_to_be_unread_for_the_traced_example() -> None:
    findings = GraphLens()
    findings.observe(Observation("trace", graph=trace(Experts(), torch.rand(1, 1, 8, 8))))
    (said,) = [one for one in findings.report().findings if one.kind == "unused-parameters"]
    assert said.sentence.startswith(
        "4 parameters are never read for the traced example, on a path that others need not "
    )
