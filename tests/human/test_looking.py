"""Where people look beside a record's attribution maps: planted places, every odd table, nothing dropped in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pellucid.errors import DataError, OptionError
from pellucid.human.looking import add_maps
from pellucid.human.places import read_places
from pellucid.measures import gaze
from pellucid.record import Record, Writer, schema
from support.answered import answered

IMAGES = 12


def centres(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 0.8, (IMAGES, 2))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve examples, all but the last looked at closely: the gradient marks a place, the layer's map another at random."""
    path = answered(
        tmp_path_factory.mktemp("looked") / "net.pellucid", [0] * IMAGES, [0] * IMAGES,
        ids=[f"cat/i{row}.png" for row in range(IMAGES)],
    )  # fmt: skip
    elsewhere = centres(9)
    with Writer.open(path) as writer:
        for row in range(IMAGES - 1):
            spot = gaze.density(centres()[row : row + 1], 40, 40, 0.1)
            cam = gaze.density(elsewhere[row : row + 1], 7, 7, 0.2)
            layer = schema.FocusLayer(0, "conv", 7, 7, "ok", 1.0)
            focus = schema.Focus(
                row, f"cat/i{row}.png", 0, 0, 0, 1.0, [layer], {"input.gradient": 1.0, "0.grad_cam": 1.0}
            )
            gradient = np.stack([spot, -spot, spot]).astype(np.float16) * 100
            writer.write_focus(
                row,
                focus,
                {
                    "input.gradient": gradient,
                    "input.values": np.ones_like(gradient),
                    "0.grad_cam": cam.astype(np.float16),
                },
            )
        writer.update()
    return path


def clicks(path: Path, *, people: int = 4, pixels: bool = False, rows: list[str] | None = None) -> Path:
    rng = np.random.default_rng(3)
    lines = ["observer,example,x,y" + (",width,height" if pixels else "")]
    for person in range(people):
        for image, (x, y) in enumerate(centres()):
            for _ in range(3):
                a, b = np.clip(np.array([x, y]) + rng.normal(0, 0.06, 2), 0, 1)
                place = f"{a * 200:.3f},{b * 200:.3f},200,200" if pixels else f"{a:.5f},{b:.5f}"
                lines.append(f"s{person},i{image}.png,{place}")
    path.write_text("\n".join(lines + (rows or [])) + "\n", encoding="utf-8")
    return path


def test_the_map_that_marks_what_people_click_is_told_from_the_one_that_does_not(record: Path, tmp_path: Path) -> None:
    panel = add_maps(record, [clicks(tmp_path / "c.csv", rows=["s0,other.png,0.5,0.5", "s0,i0.png,1.2,0.5"])])
    assert Record(record).panel("gaze") == panel
    assert (panel.layout, panel.count, panel.unmatched, panel.outside, panel.without_maps) == ("clicks", 12, 1, 1, 1)
    assert [method.method for method in panel.methods] == ["gradient", "gradient x input", "Grad-CAM conv"]
    gradient, _, cam = panel.methods
    assert gradient.images == 11
    assert gradient.correlation is not None
    assert gradient.correlation > 0.8
    assert gradient.p_value == pytest.approx(1 / 2001)
    assert gradient.difference_interval is not None
    assert gradient.difference_interval.low > 0
    assert cam.p_value is not None
    assert cam.p_value > 0.01
    assert panel.agreement is not None
    assert panel.agreement > 0.9
    assert panel.answer.startswith("The model looks where people look, beyond what all images share: gradient")
    assert [one.kind for one in panel.findings] == ["gaze"]
    assert panel.images[0].observers == 4
    assert panel.images[0].places == 12
    assert panel.images[-1].correlations == [None, None, None]
    own = [image.correlations[0] for image in panel.images[:-1]]
    assert len(set(own)) == 11
    assert np.mean([one for one in own if one is not None]) == pytest.approx(gradient.correlation)
    # The numbers are those of the maps that are kept.
    maps = Record(record).array("gaze", "maps")
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-5)
    gradient_map = gaze.resized(gaze.density(centres()[:1], 40, 40, 0.1).astype(np.float16).astype(float), 32, 32)
    expected = stats.spearmanr(maps[0].ravel(), gradient_map.ravel()).statistic
    assert panel.images[0].correlations[0] == pytest.approx(expected, abs=0.02)


def test_pixels_and_shares_are_the_same_places(record: Path, tmp_path: Path) -> None:
    shares = read_places([clicks(tmp_path / "a.csv")])
    pixels = read_places([clicks(tmp_path / "b.csv", pixels=True)])
    for name, marks in shares.images.items():
        np.testing.assert_allclose(marks.x, pixels.images[name].x, atol=1e-4)
        assert pixels.images[name].aspect == 1
    panel = add_maps(record, [tmp_path / "a.csv", clicks(tmp_path / "d.csv", people=1)], bandwidth=0.1)
    assert panel.bandwidth == 0.1


def test_bubbles_are_read_and_mark_what_helped(record: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = ["observer,example,x,y,radius,correct"]
    for image, centre in enumerate(centres()):
        for _ in range(300):
            place = rng.random(2)
            right = np.hypot(*(place - centre)) < 0.2 or rng.random() < 0.2
            lines.append(f"s,cat/i{image}.png,{place[0]:.4f},{place[1]:.4f},0.08,{int(right)}")
    (tmp_path / "b.csv").write_text("\n".join(lines))
    panel = add_maps(record, [tmp_path / "b.csv"])
    assert panel.layout == "bubbles"
    assert panel.agreement is None, "one person has no halves"
    assert panel.methods[0].p_value == pytest.approx(1 / 2001)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("observer,example,x\ns,a,1\n", "lacks y"),
        ("observer,example,x,y\n", "no rows"),
        ("observer,example,x,y\ns,a,100,40\n", "pixels, without"),
        ("observer,example,x,y\ns,a,far,0\n", "'far'; expected a number"),
        ("observer,example,x,y,width,height\ns,a,1,1,0,5\n", "must be above 0"),
        ("observer,example,x,y,radius,correct\ns,a,0.1,0.1,0.1,maybe\n", "correct as 1 or 0"),
        ("", "lacks observer"),
    ],
)
def test_tables_that_cannot_be_read_say_what_is_expected(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_places([tmp_path / "t.csv"])


def test_clicks_and_bubbles_together_and_strange_images_and_bandwidths_are_refused(
    record: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.csv").write_text("observer,example,x,y,radius,correct\ns,zebra.png,0.1,0.1,0.1,1\n")
    with pytest.raises(DataError, match="both clicks and bubbles"):
        read_places([tmp_path / "b.csv", clicks(tmp_path / "c.csv")])
    with pytest.raises(OptionError, match=r"zebra\.png"):
        add_maps(record, [tmp_path / "b.csv"])
    with pytest.raises(OptionError, match="--bandwidth"):
        add_maps(record, [tmp_path / "b.csv"], bandwidth=0)
    with pytest.raises(DataError, match="cannot be read"):
        read_places([tmp_path / "missing.csv"])
