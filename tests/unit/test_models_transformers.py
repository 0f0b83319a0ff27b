"""Configurations of transformers: built without weights or network, with inputs that fit; and those that are refused."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pellucid.errors import ModelError, WeightsError
from pellucid.graph import trace
from pellucid.models import OpenedModel, open_model

transformers = pytest.importorskip("transformers", reason="the package transformers is not installed")

# Two layers of each, as narrow as its parts allow: what is asked is whether the inputs fit, not how long it takes.
SMALL: dict[str, Any] = {
    "num_hidden_layers": 2, "num_layers": 2, "n_layer": 2, "n_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_num_hidden_layers": 2, "num_decoder_layers": 2,
}  # fmt: skip
KINDS = [
    "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gpt2", "bert", "roberta", "distilbert", "electra", "t5",
    "bart", "vit", "swin", "deit", "convnext", "resnet", "clip", "whisper", "wav2vec2", "hubert", "detr", "segformer",
    "mamba", "phi", "opt", "bloom", "falcon", "deberta-v2", "albert", "xlnet", "mobilebert", "layoutlm", "blip",
    "speecht5", "dinov2", "beit", "data2vec-text", "data2vec-vision", "data2vec-audio", "videomae", "lxmert",
    "patchtst", "perceiver", "decision_transformer", "udop", "clap", "depth_anything",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def small(kind: str, folder: Path) -> str:
    """A configuration of two layers, where the type has a number of layers, as a file."""
    default = transformers.CONFIG_MAPPING[kind]().to_dict()
    if not default.get("stage_names"):  # of which those that are asked for must be there
        default |= {name: value for name, value in SMALL.items() if isinstance(default.get(name), int)}
        default.pop("layer_types", None)
    path = folder / "config.json"
    path.write_text(json.dumps(default))
    return f"transformers:{path}"


def traced(opened: OpenedModel) -> Any:
    assert opened.example is not None
    return trace(opened.model, *opened.example.args, **opened.example.kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_built_without_values_and_its_inputs_fit(kind: str, tmp_path: Path) -> None:
    opened = open_model(small(kind, tmp_path), values=False)
    assert all(parameter.is_meta for parameter in opened.model.parameters())
    assert not opened.model.training
    graph = traced(opened)
    assert graph.error is None
    assert graph.parameters == sum(parameter.numel() for parameter in opened.model.parameters())
    assert graph.operators > 20


def test_a_type_alone_is_its_default_configuration() -> None:
    opened = open_model("transformers:distilbert", values=False)
    assert opened.name == "DistilBertModel"
    assert sum(parameter.numel() for parameter in opened.model.parameters()) == 66_362_880
    assert opened.example is not None
    assert dict(opened.example.kwargs)["input_ids"].shape == (1, 16)


def test_four_hundred_billion_parameters_take_no_memory(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16384, "intermediate_size": 53248,
        "num_attention_heads": 128, "num_hidden_layers": 126, "num_key_value_heads": 8, "vocab_size": 128256,
        "max_position_embeddings": 131072, "tie_word_embeddings": False,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    opened = open_model(f"transformers:{tmp_path}", values=False)
    assert all(tensor.is_meta for tensor in (*opened.model.parameters(), *opened.model.buffers()))
    assert opened.name == "LlamaForCausalLM"
    assert sum(parameter.numel() for parameter in opened.model.parameters()) == 405_853_388_800


def test_with_weights_it_has_values(tmp_path: Path) -> None:
    spec = small("vit", tmp_path)
    random = open_model(spec, values=False).with_values
    assert random is not None
    net = random().model
    save_file({name: tensor.clone() for name, tensor in net.state_dict().items()}, tmp_path / "net.safetensors")
    opened = open_model(spec, weights=tmp_path / "net.safetensors")
    assert opened.example is not None
    with torch.no_grad():
        mine, theirs = (one.eval()(**opened.example.kwargs).pooler_output for one in (opened.model, net))
    assert torch.equal(mine, theirs)
    with pytest.raises(WeightsError, match=r"configuration alone.*--weights.*pellucid graph transformers:"):
        open_model(spec)


def test_class_names_come_from_the_configuration(tmp_path: Path) -> None:
    config = {"architectures": ["ViTForImageClassification"], "model_type": "vit", "num_hidden_layers": 1}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"id2label": {"0": "cat", "1": "dog"}}))
    assert open_model(f"transformers:{path}", values=False).classes == ("cat", "dog")
    path.write_text(json.dumps(config))
    assert open_model(f"transformers:{path}", values=False).classes is None


def test_an_architecture_for_another_framework_or_without_a_type_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"architectures": ["TFBertForMaskedLM"], "num_hidden_layers": 1}))
    assert open_model(f"transformers:{path}", values=False).name == "BertForMaskedLM"


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"hidden_size": 8}, r"names no architecture.*It has: hidden_size"),
        ({"architectures": ["NoSuchModel"]}, "names no architecture"),
        ({"model_type": "lama"}, r"type of model 'lama'.*Nearest types: .*llama"),
        (
            {"model_type": "bert", "architectures": ["BertForMaskedLanguage"]},
            r"no architecture.*Nearest: .*BertForMaskedLM",
        ),
        ({"model_type": "bert", "auto_map": {"AutoModel": "a--b.Net"}}, r"'auto_map'.*never run"),
        ({"model_type": "bert", "hidden_size": 7, "num_attention_heads": 2}, "cannot be built"),
        ([1], "JSON list"),
        ("{", "cannot be read as a configuration"),
        ("[" * 100_000, "cannot be read as a configuration"),
    ],
)
def test_a_configuration_that_says_too_little_is_refused(tmp_path: Path, held: Any, said: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(held if isinstance(held, str) else json.dumps(held))
    with pytest.raises(ModelError, match=said):
        open_model(f"transformers:{path}", values=False)


def test_names_that_are_no_configuration_get_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"no type of model 'mixtrall'.*Nearest types: mixtral"):
        open_model("transformers:mixtrall", values=False)
    with pytest.raises(ModelError, match="no type of model 'someone/a-model'"):
        open_model("transformers:someone/a-model", values=False)
    with pytest.raises(ModelError, match="There is no configuration"):
        open_model("transformers:missing/config.json", values=False)
    with pytest.raises(ModelError, match=r"named 'transformers:missing/config\.json'"):
        open_model("missing/config.json")


def test_the_process_is_as_it_was() -> None:
    from huggingface_hub import constants
    from transformers.utils import logging

    before = constants.HF_HUB_OFFLINE, logging.get_verbosity(), torch.get_default_device(), torch.get_default_dtype()
    with pytest.raises(ModelError):
        open_model("transformers:nothing", values=False)
    open_model("transformers:distilbert", values=False)
    after = constants.HF_HUB_OFFLINE, logging.get_verbosity(), torch.get_default_device(), torch.get_default_dtype()
    assert before == after
