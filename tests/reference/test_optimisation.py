"""Made pictures against closed forms: planted detectors, counted forwards, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pellucid.capture import Session
from pellucid.errors import DataError, LayerError, MethodError, OptionError
from pellucid.features import Ascent, maximise
from pellucid.features.ascent import Climb
from pellucid.features.look import Look
from pellucid.features.probing import Lightness
from pellucid.graph import trace

SIDE = 11


def random() -> torch.Generator:
    return torch.Generator().manual_seed(3)


# --- planted detectors --------------------------------------------------------------------------------------------


def grating(degrees: float, cycles: float, colour: tuple[float, ...]) -> Tensor:
    """float[channel SIDE SIDE] of mean 0 and norm 1; lines at this angle, counter-clockwise from the horizontal."""
    rows, columns = torch.meshgrid(*2 * [torch.arange(SIDE) - SIDE // 2], indexing="ij")
    angle = math.radians(degrees)
    across = rows * math.cos(angle) + columns * math.sin(angle)
    wave = torch.sin(2 * math.pi * cycles * across / SIDE)
    kernel = torch.tensor(colour).view(-1, 1, 1) * wave
    return kernel / kernel.norm()


def planted(kernels: list[Tensor]) -> nn.Module:
    net = nn.Sequential(nn.Conv2d(len(kernels[0]), len(kernels), SIDE, bias=False), nn.ReLU())
    assert isinstance(net[0], nn.Conv2d)
    net[0].weight.data = torch.stack(kernels)
    return net.eval()


def response_share(kernel: Tensor, picture: Tensor) -> float:
    """Of the largest that any picture between black and white can draw from a filter of mean 0: half its absolute sum."""
    found = nn.functional.conv2d(picture[None], kernel[None]).max()
    return float(found / (kernel.abs().sum() / 2))


def orientation(picture: Tensor) -> float:
    """Of the lines in a picture, in degrees, by the structure tensor of its spectrum."""
    spectrum = torch.fft.fft2(picture.mean(0) - picture.mean()).abs().square()
    v, u = torch.meshgrid(*(torch.fft.fftfreq(side) for side in picture.shape[1:]), indexing="ij")
    xx, yy, xy = ((spectrum * part).sum() for part in (u * u, v * v, u * v))
    return float((90 - torch.rad2deg(0.5 * torch.atan2(2 * xy, xx - yy))) % 180)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_pictures_of_planted_gratings_reach_the_closed_form_and_are_turned_as_they_are(channels: int) -> None:
    angles = [0.0, 45.0, 150.0]
    kernels = [grating(angle, 2.0, (1.0,) * channels) for angle in angles]
    made = maximise(planted(kernels), "1", range(3), (channels, 20, 20), ascent=Ascent(aim="middle"))
    assert made.pictures.shape[2] == channels
    for angle, kernel, pictures, response in zip(angles, kernels, made.pictures, made.responses, strict=True):
        picture = torch.from_numpy(pictures[0])
        share = response_share(kernel, picture)
        assert share > 0.83  # in the usual number of steps
        assert response[0] == pytest.approx(share * float(kernel.abs().sum()) / 2, rel=1e-3)
        off = abs(orientation(picture) - angle) % 180
        assert min(off, 180 - off) < 15


def test_pictures_of_planted_colours_have_that_hue_and_reach_the_closed_form() -> None:
    colours = [(1.0, -0.5, -0.5), (-0.5, 1.0, -0.5), (0.5, 0.5, -1.0)]
    kernels = [torch.tensor(colour).view(3, 1, 1).expand(3, SIDE, SIDE) / SIDE for colour in colours]
    made = maximise(planted(kernels), "1", range(3), (3, 32, 32))
    for colour, kernel, pictures in zip(colours, kernels, made.pictures, strict=True):
        picture = torch.from_numpy(pictures[0])
        assert response_share(kernel, picture) > 0.95  # in the usual number of steps
        mean = picture.mean((1, 2)) - picture.mean()
        assert torch.cosine_similarity(mean, torch.tensor(colour), dim=0) > 0.95


@pytest.mark.parametrize(
    ("size", "method"), [((8, 8), "fourier"), ((28, 28), "maco"), ((9, 14), "maco"), ((15, 8), "fourier")]
)
def test_small_and_odd_pictures_reach_more_than_any_of_many_random_ones(size: tuple[int, int], method: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.Tanh()).eval()
    examples = torch.rand(200, 2, *size, generator=random())
    made = maximise(net, "3", range(5), examples, ascent=Ascent(method, aim="middle"))  # type: ignore[arg-type]
    assert made.pictures.shape == (5, 1, 2, *size)
    assert (made.pictures > 0).all()
    assert (made.pictures < 1).all()
    with torch.no_grad():
        randomly = net(examples).flatten(2).amax(2).median(0).values.numpy()
    assert (made.responses[:, 0] > randomly).all()


class Rare(nn.Module):
    """Answers to one pure colour and to one grating alone, high above what noise draws; and to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.stack([grating(0.0, 2.0, (1.0,) * 3), grating(90.0, 2.0, (1.0,) * 3)]))
        self.act = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        red = images[:, :1].amin((2, 3)) - images[:, 1:].amax((1, 2, 3), keepdim=False)[:, None] - 0.6
        waves = nn.functional.conv2d(images, self.bank).amax((2, 3)) - 0.4 * self.bank.abs().sum((1, 2, 3)) / 2
        return self.act(torch.cat([red, waves, torch.full_like(red, -1.0)], 1))


