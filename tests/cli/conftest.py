"""A folder with the user's files in it, and the program to run there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.program import Program, alone, in_process

NETWORKS = '''
"""Small networks of a user, good and bad."""

import os
import signal

import torch
from torch import nn


def make(outputs=10):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, outputs))


def three():
    return make(3)


class Broken(nn.Module):
    def forward(self, images):
        raise RuntimeError("expected 3 channels, got 1")


class Doubtful(nn.Module):
    """NaN for some images, infinity for others."""

    def __init__(self):
        super().__init__()
        self.inner = make()

    def forward(self, images):
        logits = self.inner(images)
        ink = images.flatten(1).sum(dim=1, keepdim=True)
        logits = torch.where(ink > 22, torch.full_like(logits, float("nan")), logits)
        return torch.where(ink < 17, torch.full_like(logits, float("inf")), logits)


class Interrupted(nn.Module):
    """Presses Ctrl-C when it has seen INTERRUPT_AT examples, those not counted that came alone."""

    def __init__(self):
        super().__init__()
        self.inner = make()
        self.seen = 0

    def forward(self, images):
        before, self.seen = self.seen, self.seen + (len(images) if len(images) > 1 else 0)
        if before < int(os.environ.get("INTERRUPT_AT", "0")) <= self.seen:
            # A shell starts what runs in its background deaf to it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.kill(os.getpid(), signal.SIGINT)
        return self.inner(images)


class Hostile(nn.Module):
    """Layers whose names are markup and escapes."""

    def __init__(self):
        super().__init__()
        self.add_module("</script><img src=x onerror=alert(1)>", nn.Linear(4, 4))
        self.add_module("\\x1b[31mred\\u202e", nn.Linear(4, 2))

    def forward(self, values):
        for layer in self.children():
            values = layer(values)
        return values


def not_a_model():
    return 3


def raises():
    raise ValueError("no such checkpoint")


def labels_out_of_range():
    return [(torch.rand(1, 8, 8), label) for label in (0, 3, 11, 2)]
'''


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the program runs in."""
    (tmp_path / "net.py").write_text(NETWORKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pellucid(workplace: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return in_process(capfd, monkeypatch)


@pytest.fixture(scope="session")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record that the program made in a process of its own; not to be changed."""
    folder = tmp_path_factory.mktemp("inspected")
    (folder / "net.py").write_text(NETWORKS, encoding="utf-8")
    done = alone(
        "inspect",
        "net.py:make",
        "--data",
        "digits:test",
        "--limit",
        96,
        "--chosen",
        8,
        "--out",
        "net.pellucid",
        folder=folder,
    )
    assert done.code == 0, done.err
    (folder / "printed.txt").write_text(done.out, encoding="utf-8")
    (folder / "said.txt").write_text(done.err, encoding="utf-8")
    return folder / "net.pellucid"


@pytest.fixture
def copied(inspected: Path, workplace: Path) -> Path:
    """A copy of the record, to be damaged."""
    return shutil.copytree(inspected, workplace / "copy.pellucid")
