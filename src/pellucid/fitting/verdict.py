"""From the evidence to a verdict in words: which evidence counts, in which order, and what is left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pellucid.fitting.variants import AS_GIVEN, STRANGE, TIMES, VERY_STRANGE
from pellucid.measures.intervals import p_words
from pellucid.record.schema import (
    FitReason,
    FitVerdict,
    InputVariant,
    LabelPlace,
    ProbeAccuracy,
    ScoreDistribution,
)

# An area above this is a difference that one would see; the interval's lower end must reach it.
UNLIKE = 0.75
ALIKE = 0.65
"""Both hold the other way round as well: data that fits better than the training's does not look like it either."""
# A gain whose interval lies above this helps.
HELPS = 0.01
# A probe whose interval ends within so much of the commonest class's share tells the classes hardly apart; where that share leaves
# less room, within half of it.
HARDLY = 0.1
# The model's own answers will do where a new head would not be better by as much; features are no help where they lose as much.
WORTH = 0.05
# A gain below it is not worth features of another world.
LITTLE = 0.02
# Below it a model that fits is still wrong more often than not, and the answer says so.
MOSTLY = 0.5
# From here on hundredths of a nat are noise.
FAR = 100.0
NAMED = {
    "features": "of its features",
    "pixels": "of the inputs themselves",
    "majority": "that always answers the commonest class",
}


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict is made of.

    Attributes:
        named: whether both the data's and the model's classes have names.
        own: the model's own answers on examples of its classes; with a gain over the best probe where all classes are its.
        among: the same answers among the outputs of the examples' classes alone, which is all that a probe knows; None where
            these are all that the model has, or where nothing was probed.
        why_no_probe: what is missing, in words.
        classes: names of the model's.
    """

    labels: Sequence[LabelPlace]
    named: bool
    own: ProbeAccuracy | None
    among: ProbeAccuracy | None
    probes: Sequence[ProbeAccuracy]
    why_no_probe: str
    scores: Sequence[ScoreDistribution]
    variants: Sequence[InputVariant]
    count: int
    classes: Sequence[str] = ()

    def probe(self, on: str) -> ProbeAccuracy | None:
        """The probe of that name, None where it could not be made."""
        return next((one for one in self.probes if one.on == on), None)

    @property
    def commonest(self) -> float:
        """Share of the commonest class among the examples that have one."""
        counts = [place.examples for place in self.labels]
        return max(counts, default=0) / max(sum(counts), 1)

    def answers_well(self, own: ProbeAccuracy | None) -> bool:
        """Whether these answers of the model beat the commonest class, and no probe is much better."""
        if own is None or own.interval is None:
            return False
        return own.interval.low > self.commonest + HELPS and not _behind(own)


@dataclass(frozen=True)
class Verdict:
    """One word for it, one sentence, and the reasons: those that decided come first."""

    word: FitVerdict
    sentence: str
    reasons: list[FitReason]


def verdict_of(evidence: Evidence) -> Verdict:
    """Weighs the evidence: preparation first, then the model's own answers, then its features."""
    reasons = [
        *_of_preparation(evidence),
        *_of_labels(evidence),
        *_of_features(evidence),
        *_of_likeness(evidence),
    ]
    word = _decided(reasons)
    if word == "fits":
        # Features that tell the classes apart are what a model that answers rightly has; they ask for no other head.
        reasons = [_silent(reason) if reason.speaks_for == "retrain the head" else reason for reason in reasons]
    reasons.sort(key=lambda reason: reason.speaks_for != word)
    return Verdict(word, _sentence(word, reasons, evidence), reasons)


def _silent(reason: FitReason) -> FitReason:
    return FitReason(reason.sentence, "nothing", reason.count, reason.interval)


def _decided(reasons: Sequence[FitReason]) -> FitVerdict:
    spoken = {reason.speaks_for for reason in reasons}
    for word in ("preprocess differently", "fits", "retrain the head", "wrong task"):
        if word in spoken:
            return word
    return "cannot tell"


def _sentence(word: FitVerdict, reasons: Sequence[FitReason], evidence: Evidence) -> str:
    first = next((reason.sentence for reason in reasons if reason.speaks_for == word), "")
    opening = {
        "fits": _fits(evidence),
        "preprocess differently": "The examples are not prepared as the model expects.",
        "retrain the head": _new_head(evidence),
        "wrong task": "This is the wrong task for the model: its features are no help with it.",
        "cannot tell": "The evidence does not reach to tell whether the model suits this task.",
    }[word]
    return f"{opening} {first}".rstrip()


