"""The methods of attribution as a page lists them, and as the words of an address name them."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pellucid.errors import MethodError, OptionError
from pellucid.inspection.live.questions import Answer, Question, Tell, nearest, question
from pellucid.record.schema import MethodInfo, MethodList, MethodOption

if TYPE_CHECKING:
    from pellucid.attribution import Method
    from pellucid.attribution.methods import Maps, Problem
    from pellucid.inspection.live.model import LiveModel

_PLAIN = "one forward and one backward, shared by all plain methods and layers"
_BACKWARD = "one further forward and backward"
_PRICES = {
    "attention_rollout": "one forward and one backward",
    "gradient_rollout": "one forward and one backward",
    "occlusion": "a forward for each window",
    "score_cam": "a forward for each channel of the layer",
    "ablation_cam": "two forwards where a mean and one linear layer follow, else one for each channel",
}


@question
class Methods(Question, frozen=True):
    """Which methods there are, what they show, what they cost."""

    name: ClassVar[str] = "methods"

    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """Asks nothing of the model."""
        from pellucid.attribution.methods import methods

        return Answer(MethodList([_described(kind) for kind in methods().values()]))


def method_named(name: str, options: str = "") -> Method:
    """A method with options. Raises: MethodError: there is none. OptionError: an option does not exist or does not fit.

    Args:
        name: in snake case.
        options: a JSON object; empty for the defaults.
    """
    from pellucid.attribution.methods import method_of

    method = method_of(name)
    if not options:
        return method
    kind = type(method)
    try:
        given = msgspec.json.decode(options, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise OptionError(f"The options must be a JSON object, {{}} for none; got {options[:40]!r}.") from error
    hints = {option.name: typing.get_type_hints(kind)[option.name] for option in _options(kind)}
    values: dict[str, Any] = {}
    for word, value in given.items():
        if word not in hints:
            raise OptionError(f"The method '{name}' has no option {word[:40]!r}.{nearest(word, hints)}")
        try:
            values[word] = msgspec.convert(value, hints[word])
        except msgspec.ValidationError as error:
            raise OptionError(f"The option '{word}' of '{name}' does not fit: {error}.") from error
    return kind(**values)


def refusing_alone(method: Method, refusals: dict[str, str]) -> Method:
    """The same method, but what it refuses is kept instead of ending the question of the methods beside it.

    Args:
        method: with its options.
        refusals: the words by name; added to.
    """
    from pellucid.attribution.methods import Maps

    def explain(problem: Problem) -> Maps:
        try:
            return method.explain(problem)
        except MethodError as error:
            refusals[method.name] = str(error)
            return Maps(None, {}, problem.shared()[1])

    return _explaining(method, explain)


def interrupted(method: Method, before: Callable[[], None]) -> Method:
    """The same method, but before each of its maps something is called, which may raise to end it."""

    def explain(problem: Problem) -> Maps:
        before()
        return method.explain(problem)

    return _explaining(method, explain)


def _explaining(method: Method, explain: Callable[[Problem], Maps]) -> Method:
    """A method that is like another in all but how it explains."""
    made: type[Method] = type(type(method).__name__, (type(method),), {"explain": lambda _, problem: explain(problem)})
    return made(**{one.name: getattr(method, one.name) for one in fields(method)})  # type: ignore[arg-type]


def _described(kind: type[Method]) -> MethodInfo:
    text = inspect.getdoc(kind) or ""
    return MethodInfo(
        name=kind.name,
        title=kind.title,
        cost=kind.cost,
        price=_price(kind),
        does=" ".join(text.split("\n\n")[0].split()),
        source=next(
            (line.removeprefix("Source: ").strip() for line in text.splitlines() if line.startswith("Source: ")), ""
        ),
        positions=kind.positions,
        input_only=not kind.explains_layers,
        options=[MethodOption(each.name, json.dumps(each.default)) for each in _options(kind)],
    )


def _options(kind: type[Method]) -> list[Any]:
    """The options that words can set: not those that are tensors or functions."""
    hints = typing.get_type_hints(kind)
    return [each for each in fields(kind) if hints[each.name] is not Any]  # type: ignore[arg-type]


def _price(kind: type[Method]) -> str:
    if kind.cost == "plain":
        return _PLAIN
    if kind.cost == "backward":
        return _BACKWARD
    known = {each.name: each.default for each in _options(kind)}
    if "samples" in known:
        return f"{known['samples']} forwards and backwards"
    if "steps" in known:
        return f"{known['steps']} forwards and backwards, doubled up to {known['limit']} until the map adds up"
    if "masks" in known:
        return f"{known['masks']} forwards"
    return _PRICES.get(kind.name, "many forwards")
