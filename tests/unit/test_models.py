"""Opening models: from code, from the zoos, with weights and class names from files; their recipes; their fingerprints."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import pellucid
from pellucid.errors import ModelError, TrustError, WeightsError
from pellucid.models import open_model
from pellucid.models.fingerprint import fingerprint
from pellucid.models.weights import load_weights, read_weights
from pellucid.models.zoo import classes_of
from pellucid.recipe import Recipe
from support.coded import CODE

# --- from code -----------------------------------------------------------------------------------------------------


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
        ("{code}:number", "is an int; expected a function that returns a torch.nn.Module"),
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


# --- the zoos ------------------------------------------------------------------------------------------------------


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
        ("torchvision:", r"torchvision has no model ''. None of its [\d,]+ names is like it\.$"),
        ("timm:foo", r"timm has no model 'foo'. None of its [\d,]+ names is like it\.$"),
        ("timm:efficientnet_lite_0", r"timm has no model 'efficientnet_lite_0'. Nearest: .*efficientnet_lite0"),
        ("timm:resnet18.tv_in2k", r"timm has no model 'resnet18.tv_in2k'. Nearest: .*resnet18.tv_in1k"),
    ],
)
def test_a_name_that_a_zoo_does_not_have_is_answered_with_the_nearest(spec: str, words: str) -> None:
    pytest.importorskip(spec.partition(":")[0])
    with pytest.raises(ModelError, match=words):
        open_model(spec)


# --- weights that cannot be right ----------------------------------------------------------------------------------


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
        ("nothing.pt", "holds a dict of epoch; expected a state dict"),
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


def test_a_model_without_shapes_is_to_be_run_first(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"shape of 0\.weight is not known before the model's first forward"):
        pellucid.inspect(nn.Sequential(nn.LazyLinear(2)), [(torch.ones(3), 1)], out=tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_a_file_of_no_known_format_is_told_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "net.xyz").write_bytes(b"abc")
    with pytest.raises(ModelError, match=r"net.xyz' names no model.*also reads .onnx, .pt2 and .safetensors"):
        open_model(str(tmp_path / "net.xyz"))
