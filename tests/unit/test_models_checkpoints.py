"""Weights in checkpoints of any form: whole modules of a program's own classes, nested state dicts, prefixes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from pellucid.errors import WeightsError
from pellucid.models import open_model
from pellucid.models.fingerprint import fingerprint
from pellucid.models.weights import load_weights, read_weights

NET = """
import torch
from torch import nn

class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))
"""
TRAIN = """
def make():
    return {name}()

if __name__ == "__main__":
    torch.manual_seed(7)
    net = {name}()
    torch.save(net, "whole.pt")
    torch.save(net.state_dict(), "state.pt")
"""


def run(folder: Path, *words: str) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, *words], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("beside", [False, True])
def test_a_module_that_a_script_saved_whole_is_opened_with_that_script(
    beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"Net{int(beside)}"
    source = NET.format(name=name)
    script = tmp_path / f"train_{name}.py"
    if beside:  # the class lies in a module beside the script
        (tmp_path / f"own_{name}.py").write_text(source)
        source = f"import torch\nfrom own_{name} import {name}\n"
    script.write_text(source + TRAIN.format(name=name))
    run(tmp_path, script.name)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    program = sys.modules["__main__"]
    state = torch.load(tmp_path / "state.pt")
    opened = open_model(f"{script}:make", weights=tmp_path / "whole.pt", trust=True)
    assert all(torch.equal(value, state[key]) for key, value in opened.model.state_dict().items())
    assert sys.modules["__main__"] is program
    assert not hasattr(program, name)


def test_a_module_that_was_saved_whole_is_found_by_a_model_of_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_third.py").write_text(NET.format(name="Third"))
    run(tmp_path, "-c", "import torch, own_third; torch.save({'model': own_third.Third()}, 'whole.pt')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    opened = open_model("own_third:Third", weights=Path("whole.pt"), trust=True)
    assert fingerprint(opened.model) == fingerprint(torch.load("whole.pt", weights_only=False)["model"])


def test_a_class_that_is_not_there_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_gone.py").write_text(NET.format(name="Gone"))
    run(tmp_path, "-c", "import torch, own_gone; torch.save(own_gone.Gone(), 'whole.pt')")
    (tmp_path / "own_gone.py").unlink()
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(WeightsError, match=r"classes that cannot be found: .*No module named 'own_gone'") as raised:
        read_weights(tmp_path / "whole.pt", trust=True)
    assert "whole?" not in str(raised.value)


# --- nested ------------------------------------------------------------------------------------------------------


def plain() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))


@pytest.mark.parametrize("place", ["model_state", "params_ema", "generator", "state.weights_of_mine"])
@pytest.mark.parametrize("prefix", ["", "net.", "model.", "module._orig_mod.", "model.backbone.net."])
def test_the_nested_state_dict_that_fits_is_taken(place: str, prefix: str, tmp_path: Path) -> None:
    net, other = plain(), plain()
    held: object = {f"{prefix}{name}": value for name, value in net.state_dict().items()}
    for key in reversed(place.split(".")):
        held = {key: held}
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 1, 4, 4)).sum().backward()
    optimizer.step()
    assert isinstance(held, dict)
    saved = {"epoch": 3, "discriminator": nn.Linear(5, 5).state_dict(), "optimizer": optimizer.state_dict(), **held}
    torch.save(saved, tmp_path / "net.pt")
    load_weights(other, read_weights(tmp_path / "net.pt", wanted=other.state_dict()), "net.pt")
    assert fingerprint(other) == fingerprint(net) != fingerprint(plain())


def test_of_several_that_cannot_be_told_apart_all_are_named(tmp_path: Path) -> None:
    torch.save({"first": plain().state_dict(), "second": plain().state_dict()}, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=r"holds several state dicts \(first, second\)"):
        read_weights(tmp_path / "net.pt", wanted=plain().state_dict())
    torch.save({"first": nn.Linear(3, 2).state_dict(), "second": plain().state_dict()}, tmp_path / "net.pt")
    assert set(read_weights(tmp_path / "net.pt", wanted=plain().state_dict())) == set(plain().state_dict())


def test_a_file_without_tensors_says_what_it_has(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "history": {"loss": [1.0]}}, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match="holds a dict of epoch, history; expected a state dict"):
        read_weights(tmp_path / "net.pt")
