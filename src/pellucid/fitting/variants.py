"""Were the examples prepared as the model expects? What it makes of the same ones prepared in other ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data import Source
from pellucid.errors import ForwardError
from pellucid.fitting.sample import answers_of, batches_of, is_bytes
from pellucid.measures.outliers import maximum_softmax
from pellucid.measures.paired import mcnemar
from pellucid.record.schema import InputVariant

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.capture import Session
    from pellucid.graph import Graph
    from pellucid.types import OutputKind

AS_GIVEN = "as they are"
# Batch normalisations that are watched: the first ones see the inputs themselves.
WATCHED = 4
LEAST = 32
MOST = 256
# Inputs that are held at once, unless `LEAST` of them are more.
ROOM = 256 * 1024**2
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

# With labels: a variant that fixes more than it breaks beyond chance, and by as much.
P_VALUE = 0.01
POINTS = 0.02
# Without: what arrives is strange to the model as given, and much less so in the variant.
STRANGE = 0.05
TIMES = 5.0
NEAR = 0.04
# So strange are no pictures of another kind: it is their range.
VERY_STRANGE = 5.0


@dataclass(frozen=True)
class Way:
    """One other way to prepare inputs: from float[batch channel height width] to the same; `whole` of bytes as well."""

    name: str
    description: str
    of: Callable[[Tensor], Tensor]
    fits: Callable[[Tensor], bool] = lambda inputs: True
    whole: bool = False


def _per_channel(values: Sequence[float], inputs: Tensor) -> Tensor:
    return inputs.new_tensor(values).reshape(1, -1, 1, 1)


def _resized(factor: float) -> Callable[[Tensor], Tensor]:
    def resize(inputs: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.interpolate(
            inputs, scale_factor=factor, mode="bilinear", antialias=factor < 1, align_corners=False
        )

    return resize


def _normalised(inputs: Tensor) -> Tensor:
    return (inputs - _per_channel(IMAGENET[0], inputs)) / _per_channel(IMAGENET[1], inputs)


def _of_three(inputs: Tensor) -> bool:
    return inputs.shape[1] == 3


WAYS = (
    Way(
        "channels reversed",
        "red and blue exchanged: OpenCV reads images so",
        lambda inputs: inputs.flip(1),
        _of_three,
        whole=True,
    ),
    Way("times 255", "values of 0 to 255 where 0 to 1 were given", lambda inputs: inputs * 255),
    Way("divided by 255", "values of 0 to 1 where 0 to 255 were given", lambda inputs: inputs / 255),
    Way(
        "divided by 255, then normalised",
        "values of 0 to 1 where 0 to 255 were given, less ImageNet's mean, divided by its deviation",
        lambda inputs: _normalised(inputs / 255),
        _of_three,
    ),
    Way(
        "divided by 255, then -1 to 1",
        "values of -1 to 1 where 0 to 255 were given",
        lambda inputs: 2 * (inputs / 255) - 1,
    ),
    Way(
        "divided by the largest",
        "divided by the largest value of the examples, so that they end at 1",
        lambda inputs: inputs / inputs.abs().amax().clamp(min=1e-12),
    ),
    Way("-1 to 1", "twice the values, less one: from 0..1 to -1..1", lambda inputs: 2 * inputs - 1),
    Way("0 to 1", "half of the values, and a half: from -1..1 to 0..1", lambda inputs: (inputs + 1) / 2),
    Way(
        "normalised",
        "less ImageNet's mean, divided by its deviation",
        _normalised,
        _of_three,
    ),
    Way(
        "not normalised",
        "times ImageNet's deviation, plus its mean: the normalisation undone",
        lambda inputs: inputs * _per_channel(IMAGENET[1], inputs) + _per_channel(IMAGENET[0], inputs),
        _of_three,
    ),
    Way(
        "light and dark exchanged",
        "the largest and the smallest value of the examples exchanged, and all between them",
        lambda inputs: inputs.amax() + inputs.amin() - inputs,
        whole=True,
    ),
    Way(
        "half the size",
        "half as many pixels each way",
        _resized(0.5),
        lambda inputs: min(inputs.shape[2:]) >= 16,
        whole=True,
    ),
    Way(
        "twice the size",
        "twice as many pixels each way",
        _resized(2.0),
        lambda inputs: max(inputs.shape[2:]) <= 512,
        whole=True,
    ),
)


@dataclass
class _Look:
    """What the model makes of the examples in one way."""

    logits: list[NDArray[np.float32]]
    sums: dict[str, list[Tensor]]


def normalisations_of(model: nn.Module, graph: Graph) -> list[str]:
    """Paths of the first batch normalisations that remember what they saw in training, in order of execution.

    One that was never trained remembers nothing: its mean and variance are those that it was made with.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    modules = dict(model.named_modules())
    found = []
    for node in graph.nodes:
        module = modules.get(node.path) if node.kind == "module" else None
        if isinstance(module, _BatchNorm) and _remembers(module) and node.path not in found:
            found.append(node.path)
    return found[:WATCHED]


def _remembers(module: nn.Module) -> bool:
    mean: Tensor | None = getattr(module, "running_mean", None)
    variance: Tensor | None = getattr(module, "running_var", None)
    return mean is not None and variance is not None and not (bool((mean == 0).all()) and bool((variance == 1).all()))