@pytest.mark.parametrize("method", ["fourier", "maco"])
def test_units_that_no_noise_excites_begin_from_examples_or_drawings(method: str) -> None:
    made = maximise(Rare(), "act", range(4), (3, 24, 24), method=method, steps=32, variants=2)  # type: ignore[arg-type]
    assert (made.responses[3] == 0).all()  # nothing excites it, and what comes says so
    if method == "fourier":
        assert (made.responses[:3].max(1) > 0).all()
        assert made.pictures[0, 0, 0].mean() > 0.7 > 0.3 > made.pictures[0, 0, 1:].mean()
    example = torch.zeros(2, 3, 24, 24)
    example[1, 0] = 1.0
    known = maximise(Rare(), "act", 0, example, method=method, steps=2, mean=(0.0,) * 3, std=(1.0,) * 3)  # type: ignore[arg-type]
    assert known.look == 2
    if method == "fourier":
        assert known.responses.max() > 0


def test_the_pictures_of_one_batch_begin_unlike() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 6, 3)).eval()
    for method in ("fourier", "maco"):
        begun = maximise(net, "2", range(3), (3, 20, 20), method=method, variants=3, steps=1)  # type: ignore[arg-type]
        for variants in begun.pictures.reshape(3, 3, -1):
            apart = np.corrcoef(variants)[np.triu_indices(3, 1)]
            assert (np.abs(apart) < 0.9).all(), (method, apart)


def test_what_is_kept_of_each_pixel_is_the_gradient_summed_along_the_way() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU()).eval()
    graph, look = trace(net, torch.zeros(1, 3, 20, 20)), Look.usual(3, (20, 20))
    ascent = Ascent(steps=5, variants=2)
    total = torch.zeros(4, 20, 20)

    with Session(net, graph.layers) as session:
        climb = Climb(session, graph.layer("1"), (20, 20), Lightness((0.0,) * 3, (1.0,) * 3), look, ascent)
        pictures_of = climb._form.pictures

        def add(gradient: Tensor) -> None:
            total.add_(gradient.abs().sum(1))

        def watched(free: Tensor) -> Tensor:
            pictures = pictures_of(free)
            if pictures.requires_grad:
                pictures.register_hook(add)
            return pictures

        climb._form.pictures = watched  # type: ignore[method-assign]
        made = climb.run([2, 0], lambda step, so_far: True)
    total = total.view(2, 2, 20, 20)
    expected = total / total.amax((2, 3), keepdim=True)
    torch.testing.assert_close(made.weight, expected, rtol=1e-4, atol=1e-5)
    assert made.weight.amax((2, 3)).eq(1).all()


