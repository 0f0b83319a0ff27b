"""Opening models: from code, from the zoos, with weights and class names from files; their recipes; their fingerprints."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from pellucid.errors import ModelError, OptionError, TrustError, WeightsError
from pellucid.models import check_classes, open_model
from pellucid.models.classes import read_classes
from pellucid.models.fingerprint import fingerprint
from pellucid.models.weights import load_weights, read_weights
from pellucid.models.zoo import classes_of
from pellucid.recipe import Recipe

CODE = """
from torch import nn
from pellucid.recipe import Recipe

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x)

ready = Net()
number = 3

def make():
    return Net()

def told():
    return Net(), {"classes": ["cat", "dog", "owl"], "recipe": Recipe(resize=8, crop=(8, 8))}

def badly_told():
    return Net(), {"recipe": {"resize": 8}}

def nothing():
    return None

def fails():
    raise ValueError("no such configuration")

def needs(width):
    return Net()
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of the user's, in a folder of its own; what it imports is forgotten afterwards."""
    modules = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "users_net.py"
    place.write_text(CODE)
    yield place
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]


# --- from code ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["make", "Net", "ready"])
def test_a_function_a_class_and_a_ready_module_of_a_file_are_opened_in_evaluation_mode(code: Path, name: str) -> None:
    opened = open_model(f"{code}:{name}")
    assert opened.model(torch.zeros(2, 4)).shape == (2, 3)
    assert not opened.model.training
    assert (opened.name, opened.source) == (type(opened.model).__name__, f"{code}:{name}")
    assert opened.classes is None
    assert opened.recipe is None