def variants(
    session: Session,
    source: Source,
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    normalisations: Sequence[str],
    batch_size: int,
    hear: Callable[[int, int], None],
    kind: OutputKind = "logits",
) -> list[InputVariant]:
    """What the model makes of up to `MOST` examples in every way; the first is as they are.

    Args:
        session: on the model.
        source: of the examples.
        rows: int64[example].
        targets: int64[example], classes of the model, -1 where there is none.
        normalisations: paths of batch normalisations to watch.
        batch_size: examples a forward.
        hear: how many of how many ways are done.
        kind: what the model's outputs are.

    Returns: empty where the inputs are no images.
    """
    first: Any = next((batch.inputs for _, batch in batches_of(source, rows[:1], 1)), None)
    if not _images(first):
        return []
    number = min(MOST, max(LEAST, ROOM // max(1, first.numel() * first.element_size())), len(rows))
    chosen = np.linspace(0, len(rows) - 1, number).round().astype(np.int64)
    batches: list[Any] = [batch.inputs for _, batch in batches_of(source, rows[chosen], batch_size)]
    asked = targets[chosen]
    given = _looked(session, batches, lambda inputs: inputs, normalisations, kind)
    found = [_told(AS_GIVEN, "as the data was opened", given, given, asked, session.model)]
    for place, way in enumerate(WAYS):
        hear(place + 1, len(WAYS) + 1)
        bytes_ = is_bytes(batches[0])
        if (bytes_ and not way.whole) or not all(way.fits(batch) for batch in batches):
            continue
        try:
            look = _looked(session, batches, _of_bytes(way.of) if bytes_ else way.of, normalisations, kind)
        except ForwardError as error:
            found.append(InputVariant(way.name, way.description, len(chosen), why=str(error).split(". ")[0] + "."))
            continue
        found.append(_told(way.name, way.description, look, given, asked, session.model))
    hear(len(WAYS) + 1, len(WAYS) + 1)
    return [found[0], *(_judged(one, found[0]) for one in found[1:])]


def _images(inputs: Any) -> bool:
    import torch

    return isinstance(inputs, torch.Tensor) and inputs.ndim == 4 and (inputs.is_floating_point() or is_bytes(inputs))


def _of_bytes(way: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same of whole numbers from 0 to 255, which stay such."""
    return lambda inputs: way(inputs.float()).round().clamp(0, 255).to(inputs.dtype)


def _looked(
    session: Session, batches: list[Any], way: Callable[[Tensor], Tensor], watched: Sequence[str], kind: OutputKind
) -> _Look:
    """Runs the model; of each watched normalisation, sums, sums of squares and numbers by channel."""
    import torch

    from pellucid.capture import log_scores, logits_of
    from pellucid.capture.inputs import inputs_watched

    look = _Look([], {})
    with inputs_watched(session, watched) as seen:
        for batch in batches:
            outputs = logits_of(session.forward(way(batch)).outputs)
            look.logits.append(log_scores(outputs.detach().to("cpu"), kind, "classification").numpy())
            for path, signal in seen.items():
                planes = signal.double().transpose(0, 1).flatten(1)
                counted = torch.tensor(float(planes.shape[1]), dtype=torch.float64)
                fresh = [planes.sum(1).cpu(), planes.square().sum(1).cpu(), counted]
                before = look.sums.get(path)
                look.sums[path] = fresh if before is None else [a + b for a, b in zip(before, fresh, strict=True)]
    return look


def strangeness(model: nn.Module, sums: dict[str, list[Tensor]]) -> float | None:
    """Mean divergence in nats, over the channels of all watched normalisations, of what arrived from what is remembered.

    Of two normal distributions, KL(arrived, remembered) = (v / V - 1 - ln(v / V) + (m - M)^2 / V) / 2; the median over the
    channels of each normalisation, since a channel that is almost constant has no bounds.
    """
    modules = dict(model.named_modules())
    found = []
    for path, (total, squares, count) in sums.items():
        mean = total / count
        spread = (squares / count - mean.square()).clamp(min=0)
        known = modules[path].running_mean.detach().cpu().double()
        variance = modules[path].running_var.detach().cpu().double() + modules[path].eps
        ratio = ((spread + modules[path].eps) / variance).clamp(min=1e-12)
        divergence = 0.5 * (ratio - 1 - ratio.log() + (mean - known).square() / variance)
        found.append(float(divergence.median()))
    return float(np.mean(found)) if found else None


def _told(
    name: str, description: str, look: _Look, given: _Look, targets: NDArray[np.int64], model: nn.Module
) -> InputVariant:
    logits, before = np.concatenate(look.logits), np.concatenate(given.logits)
    known = targets >= 0
    right = answers_of(logits)[known] == targets[known]
    was = answers_of(before)[known] == targets[known]
    finite = np.isfinite(logits).all()
    return InputVariant(
        name=name,
        description=description,
        count=len(logits),
        strangeness=strangeness(model, look.sums),
        confidence=float(maximum_softmax(logits).mean()) if finite else None,
        correct=int(right.sum()) if known.any() else None,
        fixed=int((right & ~was).sum()) if known.any() else None,
        broken=int((was & ~right).sum()) if known.any() else None,
    )


def _judged(one: InputVariant, given: InputVariant) -> InputVariant:
    """The variant with its p value, and whether the evidence speaks for it."""
    from msgspec.structs import replace

    if one.why:
        return one
    if one.fixed is not None and one.broken is not None and one.count >= LEAST:
        p_value = min(1.0, float(mcnemar(one.fixed, one.broken)) * len(WAYS))
        better = one.fixed - one.broken >= POINTS * one.count and p_value < P_VALUE
        # Answers that improve while what arrives becomes stranger improve by chance, as those of a constant may.
        stranger = (one.strangeness or 0.0) > max(given.strangeness or 0.0, STRANGE)
        return replace(one, p_value=p_value, suspected=better and not stranger)
    if one.strangeness is None or given.strangeness is None or one.count < LEAST:
        return one
    nearer = given.strangeness > STRANGE and one.strangeness * TIMES < given.strangeness
    return replace(one, suspected=nearer and one.strangeness < NEAR)