def test_pixels_that_a_unit_does_not_see_have_no_weight() -> None:
    made = maximise(
        planted([grating(45.0, 2.0, (1.0,) * 3)]), "1", 0, (3, 40, 40), ascent=Ascent("maco", aim="middle", steps=48)
    )
    side = made.weight.shape[2]
    weight = made.weight[0, 0]
    corners = np.concatenate([weight[:6, :6].ravel(), weight[-6:, -6:].ravel()])
    middle = weight[side // 2 - 5 : side // 2 + 5, side // 2 - 5 : side // 2 + 5]
    assert middle.mean() > 5 * corners.mean()
    assert 0 <= weight.min() <= weight.max() == 1


def test_more_steps_reach_more() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 6, 5)).eval()
    reached = [maximise(net, "2", range(6), (3, 24, 24), steps=steps).responses.mean() for steps in (1, 8, 64)]
    assert reached == sorted(reached)
    assert reached[-1] > 3 * reached[0]


# --- what is spent, and what is left alone ------------------------------------------------------------------------


class Counted(nn.Module):
    """Counts the calls of its second half, and writes into what its first half made."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.three = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 3)
        self.drop, self.reached = nn.Dropout(), 0

    def forward(self, images: Tensor) -> Tensor:
        made = self.two(self.one(images))
        self.reached += 1
        return self.drop(self.three(made)).mean((2, 3))


def test_only_the_network_up_to_the_layer_runs_and_the_model_is_left_as_it_was() -> None:
    model = Counted().train()
    graph = trace(model, torch.zeros(1, 3, 12, 12))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.random.get_rng_state()
    model.reached = 0
    made = maximise(model, "two", [0, 1, 2, 3], (3, 12, 12), steps=10, variants=2, graph=graph)
    assert model.reached == 0
    # At least one forward for the starts, one a step, one for the responses to the pictures as they are.
    assert 12 <= made.passes.forward <= 16
    assert made.passes.backward == 10
    assert made.passes.backward_examples == 10 * 8
    assert made.steps == 10
    assert torch.equal(torch.random.get_rng_state(), states)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert model.two.inplace
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("method", ["fourier", "maco"])
def test_neither_chunks_nor_what_is_made_beside_it_change_a_picture(method: str) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 6, 5), nn.Tanh(), nn.Conv2d(6, 8, 3), nn.Tanh()).double().eval()
    examples = torch.rand(8, 3, 16, 16, dtype=torch.float64, generator=random())
    ascent = Ascent(method, steps=12, variants=2, seed=5)  # type: ignore[arg-type]
    together = maximise(net, "3", [6, 1, 3], examples, ascent=ascent)
    alone = maximise(net, "3", 1, examples, ascent=ascent)
    np.testing.assert_allclose(together.pictures[1], alone.pictures[0], atol=1e-4)
    again = maximise(net, "3", [6, 1, 3], examples, ascent=ascent)
    np.testing.assert_array_equal(again.pictures, together.pictures)
    other = maximise(net, "3", 1, examples, ascent=Ascent(method, steps=12, variants=2, seed=6))  # type: ignore[arg-type]
    assert np.abs(other.pictures - alone.pictures).max() > 0.05


def test_variants_that_are_pushed_apart_lie_farther_from_each_other() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.Conv2d(16, 8, 5), nn.ReLU(), nn.Conv2d(8, 4, 3)).eval()

    def apart(unlike: float) -> float:
        made = maximise(net, "4", range(4), (3, 24, 24), ascent=Ascent(variants=3, unlike=unlike, steps=64))
        with torch.no_grad():
            seen = net(torch.from_numpy(made.pictures).flatten(0, 1)).flatten(2)
        gram = nn.functional.normalize((seen @ seen.transpose(1, 2)).flatten(1), dim=1).reshape(4, 3, -1)
        return float((1 - (gram @ gram.transpose(1, 2)).sum((1, 2)).sub(3).div(6)).mean())

    assert apart(3.0) > 1.2 * apart(0.0)


def test_memory_that_does_not_suffice_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    net = planted([grating(angle, 2.0, (1.0,)) for angle in (0.0, 30.0, 60.0, 90.0, 120.0)])
    whole = maximise(net, "1", range(5), (1, 24, 24), steps=4)
    maps = Climb.maps

    def small(self: Climb, pictures: Tensor, *, gradients: bool) -> Tensor:
        if gradients and len(pictures) > 2:
            raise MemoryError
        return maps(self, pictures, gradients=gradients)

    monkeypatch.setattr(Climb, "maps", small)
    made = maximise(net, "1", range(5), (1, 24, 24), steps=4)
    np.testing.assert_allclose(made.pictures, whole.pictures, atol=1e-4)
    assert made.notes == ("Memory did not suffice for 5 channels at a time: 2 were used.",)


def test_it_tells_how_far_it_is_and_ends_where_it_is_told_to() -> None:
    net = planted([grating(0.0, 2.0, (1.0,)), grating(90.0, 2.0, (1.0,))])
    heard: list[tuple[int, int]] = []
    shown: list[np.ndarray] = []

    def watch(rising: object) -> bool:
        heard.append((rising.done, rising.total))  # type: ignore[attr-defined]
        shown.append(rising.so_far().pictures)  # type: ignore[attr-defined]
        return len(heard) < 5

    made = maximise(net, "1", [1, 0], (1, 24, 24), steps=20, watch=watch)
    assert heard == [(2, 40), (4, 40), (6, 40), (8, 40), (10, 40)]
    assert made.steps == 5
    np.testing.assert_array_equal(shown[-1], made.pictures)
    assert np.abs(shown[0] - shown[-1]).max() > 0.01


def test_a_part_of_the_input_is_made_where_units_look_at_less_and_the_range_is_the_datas() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)).eval()
    made = maximise(net, "2", [0], (3, 96, 96), steps=2, mean=(0.5,) * 3, std=(0.25,) * 3)
    assert made.size == (96, 96)
    assert 32 <= made.pictures.shape[3] < 48
    lightness = Lightness((-2.0,) * 3, (2.0,) * 3)
    graph = trace(net, torch.zeros(1, 3, 96, 96))
    with Session(net, graph.layers) as session:
        look = Look.usual(3, made.pictures.shape[3:])  # type: ignore[arg-type]
        climb = Climb(session, graph.layer("2"), look.size, lightness, look, Ascent())
        picture = torch.from_numpy(made.pictures[0])
        assert float(climb.strongest(picture)[0, 0]) == pytest.approx(float(made.responses[0, 0]), rel=1e-4)
        with torch.no_grad():
            expected = net(picture * 4 - 2)[0, 0].max()
    assert float(made.responses[0, 0]) == pytest.approx(float(expected), rel=1e-4)


# --- refusals -----------------------------------------------------------------------------------------------------


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return self.two(self.one(images).detach().round())


def test_what_cannot_be_right_is_refused_by_name() -> None:
    net = planted([grating(0.0, 2.0, (1.0,) * 3)])
    size = (3, 20, 20)
    with pytest.raises(DataError, match=r"models of images.*got a tensor of float32 and shape \(4, 7\)"):
        maximise(net, "1", 0, torch.zeros(4, 7))
    with pytest.raises(DataError, match=r"got the size \(3, 1, 9\)"):
        maximise(net, "1", 0, (3, 1, 9))
    with pytest.raises(LayerError, match="no layer '2'"):
        maximise(net, "2", 0, size)
    with pytest.raises(OptionError, match="has 1 channels, 0 to 0; there is no 1"):
        maximise(net, "1", 1, size)
    with pytest.raises(OptionError, match="variants must be 1 to 16; got 0"):
        maximise(net, "1", 0, size, variants=0)
    with pytest.raises(OptionError, match="method must be fourier or maco; got 'makko'"):
        maximise(net, "1", 0, size, method="makko")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="give those in it, not beside it"):
        maximise(net, "1", 0, size, variants=2, ascent=Ascent(variants=3))
    with pytest.raises(OptionError, match="std must be 3 numbers, one a channel, above 0"):
        maximise(net, "1", 0, size, std=(1.0, 0.0, 1.0))
    with pytest.raises(MethodError, match="'two' has no gradient by the inputs"):
        maximise(Detached().eval(), "two", 0, size)
