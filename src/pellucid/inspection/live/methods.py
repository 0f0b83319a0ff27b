"""The methods of attribution as a page lists them, and as the words of an address name them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pellucid.errors import OptionError, PellucidError
from pellucid.inspection.live.questions import Answer, Question, Tell, question
from pellucid.inspection.live.settings import converted, described, settable
from pellucid.record.schema import MethodInfo, MethodList

if TYPE_CHECKING:
    from pellucid.attribution import Method
    from pellucid.attribution.methods import Maps, Problem
    from pellucid.inspection.live.model import LiveModel

_logger = logging.getLogger("pellucid.live")

_PLAIN = "one forward and one backward, shared by all plain methods and layers"
_BACKWARD = "one further forward and backward"
_PRICES = {
    "attention_rollout": "one forward and one backward",
    "gradient_rollout": "one forward and one backward",
    "occlusion": "a forward for each window",
    "score_cam": "a forward for each channel of the layer",
    "ablation_cam": "two forwards where a mean and one linear layer follow, else one for each channel",
    "smoothgrad": "{samples} forwards and backwards",
    "vargrad": "{samples} forwards and backwards",
    "integrated_gradients": "{steps} forwards and backwards, doubled up to {limit} until the map adds up",
    "rise": "{masks} forwards",
    "kernel_shap": "{samples} forwards",
    "lime": "{samples} forwards",
    "shapley_sampling": "{samples} forwards for each feature",
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
    return kind(**converted(kind, given))


def refusal(error: Exception, titles: str) -> str:
    """What a page says of methods that raised: their own words where they refuse, else the error's name and its words.

    What no method raises on purpose has its traceback in the log, and so in the terminal of whoever serves the page.

    Args:
        error: what they raised.
        titles: of the methods, for the log.
    """
    if isinstance(error, PellucidError):
        return str(error)
    _logger.error("%s failed on this model", titles, exc_info=error)
    return f"It failed, which is a fault of pellucid: {type(error).__name__}: {error or 'no reason given'}."


def refusing_alone(method: Method, refusals: dict[str, str]) -> Method:
    """The same method, but what it raises is kept instead of ending the question of the methods beside it.

    Args:
        method: with its options.
        refusals: the words by name; added to.
    """
    from pellucid.attribution.methods import Maps

    def explain(problem: Problem) -> Maps:
        try:
            return method.explain(problem)
        except Exception as error:
            refusals[method.name] = refusal(error, method.title)
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
        options=described(kind),
        price_of=_price_of(kind),
    )


def _price(kind: type[Method]) -> str:
    if kind.cost == "plain":
        return _PLAIN
    if kind.cost == "backward" and kind.name not in _PRICES:
        return _BACKWARD
    defaults = {name: each.default for name, each in settable(kind).items()}
    return _PRICES.get(kind.name, "many forwards").format(**defaults)


def _price_of(kind: type[Method]) -> str:
    """The price of a method whose passes are options of it, with their names in braces."""
    price = _PRICES.get(kind.name, "")
    return price if "{" in price else ""
