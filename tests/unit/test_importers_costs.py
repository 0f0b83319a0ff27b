"""FLOPs of branches and loops in files, and what is said of what cannot be counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.graph import trace
from pellucid.graph.importers.exported import graph_of_program
from support.onnx_models import INT, TensorProto, helper, model, read, value, weight
from support.written import Functional

BRANCHES = "Of the branches of choice the one that costs most is counted."


def _loop(length: int | None, inside: int = 0) -> Any:
    """Steps of (1, 4) times (4, 4), and so many of (1, 4) times (4, 3) in a loop inside."""
    nodes = [
        helper.make_node("Identity", ["go"], ["go_on"]),
        helper.make_node("MatMul", ["state", "w"], ["next"], "step"),
    ]
    if inside:
        narrow = helper.make_graph(
            [
                helper.make_node("Identity", ["more"], ["on"]),
                helper.make_node("MatMul", ["next", "narrow"], ["out"], "in"),
            ],
            "narrow",
            [value("j", [], INT), value("more", [], TensorProto.BOOL)],
            [value("on", [], TensorProto.BOOL), value("out", [1, 3])],
        )
        nodes.append(helper.make_node("Loop", ["few", "yes"], ["outs"], "inner", body=narrow))
    body = helper.make_graph(
        nodes, "body", [value("i", [], INT), value("go", [], TensorProto.BOOL), value("state", [1, 4])],
        [value("go_on", [], TensorProto.BOOL), value("next", [1, 4])],
    )  # fmt: skip
    held = [weight("w", 4, 4), weight("narrow", 4, 3), helper.make_tensor("yes", TensorProto.BOOL, [], [True])]
    held += [helper.make_tensor("few", INT, [], [inside])]
    held += [] if length is None else [helper.make_tensor("count", INT, [], [length])]
    inputs = [value("x", [1, 4]), *([value("count", [], INT)] if length is None else [])]
    loop = helper.make_node("Loop", ["count", "yes", "x"], ["last"], "rnn", body=body)
    return model([loop], inputs, [value("last", [1, 4])], held)


def test_a_loop_costs_all_its_steps(tmp_path: Path) -> None:
    graph = read(_loop(7), tmp_path)
    assert graph.flops == graph.by_name["rnn"].flops == graph.by_name["rnn.step"].flops == 7 * 2 * 4 * 4
    assert graph.backend_reason == ""
    assert graph.parameters == 4 * 4 + 4 * 3  # not the number of steps
    nested = read(_loop(7, inside=5), tmp_path)
    assert nested.flops == 7 * (2 * 4 * 4 + 5 * 2 * 4 * 3)
    assert nested.by_name["rnn.inner"].flops == 7 * 5 * 2 * 4 * 3
    assert read(_loop(0), tmp_path).flops == 0


def test_a_loop_of_unknown_length_makes_the_total_unknown_and_says_so(tmp_path: Path) -> None:
    graph = read(_loop(None), tmp_path)
    assert graph.flops is None
    assert graph.by_name["rnn"].flops is None
    assert graph.by_name["rnn.step"].flops == 2 * 4 * 4
    assert graph.backend_reason == (
        "How many steps rnn takes is known only when it runs: FLOPs in it are those of one step, and those of the whole are "
        "not known."
    )


def test_of_branches_the_one_that_costs_most_is_counted(tmp_path: Path) -> None:
    def branch(name: str, width: int) -> Any:
        product = helper.make_node("MatMul", ["x", name], [f"{name}y"], f"{name}p")
        return helper.make_graph([product], name, [], [value(f"{name}y", [2, width])], [weight(name, 4, width)])

    choice = helper.make_node("If", ["c"], ["out"], "choice", then_branch=branch("a", 3), else_branch=branch("b", 5))
    graph = read(
        model([choice], [value("c", [], TensorProto.BOOL), value("x", [2, 4])], [value("out", None)]), tmp_path
    )
    assert [node.flops for node in graph.nodes if node.operation == "MatMul"] == [2 * 2 * 4 * 3, 2 * 2 * 4 * 5]
    assert graph.flops == graph.by_name["choice"].flops == 2 * 2 * 4 * 5
    assert graph.backend_reason == BRANCHES


def test_what_is_not_counted_is_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("MatMul", ["z", "w"], ["u"]),
        helper.make_node("MultiHeadAttention", ["y", "y", "y"], ["v"], domain="com.microsoft", num_heads=2),
        helper.make_node("Einsum", ["x"], ["sum"], equation="ij->i"),
    ]
    inputs = [value("x", [2, 4]), value("z", [2, "?", 4])]
    held = model(nodes, inputs, [value(name, None) for name in ("u", "v", "sum")], [weight("w", 4, 4)],
                 domains=[helper.make_opsetid("com.microsoft", 1)])  # fmt: skip
    graph = read(held, tmp_path)
    assert graph.flops == 2 * 2 * 4 * 4
    sentence = "FLOPs are without those of MatMul, com.microsoft::MultiHeadAttention: what it costs is not known here"
    assert sentence in graph.backend_reason


def test_more_operators_of_onnx_are_counted(tmp_path: Path) -> None:
    deformed = helper.make_node("DeformConv", ["x", "w", "offset"], ["y"], kernel_shape=[3, 3])
    graph = read(
        model([deformed], [value("x", [1, 3, 8, 8]), value("offset", [1, 18, 6, 6])], [value("y", [1, 4, 6, 6])],
              [weight("w", 4, 3, 3, 3)]), tmp_path,
    )  # fmt: skip
    assert graph.flops == 2 * 4 * 6 * 6 * 27


# --- programs of torch.export -----------------------------------------------------------------------------------


def _exported(forward: Any, *inputs: Tensor, **modules: nn.Module) -> Any:
    return graph_of_program(torch.export.export(Functional(forward, **modules).eval(), inputs))


def test_a_choice_in_a_program_costs_its_larger_branch_as_the_trace_that_takes_it() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: self.wide(x).sum(1), lambda x: self.narrow(x).sum(1), (x,))

    modules = {"wide": nn.Linear(4, 9), "narrow": nn.Linear(4, 2)}
    graph = _exported(forward, torch.ones(2, 4), **modules)
    taken = trace(Functional(forward, **modules), torch.ones(2, 4))
    assert graph.flops == taken.flops == 2 * 2 * 4 * 9
    assert graph.backend_reason == "Of the branches of cond() the one that costs most is counted."
    sources = [node.source for node in graph.nodes if node.source is not None]
    assert sources
    assert all(source.startswith("test_importers_costs.py:") for source in sources)  # code that a tracer wrote has none


def test_a_scan_in_a_program_costs_all_its_steps_as_the_loop_that_it_is() -> None:
    scans = pytest.importorskip("torch._higher_order_ops.scan")
    linear = nn.Linear(4, 4)

    def step(self: nn.Module, state: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        following = torch.tanh(self.linear(state) + x)
        return following, following.clone()

    def scanned(self: nn.Module, x: Tensor) -> Tensor:
        last: Tensor = scans.scan(lambda state, one: step(self, state, one), torch.zeros(4), x)[0]
        return last

    def looped(self: nn.Module, x: Tensor) -> Tensor:
        state = torch.zeros(4)
        for one in x:
            state, _ = step(self, state, one)
        return state

    graph = _exported(scanned, torch.zeros(5, 4), linear=linear)
    assert graph.flops == trace(Functional(looped, linear=linear), torch.zeros(5, 4)).flops == 5 * 2 * 4 * 4
    assert graph.by_name["scan()"].steps == 5
    assert graph.backend_reason == ""
