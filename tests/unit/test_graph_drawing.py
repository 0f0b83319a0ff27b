"""Drawings: what is folded, where it stands, and that it is one safe document whatever the names are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pellucid.graph import Graph, trace
from pellucid.graph.difference import difference
from pellucid.graph.drawing import difference_svg, place, svg
from pellucid.graph.drawing.lines import Line, Placed
from pellucid.graph.drawing.place import placed
from pellucid.graph.drawing.visible import FOLLOWS, ROOT, Arrow, Box, seen, suited_depth
from support.tagged_nets import Chain, Residual


class Looped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.read = nn.GRUCell(4, 4), nn.Linear(4, 2)

    def forward(self, values: Tensor) -> Tensor:
        state = torch.zeros(values.shape[0], 4)
        for step in range(values.shape[1]):
            state = self.cell(values[:, step], state)
        read: Tensor = self.read(state)
        return read


def blocks(count: int) -> nn.Module:
    inner = [Residual(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))) for _ in range(count)]
    return Chain(stem=nn.Linear(4, 4), body=nn.Sequential(*inner), drop=nn.Dropout(0.5), head=nn.Linear(4, 2))


def graph_of(model: nn.Module, *shape: int) -> Graph:
    return trace(model, torch.zeros(shape))


def named(graph: Graph, box: Box) -> list[str]:
    return [graph.nodes[child.id].name for child in box.children]


def box_of(graph: Graph, root: Box, name: str) -> Box:
    return next(box for box in root.all() if box.id != ROOT and graph.nodes[box.id].name == name)


def laid_out(graph: Graph, depth: int | None = None) -> Placed:
    return placed(seen(graph, depth), lambda box: (0.0, 0.0) if box.id == ROOT else (80.0, 30.0))


def all_placed(whole: Placed) -> Iterator[Placed]:
    yield whole
    for child in whole.children:
        yield from all_placed(child)


# --- folding --------------------------------------------------------------------------------------------------


def test_equal_blocks_are_drawn_once_with_how_many_they_are() -> None:
    graph = graph_of(blocks(5), 1, 4)
    root = seen(graph, 9)
    body = box_of(graph, root, "body")
    assert named(graph, body) == ["body.0"]
    assert body.children[0].times == 5
    assert "×5" in svg(graph, depth=9)


def test_a_block_in_which_something_changed_is_drawn_by_itself() -> None:
    graph = graph_of(blocks(5), 1, 4)
    changed = graph.by_name["body.2.inner.0"].id
    body = box_of(graph, seen(graph, 9, {changed: "changed"}), "body")
    assert [(name, box.times) for name, box in zip(named(graph, body), body.children, strict=True)] == [
        ("body.0", 2), ("body.2", 1), ("body.3", 2),
    ]  # fmt: skip
    followed = box_of(graph, seen(graph, 9, {changed: FOLLOWS}), "body")
    assert followed.children[0].times == 5


def test_depth_folds_and_a_folded_module_keeps_the_marks_of_what_it_holds() -> None:
    graph = graph_of(blocks(2), 1, 4)
    marks = {graph.by_name["body.1.inner.2"].id: "changed"}
    root = seen(graph, 1, marks)
    assert named(graph, root) == ["values", "stem", "body", "drop", "head", "output"]
    assert box_of(graph, root, "body").marks == {"changed"}


def test_a_drawing_folds_by_itself_until_it_is_readable() -> None:
    def stage(last: int) -> nn.Module:
        rising = nn.Sequential(*(nn.Linear(width, width + 1) for width in range(4, last)))
        return nn.Sequential(rising, nn.Linear(last, 4))

    wide = Chain(**{f"stage{last}": stage(last) for last in range(20, 28)})
    assert suited_depth(graph_of(wide, 1, 4)) == 2
    assert suited_depth(graph_of(blocks(40), 1, 4)) == 4


def test_an_activation_stands_on_the_line_it_acts_on() -> None:
    graph = graph_of(blocks(2), 1, 4)
    inner = box_of(graph, seen(graph, 9), "body.0.inner")
    assert named(graph, inner) == ["body.0.inner.0", "body.0.inner.2"]
    assert [child.after for child in inner.children] == ["relu", None]


def test_an_activation_whose_input_others_read_too_keeps_its_box() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.act = nn.Linear(4, 4), nn.SiLU()

        def forward(self, values: Tensor) -> Tensor:
            made = self.linear(values)
            return made * self.act(made)

    graph = graph_of(Gated(), 1, 4)
    assert "act" in named(graph, seen(graph, 9))


def test_a_loop_is_drawn_once_with_a_line_that_feeds_back() -> None:
    graph = graph_of(Looped(), 1, 6, 4)
    root = seen(graph, 9)
    cell = box_of(graph, root, "cell")
    assert cell.steps == 6
    assert [name for name in named(graph, root) if name.startswith("cell")] == ["cell"]
    assert [(arrow.source, arrow.target) for arrow in root.arrows if arrow.feeds_back] == [(cell.id, cell.id)]
    assert "called 6 times, once a step" in svg(graph)


# --- places ---------------------------------------------------------------------------------------------------


def test_no_two_boxes_of_a_frame_touch_and_all_stand_inside_it() -> None:
    from torchvision.models import googlenet

    graph = trace(googlenet(init_weights=False).to("meta"), torch.zeros(1, 3, 64, 64, device="meta"))
    count = 0
    for frame in all_placed(laid_out(graph, 3)):
        for at, one in enumerate(frame.children):
            assert one.x >= 0
            assert one.x + one.width <= frame.width + 0.01
            assert one.bottom <= frame.height + 0.01
            for other in frame.children[at + 1 :]:
                apart = one.x + one.width <= other.x or other.x + other.width <= one.x
                assert apart or one.bottom <= other.y or other.bottom <= one.y
                count += 1
    assert count > 300


def _crosses(line: Line, frame: Placed) -> bool:
    """Whether a straight piece of a line runs through a box that is none of its ends."""
    for box in frame.children:
        if box.box.id in (line.arrow.source, line.arrow.target):
            continue
        for (x, y), (right, bottom) in pairwise(line.points):
            left, right = sorted((x, right))
            top, bottom = sorted((y, bottom))
            slanted = right - left > 0.01 and bottom - top > 0.01
            beside = right < box.x + 0.01 or left > box.x + box.width - 0.01
            if not slanted and not beside and top < box.bottom - 0.01 and bottom > box.y + 0.01:
                return True
    return False


def test_lines_of_boxes_with_others_beside_them_leave_their_row_first() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(9))

        def forward(self, values: Tensor) -> Tensor:
            branches = [layer(values) for layer in self.layers[:3]]
            deeper = [layer(branch) for layer, branch in zip(self.layers[3:6], branches, strict=True)]
            deepest = [layer(branch) for layer, branch in zip(self.layers[6:], deeper, strict=True)]
            return sum(deepest[1:], deepest[0]) * branches[0] * branches[1] * branches[2]

    whole = laid_out(graph_of(Wide(), 1, 4))
    lanes = [line for line in whole.lines if line.route == "lane"]
    assert lanes
    assert not [line for line in lanes if _crosses(line, whole)]


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet"])
def test_skip_connections_run_beside_what_they_skip(name: str) -> None:
    from torchvision import models

    model = models.get_model(name, weights=None, **({"init_weights": False} if name == "googlenet" else {}))
    whole = laid_out(trace(model.to("meta"), torch.zeros(1, 3, 64, 64, device="meta")), 3)
    lines = [(line, frame) for frame in all_placed(whole) for line in frame.lines]
    assert not [line for line, frame in lines if _crosses(line, frame)]
    assert any(line.route == "lane" for line, _ in lines) == (name != "googlenet")


def test_what_is_read_stands_above_what_reads_it() -> None:
    for frame in all_placed(laid_out(graph_of(blocks(3), 1, 4), 9)):
        places = {child.box.id: child for child in frame.children}
        for line in frame.lines:
            if line.route == "flow" and line.arrow.source in places and line.arrow.target in places:
                assert places[line.arrow.source].bottom < places[line.arrow.target].y


# --- the document ---------------------------------------------------------------------------------------------


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_is_text_in_it(name: str, title: str) -> None:
    graph = graph_of(nn.Sequential(nn.Linear(2, 2)), 1, 2)
    nodes = [msgspec.structs.replace(node, name=name, operation=name, arguments={name: name}) for node in graph.nodes]
    text = svg(dataclasses.replace(graph, nodes=tuple(nodes)), title=title)
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}  # noqa: S314
    assert names <= {"svg", "title", "style", "rect", "line", "path", "g", "text", "tspan"}
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_a_pooling_says_what_it_keeps_and_an_error_stands_at_its_call() -> None:
    pooled = svg(graph_of(nn.Sequential(nn.MaxPool2d(2)), 1, 1, 4, 4))
    assert "window 2x2, stride 2x2, keeps 25%" in pooled
    stopped = graph_of(nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 2)), 1, 4)
    text = svg(stopped)
    assert stopped.error is not None
    assert 'class="box other failed"' in text
    assert "stopped half-way" in text


def test_a_narrow_drawing_holds_its_whole_title_in_wide_fonts() -> None:
    root = ElementTree.fromstring(svg(graph_of(nn.Linear(4, 4), 1, 4), title="n" * 80))  # noqa: S314
    assert float(root.get("width", "0")) > 10.5 * 80


def test_a_difference_marks_both_sides_and_tells_causes_from_what_follows() -> None:
    old = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4), nn.Linear(4, 2))
    new = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    found = difference(graph_of(old, 1, 4), graph_of(new, 1, 4))
    text = difference_svg(found, names=("<old>", "new"))
    root = ElementTree.fromstring(text)  # noqa: S314
    kinds = [kind for element in root.iter() for kind in element.get("class", "").split()]
    said = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]
    assert said[0] == "<old> → new: 1 added, 2 changed, 1 of another shape"
    assert kinds.count("added") == 3  # its box, its sign, the legend
    assert kinds.count("changed") == 2 * 2 * 2 + 1  # on both sides a box and a sign, and the legend
    assert kinds.count("follows") == 2 + 1


def test_both_ways_from_the_graph_itself() -> None:
    graph = graph_of(blocks(2), 1, 4)
    assert graph.to_svg(title="net", depth=2) == svg(graph, title="net", depth=2)
    assert graph.against(graph).changes == ()


def test_a_graph_without_calls_is_a_drawing_all_the_same() -> None:
    empty = Graph((), (), 0, 0, None, (), "real")
    assert ElementTree.fromstring(svg(empty)).tag.endswith("svg")  # noqa: S314


def test_a_long_chain_costs_what_its_length_does() -> None:
    def reads(length: int) -> int:
        counted = 0

        class Counted(Placed):
            @property
            def middle(self) -> float:
                nonlocal counted
                counted += 1
                return super().middle

        boxes = [Box(id_) for id_ in range(length)]
        whole = Box(ROOT, boxes, arrows=[Arrow(id_, id_ + 1) for id_ in range(length - 1)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, "Placed", Counted)
            place.placed(whole, lambda box: (40.0, 20.0))
        return counted

    assert reads(200) < 2.2 * reads(100)
