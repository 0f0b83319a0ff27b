"""What became of a graph: planted edits are found, nothing else is told, and the other way round is the mirror image."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pellucid.graph import Edge, Graph, Node, trace
from pellucid.graph.difference import KINDS, Difference, difference
from pellucid.graph.matching import Matching
from pellucid.graph.outline import Outline, Tables
from support import planted, telling
from support.tagged_nets import MODELS, Chain, Residual, Wrapper, tagged

TRIALS = 28  # edited copies of each model


def told(old: nn.Module, new: nn.Module, *shape: int) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """The changes, with names in place of ids."""
    found = difference(trace(old, torch.zeros(shape)), trace(new, torch.zeros(shape)))
    return [
        (
            change.kind,
            "" if change.old is None else found.old.nodes[change.old].name,
            "" if change.new is None else found.new.nodes[change.new].name,
            change.what,
        )
        for change in found.changes
    ]


def layers() -> list[nn.Module]:
    return [nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 4)]


# --- planted edits --------------------------------------------------------------------------------------------


def test_planted_edits_are_found_and_only_what_follows_from_them_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    score = telling.Score()
    for make in MODELS:
        model, shape = make()
        tagged(model).to("meta")
        old = telling.graph_of(model, shape)
        for seed in range(TRIALS):
            rng = random.Random(f"{make.__name__} {seed}")
            score.count((old, telling.keys(old, model)), planted.edit(model, rng, rng.randint(1, 5)), shape)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{score.found:,} of {score.planted:,} planted edits found ({score.found / score.planted:.2%}); "
            f"{score.true:,} of {score.told:,} changes told are true ({score.true / score.told:.2%})\n"
        )
    assert score.planted >= 500
    assert score.found / score.planted >= 0.99, score.missed
    assert score.true / score.told >= 0.99


# --- one edit at a time ---------------------------------------------------------------------------------------


def test_an_inserted_layer_is_all_that_is_told() -> None:
    new = layers()
    new.insert(2, nn.Tanh())
    assert told(nn.Sequential(*layers()), nn.Sequential(*new), 1, 8) == [("added", "", "2", ())]


def test_a_removed_block_of_several_equal_ones_is_one_change() -> None:
    def blocks(count: int) -> nn.Module:
        return nn.Sequential(*(Residual(nn.Linear(8, 8)) for _ in range(count)))

    ((kind, *_),) = told(blocks(4), blocks(3), 1, 8)
    assert kind == "removed"


def test_a_width_is_told_where_it_changes_and_where_it_shows() -> None:
    new = layers()
    new[0], new[2] = nn.Linear(8, 16), nn.Linear(16, 8)
    changes = told(nn.Sequential(*layers()), nn.Sequential(*new), 1, 8)
    assert [(kind, old, new) for kind, old, new, _ in changes] == [("changed", name, name) for name in ("0", "1", "2")]
    assert [set(what) >= {"shape"} for *_, what in changes] == [True, True, False]
    assert {"parameters"} <= set(changes[0][3]) & set(changes[2][3])


def test_a_module_put_around_another_is_added_and_the_other_moved() -> None:
    new = layers()
    new[4] = Wrapper(new[4])
    assert told(nn.Sequential(*layers()), nn.Sequential(*new), 1, 8) == [
        ("added", "", "4", ()),
        ("moved", "4", "4.inside", ()),
    ]


def test_the_whole_model_put_inside_another_is_moved_part_by_part() -> None:
    inner = nn.Sequential(*(Residual(nn.Linear(8, 8)) for _ in range(3)), nn.Linear(8, 4))
    changes = told(inner, Chain(body=inner, head=nn.Softmax(-1)), 1, 8)
    assert {kind for kind, *_ in changes[:2] + changes[3:]} == {"added", "moved"}
    assert changes[2] == ("changed", "input", "values", ("name",))
    assert [old for kind, old, *_ in changes if kind == "moved"] == ["0", "1", "2", "3"]


class Gate(nn.Module):
    """Its input by what a layer makes of it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.layer(inputs)


def test_an_operation_that_two_unrelated_models_have_in_common_is_not_moved() -> None:
    changes = told(Gate(nn.LayerNorm(8)), nn.Sequential(nn.Tanh(), Gate(nn.Linear(8, 8))), 2, 8)
    assert "moved" not in {kind for kind, *_ in changes}


