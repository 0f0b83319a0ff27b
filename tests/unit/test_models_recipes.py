"""A model's own recipe against its library's transforms, its fingerprint, and the names of its classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pellucid.errors import ModelError, OptionError
from pellucid.graph import trace
from pellucid.models import check_classes, open_model
from pellucid.models.classes import read_classes
from pellucid.models.fingerprint import fingerprint
from pellucid.recipe import Recipe
from support.coded import net

# --- class names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names.txt", "cat\ndog \n\n owl\n"),
        ("names.txt", "\ufeffcat\r\ndog\r\nowl"),
        ("names.json", '["cat", "dog", "owl"]'),
        ("names.json", '{"1": "dog", "0": "cat", "2": "owl"}'),
        ("names.json", '{"0": ["n01", "cat"], "1": ["n02", "dog"], "2": ["n03", "owl"]}'),
    ],
)
def test_class_names_come_from_text_and_from_json(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_classes(tmp_path / name) == ("cat", "dog", "owl")


def test_class_names_of_a_file_go_before_the_models_own(code: Path) -> None:
    names = code.with_name("names.json")
    names.write_text(json.dumps(["a", "b", "c"]))
    assert open_model(f"{code}:told", classes=names).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("names.txt", b"\n \n", "holds no class names: expected one a line"),
        ("names.json", b"[cat]", "is no JSON"),
        ("names.json", b"[]", "must hold a list of names"),
        ("names.json", b"{}", "must hold a list of names"),
        ("names.json", b'{"1": "dog", "2": "owl"}', "an object from '0', '1', ... to names"),
        ("names.json", '{"\u00b2": "dog"}'.encode(), "an object from '0', '1', ... to names"),
        ("names.txt", b"\xff\xfe\x00", "cannot be read"),
        ("absent.txt", None, "cannot be read"),
    ],
)
def test_a_file_without_class_names_is_refused(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=words):
        read_classes(tmp_path / name)


def test_a_wrong_number_of_class_names_is_refused_with_both_numbers() -> None:
    check_classes(("a", "b"), 2)
    check_classes(None, 2)
    with pytest.raises(
        ModelError, match=r"There are 2 class names \(a, b, ...\) but the model has 3 outputs.*--classes"
    ):
        check_classes(("a", "b"), 3)


# --- fingerprints --------------------------------------------------------------------------------------------------


def test_the_same_weights_have_the_same_fingerprint_and_one_bit_makes_another() -> None:
    first, second = net(), net()
    assert fingerprint(first) == fingerprint(second)
    assert len(fingerprint(first)) == 64
    with torch.no_grad():
        second[3].bias.view(torch.int32)[2] ^= 1
    assert fingerprint(first) != fingerprint(second)


@pytest.mark.parametrize("what", ["buffer", "dtype", "class", "shape", "name"])
def test_buffers_types_shapes_names_and_the_class_are_part_of_a_fingerprint(what: str) -> None:
    first, second = net(), net()
    changed: nn.Module = second
    if what == "buffer":
        second[1].running_mean += 1e-6
    elif what == "dtype":
        changed = second.double()
    elif what == "class":
        changed = type("OtherNet", (nn.Sequential,), {})(*second)
    elif what == "shape":
        second[3].weight = nn.Parameter(second[3].weight.detach().reshape(16, 3))
    else:
        second[3].register_parameter("offset", second[3].bias)
        second[3].bias = None
    assert fingerprint(changed) != fingerprint(first)


def test_where_a_model_is_how_its_memory_lies_and_its_mode_do_not_change_its_fingerprint() -> None:
    first, second = net(), net().train()
    second[0].weight = nn.Parameter(second[0].weight.detach().to(memory_format=torch.channels_last))
    assert fingerprint(first) == fingerprint(second)
    if torch.cuda.is_available():
        assert fingerprint(second.cuda()) == fingerprint(first)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_every_type_of_weights_has_a_fingerprint(dtype: torch.dtype) -> None:
    model = nn.ParameterList([torch.ones(2, 3, dtype=dtype), torch.ones((), dtype=dtype), torch.zeros(0, dtype=dtype)])
    other = nn.ParameterList([torch.ones(2, 3, dtype=dtype), torch.zeros((), dtype=dtype), torch.zeros(0, dtype=dtype)])
    assert fingerprint(model) != fingerprint(other)


def test_a_model_on_the_meta_device_and_one_with_a_state_of_its_own_have_a_fingerprint() -> None:
    class Told(nn.Linear):
        told = 1

        def get_extra_state(self) -> int:
            return self.told

        def set_extra_state(self, state: object) -> None: ...

    with torch.device("meta"):
        assert fingerprint(nn.Linear(2, 2)) != fingerprint(nn.Linear(2, 3))
    torch.manual_seed(0)
    model = Told(2, 2)
    before = fingerprint(model)
    model.told = 2
    assert fingerprint(model) != before


# --- recipes against the libraries' own transforms -----------------------------------------------------------------


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    """A real photograph lying, standing and small."""
    datasets = pytest.importorskip("sklearn.datasets")
    flower = Image.fromarray(datasets.load_sample_image("flower.jpg"))
    return [flower, flower.crop((100, 0, 333, 427)), flower.crop((0, 0, 101, 77))]


def prepared(recipe: Recipe | None, image: Image.Image) -> torch.Tensor:
    assert recipe is not None
    return recipe.tensor(recipe.geometry(image))


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "inception_v3", "swin_t", "vit_b_16", "efficientnet_b1"]
)
def test_torchvisions_recipe_prepares_a_photograph_as_torchvision_does(
    name: str, photographs: list[Image.Image]
) -> None:
    models = pytest.importorskip("torchvision.models")
    # The recipe alone is asked for: no need to fill hundreds of megabytes with random weights.
    with torch.device("meta"):
        recipe = open_model(f"torchvision:{name}").recipe
    transform = models.get_model_weights(name).DEFAULT.transforms()
    for image in photographs:
        torch.testing.assert_close(prepared(recipe, image), transform(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_vit", "efficientnet_lite0", "resnet18.a1_in1k", "mobilenetv3_small_100", "vit_tiny_patch16_224",
     "tf_efficientnet_b0", "test_resnet.r160_in1k", "hardcorenas_a"],
)  # fmt: skip
def test_timms_recipe_prepares_a_photograph_as_timm_does(name: str, photographs: list[Image.Image]) -> None:
    data = pytest.importorskip("timm.data")
    opened = open_model(f"timm:{name}")
    settings = data.resolve_model_data_config(opened.model, use_test_size=True)
    transform = data.create_transform(**settings, is_training=False)
    for image in photographs:
        torch.testing.assert_close(prepared(opened.recipe, image), transform(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["squash", "center", "border"])
def test_timms_ways_of_cropping_are_followed_or_left_to_the_user(mode: str, photographs: list[Image.Image]) -> None:
    data = pytest.importorskip("timm.data")
    from pellucid.models.timm import _recipe

    configuration = {"input_size": (3, 64, 64), "crop_pct": 0.9, "crop_mode": mode, "interpolation": "bicubic",
                     "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)}  # fmt: skip
    recipe = _recipe(configuration)
    if mode == "border":
        assert recipe is None
        return
    transform = data.create_transform(**data.resolve_data_config(pretrained_cfg=configuration), is_training=False)
    for image in photographs:
        torch.testing.assert_close(prepared(recipe, image), transform(image), rtol=0, atol=1e-6)
    assert _recipe({**configuration, "input_size": (3, 64, 96), "crop_mode": "center"}) is None


@pytest.mark.parametrize("crop", [(40, 40), (75, 33), (80, 96), (300, 301), (299, 500)])
def test_a_crop_from_a_larger_or_a_smaller_image_is_torchvisions(
    crop: tuple[int, int], photographs: list[Image.Image]
) -> None:
    transforms = pytest.importorskip("torchvision.transforms.v2")
    image = photographs[2].resize((97, 75))
    assert np.array_equal(np.asarray(Recipe(crop=crop).geometry(image)), np.asarray(transforms.CenterCrop(crop)(image)))


def test_a_grey_recipe_gives_one_channel_and_a_size_gives_up_proportions(photographs: list[Image.Image]) -> None:
    recipe = Recipe(size=(20, 30), grayscale=True, mean=(0.5,), std=(0.25,))
    values = prepared(recipe, photographs[0])
    expected = (np.asarray(photographs[0].convert("L").resize((30, 20), 2), np.float64) / 255 - 0.5) / 0.25
    assert values.shape == (1, 20, 30)
    np.testing.assert_allclose(values[0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mean": (0.1, 0.2)}, r"--mean needs one number a channel \(3\); got 2"),
        ({"std": (0.1, 0.2, 0.3), "grayscale": True}, r"--std needs one number a channel \(1\); got 3"),
        ({"std": (0.0, 0.2, 0.3)}, "--std must be above 0"),
        ({"resize": 8, "size": (8, 8)}, "--resize keeps proportions and --size does not"),
        ({"interpolation": "cubist"}, "must be one of nearest, .*; got 'cubist'"),
    ],
)
def test_a_recipe_that_cannot_be_right_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Recipe(**settings)


def test_recipes_that_prepare_differently_have_different_fingerprints() -> None:
    settings: list[dict[str, Any]] = [
        {},
        {"resize": 8},
        {"resize": 9},
        {"resize": 8, "crop": (8, 8)},
        {"resize": 8, "interpolation": "bicubic"},
        {"size": (8, 8)},
        {"mean": (0.5,)},
        {"std": (0.5,)},
        {"grayscale": True},
    ]
    recipes = [Recipe(**one) for one in settings]
    assert len({recipe.to_schema().fingerprint for recipe in recipes}) == len(recipes)
    assert Recipe(resize=8, origin="flags").to_schema().fingerprint == Recipe(resize=8).to_schema().fingerprint


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("r3d_18", [(1, 3, 16, 112, 112)]),
        ("s3d", [(1, 3, 16, 224, 224)]),
        ("lraspp_mobilenet_v3_large", [(1, 3, 224, 224)]),
        ("raft_small", [(1, 3, 224, 224), (1, 3, 224, 224)]),
    ],
)
def test_torchvisions_models_of_clips_and_pairs_bring_an_example(name: str, shapes: list[tuple[int, ...]]) -> None:
    pytest.importorskip("torchvision")
    with torch.device("meta"):
        opened = open_model(f"torchvision:{name}", values=False)
    assert opened.example is not None
    assert [one.shape for one in opened.example.args] == shapes
    assert trace(opened.model, *opened.example.args).error is None


def test_a_detector_of_torchvision_gets_a_list_of_one_image() -> None:
    pytest.importorskip("torchvision")
    with torch.device("meta"):
        example = open_model("torchvision:ssdlite320_mobilenet_v3_large", values=False).example
        assert open_model("torchvision:resnet18", values=False).example is None
    assert example is not None
    assert ([one.shape for one in example.args[0]], example.batch) == ([(3, 224, 224)], 1)