def _fits(evidence: Evidence) -> str:
    well = evidence.answers_well(evidence.own)
    judged = evidence.own if well else evidence.among
    if judged is not None and judged.accuracy < MOSTLY:
        return "The model does at this task what can be expected of it, though most of its answers are wrong."
    if not well:
        return "The model suits this task where it is asked for the classes of these examples alone."
    return "The model suits this task."


def _new_head(evidence: Evidence) -> str:
    if any(place.how == "none" for place in evidence.labels):
        return "The features suit this task, the classes of the head do not: train a new head on them."
    if all(place.index is not None for place in evidence.labels):
        return "The features suit this task better than the head's answers do: train a new head on them."
    return "The features suit this task, whether the head's classes do cannot be told: name them, or train a new head."


def _nats(strangeness: float | None) -> str:
    value = strangeness or 0.0
    return f"{value:.2f}" if value < FAR else f"{value:,.0f}"


def _of_preparation(evidence: Evidence) -> list[FitReason]:
    given = next((one for one in evidence.variants if one.name == AS_GIVEN), None)
    suspected = [one for one in evidence.variants if one.suspected]
    if given is None:
        return []
    found = []
    for one in sorted(suspected, key=lambda one: (-(one.correct or 0), one.strangeness or 0.0))[:2]:
        if one.correct is not None and given.correct is not None and one.p_value is not None:
            sentence = (
                f"Prepared in another way ({one.name}: {one.description}) the model answers {one.correct:,} of {one.count:,} "
                f"rightly, as they are {given.correct:,} ({p_words(one.p_value)} after correction for the ways tried)."
            )
        else:
            sentence = (
                f"Prepared in another way ({one.name}: {one.description}) what arrives at the first batch normalisations is "
                f"{_nats(one.strangeness)} nats from what the model remembers of its training, as they are "
                f"{_nats(given.strangeness)}."
            )
        found.append(FitReason(sentence, "preprocess differently", one.count))
    if not found and given.strangeness is not None and given.strangeness <= STRANGE:
        found.append(
            FitReason(
                f"What arrives at the first batch normalisations is {_nats(given.strangeness)} nats from what the model "
                "remembers of its training: range and normalisation are not in doubt.",
                "nothing",
                given.count,
            )
        )
    elif not found and given.strangeness is not None:
        far = given.strangeness > VERY_STRANGE
        found.append(
            FitReason(
                f"What arrives at the first batch normalisations is {_nats(given.strangeness)} nats from what the model "
                f"remembers of its training, and {_nearest(evidence.variants, given.strangeness)}"
                + (
                    ": check the range of the values and their normalisation."
                    if far
                    else ": the pictures are of another kind, or prepared in a way that was not tried."
                ),
                "preprocess differently" if far else "nothing",
                given.count,
            )
        )
    return found


def _nearest(variants: Sequence[InputVariant], given: float) -> str:
    """Which way brings what arrives nearest to what is remembered, where one brings it much nearer than `given` nats."""
    ways = [(one.strangeness, one.name) for one in variants if one.strangeness is not None]
    least, name = min(ways)
    if least * TIMES < given:
        return f"of the other preparations that were tried, {name!r} comes nearest, with {_nats(least)}"
    return "no other preparation that was tried brings it near"


def _classes(number: int) -> str:
    return "one class" if number == 1 else f"{number:,} classes"


def _of_labels(evidence: Evidence) -> list[FitReason]:
    labels = evidence.labels
    if not labels:
        return []
    placed = [place for place in labels if place.index is not None]
    missing = [place.name for place in labels if place.index is None]
    count = sum(place.examples for place in labels)
    found = []
    if missing and not evidence.named:
        found.append(
            FitReason(
                "The data's classes, or the model's, have numbers alone, and are not as many: whether they are the same cannot be "
                "told. Name them (--classes names the model's, in order).",
                "nothing",
                count,
            )
        )
    elif missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        found.append(
            FitReason(
                f"{len(missing)} of the data's {_classes(len(labels))} {'is no class' if len(missing) == 1 else 'are no classes'} "
                "of the model: "
                f"{', '.join(missing[:3])}{more}.",
                "nothing",
                count,
            )
        )
    own = evidence.own
    if own is None or own.interval is None or missing or not placed:
        return found
    same = _same(evidence)
    words = (
        f"{same}, and it answers {own.accuracy:.1%} of {own.count:,} examples rightly (95% interval "
        f"{own.interval.low:.1%} to {own.interval.high:.1%}; always the commonest class: {evidence.commonest:.1%})"
    )
    judged = evidence.among or own
    well = evidence.answers_well(judged)
    if judged.correct > own.correct:
        words += (
            f"; among the {judged.width:,} classes of these examples alone the head is right on {judged.accuracy:.1%}"
        )
    if well and not evidence.answers_well(own):
        words += ": where no others come, leave its other outputs out, no training is needed"
    elif well and any(place.how == "answers" for place in labels):
        words += ": give the classes its numbers or names, no training is needed"
    if _behind(judged) and judged.gain is not None:
        words += f", {-judged.gain * 100:.1f} points fewer than a linear classifier {NAMED[judged.over]}"
    found.append(FitReason(f"{words}.", "fits" if well else "nothing", judged.count, judged.interval))
    return found