def test_a_function_of_a_package_is_opened_from_the_current_folder(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = code.parent / "users_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(CODE)
    monkeypatch.chdir(code.parent)
    assert open_model("users_package.nets:make").model(torch.zeros(1, 4)).shape == (1, 3)
    assert open_model("torch.nn:Flatten").model(torch.zeros(1, 2, 2)).shape == (1, 4)


def test_a_function_may_tell_class_names_and_a_recipe(code: Path) -> None:
    opened = open_model(f"{code}:told")
    assert opened.classes == ("cat", "dog", "owl")
    assert opened.recipe == Recipe(resize=8, crop=(8, 8))


def test_a_file_called_like_a_module_of_python_does_not_take_its_place(code: Path) -> None:
    import types

    named_alike = code.with_name("types.py")
    named_alike.write_text(CODE)
    assert open_model(f"{named_alike}:make").model(torch.zeros(1, 4)).shape == (1, 3)
    assert sys.modules["types"] is types


def test_two_files_of_one_name_are_both_opened_and_an_edited_one_is_read_anew(code: Path) -> None:
    other = code.parent / "elsewhere" / code.name
    other.parent.mkdir()
    other.write_text(CODE.replace("Linear(4, 3)", "Linear(4, 5)"))
    first, second = open_model(f"{code}:make").model, open_model(f"{other}:make").model
    assert first(torch.zeros(1, 4)).shape == (1, 3)
    assert second(torch.zeros(1, 4)).shape == (1, 5)
    # The first is still the one that its classes name: it can be pickled.
    assert type(pickle.loads(pickle.dumps(first))) is type(first)  # noqa: S301 - our own bytes
    code.write_text(CODE.replace("Linear(4, 3)", "Linear(4, 7)"))
    assert open_model(f"{code}:make").model(torch.zeros(1, 4)).shape == (1, 7)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{code}:fails", "raised ValueError: no such configuration"),
        ("{code}:needs", "raised TypeError: .*width"),
        ("{code}:nothing", "gave a NoneType; expected a torch.nn.Module"),
        ("{code}:number", "is a int; expected a function that returns a torch.nn.Module"),
        ("{code}:badly_told", "gave a dict as its recipe; expected a pellucid.recipe.Recipe"),
        ("{code}:mak", "has no 'mak'. It has: .*make"),
        ("{folder}/absent.py:make", "There is no file .*absent.py. Expected 'file.py:function'"),
        ("no_such_package.nets:make", "Importing no_such_package.nets raised ModuleNotFoundError"),
        ("resnet18", "'resnet18' names no model. Expected 'file.py:function'.*'timm:NAME', 'torchvision:NAME'"),
        ("{code}:", "names no model: expected 'file.py:function'"),
    ],
)
def test_code_that_gives_no_model_is_refused_in_words(code: Path, spec: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        open_model(spec.format(code=code, folder=code.parent))


def test_a_file_that_raises_on_import_is_refused_and_forgotten(code: Path) -> None:
    broken = code.with_name("users_broken.py")
    broken.write_text("import absent_package_of_users\n")
    with pytest.raises(ModelError, match=r"Importing .*users_broken.py raised ModuleNotFoundError"):
        open_model(f"{broken}:make")
    assert "users_broken" not in sys.modules


# --- the zoos -------------------------------------------------------------------------------------------------


def saved(state: dict[str, torch.Tensor], place: Path, how: str) -> Path:
    """The state dict in one of the forms that people have."""
    if how == "safetensors":
        save_file(state, place.with_suffix(".safetensors"))
        return place.with_suffix(".safetensors")
    content: object = {
        "plain": state,
        "wrapped": {"state_dict": state, "epoch": 3},
        "twice wrapped": {"model": {"state_dict": state}},
        "data parallel": {f"module.{name}": tensor for name, tensor in state.items()},
        "compiled": {"state_dict": {f"_orig_mod.{name}": tensor for name, tensor in state.items()}},
        "half": {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
        "without counters": {name: tensor for name, tensor in state.items() if "num_batches" not in name},
    }[how]
    torch.save(content, place.with_suffix(".pt"))
    return place.with_suffix(".pt")


FORMS = ["plain", "safetensors", "wrapped", "twice wrapped", "data parallel", "compiled", "half", "without counters"]


@pytest.fixture(scope="module")
def seven_classes() -> nn.Module:
    timm = pytest.importorskip("timm")
    torch.manual_seed(3)
    model: nn.Module = timm.create_model("test_resnet", num_classes=7)
    return model.eval()


@pytest.mark.parametrize("how", FORMS)
def test_weights_of_any_form_are_loaded_and_say_how_many_classes_there_are(
    seven_classes: nn.Module, how: str, tmp_path: Path
) -> None:
    opened = open_model("timm:test_resnet", weights=saved(seven_classes.state_dict(), tmp_path / "net", how))
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            opened.model(images), seven_classes(images), rtol=0, atol=1e-3 if how == "half" else 0
        )
    assert opened.classes is None  # seven classes are not ImageNet's


def test_resnet18_of_torchvision_takes_its_weights_its_recipe_and_imagenets_names(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(4)
    model = models.resnet18().eval()
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    opened = open_model("torchvision:resnet18", weights=tmp_path / "net.safetensors")
    assert fingerprint(opened.model) == fingerprint(model)
    assert opened.classes is not None
    assert (len(opened.classes), opened.classes[281]) == (1000, "tabby")
    assert opened.recipe is not None
    assert (opened.recipe.resize, opened.recipe.crop, opened.recipe.origin) == (256, (224, 224), "model")


def test_the_names_of_timms_classes_are_imagenets(seven_classes: nn.Module) -> None:
    opened = open_model("timm:test_vit")
    assert opened.classes is not None
    assert "tabby" in opened.classes[281]
    assert len(opened.classes) == 1000


@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "convnext_tiny", "swin_t",
     "vit_b_16", "shufflenet_v2_x0_5", "mnasnet0_5", "efficientnet_b0", "maxvit_t", "resnet18"],
)  # fmt: skip
def test_the_head_of_every_architecture_says_how_many_classes_its_weights_have(name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        whole, own = models.get_model(name), models.get_model(name, num_classes=7)
    assert classes_of(own.state_dict(), whole, 1000) == 7
    assert classes_of(whole.state_dict(), whole, 1000) == 1000
    assert classes_of({f"module.{key}": value for key, value in own.state_dict().items()}, whole, 1000) == 7
    assert classes_of(None, whole, 1000) == 1000


def test_building_a_detector_downloads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    asked: list[object] = []

    def refused(*arguments: object, **named: object) -> None:
        asked.append(arguments)
        raise AssertionError("it asked the network")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refused)
    monkeypatch.setattr("torchvision._internally_replaced_utils.load_state_dict_from_url", refused)
    opened = open_model("torchvision:lraspp_mobilenet_v3_large")
    assert not asked
    assert opened.recipe is None  # it is no classifier: nothing says how its images are cut


def test_googlenet_is_built_as_for_published_weights_whose_recipe_it_is_given() -> None:
    pytest.importorskip("torchvision")
    model: Any = open_model("torchvision:googlenet").model
    assert model.transform_input


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("torchvision:resnet19", r"torchvision has no model 'resnet19'. Nearest: resnet1"),
        ("torchvision:", r"torchvision has no model ''. Nearest: "),
        ("timm:efficientnet_lite_0", r"timm has no model 'efficientnet_lite_0'. Nearest: .*efficientnet_lite0"),
        ("timm:resnet18.tv_in2k", r"timm has no model 'resnet18.tv_in2k'. Nearest: .*resnet18.tv_in1k"),
    ],
)
def test_a_name_that_a_zoo_does_not_have_is_answered_with_the_nearest(spec: str, words: str) -> None:
    pytest.importorskip(spec.partition(":")[0])
    with pytest.raises(ModelError, match=words):
        open_model(spec)


# --- weights that cannot be right ------------------------------------------------------------------------------


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.place),)

    def __init__(self, place: Path) -> None:
        self.place = place


