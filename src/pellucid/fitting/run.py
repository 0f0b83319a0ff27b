"""Does this model suit this data? One look at a sample, and every piece of evidence that it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pellucid.data import Source, collate, from_python, read_for
from pellucid.data.misfit import misfit
from pellucid.errors import DataError, ForwardError, OptionError
from pellucid.fitting.labels import by_answers, by_order, moved, places
from pellucid.fitting.likeness import Likeness, likeness
from pellucid.fitting.probe import FOLDS, Probed, accuracy_of, best_of, probed_of, probes, why_no_probe
from pellucid.fitting.sample import Sample, head_of, looked_at, right_among, rows_of
from pellucid.fitting.variants import normalisations_of, variants
from pellucid.fitting.verdict import Evidence, verdict_of
from pellucid.models.fingerprint import model_info
from pellucid.record.schema import Finding, FitPanel, FitVerdict, ModelInfo, ProbeAccuracy, Severity
from pellucid.types import OutputKind, Tree

if TYPE_CHECKING:
    from torch import nn

LIMIT = 1000
SEVERITIES: dict[FitVerdict, Severity] = {
    "fits": "info",
    "cannot tell": "low",
    "retrain the head": "medium",
    "wrong task": "high",
    "preprocess differently": "high",
}
Hear = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Fit:
    """The answer, and the sample that it rests on."""

    panel: FitPanel
    sample: Sample
    likeness: Likeness
    classes: tuple[str, ...]
    model: ModelInfo
    seed: int
    device: str

    @property
    def verdict(self) -> str:
        """One of "fits", "preprocess differently", "retrain the head", "wrong task", "cannot tell"."""
        return self.panel.verdict


def fit(
    model: nn.Module,
    examples: object,
    *,
    trained_on: object = None,
    classes: Sequence[str] | None = None,
    limit: int = LIMIT,
    batch_size: int = 32,
    seed: int = 0,
    device: str | None = None,
    model_source: str = "",
    weights_source: str = "",
    outputs: OutputKind | Literal["auto"] = "auto",
    progress: Hear = silent,
) -> Fit:
    """Asks whether a model suits data that it was not trained on.

        print(pellucid.fit(model, cars, trained_on=cats).panel.sentence)

    Args:
        model: any classifier; its forward gives logits or probabilities float[batch class]. Left as it was.
        examples: what it is to be put to: a Dataset, DataLoader or iterable of (input, target), or a source of `pellucid.data`.
        trained_on: some of what it was trained on, prepared in the same way; without it nothing is said of whether the two
            look alike.
        classes: names of the model's classes in order of index.
        limit: of how many examples of each a random sample is taken.
        batch_size: examples a forward.
        seed: of the sample and the folds.
        device: where to run; where the model is if None. It is moved back afterwards.
        model_source: how the model was named by who opened it.
        weights_source: which weights were loaded into it.
        outputs: what the model's outputs are, "logits" or "probabilities"; told by their values and by the graph if "auto".
        progress: hears how far each step has come.

    Returns: the verdict with its evidence.
    Raises: OptionError, DataError (no example; shapes of both data differ; labels of a regression), ForwardError (also where no
        output is finite), MissingExtraError (scikit-learn).
    """
    import torch

    from pellucid.capture import (
        Session,
        as_arguments,
        class_scores,
        kind_of,
        logits_of,
        on_device,
        to_device,
        unwrapped,
    )
    from pellucid.graph import trace

    if limit < 2 * FOLDS:
        raise OptionError(f"The limit must be at least {2 * FOLDS} examples; got {limit}.")
    if batch_size < 1:
        raise OptionError(f"The batch size must be at least 1; got {batch_size}.")
    if seed < 0:
        raise OptionError(f"The seed must be at least 0; got {seed}.")
    if outputs not in ("auto", "logits", "probabilities"):
        raise OptionError(
            f"A fit is about classifiers, whose outputs are logits or probabilities (or auto); got {outputs!r}."
        )
    source = examples if isinstance(examples, Source) else from_python(examples)
    reference = trained_on if trained_on is None or isinstance(trained_on, Source) else from_python(trained_on)
    inner = unwrapped(model)
    source = read_for(source, inner, classes)
    reference = None if reference is None else read_for(reference, inner)
    with on_device(model, device) as place:
        first = collate([source.example(0)], 0)
        if isinstance(reference, Source):
            _same_shape(first.inputs, collate([reference.example(0)], 0).inputs, source, reference)
        positional, named = as_arguments(to_device(first.inputs, torch.device(place)), inner)
        graph = trace(inner, *positional, **named)
        if graph.error is not None:
            raise ForwardError(
                f"The model raised in its own forward: {graph.error}. It was called with {first.ids[0]}. "
                f"{misfit(source, first.inputs, inner)}".rstrip()
            )
        with Session(inner, (), device=place) as session:
            output = session.forward(first.inputs).outputs
            given = logits_of(output)
            kind = kind_of(output, graph, "classification") if outputs == "auto" else outputs
            number = class_scores(given, kind).shape[1]
            if classes is not None and len(classes) != number:
                raise DataError(
                    f"The model has {number:,} outputs, but {len(classes):,} class names are given. Give one name a class, in "
                    "order of index (--classes FILE)."
                )
            # A single logit stands for two classes, and one number goes out of its head.
            head, no_features = head_of(inner, graph, 1 if given.numel() == len(first) else number)

            def look(of: Source, name: str) -> Sample:
                rows = rows_of(of, limit, seed)
                return looked_at(
                    session, of, rows, head, batch_size, lambda done, all_: progress(name, done, all_), kind
                )

            sample = look(source, "data")
            known = look(reference, "reference") if isinstance(reference, Source) else None
            _some_finite(sample)
            found = places(source.classes, classes, number, sample.targets)
            found = by_order(found, number, sample.targets, sample.answers)
            found = by_answers(found, number, sample.targets, sample.answers)
            own_targets = moved(sample.targets, found)
            normalisations = normalisations_of(inner, graph)
            ways = variants(
                session, source, sample.rows, own_targets, normalisations, batch_size,
                lambda done, all_: progress("variants", done, all_), kind,
            )  # fmt: skip
    alike = likeness(sample, known)
    # An example whose output is not finite is no right answer; it has no features to be told by.
    has_class = own_targets >= 0
    right = has_class & (sample.answers == own_targets)
    finite = np.where(sample.finite, sample.targets, -1)
    no_probe = why_no_probe(finite, sets=sample.sets)
    why = no_features or no_probe
    probed = probed_of(finite)
    # What the data declare and hold no example of says nothing about the task.
    held = [place for place in found if place.examples > 0] or found
    all_placed = bool(held) and all(place.index is not None for place in held)
    progress("probe", 0, 1)
    told = [] if no_probe else probes(sample.only(probed), seed)
    accuracies = [one.told for one in told]
    own = accuracy_of("model", number, right[has_class]) if has_class.any() else None
    among = None
    if told and all_placed:
        best = best_of(told)
        answered, own = _compared(right, number, has_class, probed, best)
        accuracies.insert(0, answered)
        present = np.unique(own_targets[has_class])
        if len(present) < number:
            # A probe knows no other classes than these: it is held against what the model answers among them.
            _, among = _compared(right_among(sample, own_targets, present), len(present), has_class, probed, best)
    progress("probe", 1, 1)
    names = tuple(classes) if classes is not None else tuple(str(index) for index in range(number))
    evidence = Evidence(
        labels=held,
        named=source.classes is not None and classes is not None,
        own=own,
        among=among,
        probes=accuracies,
        why_no_probe=why,
        scores=alike.scores,
        variants=ways,
        count=len(sample),
        classes=names,
    )
    verdict = verdict_of(evidence)
    panel = FitPanel(
        count=len(sample),
        findings=[_finding(verdict.word, verdict.sentence, len(sample))],
        model=model_source or type(inner).__name__,
        data=source.source,
        reference=reference.source if isinstance(reference, Source) else "",
        verdict=verdict.word,
        sentence=verdict.sentence,
        reasons=verdict.reasons,
        labels=found,
        classes=list(names),
        layer=head,
        width=0 if sample.features is None else sample.features.shape[1],
        features=no_features,
        own=own,
        scores=alike.scores,
        probes=accuracies,
        folds=FOLDS if told else 0,
        variants=ways,
        normalisations=normalisations,
        notes=_notes(sample, known, ways, normalisations, 0 if no_probe else int((finite >= 0).sum() - probed.sum())),
    )
    return Fit(panel, sample, alike, names, model_info(inner, model_source, weights_source), seed, str(place))


def _compared(
    right: NDArray[np.bool_], outputs: int, has_class: NDArray[np.bool_], probed: NDArray[np.bool_], best: Probed
) -> tuple[ProbeAccuracy, ProbeAccuracy]:
    """The model's right answers on the probed examples, held against the best probe, and on all examples of its classes."""
    told = Probed(accuracy_of("model", outputs, right[probed]), right[probed]).against(best).told
    every = accuracy_of("model", outputs, right[has_class])
    return told, replace(every, over=told.over, gain=told.gain, gain_interval=told.gain_interval)