def test_layers_that_change_places_are_moved() -> None:
    new = layers()
    new[3], new[4] = new[4], new[3]
    ((kind, old, _, what),) = told(nn.Sequential(*layers()), nn.Sequential(*new), 1, 8)
    assert (kind, what) == ("moved", ())
    assert old in ("3", "4")


def test_a_renamed_attribute_is_the_same_call() -> None:
    old = Chain(first=nn.Linear(8, 8), act=nn.ReLU())
    assert told(old, Chain(beginning=nn.Linear(8, 8), act=nn.ReLU()), 1, 8) == [
        ("changed", "first", "beginning", ("name",))
    ]


def test_another_activation_is_another_operation_of_the_same_call() -> None:
    new = layers()
    new[3] = nn.GELU()
    assert told(nn.Sequential(*layers()), nn.Sequential(*new), 1, 8) == [("changed", "3", "3", ("operation",))]


def test_a_call_that_reads_from_elsewhere_has_other_inputs() -> None:
    class Joined(nn.Module):
        def __init__(self, source: int) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
            self.source = source

        def forward(self, values: Tensor) -> Tensor:
            made = [values]
            for layer in self.layers:
                made.append(layer(made[-1]))
            return made[-1] * made[self.source]

    assert told(Joined(1), Joined(2), 1, 8) == [("changed", "mul()", "mul()", ("inputs",))]


def test_a_new_skip_connection_is_the_sum_that_joins_it() -> None:
    blocks = [Residual(nn.Linear(8, 8), skips=skips) for skips in (True, False, True)]
    more = [Residual(nn.Linear(8, 8)) for _ in range(3)]
    assert told(nn.Sequential(*blocks), nn.Sequential(*more), 1, 8) == [
        ("added", "", "1.add()", ()),
        ("changed", "1", "1", ("arguments",)),
    ]


def test_frozen_parameters_are_told() -> None:
    new = nn.Sequential(*layers())
    new[2].requires_grad_(False)
    assert told(nn.Sequential(*layers()), new, 1, 8) == [("changed", "2", "2", ("trainable",))]


def test_weights_that_are_now_shared_are_told_of_the_call_that_shares_them() -> None:
    class Coder(nn.Module):
        def __init__(self, *, tied: bool) -> None:
            super().__init__()
            self.encode, self.decode = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
            if tied:
                self.decode.weight = self.encode.weight

        def forward(self, values: Tensor) -> Tensor:
            coded: Tensor = self.decode(self.encode(values).relu())
            return coded

    assert told(Coder(tied=False), Coder(tied=True), 1, 8) == [("changed", "decode", "decode", ("parameters",))]
    assert told(Coder(tied=True), Coder(tied=True), 1, 8) == []


def test_a_layer_that_is_now_called_again_instead_of_another_is_told_of_its_second_call() -> None:
    class Twice(nn.Module):
        def __init__(self, *, again: bool) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(8, 8), nn.Linear(8, 8)
            self.second = self.one if again else self.other

        def forward(self, values: Tensor) -> Tensor:
            coded: Tensor = self.second(self.one(values).relu())
            return coded

    for before, after in ((False, True), (True, False)):
        ((kind, _, _, what),) = told(Twice(again=before), Twice(again=after), 1, 8)
        assert (kind, "parameters" in what) == ("changed", True)
    assert told(Twice(again=True), Twice(again=True), 1, 8) == []


# --- laws -----------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph of a few calls, as deep as it comes."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    holders: list[int] = []
    flat: list[int] = []
    for id_ in range(draw(st.integers(0, 14))):
        for _ in range(draw(st.integers(0, 2))):
            if holders:
                holders.pop()
        operation = draw(st.sampled_from(("conv", "relu", "add")))
        holds = draw(st.booleans()) and len(holders) < 3
        place = draw(st.sampled_from(("0", "1", "a", "b.0")))
        nodes.append(
            Node(
                id=id_, name=f"{place}#{id_}", path=place, operation="Block" if holds else operation, kind="module",
                parent=holders[-1] if holders else None, call=1, inputs=((1, 4),), outputs=((1, draw(st.integers(1, 2))),),
                parameters=draw(st.integers(0, 1)), arguments={"k": draw(st.sampled_from("xy"))},
            )
        )  # fmt: skip
        if holds:
            holders.append(id_)
            continue
        sources = draw(st.lists(st.sampled_from(flat), max_size=2)) if flat else []
        edges += [Edge(source, id_, 0, argument, (1, 4)) for argument, source in enumerate(sources)]
        flat.append(id_)
    held = {node.parent for node in nodes}
    kept = tuple(edge for edge in edges if edge.source not in held and edge.target not in held)
    return Graph(tuple(nodes), kept, 0, 0, None, (), "real")


