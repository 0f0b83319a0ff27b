"""docs/lenses.md, docs/models.md and docs/datasets.md say what there is, by the names and thresholds of the code."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import pellucid
from pellucid.data import images
from pellucid.data.folder import EXTENSIONS
from pellucid.data.items import INPUT_KEYS, TARGET_KEYS
from pellucid.lenses import (
    accuracy,
    accuracy_findings,
    accuracy_slices,
    activations,
    available,
    confusion,
    gradients,
    loss,
    loss_labels,
    predictions,
    reductions,
    similarity,
    weights,
)
from pellucid.measures import calibration
from pellucid.models.weights import _WRAPPERS
from pellucid.record import schema

DOCS = Path(__file__).parents[2] / "docs"
LENSES, MODELS, DATASETS = (
    (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("lenses", "models", "datasets")
)
SECTIONS = {
    name: body for name, _, body in (part.partition("\n") for part in LENSES.split("\n## ")[1:])
}  # the text under each heading, by heading


LENS_FILES = Path(pellucid.__file__).parent / "lenses"


def kinds_in(module: str) -> set[str]:
    """Kinds of the findings that a lens's file makes, or that of its findings."""
    files = ((LENS_FILES / f"{stem}.py") for stem in (module, f"{module}_findings"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files if path.is_file())
    lines = re.findall(r"\b(?:kind=|word = )(.*?(?:,|$))", text, re.MULTILINE)
    found = {name for line in lines for name in re.findall(r"\"([a-z]+(?:-[a-z]+)*)\"", line)}
    if "'}-gradient\"" in text:
        found = {name for name in found if "-" in name} | {"vanishing-gradient", "exploding-gradient"}
    return found


def test_every_installed_lens_has_a_section_with_its_question() -> None:
    ours = {entry.name for entry in entry_points(group="pellucid.lenses") if entry.value.startswith("pellucid.")}
    assert ours <= set(available())
    assert ours == set(SECTIONS) - {"A lens of your own"}
    for name in ours:
        assert re.match(r"\n\*[A-Z].*\?\*", SECTIONS[name]), f"the section on {name} begins with its question"


@pytest.mark.parametrize("name", sorted(available()))
def test_every_kind_of_finding_stands_in_the_section_of_its_lens_and_no_other(name: str) -> None:
    rows = re.findall(r"^\| (`.*?) \| ", SECTIONS[name].partition("| finding | when |")[2], re.MULTILINE)
    documented = {kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)}
    assert documented == kinds_in(name)


def test_no_kind_is_missed_because_it_is_made_elsewhere() -> None:
    files = [path for path in LENS_FILES.glob("*.py") if re.search(r"\bFinding\(", path.read_text(encoding="utf-8"))]
    makers = {path.stem.removesuffix("_findings") for path in files}
    assert makers <= set(SECTIONS)
    assert len(set().union(*(kinds_in(name) for name in makers))) >= 16