def _some_finite(sample: Sample) -> None:
    """Refuses a model that answers nothing. Raises: ForwardError."""
    if (sample.answers < 0).all():
        raise ForwardError(
            f"The model's output is NaN or infinite on all {len(sample):,} examples of {sample.source.source}. Are its weights "
            "whole, and the examples finite and in the range that it expects?"
        )


def _same_shape(one: Tree, other: Tree, source: Source, reference: Source) -> None:
    from pellucid.capture.call import shapes

    ours, theirs = shapes(one), shapes(other)
    if ours != theirs:
        raise DataError(
            f"{source.source} has inputs of {ours}, {reference.source} of {theirs}: expected the same preparation. Give both the "
            "same --resize, --crop or --size."
        )


def _notes(sample: Sample, known: Sample | None, ways: object, normalisations: Sequence[str], rare: int) -> list[str]:
    notes = []
    unlabelled = int((sample.targets < 0).sum())
    if 0 < unlabelled < len(sample):
        notes.append(f"{unlabelled:,} of {len(sample):,} examples have no label, and are left out of what needs one.")
    if rare:
        notes.append(
            f"{rare:,} examples are of classes with fewer than {FOLDS} in the sample, and are left out of the probe; a higher "
            "--limit takes them in."
        )
    for one, whose in ((sample, ""), (known, " of the training's data")):
        broken = 0 if one is None else int((~one.finite).sum())
        if one is not None and broken:
            notes.append(
                f"Input, features or output are not finite on {broken:,} of {len(one):,} examples{whose}: no right answers, and "
                "left out of all else."
            )
    if ways and not normalisations:
        notes.append(
            "The model has no batch normalisation that remembers its training: without labels of its own classes, other "
            "preparations can be compared by its confidence alone, which decides nothing."
        )
    if not ways:
        notes.append("The inputs are no images: other ways to prepare them were not tried.")
    elif sample.whole:
        notes.append("The images are whole numbers: only other orders, sizes and lights were tried, no other ranges.")
    return notes


def _finding(word: FitVerdict, sentence: str, count: int) -> Finding:
    severity = SEVERITIES[word]
    return Finding(
        kind=f"fit-{word.replace(' ', '-')}",
        severity=severity,
        sentence=sentence,
        count=count,
        page="fit",
        weight=0.9 if severity == "high" else 0.3,
    )
