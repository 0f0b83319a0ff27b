"""Each distortion against its definition, and against scipy, scikit-image-like formulas and Pillow where they have it."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from pellucid.distort import DISTORTIONS, Settings, eidolon, frequency, geometry, intensity, read_series
from pellucid.distort.series import seed_of
from pellucid.errors import OptionError

RNG = np.random.default_rng(3)
PHOTO = np.clip(ndimage.gaussian_filter(RNG.uniform(-1, 2, (48, 40, 3)), (2, 2, 0)) * 1.5, 0, 1)


def generator() -> np.random.Generator:
    return np.random.default_rng(11)


@settings(max_examples=20, deadline=None)
@given(level=st.floats(0, 1))
def test_contrast_keeps_the_mean_and_scales_the_root_mean_square_and_composes(level: float) -> None:
    found = intensity.contrast(PHOTO, level)
    np.testing.assert_allclose(found.mean((0, 1)), PHOTO.mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(found.std((0, 1)), level * PHOTO.std((0, 1)), atol=1e-12)
    np.testing.assert_allclose(intensity.contrast(found, 0.5), intensity.contrast(PHOTO, level * 0.5), atol=1e-12)
    assert found.min() >= 0
    assert found.max() <= 1


def test_colour_keeps_luma_and_ends_in_grey() -> None:
    for level in (0.0, 0.3, 1.0):
        found = intensity.colour(PHOTO, level)
        np.testing.assert_allclose(found @ intensity.LUMA, PHOTO @ intensity.LUMA, atol=1e-12)
    grey = intensity.colour(PHOTO, 0.0)
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1e-12)
    np.testing.assert_allclose(grey[..., 1], 0.2126 * PHOTO[..., 0] + 0.7152 * PHOTO[..., 1] + 0.0722 * PHOTO[..., 2])
    np.testing.assert_allclose(intensity.colour(PHOTO, 1.0), PHOTO, atol=1e-12)
    assert intensity.colour(PHOTO[..., :1], 0.0).shape == (48, 40, 1)


def test_noise_is_uniform_the_same_in_all_channels_and_one_pattern_for_all_levels() -> None:
    from scipy import stats

    flat = np.full((200, 150, 3), 0.5)
    added = intensity.noise(flat, 0.2, generator()) - 0.5
    assert np.ptp(added, axis=2).max() < 1e-12
    assert np.abs(added).max() <= 0.2
    assert stats.kstest(added[..., 0].ravel(), stats.uniform(-0.2, 0.4).cdf).pvalue > 0.01
    assert added.var() == pytest.approx(0.2**2 / 3, rel=0.02)
    np.testing.assert_allclose(intensity.noise(flat, 0.1, generator()) - 0.5, added / 2, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 5.0])
def test_lowpass_scales_each_frequency_by_a_gaussian_and_is_scipys_filter(sigma: float) -> None:
    # A cosine that the mirrored edge continues is only scaled, by exp(-2 (pi sigma f)^2).
    rows = np.cos(math.pi * 6 * (np.arange(48) + 0.5) / 48)
    wave = np.broadcast_to(rows[:, None, None], (48, 40, 1)).copy()
    gain = math.exp(-2 * (math.pi * sigma * 6 / 96) ** 2)
    np.testing.assert_allclose(frequency.lowpass(wave, sigma), gain * wave, atol=1e-12)
    # In space it is the convolution with a Gaussian; scipy samples it, which differs where it is narrow.
    smooth = ndimage.gaussian_filter(PHOTO, (sigma, sigma, 0), mode="reflect", truncate=8)
    np.testing.assert_allclose(frequency.lowpass(PHOTO, sigma), smooth, atol=2e-3 if sigma < 1 else 1e-6)


@settings(max_examples=20, deadline=None)
@given(first=st.floats(0, 6), second=st.floats(0, 6))
def test_lowpass_keeps_the_mean_and_variances_add_and_highpass_is_the_rest(first: float, second: float) -> None:
    found = frequency.lowpass(PHOTO, first)
    np.testing.assert_allclose(found.mean((0, 1)), PHOTO.mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(
        frequency.lowpass(found, second), frequency.lowpass(PHOTO, math.hypot(first, second)), atol=1e-10
    )
    rest = frequency.highpass(PHOTO, first)
    np.testing.assert_allclose(rest + found, PHOTO + PHOTO.mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(rest.mean((0, 1)), PHOTO.mean((0, 1)), atol=1e-12)


@pytest.mark.parametrize("radius", [0.4, 0.5, 1.0, 2.5, 7.3])
def test_blur_spreads_a_point_evenly_over_a_disc(radius: float) -> None:
    weights = frequency.disc_weights(radius)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights, weights[::-1].T)
    if radius > 1:
        # In the middle each pixel has the share that one pixel has of the disc's area.
        middle = len(weights) // 2
        assert weights[middle, middle] == pytest.approx(1 / (math.pi * radius**2), rel=0.02)
        places = np.arange(len(weights)) - middle
        second = (weights * (places[:, None] ** 2 + places[None, :] ** 2)).sum()
        # The second moment of a disc is radius^2 / 2; pixels add 1/6 of their own.
        assert second == pytest.approx(radius**2 / 2 + 1 / 6, rel=0.05)
    point = np.zeros((31, 31, 1))
    point[15, 15] = 1
    half = len(weights) // 2
    np.testing.assert_allclose(
        frequency.blur(point, radius)[15 - half : 16 + half, 15 - half : 16 + half, 0], weights, atol=1e-12
    )
    assert frequency.blur(PHOTO, radius).mean() == pytest.approx(PHOTO.mean(), abs=0.01)


def test_an_eidolon_of_no_reach_is_the_image_and_a_coherent_one_is_the_image_through_one_field() -> None:
    np.testing.assert_allclose(sum(eidolon.scales(PHOTO)), PHOTO, atol=1e-12)
    np.testing.assert_array_equal(eidolon.eidolon(PHOTO, 0, generator()), PHOTO)
    coherent = eidolon.eidolon(PHOTO, 3, generator(), coherence=1, grain=4)
    one = 3 * eidolon.field(48, 40, 4, generator())
    places = np.indices((48, 40)) + one
    warped = np.stack(
        [ndimage.map_coordinates(PHOTO[..., c], places, order=1, mode="reflect") for c in range(3)], axis=-1
    )
    np.testing.assert_allclose(coherent, warped, atol=1e-10)
    parted = eidolon.eidolon(PHOTO, 3, generator(), coherence=0, grain=4)
    assert np.abs(parted - warped).max() > 0.05


def test_fields_of_displacement_have_the_reach_the_grain_and_the_coherence_that_are_asked_for() -> None:
    drawn = eidolon.field(256, 256, 6, generator())
    np.testing.assert_allclose(np.sqrt((drawn**2).mean((1, 2))), 1)
    # White noise blurred by a Gaussian of sigma is correlated as exp(-d^2 / (4 sigma^2)).
    for distance in (3, 6, 12):
        correlation = (drawn[:, :, distance:] * drawn[:, :, :-distance]).mean()
        assert correlation == pytest.approx(math.exp(-(distance**2) / (4 * 36)), abs=0.06)
    shared, first, second = (eidolon.field(256, 256, 3, np.random.default_rng(seed)) for seed in (1, 2, 3))
    for coherence in (0.0, 0.3, 1.0):
        a, b = (eidolon.mixed(shared, own, coherence) for own in (first, second))
        assert (a**2).mean() == pytest.approx(1, abs=0.06)
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] == pytest.approx(coherence, abs=0.06)


def test_rotation_is_exact_for_quarter_turns_and_turns_counter_clockwise() -> None:
    square = PHOTO[:40, :40]
    for quarter in range(-3, 5):
        np.testing.assert_array_equal(geometry.rotation(square, 90.0 * quarter), np.rot90(square, quarter))
    # The same by its formula, a little before and behind a quarter turn.
    for angle in (89.9999, 90.0001):
        np.testing.assert_allclose(
            geometry.rotation(square, angle)[1:-1, 1:-1], np.rot90(square)[1:-1, 1:-1], atol=1e-3
        )
    peer = np.stack(
        [ndimage.rotate(square[..., c], 30, reshape=False, order=1, cval=square[..., c].mean()) for c in range(3)], -1
    )
    np.testing.assert_allclose(geometry.rotation(square, 30), peer, atol=1e-9)
    shown = geometry.rotation(square, 30, aperture=True)
    np.testing.assert_allclose(shown[0, 0], square.mean((0, 1)))
    assert geometry.disc(40, 40).mean() == pytest.approx(math.pi / 4, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(level=st.floats(0, 1), more=st.floats(0, 1), patch=st.integers(1, 20))
def test_occlusion_covers_the_share_that_is_asked_for_and_more_covers_the_same_too(
    level: float, more: float, patch: int
) -> None:
    low, high = sorted((level, more))
    less = geometry.covered(48, 40, low, generator(), patch)
    hidden = geometry.covered(48, 40, high, generator(), patch)
    assert abs(hidden.mean() - high) <= patch * patch / 2 / (48 * 40) + 1e-12
    assert (hidden | ~less).all()
    found = geometry.occlusion(PHOTO, high, generator(), patch=patch)
    np.testing.assert_array_equal(found[~hidden], PHOTO[~hidden])
    if hidden.any():
        np.testing.assert_allclose(found[hidden].std(0), 0, atol=1e-12)


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_jpeg_has_the_tables_of_its_quality(quality: int) -> None:
    found = geometry.jpeg(PHOTO, quality)
    sink = io.BytesIO()
    Pillow.fromarray(geometry.to_bytes(PHOTO)).save(sink, "JPEG", quality=quality, subsampling="4:2:0")
    with Pillow.open(io.BytesIO(sink.getvalue())) as opened:
        np.testing.assert_array_equal(geometry.to_bytes(found), np.asarray(opened))
        # The first entry of the standard's luminance table is 16; libjpeg scales it so.
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        assert opened.quantization[0][0] == max(1, (16 * scale + 50) // 100)


@pytest.mark.parametrize("name", list(DISTORTIONS))
def test_every_distortion_keeps_the_shape_and_is_the_image_at_the_level_that_says_so(name: str) -> None:
    kind = DISTORTIONS[name]
    for image in (PHOTO, PHOTO[..., :1]):
        level = 5.0 if kind.high > 1 else 0.5
        found = kind.apply(image, level, generator(), Settings())
        assert found.shape == image.shape
        assert np.isfinite(found).all()
        assert np.abs(found - image).max() > 0.01 or (name == "colour" and image.shape[2] == 1)
        if kind.itself is not None:
            same: NDArray[np.float64] = kind.apply(image, kind.itself, generator(), Settings())
            np.testing.assert_allclose(same, image, atol=1e-12)
    for wrong in (kind.low - 1, math.nan, kind.high + 1 if kind.high < math.inf else math.inf):
        with pytest.raises(OptionError, match=f"A level of {name} is"):
            kind.check(name, wrong)


def test_a_series_is_read_as_written_and_refused_with_the_reason() -> None:
    series = read_series(["contrast=1,0.50,0.1", "jpeg=5"], ["colour=0", "contrast=0.3"])
    assert [step.condition for step in series.steps] == ["contrast=1", "contrast=0.5", "contrast=0.1", "jpeg=5"]
    assert [step.condition for step in series.before] == ["colour=0", "contrast=0.3"]
    grey = series.of(PHOTO, series.steps[0], 0, "a")
    np.testing.assert_allclose(grey, intensity.contrast(intensity.colour(PHOTO, 0), 0.3))
    for texts, before, said in (
        (["contrst=1"], [], "Did you mean 'contrast'"),
        (["contrast=0.5,.50"], [], "contrast=0.5 twice"),
        (["contrast=half"], [], "got 'half'"),
        (["contrast"], [], "its levels"),
        (["contrast=2"], [], "from 0 to 1; got 2"),
        (["jpeg=2.5"], [], "whole numbers from 1 to 95"),
        ([], [], "Which series"),
        (["contrast=1"], ["colour=0,1"], "one level"),
    ):
        with pytest.raises(OptionError, match=said):
            read_series(texts, before)
    with pytest.raises(OptionError, match="--coherence"):
        Settings(coherence=1.5)


def test_rotated_images_show_a_disc_where_one_angle_is_no_quarter_turn() -> None:
    turned = read_series(["rotation=0,90,45"])
    upright = turned.of(PHOTO, turned.steps[0], 0, "a")
    np.testing.assert_allclose(upright[0, 0], PHOTO.mean((0, 1)))
    quarters = read_series(["rotation=0,180"])
    np.testing.assert_array_equal(quarters.of(PHOTO, quarters.steps[0], 0, "a"), PHOTO)


def test_patterns_are_shared_by_the_levels_of_an_image_alone() -> None:
    series = read_series(["noise=0.1,0.2", "occlusion=0.5"])
    low, high, _ = series.steps
    first = series.of(PHOTO, low, 4, "a") - PHOTO
    np.testing.assert_allclose(series.of(PHOTO, high, 4, "a") - PHOTO, 2 * first, atol=1e-12)
    assert np.abs(series.of(PHOTO, low, 4, "b") - PHOTO - first).max() > 0.05
    assert np.abs(series.of(PHOTO, low, 5, "a") - PHOTO - first).max() > 0.05
    assert len({seed_of(4, name, kind) for name in "ab" for kind in ("noise", "occlusion")}) == 4