@pytest.mark.parametrize(
    ("lens", "words", "value"),
    [
        ("loss", "confidence ≥ {}", loss.SURE),
        ("loss", "the {} most disputed examples", loss_labels.MOST_ISSUES),
        ("loss", "S ≥ {}, S ≥ 3A", loss.LEAST_ISSUES),
        ("loss", "at least {} label issues", loss.LEAST_ISSUES),
        ("accuracy", "k = {}", ", ".join(map(str, accuracy.TOP_K))),
        ("accuracy", "by {:.0f} standard errors", accuracy_findings.GAP_DEVIATIONS),
        ("accuracy", "at least {} points", round(accuracy_findings.GAP_POINTS * 100)),
        ("accuracy", "{} bins of equal width", calibration.BINS),
        ("accuracy", "columns of more than {} values", accuracy_slices.MOST_VALUES),
        (
            "accuracy",
            "lies more than {:.0f} points below the accuracy of the others, and its",
            accuracy_findings.SLICE_POINTS * 100,
        ),
        ("accuracy", "adjusted p value is below {}", "1e-3" if accuracy_findings.DISCOVERY == 1e-3 else "changed"),
        ("confusion", "the {} most surprising are told", confusion.MOST_FINDINGS),
        ("confusion", "p < {}", "1e-3" if confusion.SURPRISING == 1e-3 else "changed"),
        ("activations", "the {} examples with the strongest", activations.TOP_K),
        ("activations", "at least {:.0%} of the values", activations.SATURATED_SHARE),
        ("activations", "on at least {} examples", activations.DEAD_EXAMPLES),
        ("activations", "a {} of the layer are dead", "tenth" if activations.DEAD_SHARE == 0.1 else "changed"),
        ("activations", "about {:,} values", reductions.SAMPLE),
        ("weights", "at most {}", weights.LONGEST_SPECTRUM),
        ("weights", "about {} operations", "4e10" if weights.MOST_OPERATIONS == 4e10 else "changed"),
        ("similarity", "{} of the examples", similarity.SAMPLE),
        ("similarity", "More than {} `units`", similarity.KEPT),
        ("similarity", "fewer than {} examples", similarity.LEAST),
        ("gradients", "at most {}, or", "1e-3" if gradients.VANISHING == 1e-3 else "changed"),
        ("gradients", "at least {}, times", "1e3" if gradients.EXPLODING == 1e3 else "changed"),
        ("predictions", "the first {} such examples", predictions.MOST_ROWS),
        ("predictions", "the {} most probable", predictions.TOP_K),
    ],
)
def test_thresholds_on_the_page_are_those_of_the_code(lens: str, words: str, value: object) -> None:
    assert words.format(value) in re.sub(r"\s+", " ", SECTIONS[lens])


def test_numbers_that_are_named_are_fields_of_their_panel() -> None:
    named = {
        "loss": (schema.LossPanel, schema.ClassLoss),
        "accuracy": (schema.AccuracyPanel, schema.ClassAccuracy),
        "confusion": (schema.ConfusionPanel, schema.ConfusedPair),
        "activations": (schema.ActivationsPanel, schema.ActivationLayer),
        "weights": (schema.WeightsPanel, schema.ParameterRow),
        "gradients": (schema.GradientsPanel, schema.GradientLayer),
        "mapping": (schema.MappingPanel, schema.FieldLayer, schema.PoolCall),
        "similarity": (schema.SimilarityPanel, schema.SpaceLayer),
    }
    arrays = {"top_rows", "top_values", "top_positions"}
    for lens, structs in named.items():
        fields = {field for struct in structs for field in struct.__struct_fields__} | arrays
        before = SECTIONS[lens].partition("| finding | when |")[0]
        words = set(re.findall(r"`([a-z][a-z_0-9]*)`", before))
        assert words - fields == set(), lens
        assert len(words) >= 3, lens


def test_the_pages_on_models_and_data_name_every_format() -> None:
    for entry in entry_points(group="pellucid.models"):
        assert entry.name == "python" or f"`{entry.name}:" in MODELS, entry.name
    for word in _WRAPPERS:
        assert f"`{word}`" in MODELS, word
    for extension in EXTENSIONS:
        assert re.search(rf"{re.escape(extension)}\b", DATASETS), extension
    for key in (*INPUT_KEYS, *TARGET_KEYS):
        assert f"`{key}`" in DATASETS, key
    assert f"{images.MOST_PIXELS:,} pixels" in DATASETS


def test_errors_that_the_pages_promise_exist() -> None:
    from pellucid import errors

    promised = set(re.findall(r"`(\w+Error)`", MODELS + DATASETS))
    assert len(promised) >= 9
    assert all(issubclass(getattr(errors, name), errors.PellucidError) for name in promised)


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (LENSES, MODELS, DATASETS):
        for target, anchor in re.findall(r"\]\(([\w./]+\.md)(?:#([\w-]+))?\)", page):
            place = DOCS / target
            if target == "watch.md" and not place.exists():
                continue  # written beside this one
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in slugs, f"{target}#{anchor}"
