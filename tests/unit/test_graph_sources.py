"""The line of the model's code on which every call stands."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pellucid.graph import Graph, trace
from pellucid.graph.callsites import CallSites
from pellucid.graph.parts import Parts


def line_of(text: str) -> str:
    """The only line of this file that ends in a mark."""
    lines = Path(__file__).read_text().splitlines()
    found = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {text}")]
    assert len(found) == 1
    return f"{Path(__file__).name}:{found[0]}"


def source(graph: Graph, name: str) -> str | None:
    return graph.by_name[name].source


def test_calls_inside_an_installed_package_name_its_lines() -> None:
    from torchvision.models import resnet
    from torchvision.models.resnet import resnet18

    graph = trace(resnet18(weights=None), torch.zeros(1, 3, 32, 32))
    file = inspect.getsourcefile(resnet) or ""
    calls = {
        "conv1": "self.conv1(x)",
        "layer1.0.bn1": "self.bn1(out)",
        "layer1.0": "self.layer1(x)",
        "fc": "self.fc(x)",
    }
    for name, text in calls.items():
        shown, _, number = str(source(graph, name)).partition(":")
        assert shown == "resnet.py"
        assert text in linecache.getline(file, int(number)), name
    assert "torch.flatten(x, 1)" in linecache.getline(file, int(str(source(graph, "flatten()")).partition(":")[2]))


def test_calls_inside_transformers_name_the_lines_of_its_models() -> None:
    import transformers

    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=20
    )
    graph = trace(transformers.BertModel(config), torch.ones(1, 4, dtype=torch.long))
    assert {str(node.source).partition(":")[0] for node in graph.nodes if node.kind == "module"} == {"modeling_bert.py"}


def test_a_container_s_calls_stand_where_it_is_called_and_nowhere_if_nothing_calls_it() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))

        def forward(self, x: Tensor) -> Any:
            return self.block(x)  # the container

    graph = trace(Net(), torch.zeros(1, 2))
    assert {source(graph, name) for name in ("block", "block.0", "block.1", "block.1.0")} == {line_of("the container")}
    alone = trace(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.zeros(1, 2))
    assert [node.source for node in alone.nodes] == [None] * 4


class Called(nn.Module):
    """A call of its own, which hands on to torch's."""

    def __call__(self, *args: Any) -> Any:
        return super().__call__(*args)

    def forward(self, x: Tensor) -> Any:
        return x.relu()  # inside what calls itself


def test_hooks_checkpoints_and_calls_of_their_own() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.called, self.linear, self.held = Called(), nn.Linear(2, 2), nn.Linear(2, 2)

        def part(self, x: Tensor) -> Any:
            return self.held(x)  # inside a checkpoint

        def forward(self, x: Tensor) -> Any:
            x = self.called(x)  # where it is called
            return checkpoint(self.part, self.linear(x), use_reentrant=False)

    def hook(_module: nn.Module, _args: object, output: Tensor) -> Tensor:
        return output.tanh()  # a hook

    net = Net()
    net.linear.register_forward_hook(hook)
    net.called.register_forward_hook(hook)
    graph = trace(net, torch.zeros(1, 2))
    assert source(graph, "called") == line_of("where it is called")
    assert source(graph, "called.relu()") == line_of("inside what calls itself")
    assert source(graph, "held") == line_of("inside a checkpoint")
    assert source(graph, "called.tanh()") == line_of("a hook")


def installed(path: str, text: str) -> dict[str, Any]:
    """What a file that is installed under that path would define."""
    names: dict[str, Any] = {"__name__": path.removesuffix(".py").replace("/", ".")}
    exec(compile(text, f"/opt/lib/site-packages/{path}", "exec"), names)  # noqa: S102 - the text is the test's
    return names


def test_another_library_s_lines_count_where_the_model_is_made_of_it_and_else_only_in_need() -> None:
    helper: Callable[[Tensor], Tensor] = installed("helpers/ops.py", "def halve(x):\n    return x / 2\n")["halve"]
    text = "from torch import nn\nclass Halve(nn.Module):\n    def forward(self, x):\n        return self.by(x)\n"
    layer = installed("layers/halves.py", text)["Halve"]
    layer.__module__, layer.by = "layers.halves", staticmethod(helper)

    class Net(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return helper(x)  # a helper

    assert source(trace(Net(), torch.zeros(1, 2)), "div()") == line_of("a helper")
    assert source(trace(layer(), torch.zeros(1, 2)), "div()") == "halves.py:4"

    hooked = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Linear(2, 2))
    hooked[0].register_forward_hook(installed("helpers/hooks.py", "def hook(m, a, o):\n    return o * 3\n")["hook"])
    graph = trace(hooked, torch.zeros(1, 2))
    assert [source(graph, name) for name in ("0", "0.mul()", "1")] == [None, "hooks.py:2", None]


def test_a_network_of_pellucid_s_own_is_a_model_too() -> None:
    from pellucid.demo.network import DigitsNet

    graph = trace(DigitsNet(), torch.zeros(1, 1, 28, 28))
    assert {str(node.source).partition(":")[0] for node in graph.nodes if node.kind == "module"} == {"network.py"}


def test_a_file_is_judged_once_however_many_calls_stand_in_it() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sites: CallSites | None = None
            self.seen: list[int] = []

        def forward(self, x: Tensor) -> Any:
            sites = CallSites(Parts(self), _here.__code__)
            for _ in range(5):
                assert sites.here() is not None
                self.seen.append(sites.files)
            return x

    net = Net()
    _here(net)
    assert net.seen == [1] * 5


def _here(net: nn.Module) -> None:
    net.forward(torch.zeros(1))


def test_code_that_fx_writes_is_named_by_its_own_lines() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Any:
            return self.linear(x)

    graph = trace(torch.fx.symbolic_trace(Net()), torch.zeros(1, 2))
    assert str(source(graph, "linear")).startswith("<eval_with_key>")


def test_a_model_of_a_module_that_is_gone_is_traced(monkeypatch: Any) -> None:
    module = ModuleType("pellucid.gone")
    monkeypatch.setitem(sys.modules, "pellucid.gone", module)
    kind = type("Net", (nn.Module,), {"forward": lambda self, x: x.relu(), "__module__": "pellucid.gone"})
    assert str(source(trace(kind(), torch.zeros(1, 2)), "relu()")).startswith(Path(__file__).name)
