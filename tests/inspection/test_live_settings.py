"""Options of methods as a page sets them: every one is described, and what is set is what the method gets."""

from __future__ import annotations

import json

import msgspec
import pytest
import torch

import pellucid.attribution  # noqa: F401 - registers the methods
from pellucid.attribution import IntegratedGradients, KernelShap, Occlusion
from pellucid.attribution.methods import methods
from pellucid.errors import MethodError, OptionError
from pellucid.inspection.live.filling import filling
from pellucid.inspection.live.methods import Methods, method_named
from pellucid.inspection.live.settings import described
from pellucid.record.schema import MethodList

OPTIONS = [(name, option) for name, kind in methods().items() for option in described(kind)]


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{name}.{option.name}" for name, option in OPTIONS])
def test_every_option_says_what_it_means_and_takes_its_own_default(name: str, option: msgspec.Struct) -> None:
    assert option.does.endswith("."), "a sentence for whoever sets it"
    default = json.loads(option.default)
    assert bool(option.unset) or default is not None, "null is allowed only where it has a meaning"
    made = method_named(name, json.dumps({option.name: default}))
    assert made == methods()[name]()
    assert (option.kind == "flag") == isinstance(default, bool)
    if option.kind == "choice":
        assert default in option.choices


def test_the_usual_options_are_all_there() -> None:
    found = {(name, option.name): option.kind for name, option in OPTIONS}
    assert found["integrated_gradients", "baseline"] == "choice"
    assert found["occlusion", "window"] == "extents"
    assert found["smoothgrad", "noise"] == "number"
    assert found["attention_rollout", "query"] == "integer"
    assert ("lime", "features") not in found, "a tensor cannot be said in words"


def test_what_is_set_is_what_the_method_gets() -> None:
    assert method_named("occlusion", '{"window": [4, 8], "stride": 2}') == Occlusion(window=(4, 8), stride=2)
    assert method_named("kernel_shap", '{"baseline": 0.5}') == KernelShap(baseline=0.5)
    image = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for word in ("mean", "blur"):
        made = method_named("integrated_gradients", json.dumps({"baseline": word, "steps": 4}))
        assert isinstance(made, IntegratedGradients)
        assert made.steps == 4
        assert torch.equal(made.baseline({"image": image})["image"], filling(word, image))
    assert method_named("integrated_gradients", '{"baseline": "zero"}') == IntegratedGradients()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("integrated_gradients", '{"baseline": "blurry"}', "takes: zero, mean, blur"),
        ("attention_rollout", '{"query": "first"}', "takes: mean"),
        ("smoothgrad", '{"samples": 1}', "needs 2 samples or more; got 1"),
        ("lime", '{"features": 3}', "There are: samples, cells"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(name: str, options: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        method_named(name, options)


def test_ids_of_tokens_have_no_mean_to_begin_from() -> None:
    baseline = method_named("integrated_gradients", '{"baseline": "mean"}').baseline
    with pytest.raises(MethodError, match="Token ids have neither a mean nor a blurred copy"):
        baseline(torch.tensor([[3, 1, 2]]))


def test_prices_name_the_options_that_they_depend_on() -> None:
    said = Methods().answer(None, lambda _: True).said  # type: ignore[arg-type]  # it asks nothing of a model
    assert isinstance(said, MethodList)
    by_name = {one.name: one for one in said.methods}
    for one in said.methods:
        defaults = {option.name: json.loads(option.default) for option in one.options}
        assert one.price_of.format(**defaults) in ("", one.price)
    assert by_name["kernel_shap"].price == "256 forwards", "Captum's masks need no backward"
    assert by_name["rise"].price_of == "{masks} forwards"
    assert by_name["grad_cam"].price_of == ""
