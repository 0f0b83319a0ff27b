"""The closer look: one forward and one backward over a few examples, for a record or on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pellucid.types import Batch, Layer, Observation, OutputKind

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.capture import Session


def observe_closely(
    session: Session,
    batch: Batch,
    layers: Mapping[str, Layer],
    explained: Callable[[Tensor, Tensor | None], Tensor],
    reasons: Sequence[str],
    kind: OutputKind = "logits",
) -> tuple[Observation, tuple[str, ...]]:
    """Activations of every layer, and gradients of the explained score by them and by the input.

    Args:
        session: holds the model.
        batch: the examples.
        layers: by name, those of the session.
        explained: from scores float[batch class] and targets to the class whose score is explained, int64[batch].
        reasons: why each example was chosen.
        kind: what the scores are.

    Returns: the observation, and warnings in words.
    """
    from pellucid.capture import class_scores, explained_scores, logits_of

    classes: list[Tensor] = []

    def score(output: Any) -> Tensor:
        outputs = logits_of(output)
        # A model that is run a second time (see Session.explain) explains the same classes.
        classes[:] = [explained(class_scores(outputs.detach(), kind), batch.targets)]
        return explained_scores(outputs).gather(1, classes[0][:, None])[:, 0]

    captured = session.explain(batch.inputs, score)
    seen = Observation(
        stage="focus",
        batch=batch,
        outputs=class_scores(logits_of(captured.outputs), kind).detach().to("cpu").float(),
        layers=layers,
        activations=captured.activations,
        gradients=captured.gradients,
        input_gradients=captured.input_gradients,
        explained=classes[0].cpu(),
        scores=None if captured.scores is None else captured.scores.cpu(),
        reasons=tuple(reasons),
    )
    return seen, captured.warnings
