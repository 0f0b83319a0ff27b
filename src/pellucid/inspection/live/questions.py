"""What a live question is, and how its parameters are read from an address: every word checked before the model runs."""

from __future__ import annotations

import difflib
import types
import typing
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import msgspec

from pellucid.errors import OptionError, RecordError
from pellucid.record.encoding import safetensors_bytes

if TYPE_CHECKING:
    import numpy as np

    from pellucid.inspection.live.model import LiveModel

Tell = Callable[[Callable[[], bytes]], bool]
"""Tells whoever asks how far it is: given how to make the answer so far (made only where there is time for it), returns
False where nobody waits for the answer any longer."""

_Kind = TypeVar("_Kind", bound="type[Question]")
_LONGEST_WORD = 4000


@dataclass(frozen=True)
class Answer:
    """What a question is answered with.

    Attributes:
        said: a struct of the schema.
        tensors: by name; floats are best packed as `pellucid.lenses.focus` does.
    """

    said: msgspec.Struct
    tensors: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question to the model at hand: a subclass's fields are its parameters, `GET /api/live/<name>?field=value`.

    A field of a tuple takes a parameter as often as it is given. Equal questions are answered once.

    Attributes:
        name: in the address, and the key of the answer's metadata in its safetensors header.
    """

    name: ClassVar[str]

    @abstractmethod
    def answer(self, live: LiveModel, tell: Tell) -> Answer:
        """Asks the model, in the one thread that may; leaves it as it was.

        Args:
            live: the model, its record and its data.
            tell: call it with each partial result of a long answer; where it returns False, end with what there is.

        Raises: PellucidError: in the words that the page shows.
        """

    def packed(self, answer: Answer) -> bytes:
        """An answer as a safetensors file, its struct as JSON under the question's name."""
        return safetensors_bytes(dict(answer.tensors), {self.name: msgspec.json.encode(answer.said).decode()})


_QUESTIONS: dict[str, type[Question]] = {}


def question(kind: _Kind) -> _Kind:
    """Puts a question under its name: a decorator."""
    _QUESTIONS[kind.name] = kind
    return kind


def questions() -> Mapping[str, type[Question]]:
    """Every question by name."""
    from pellucid.inspection.live import catalogue

    catalogue.load()
    return dict(sorted(_QUESTIONS.items()))


def read(name: str, given: Mapping[str, Sequence[str]]) -> Question:
    """The question of an address.

    Args:
        name: of the question.
        given: every value of every parameter, as text.

    Raises: RecordError: there is no such question. OptionError: a parameter does not exist, is missing, given twice or is
        not of its type. Both name the nearest.
    """
    kinds = questions()
    kind = kinds.get(name)
    if kind is None:
        raise RecordError(f"There is no question {name[:40]!r} to the model.{nearest(name, kinds)}")
    known = _parameters(kind)
    values: dict[str, str | list[str]] = {}
    for word, texts in given.items():
        if word not in known:
            raise OptionError(f"The question '{name}' has no parameter {word[:40]!r}.{nearest(word, known)}")
        if any(len(text) > _LONGEST_WORD for text in texts):
            raise OptionError(f"The parameter '{word}' is longer than {_LONGEST_WORD} characters.")
        if known[word].many:
            values[word] = list(texts)
        elif len(texts) == 1:
            values[word] = texts[0]
        else:
            raise OptionError(f"The parameter '{word}' is given {len(texts)} times; the question '{name}' takes one.")
    missing = [word for word, each in known.items() if each.required and word not in values]
    if missing:
        raise OptionError(f"The question '{name}' needs the parameter '{missing[0]}'.")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"A parameter of the question '{name}' cannot be read: {error}.") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest names, or with all of them where none is near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    return f" There are: {', '.join(names)}." if names else ""


class _Parameter(NamedTuple):
    """Whether a question needs it, and whether it may be given several times."""

    required: bool
    many: bool


@cache
def _parameters(kind: type[Question]) -> Mapping[str, _Parameter]:
    """A question's parameters by name; what they are is asked for once."""
    return {each.name: _Parameter(each.required, _is_many(each.type)) for each in msgspec.structs.fields(kind)}


def _is_many(kind: object) -> bool:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return any(map(_is_many, typing.get_args(kind)))
    return typing.get_origin(kind) is tuple
