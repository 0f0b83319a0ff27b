"""What a comparison says: planted flips, classes and slices; swapping the models; the record that it writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid import Record, compare
from pellucid.errors import OptionError, RecordError
from pellucid.record import schema
from support.answered import answered, family


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 200 examples the new one fixes 30 dogs and breaks 24 cats, all of them at night."""
    folder = tmp_path_factory.mktemp("planted")
    targets = [0] * 100 + [1] * 100
    light = [["day", "night"][row >= 60] for row in range(100)] * 2
    old = [0] * 100 + [1] * 60 + [0] * 40
    new = [0] * 76 + [2] * 24 + [1] * 90 + [0] * 10
    columns = {"light": light, "number": list(range(200))}
    return (
        answered(folder / "old.pellucid", targets, old, pictures=range(200), columns=columns),
        answered(folder / "new.pellucid", targets, new, pictures=range(200), columns=columns),
    )


def test_planted_flips_are_found_both_ways(planted: tuple[Path, Path]) -> None:
    panel = compare(*planted).panel
    pair = panel.pairs[0]
    assert (pair.fixed, pair.broken, pair.both_right, pair.both_wrong) == (30, 24, 136, 10)
    accuracy = pair.measures[0]
    assert (accuracy.old, accuracy.new, accuracy.difference) == (0.8, 0.83, pytest.approx(0.03))
    assert accuracy.interval is not None
    assert accuracy.interval.low < 0 < accuracy.interval.high
    assert (pair.answered, pair.agreed) == (200, 146)
    assert pair.churn == pytest.approx(54 / 200)


def test_classes_and_slices_say_where_it_broke(planted: tuple[Path, Path]) -> None:
    panel = compare(*planted).panel
    pair = panel.pairs[0]
    cat, dog = pair.by_class
    assert (cat.group, cat.fixed, cat.broken, cat.difference) == ("cat", 0, 24, pytest.approx(-0.24))
    assert (dog.group, dog.fixed, dog.broken) == ("dog", 30, 0)
    assert cat.p_value == pytest.approx(2 / 2**24)
    assert cat.adjusted is not None
    assert cat.p_value <= cat.adjusted <= 2 * cat.p_value
    (light,) = pair.by_slice
    assert light.column == "light"
    assert {one.group: (one.fixed, one.broken) for one in light.groups} == {"day": (0, 0), "night": (30, 24)}
    fell = next(finding for finding in panel.findings if finding.kind == "fell-in-group")
    assert fell.sentence.startswith("From old to new the recall of cat fell by 24.0 points")
    assert fell.selection == {"true": "0"}
    broken = next(finding for finding in panel.findings if finding.kind == "broken")
    assert broken.selection == {"column.flip": "broken"}


answers = st.lists(st.tuples(*[st.integers(0, 2)] * 3, *[st.floats(0.4, 1.0)] * 2), min_size=2, max_size=40)


@given(answers)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_comparing_the_other_way_round_gives_the_opposite(
    tmp_path: Path, rows: list[tuple[int, int, int, float, float]]
) -> None:
    targets, old, new, old_sure, new_sure = (list(column) for column in zip(*rows, strict=True))
    first = answered(tmp_path / "first", targets, old, confidences=old_sure)
    second = answered(tmp_path / "second", targets, new, confidences=new_sure)
    there, back = compare(first, second).panel.pairs[0], compare(second, first).panel.pairs[0]
    assert (there.fixed, there.broken) == (back.broken, back.fixed)
    assert there.p_value == back.p_value
    assert there.churn == back.churn
    assert (there.kappa or 0) == pytest.approx(back.kappa or 0, abs=1e-12)
    for one, other in zip(there.measures, back.measures, strict=True):
        assert (one.old, one.new) == (other.new, other.old)
        assert one.difference == pytest.approx(-(other.difference or 0), abs=1e-12)
        if one.interval is None or other.interval is None:
            assert one.interval is other.interval
            continue
        assert one.interval.low == pytest.approx(-other.interval.high, abs=1e-9)
    for one_class, other_class in zip(there.by_class, back.by_class, strict=True):
        assert one_class.difference == pytest.approx(-(other_class.difference or 0))


def test_a_model_against_itself_differs_in_nothing(planted: tuple[Path, Path]) -> None:
    pair = compare(planted[0], planted[0]).panel.pairs[0]
    assert (pair.fixed, pair.broken, pair.churn, pair.p_value, pair.kappa) == (0, 0, 0.0, 1.0, 1.0)
    assert all(one.difference == 0 for one in pair.measures)


# --- the record -----------------------------------------------------------------------------------------------