@pytest.mark.parametrize("new", [True, False])
def test_pickled_code_is_refused_and_not_run_unless_it_is_trusted(new: bool, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    state: dict[str, object] = {**nn.Linear(4, 3).state_dict(), "trap": Trap(sprung)}
    torch.save(state, tmp_path / "net.pt", _use_new_zipfile_serialization=new)
    with pytest.raises(TrustError, match=r"net.pt holds more than tensors.*--trust.*safetensors"):
        read_weights(tmp_path / "net.pt")
    assert not sprung.exists()
    assert set(read_weights(tmp_path / "net.pt", trust=True)) == {"weight", "bias"}
    assert sprung.is_dir()


@pytest.mark.parametrize("wrapper", [None, "model", "ema"])
def test_a_whole_pickled_module_is_opened_with_trust_alone(
    seven_classes: nn.Module, wrapper: str | None, tmp_path: Path
) -> None:
    torch.save(seven_classes if wrapper is None else {wrapper: seven_classes}, tmp_path / "net.pth")
    with pytest.raises(TrustError, match="holds more than tensors"):
        open_model("timm:test_resnet", weights=tmp_path / "net.pth")
    opened = open_model("timm:test_resnet", weights=tmp_path / "net.pth", trust=True)
    assert fingerprint(opened.model) == fingerprint(seven_classes)


def damaged(place: Path) -> dict[str, Path]:
    torch.save(nn.Linear(40, 30).state_dict(), place / "whole.pt")
    save_file(nn.Linear(40, 30).state_dict(), place / "whole.safetensors")
    for name in ("whole.pt", "whole.safetensors"):
        content = (place / name).read_bytes()
        (place / name.replace("whole", "cut")).write_bytes(content[: len(content) // 2])
    (place / "text.pt").write_text("these are no weights")
    (place / "page.pt").write_text("<!DOCTYPE html><html>Not found</html>")
    (place / "empty.pt").write_bytes(b"")
    torch.save(torch.ones(3), place / "tensor.pt")
    torch.save({"epoch": 3}, place / "nothing.pt")
    return {path.name: path for path in place.iterdir()}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cut.pt", "cannot be read as weights"),
        ("cut.safetensors", "is damaged or no safetensors file"),
        ("text.pt", "cannot be read as weights: it is none of the files that torch.save writes"),
        ("page.pt", "cannot be read as weights: it is none of the files that torch.save writes"),
        ("empty.pt", "cannot be read as weights"),
        ("tensor.pt", "holds a Tensor; expected a state dict: names of parameters and tensors"),
        ("nothing.pt", "holds a dict; expected a state dict"),
        ("absent.pt", "There is no weights file"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused_by_name(name: str, words: str, trust: bool, tmp_path: Path) -> None:
    place = damaged(tmp_path).get(name, tmp_path / name)
    with pytest.raises(WeightsError, match=rf"(?s){words}") as raised:
        read_weights(place, trust=trust)
    assert str(place) in str(raised.value)


def test_weights_that_do_not_fit_are_refused_with_what_is_missing_unknown_and_of_another_shape() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    state = {
        "0.weight": torch.ones(4, 4),
        "1.weight": torch.ones(2, 3),
        "1.bias": torch.ones(2),
        "2.bias": torch.ones(2),
    }
    with pytest.raises(WeightsError) as raised:
        load_weights(model, state, "net.pt")
    assert str(raised.value) == (
        "The weights in net.pt do not fit the model: 1 missing (0.bias); 1 not in the model (2.bias); 1 of another shape "
        "(0.weight is (4, 4), the model wants (3, 4)). Is this the architecture, and the number of classes, that the "
        "weights were trained for?"
    )
    assert not torch.equal(model[1].weight, torch.ones(2, 3)), "nothing was loaded of what does not fit as a whole"


def test_weights_of_another_architecture_are_refused_with_a_few_names_and_a_count(
    seven_classes: nn.Module, tmp_path: Path
) -> None:
    place = saved(seven_classes.state_dict(), tmp_path / "net", "plain")
    with pytest.raises(WeightsError, match=r"missing \(.*, .*, .*, .* and \d+ more\)"):
        open_model("timm:test_vit", weights=place)


def test_what_a_module_keeps_beside_tensors_does_not_stop_its_weights(tmp_path: Path) -> None:
    class Counting(nn.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"seen": 3}

        def set_extra_state(self, state: object) -> None: ...

    model, other = Counting(2, 2), Counting(2, 2)
    save_file({"weight": model.weight.detach(), "bias": model.bias.detach()}, tmp_path / "net.safetensors")
    load_weights(other, read_weights(tmp_path / "net.safetensors"), "net.safetensors")
    assert fingerprint(other) == fingerprint(model)


# --- class names ----------------------------------------------------------------------------------------------


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


# --- fingerprints ---------------------------------------------------------------------------------------------


def net(seed: int = 0, **named: Any) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3)).to(**named)


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


# --- recipes against the libraries' own transforms ----------------------------------------------------------------


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