def _same(evidence: Evidence) -> str:
    """By what the data's classes are the model's."""
    answered = [place for place in evidence.labels if place.how == "answers"]
    if answered:
        shown = ", ".join(f"{place.name!r} is its {_named(evidence.classes, place)!r}" for place in answered[:3])
        more = f" and {len(answered) - 3} more" if len(answered) > 3 else ""
        return (
            "By the model's own answers the data's classes are its own in another order or under other names "
            f"({shown}{more})"
        )
    if all(place.how in ("name", "synonym") for place in evidence.labels):
        return "The data's classes are the model's"
    return "Taken by their numbers, the data's classes are the model's"


def _named(classes: Sequence[str], place: LabelPlace) -> str:
    return classes[place.index] if place.index is not None and place.index < len(classes) else str(place.index)


def _behind(own: ProbeAccuracy) -> bool:
    return own.over in NAMED and own.gain_interval is not None and own.gain_interval.high < -WORTH


def _of_features(evidence: Evidence) -> list[FitReason]:
    probe = evidence.probe("features")
    if probe is None or probe.interval is None or probe.gain is None or probe.gain_interval is None:
        why = evidence.why_no_probe
        return [FitReason(f"The features cannot be probed: {why}.", "nothing", evidence.count)] if why else []
    below, majority = evidence.probe(probe.over), evidence.probe("majority")
    named = NAMED[probe.over]
    words = (
        f"A linear classifier of the features names {probe.accuracy:.1%} of {probe.count:,} held-out examples rightly, one "
        f"{named} {below.accuracy if below is not None else 0:.1%}; the difference is {probe.gain * 100:+.1f} points (95% interval "
        f"{probe.gain_interval.low * 100:+.1f} to {probe.gain_interval.high * 100:+.1f})"
    )
    word: FitVerdict | Literal["nothing"]
    if probe.gain_interval.low > HELPS:
        told, word = "the features tell these classes apart", "retrain the head"
    elif probe.gain_interval.high < -HELPS or (
        majority is not None and probe.interval.high < _hardly(majority.accuracy)
    ):
        told, word = "the features are no help", "wrong task"
    elif probe.gain_interval.high < LITTLE and _unlike(evidence):
        told, word = "the features are no help, and the data is not what the model was trained on", "wrong task"
    else:
        told, word = "too near to tell", "nothing"
    return [FitReason(f"{words}: {told}.", word, probe.count, probe.gain_interval)]


def _unlike(evidence: Evidence) -> bool:
    """Whether the data looks like another world than the training's, by the score that tells them apart best."""
    most = _most_telling(evidence)
    interval = most.interval if most is not None else None
    return interval is not None and (interval.low > UNLIKE or interval.high < 1 - UNLIKE)


def _most_telling(evidence: Evidence) -> ScoreDistribution | None:
    """The score whose area is farthest from one half; None where there is no reference."""
    told = [one for one in evidence.scores if one.auroc is not None and one.interval is not None]
    return max(told, key=lambda one: abs((one.auroc or 0.0) - 0.5), default=None)


def _hardly(commonest: float) -> float:
    return commonest + min(HARDLY, (1 - commonest) / 2)


def _of_likeness(evidence: Evidence) -> list[FitReason]:
    most = _most_telling(evidence)
    if most is None:
        return (
            [
                FitReason(
                    f"Whether the data looks like the training's is not known: {evidence.scores[0].why}.", "nothing", 0
                )
            ]
            if (evidence.scores)
            else []
        )
    interval = most.interval
    if interval is None or most.auroc is None:
        return []
    words = (
        f"By {most.name}, an example of the training data fits better than one of these in {most.auroc:.1%} of pairs (95% interval "
        f"{interval.low:.1%} to {interval.high:.1%}; 50% where both look alike)"
    )
    count = most.count + most.reference_count
    if _unlike(evidence):
        return [FitReason(f"{words}: the data is not what the model was trained on.", "nothing", count, interval)]
    if interval.high < ALIKE and interval.low > 1 - ALIKE:
        return [FitReason(f"{words}: the data looks like the training's.", "nothing", count, interval)]
    return [FitReason(f"{words}.", "nothing", count, interval)]