def test_the_record_holds_the_new_ones_examples_with_the_answers_of_the_old(
    planted: tuple[Path, Path], tmp_path: Path
) -> None:
    found = compare(*planted, out=tmp_path / "both.pellucid")
    record = Record(tmp_path / "both.pellucid")
    assert record.verify() == []
    assert (record.state, record.manifest.title) == ("complete", "old → new")
    table, new = record.examples(), Record(planted[1]).examples()
    for name in new.column_names:
        assert table[name].equals(new[name]), name
    assert table["old.prediction"].to_pylist() == Record(planted[0]).examples()["prediction"].to_pylist()
    flips = table["flip"].to_pylist()
    counts = {word: flips.count(word) for word in ("fixed", "broken", "both right", "both wrong")}
    assert counts == {"fixed": 30, "broken": 24, "both right": 136, "both wrong": 10}
    assert record.panel("comparison") == found.panel
    picture = table["media"][0].as_py()
    assert record.media(picture) == Record(planted[1]).media(picture)


def test_a_comparison_can_be_compared_again_and_columns_keep_their_names(
    planted: tuple[Path, Path], tmp_path: Path
) -> None:
    first = compare(*planted, out=tmp_path / "one.pellucid")
    compare(planted[0], tmp_path / "one.pellucid", out=tmp_path / "two.pellucid")
    table = Record(tmp_path / "two.pellucid").examples()
    assert table["flip"].to_pylist() == table["flip_column"].to_pylist()
    assert first.panel.pairs[0].fixed == 30


def test_more_records_than_two_have_their_own_columns(planted: tuple[Path, Path], tmp_path: Path) -> None:
    third = answered(tmp_path / "third.pellucid", [0] * 100 + [1] * 100, [0] * 200)
    found = compare(*planted, third, out=tmp_path / "three.pellucid")
    assert [pair.flip for pair in found.panel.pairs] == ["flip", "flip.third"]
    flips = Record(tmp_path / "three.pellucid").examples()["flip.third"].to_pylist()
    assert (
        (flips.count("broken"), flips.count("fixed"))
        == (found.panel.pairs[1].broken, found.panel.pairs[1].fixed)
        == (60, 0)
    )


def test_a_record_is_not_replaced_unasked_and_never_by_its_own_comparison(
    planted: tuple[Path, Path], tmp_path: Path
) -> None:
    compare(*planted, out=tmp_path / "both.pellucid")
    with pytest.raises(RecordError, match="--overwrite"):
        compare(*planted, out=tmp_path / "both.pellucid")
    compare(*planted, out=tmp_path / "both.pellucid", overwrite=True)
    with pytest.raises(OptionError, match="one of the compared records"):
        compare(*planted, out=planted[1], overwrite=True)


def test_comparing_needs_no_torch(planted: tuple[Path, Path]) -> None:
    script = (
        "import sys, pellucid; pellucid.compare(sys.argv[1], sys.argv[2], fail_if='accuracy drops by 1%')\n"
        "assert not {'torch', 'scipy.stats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, *map(str, planted)], check=True)


# --- layers ---------------------------------------------------------------------------------------------------


def test_layers_without_stored_features_say_what_is_needed(planted: tuple[Path, Path]) -> None:
    likeness = compare(*planted).panel.pairs[0].likeness
    assert (likeness.array, likeness.old) == ("", [])
    assert likeness.why == "old and new keep no features of layers; inspect with the lens 'similarity' to have them"


def test_layers_of_both_are_compared_where_both_keep_features_of_the_same_examples(tmp_path: Path) -> None:
    from pellucid.mapping.similarity import debiased_cka
    from pellucid.record import Writer

    rng = np.random.default_rng(0)
    targets = [row % 3 for row in range(40)]
    rows = np.arange(5, 35)
    features = {0: rng.normal(size=(30, 6)), 1: rng.normal(size=(30, 4))}
    turned = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    paths = []
    for name, change in (("old", np.eye(6)), ("new", turned)):
        path = answered(tmp_path / name, targets, targets)
        layers = [schema.SpaceLayer(index, f"layer{index}", 6, 6, [], 1.0) for index in features]
        panel = schema.SimilarityPanel(count=30, layers=layers, seen=40, nonfinite=0, deviation=0.0)
        arrays = {"rows": rows, "0.features": features[0] @ change, "1.features": features[1]}
        with Writer.open(path) as writer:
            writer.write_panel(panel, arrays)
            writer.finish("complete")
        paths.append(path)
    found = compare(*paths)
    likeness = found.panel.pairs[0].likeness
    assert (likeness.examples, likeness.old, likeness.new) == (30, ["layer0", "layer1"], ["layer0", "layer1"])
    matrix = found.arrays[likeness.array]
    assert matrix[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert matrix[0, 1] == pytest.approx(debiased_cka(features[0], features[1]), abs=1e-6)


def test_a_family_has_sizes_fronts_and_a_trend(tmp_path: Path) -> None:
    made = family(tmp_path, examples=300, widths=(4, 8, 16, 32))
    panel = compare(made[0], made[-1], *made[1:-1]).panel
    assert [size.name for size in panel.sizes] == ["width4", "width32", "width8", "width16"]
    assert all(len(size.members) == 3 for size in panel.sizes)
    assert panel.target_accuracy is not None
    trend = next(one for one in panel.trends if (one.factor, one.measure) == ("parameters", "accuracy"))
    assert trend.interval is not None
    assert trend.interval.low > 0
    assert any(finding.kind == "size" for finding in panel.findings)
