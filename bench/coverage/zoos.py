"""Models of torchvision, timm and transformers, from what their lists say of them."""

from __future__ import annotations

import inspect
import json
import tempfile
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.coverage.cases import Case

HERE = Path(__file__).parent


def lines(name: str) -> dict[str, list[str]]:
    """The words of each line of a list behind the first, by the first; what follows a # is left out."""
    read: dict[str, list[str]] = {}
    for line in (HERE / name).read_text().splitlines():
        first, *rest = line.partition("#")[0].split() or [""]
        if first in read:
            raise ValueError(f"{name} names '{first}' twice.")
        if first:
            read[first] = rest
    return read


def torchvision_case(name: str, inputs: list[str]) -> Case:
    """A builder's model with random weights, and inputs of the listed shapes; nothing is downloaded."""
    from torchvision import models

    accepted = inspect.signature(models.get_model_builder(name)).parameters
    settings: dict[str, Any] = {"weights_backbone": None} if "weights_backbone" in accepted else {}
    if "googlenet" in name or "inception" in name:
        settings["init_weights"] = False  # their own initialisation takes minutes
    model = models.get_model(name, weights=None, **settings)
    return Case(model.eval(), tuple(_tensor(word) for word in inputs))


def timm_case(name: str, size: str = "") -> Case:
    """A model of 10 classes with random weights, and an image of the size that it is configured for, or of the listed one."""
    import timm

    word, _, pixels = size.partition("=")
    settings = {word: int(pixels)} if word == "img_size" else {}
    model = timm.create_model(name, pretrained=False, num_classes=10, **settings)
    shape = (3, int(pixels), int(pixels)) if pixels else model.default_cfg["input_size"]
    return Case(model.eval(), (torch.randn(1, *shape),))


# What a configuration of the list may change without cutting widths: how many layers, experts and rows of a table there are.
_COUNTS = (
    "layer",
    "depth",
    "vocab_size",
    "expert",
    "token_id",
    "attention_types",
    "block",
    "first_k_dense",
    "language",
)
# Values that a model may have to be timed here: 4 bytes each.
_ROOM = 1_350_000_000
TIMED_TOKENS = 128


def configurations() -> dict[str, dict[str, Any]]:
    """The tables of transformers.toml, by name.

    Each has a `type` (where its name is not that), `config` (settings over the type's defaults), `architecture` (where
    it is not the plain model), `constant` (outputs that no input reaches), `values` (false: on the meta device, in the size
    that it says) and, with that, `narrow` (settings that make it small enough to run). `wide` has the widths of a published
    model where the defaults of the type are none.
    """
    return tomllib.loads((HERE / "transformers.toml").read_text())


def transformers_case(name: str, entry: dict[str, Any]) -> Case:
    """The model that pellucid opens for a configuration, with the example that goes with it; nothing is downloaded."""
    values = entry.get("values", True)
    case = _opened(name, entry, entry.get("config", {}), values)
    case.constant = frozenset(entry.get("constant", ()))
    if values:
        wide = _counts(entry.get("config", {})) | entry.get("wide", {})
        case.wide = partial(_wide, name, entry, wide)
        case.cut = wide != entry.get("config", {})
    else:
        case.twin = _opened(name, entry, entry["config"] | entry["narrow"], True)
        # Of several ways to run a mixture of experts, the one without questions for values is chosen where there are none.
        way = getattr(case.model.config, "_experts_implementation", None)
        if way is not None:
            case.twin.model.config._experts_implementation = way
    return case


def _counts(config: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that cut widths."""
    return {
        name: _counts(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if isinstance(value, dict) or any(word in name for word in _COUNTS)
    }


def _wide(name: str, entry: dict[str, Any], config: dict[str, Any]) -> Case | None:
    """The model at its published widths, few layers deep, with more tokens; None where there is no room for it."""
    from pellucid.models import transformers_inputs

    for one in (config, {**config, "num_hidden_layers": 1}):
        bare = _opened(name, entry, one, False).model
        if sum(parameter.numel() for parameter in bare.parameters()) <= _ROOM:
            before, transformers_inputs.TOKENS = transformers_inputs.TOKENS, TIMED_TOKENS
            try:
                return _opened(name, entry, one, True)
            finally:
                transformers_inputs.TOKENS = before
    return None


def _opened(name: str, entry: dict[str, Any], config: dict[str, Any], values: bool) -> Case:
    from pellucid.models import open_model

    settings = {"model_type": entry.get("type", name), **config}
    if "architecture" in entry:
        settings["architectures"] = [entry["architecture"]]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(settings))
        opened = open_model(f"transformers:{folder}", values=False)
        if values and opened.with_values is not None:
            opened = opened.with_values()
    if opened.example is None:
        raise ValueError(f"pellucid knows no example for '{name}'.")
    return Case(opened.model.eval(), opened.example.args, dict(opened.example.kwargs))


def _tensor(word: str) -> Any:
    """A tensor from "1x3x224x224", a list of one from "[3x224x224]"."""
    if word.startswith("["):
        return [torch.rand(_shape(word[1:-1]))]
    return torch.randn(_shape(word))


def _shape(word: str) -> list[int]:
    return [int(size) for size in word.split("x")]