@settings(deadline=None)
@given(graphs())
def test_a_graph_does_not_differ_from_itself(graph: Graph) -> None:
    found = difference(graph, dataclasses.replace(graph))
    assert found.changes == ()
    assert found.matches == tuple((id_, id_) for id_ in range(len(graph.nodes)))


def _mirrored(found: Difference) -> set[tuple[object, ...]]:
    mirror = {"added": "removed", "removed": "added"}
    return {(mirror.get(one.kind, one.kind), one.new, one.old, one.what) for one in found.changes}


@settings(max_examples=300, deadline=None)
@given(graphs(), graphs())
def test_the_other_way_round_is_the_mirror_image(old: Graph, new: Graph) -> None:
    there, back = difference(old, new), difference(new, old)
    assert {(one.kind, one.old, one.new, one.what) for one in back.changes} == _mirrored(there)
    assert {(one, other) for other, one in back.matches} == set(there.matches)


@settings(max_examples=300, deadline=None)
@given(graphs(), graphs())
def test_every_call_is_in_one_pair_or_below_one_change(old: Graph, new: Graph) -> None:
    found = difference(old, new)
    for side, graph, kind in ((0, old, "removed"), (1, new, "added")):
        paired = [pair[side] for pair in found.matches]
        assert len(set(paired)) == len(paired)
        alone = {(one.old, one.new)[side] for one in found.changes if one.kind == kind}
        for node in graph.nodes:
            outermost = node.id not in paired and (node.parent is None or node.parent in paired)
            assert (node.id in alone) == outermost
    assert all(bool(one.what) == (one.kind == "changed") for one in found.changes)
    assert sum(found.counts.values()) == len(found.changes)
    assert [KINDS.index(one.kind) for one in found.changes] == sorted(KINDS.index(one.kind) for one in found.changes)


@settings(deadline=None)
@given(graphs(), graphs())
def test_the_panel_says_the_same(old: Graph, new: Graph) -> None:
    found = difference(old, new)
    panel = found.to_panel("before")
    assert [(one.kind, one.old, one.new, tuple(one.what)) for one in panel.changes] == [
        (one.kind, one.old, one.new, one.what) for one in found.changes
    ]
    assert (panel.name, len(panel.old.nodes)) == ("before", len(old.nodes))
    assert [tuple(pair) for pair in panel.matches] == list(found.matches)


# --- size -----------------------------------------------------------------------------------------------------


def _large(seed: int, length: int, operations: str) -> Graph:
    rng = random.Random(seed)
    nodes = tuple(
        Node(
            id_,
            f"n{id_}",
            f"n.{id_}",
            rng.choice(operations),
            "function",
            None,
            1,
            ((1, 4),),
            ((1, rng.randint(1, 9)),),
        )
        for id_ in range(length)
    )
    edges = tuple(Edge(id_ - 1, id_, 0, 0, (1, 4)) for id_ in range(1, length))
    return Graph(nodes, edges, 0, 0, None, (), "file")


@pytest.mark.parametrize(
    "other",
    [lambda: _large(1, 19_999, "abc"), lambda: _large(2, 20_000, "abc"), lambda: _large(2, 20_000, "xyz")],
    ids=["one call less", "other calls of the same operations", "nothing in common"],
)
def test_the_comparisons_made_grow_with_the_graphs_and_not_with_their_product(
    other: Callable[[], Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    weight = Matching._weight

    def counted(self: Matching, old: int, new: int) -> float:
        nonlocal compared
        compared += 1
        return weight(self, old, new)

    monkeypatch.setattr(Matching, "_weight", counted)
    tables = Tables()
    Matching(Outline(_large(1, 20_000, "abc"), tables), Outline(other(), tables))
    assert compared <= 400_000
