"""A landscape added to a record: what is kept, what goes on, what is refused, and that nothing is harmed."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.data import from_python
from pellucid.errors import DataError, MethodError, ModelError, OptionError, RecordError, WeightsError
from pellucid.inspection.labelled import LabelledExamples
from pellucid.inspection.landscape import Around, add_landscape
from pellucid.landscape import objective_of
from pellucid.record import Record, schema
from support.landscapes import IMAGES, SMALL, data, net, panel_of
from support.untouched import Untouched


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("landscape") / "net.pellucid"
    pellucid.inspect(net(), data(), out=out, chosen=0, classes=("a", "b"))
    return out


@pytest.fixture
def path(inspected: Path, tmp_path: Path) -> Path:
    return shutil.copytree(inspected, tmp_path / "net.pellucid")


def test_the_middle_of_the_plane_and_the_start_of_the_line_are_the_loss_at_the_weights(path: Path) -> None:
    around = replace(SMALL, limit=100, end=net(1).state_dict(), end_source="other.pt", matrices=("hessian", "ggn"))
    record = add_landscape(path, net(), data(), around)
    panel = panel_of(record)
    assert panel.count == 22
    assert panel.notes == ["1 of 23 examples have no label, and are left out."]
    loss = record.panel("loss")
    assert isinstance(loss, schema.LossPanel)
    assert panel.centre == pytest.approx(loss.mean, rel=1e-6), "that of the Loss page, where all examples are taken"
    assert panel.plane is not None
    assert panel.line is not None
    middle = panel.plane.rows[1]
    assert middle is not None
    assert middle.losses[1] == pytest.approx(panel.centre)
    assert middle.correct[1] == panel.centre_correct
    assert (panel.plane.moved, panel.plane.fixed, panel.plane.frozen) == (27 + 24, 3 + 6 + 2, 0)
    assert panel.plane.norms == pytest.approx([panel.plane.weight_norm] * 2)
    assert panel.line.steps == [0.0, 0.5, 1.0]
    assert panel.line.points.losses[0] == pytest.approx(panel.centre)
    images = torch.stack([image for at, image in enumerate(IMAGES) if at != 5])
    labels = torch.tensor([at % 2 for at in range(23) if at != 5])
    ends = nn.functional.cross_entropy(net(1)(images), labels).detach()
    assert panel.line.points.losses[-1] == pytest.approx(float(ends), rel=1e-5)
    assert [one.matrix for one in panel.sharpness] == ["hessian", "ggn"]
    whole, ggn = panel.sharpness
    assert (whole.parameters, whole.count, whole.way, whole.whole) == (62, 22, "forward over reverse", True)
    assert [one.end for one in whole.eigenvalues] == ["largest"] * 8 + ["smallest"] * 3
    assert min(one.value for one in ggn.eigenvalues) > -1e-4
    stage = record.manifest.stages[-1]
    assert (stage.name, stage.state) == ("landscape", "complete")
    batches, points = 3, 1 + 9 + 3
    assert (whole.products, ggn.products) == (62, 62)
    assert stage.forward == batches * (points + whole.products + ggn.products)
    assert stage.backward == 2 * batches * (whole.products + ggn.products)
    assert record.verify() == []


def test_what_was_found_stays_and_an_interrupted_plane_goes_on(path: Path) -> None:
    heard: list[tuple[int, int | None]] = []

    def stop(what: str, done: int, total: int | None) -> None:
        heard.append((done, total))
        if done == 3 * 5 * 2 + 1:  # of three batches, five points a row, in the third row
            raise KeyboardInterrupt

    around = replace(SMALL, resolution=5)
    with pytest.raises(KeyboardInterrupt):
        add_landscape(path, net(), data(), around, progress=stop)
    cut = Record(path)
    plane = panel_of(cut).plane
    assert plane is not None
    assert [row is not None for row in plane.rows] == [False, True, True, False, False], "from the middle outwards"
    assert cut.manifest.stages[-1].state == "interrupted"
    heard.clear()
    done = panel_of(add_landscape(path, net(), data(), around, progress=lambda *told: heard.append(told[1:])))
    assert heard[-1] == (3 * 5 * 3, 3 * 5 * 3), "three rows were left"
    assert done.plane is not None
    assert done.plane.rows[1:3] == plane.rows[1:3]
    fresh = path.parent / "fresh.pellucid"
    shutil.copytree(path, fresh)
    whole = panel_of(add_landscape(fresh, net(), data(), replace(around, seed=1, span=2.0)))
    assert whole.plane != done.plane
    again = panel_of(add_landscape(fresh, net(), data(), around))
    assert again.plane == done.plane, "the same from the same seed"
    line = panel_of(add_landscape(fresh, net(), data(), replace(around, resolution=0, end=net(1).state_dict())))
    assert line.plane == done.plane
    assert line.line is not None
    assert len(line.line.steps) == 21
    other = panel_of(add_landscape(fresh, net(), data(), replace(around, resolution=3, batch_norm="recalculate")))
    assert (other.plane != done.plane, other.line, other.batch_norm) == (True, None, "recalculate")


@pytest.mark.parametrize("mode", ["eval", "train", "recalculate"])
def test_the_model_is_left_as_it_was(path: Path, mode: str) -> None:
    model = net().train()
    model[0].bias.requires_grad_(False)  # type: ignore[union-attr, operator]
    model(IMAGES[:4]).sum().backward()
    model.load_state_dict(net().state_dict())
    around = replace(SMALL, batch_norm=mode, matrices=("hessian",), end=net(1).state_dict())  # type: ignore[arg-type]
    before = Untouched(model, versions=True)
    panel = panel_of(add_landscape(path, model, data(), around))
    assert before.differences() == []
    assert panel.batch_norm == mode
    assert panel.plane is not None
    assert panel.plane.frozen == 3
    for name in ("plane", "line", "curvature"):

        def stop(what: str, done: int, total: int | None, name: str = name) -> None:
            if what == name and done > 1:
                raise KeyError(name)

        with pytest.raises(KeyError):
            add_landscape(path, model, data(), replace(around, seed=3), progress=stop)
        assert before.differences() == [], name
        assert Record(path).manifest.stages[-1].state == "failed"


class _Reading(nn.Module):
    """An LSTM, weight normalisation of the older kind, and buffers that no checkpoint holds."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.read = nn.LSTM(4, 6, batch_first=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.head = torch.nn.utils.weight_norm(nn.Linear(6, 2))
        self.register_buffer("place", torch.arange(4), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.head(self.read(images[:, 0] + self.place)[0][:, -1])
        return found


def test_what_is_held_twice_and_what_no_checkpoint_holds_is_left_as_it_was(tmp_path: Path) -> None:
    model = _Reading().eval()
    pellucid.inspect(model, data(), out=tmp_path / "reading", chosen=0, classes=("a", "b"))
    around = replace(SMALL, end=_Reading(1).state_dict(), matrices=("hessian",))
    before, flat, scaled = Untouched(model, versions=True), model.read._flat_weights, model.head.weight.detach()
    panel = panel_of(add_landscape(tmp_path / "reading", model, data(), around))
    assert before.differences() == []
    assert torch.equal(model.head.weight, scaled)
    assert model.read._flat_weights is flat
    assert [id(one) for one in flat] == [id(one) for one in model.read.parameters()]
    assert panel.line is not None
    other = _Reading(1).eval()
    chosen = LabelledExamples(model, data(), objective_of("cross-entropy", "classification"), SMALL, "cpu")
    expected = sum(
        float(nn.functional.cross_entropy(other(one.inputs), one.targets, reduction="sum").detach())
        for one in chosen  # type: ignore[arg-type]
    )
    assert panel.line.points.losses[-1] == pytest.approx(expected / len(chosen), rel=1e-5)


def test_weights_that_are_not_finite_have_no_plane_and_no_line(path: Path, tmp_path: Path) -> None:
    end = net(1).state_dict()
    for name, value, words in (
        ("5.weight", float("nan"), r"other\.pt are not finite: 5\.weight"),
        ("9.weight", 0.0, r"9\.weight is not in the model \(0 missing, 0 of another shape, 1 not in the model\)"),
    ):
        ends = {**end, name: torch.full_like(end["5.weight"], value)}
        with pytest.raises(WeightsError, match=words):
            add_landscape(path, net(), data(), replace(SMALL, end=ends, end_source="other.pt"))
    broken = net()
    with torch.no_grad():
        broken[5].weight[0, 0] = float("nan")  # type: ignore[index, operator]
    pellucid.inspect(broken, data(), out=tmp_path / "broken", chosen=0, classes=("a", "b"))
    with pytest.raises(MethodError, match=r"not finite: 5\.weight"):
        add_landscape(tmp_path / "broken", broken, data(), SMALL)


def test_a_barrier_beside_batch_normalisation_is_not_said_to_be_of_the_weights_alone(path: Path) -> None:
    from pellucid.inspection.landscape import findings_of

    panel = panel_of(add_landscape(path, net(), data(), replace(SMALL, end=net(1).state_dict(), end_source="b.pt")))
    assert panel.line is not None
    line = msgspec.structs.replace(panel.line, barrier=1.0, barrier_interval=schema.Interval(0.5, 1.5))
    (told,) = findings_of(msgspec.structs.replace(panel, line=line))
    assert "or the statistics of batch normalisation do not fit" in told.sentence
    (told,) = findings_of(msgspec.structs.replace(panel, line=line, batch_norm="recalculate"))
    assert told.sentence.endswith("they do not lie in one valley.")


class _Broken(nn.Module):
    """Runs while its weights are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = net()
        self.own = self.inner[5].weight.detach().clone()  # type: ignore[union-attr, operator]

    def forward(self, images: Tensor) -> Tensor:
        if not torch.equal(self.inner[5].weight, self.own):  # type: ignore[union-attr, arg-type]
            raise ValueError("not these weights")
        found: Tensor = self.inner(images)
        return found


def test_a_model_that_raises_is_left_as_it_was(tmp_path: Path) -> None:
    model = _Broken().eval()
    pellucid.inspect(model, data(), out=tmp_path / "broken", chosen=0, classes=("a", "b"))
    before = Untouched(model, versions=True)
    with pytest.raises(pellucid.errors.ForwardError, match="ValueError when its weights were moved: not these weights"):
        add_landscape(tmp_path / "broken", model, data(), SMALL)
    assert before.differences() == []


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, given: Tensor) -> Tensor:
        return given.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[misc, untyped-decorator]
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.clone()


class _Ending(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        found: Tensor = _Once.apply(given)  # type: ignore[no-untyped-call]
        return found


def test_what_cannot_be_right_is_refused_by_name(path: Path, tmp_path: Path) -> None:
    for around, words in (
        (lambda: replace(SMALL, resolution=4), "odd"),
        (lambda: replace(SMALL, span=0.0), "above 0"),
        (lambda: Around(resolution=0), "Nothing is asked for"),
        (lambda: replace(SMALL, limit=1), "at least 2"),
        (lambda: replace(SMALL, seed=-1), "seed must be at least 0; got -1"),
    ):
        with pytest.raises(OptionError, match=words):
            around()
    with pytest.raises(ModelError, match="not the inspected one"):
        add_landscape(path, net(3), data(), SMALL)
    with pytest.raises(WeightsError, match=r"0\.weight is missing \(8 missing, 0 of another shape, 1 not"):
        add_landscape(path, net(), data(), replace(SMALL, end={"a": torch.zeros(1)}, end_source="other.pt"))
    with pytest.raises(OptionError, match="classification"):
        add_landscape(path, net(), data(), replace(SMALL, loss="squared-error"))
    with pytest.raises(MethodError, match="straight pieces"):
        add_landscape(path, net(), data(), replace(SMALL, resolution=0, loss="hinge", matrices=("hessian",)))
    with pytest.raises(MethodError, match="loss of your own"):
        add_landscape(
            path,
            net(),
            data(),
            replace(SMALL, resolution=0, loss=lambda outputs, targets: outputs[:, 0], matrices=("hessian",)),
        )
    frozen = net().requires_grad_(False)
    with pytest.raises(MethodError, match="No weights can be moved"):
        add_landscape(path, frozen, data(), SMALL)
    with pytest.raises(MethodError, match="none of this model's is trainable"):
        add_landscape(path, frozen, data(), replace(SMALL, resolution=0, matrices=("hessian",)))
    once = nn.Sequential(net(), _Ending()).eval()
    pellucid.inspect(once, data(), out=tmp_path / "once", chosen=0, classes=("a", "b"))
    with pytest.raises(MethodError, match=r"differentiable twice, and one is not: .*once_differentiable"):
        add_landscape(tmp_path / "once", once, data(), replace(SMALL, resolution=0, matrices=("hessian",)))
    assert panel_of(add_landscape(tmp_path / "once", once, data(), SMALL)).plane is not None
    unlabelled = from_python([(image, None) for image in IMAGES])
    with pytest.raises(DataError, match="0 labelled examples"):
        add_landscape(path, net(), unlabelled, SMALL)
    pellucid.import_predictions(np.zeros((4, 2)), labels=np.zeros(4, int), out=tmp_path / "saved", kind="logits")
    with pytest.raises(RecordError, match="saved predictions"):
        add_landscape(tmp_path / "saved", net(), data(), SMALL)


def test_other_data_than_the_inspected_is_refused(path: Path) -> None:
    # The first, the middle and the last are looked at before anything runs, and all of the sample then.
    kept = {0, len(IMAGES) // 2, len(IMAGES) - 1}
    for known in (set(), kept):
        other = from_python(
            [
                pellucid.types.Example(str(at) if at in known else f"new {at}", image, at % 2)
                for at, image in enumerate(IMAGES)
            ]
        )
        said = r"\d+ of 20 examples of the sample, such as 'new \d+', are not in" if known else "holds 'new 0' there"
        with pytest.raises(DataError, match=said):
            add_landscape(path, net(), other, SMALL)
        relabelled = from_python([(image, at % 2 if at in known else 1 - at % 2) for at, image in enumerate(IMAGES)])
        with pytest.raises(
            DataError, match=r"of 20 examples of the sample have other labels" if known else "has the label"
        ):
            add_landscape(path, net(), relabelled, SMALL)
    assert "landscape" not in Record(path).panels


def test_a_loss_of_ones_own_has_a_plane(path: Path) -> None:
    def doubled(outputs: Tensor, targets: Tensor) -> Tensor:
        return 2 * nn.functional.cross_entropy(outputs, targets, reduction="none")

    plain = panel_of(add_landscape(path, net(), data(), SMALL))
    own = panel_of(add_landscape(path, net(), data(), replace(SMALL, loss=doubled)))
    assert plain.centre is not None
    assert own.centre == pytest.approx(2 * plain.centre)
    assert own.loss == "doubled" or own.spec == "own:doubled"


def test_the_records_loss_is_taken_where_its_lens_was_left_out(tmp_path: Path) -> None:
    asked = "focal:gamma=3"
    made = pellucid.inspect(net(), data(), out=tmp_path / "net", lenses=["predictions"], loss=asked, chosen=0)
    assert "loss" not in made.panels
    kept = panel_of(add_landscape(tmp_path / "net", net(), data(), SMALL))
    assert kept.spec == asked
    assert kept.centre == panel_of(add_landscape(tmp_path / "net", net(), data(), replace(SMALL, loss=asked))).centre


def test_the_command_adds_it_and_says_what_it_found(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from pellucid.cli.application import application

    (tmp_path / "one.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def build():\n    torch.manual_seed(0)\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    torch.manual_seed(1)
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).state_dict(), tmp_path / "other.pt")
    model, record = f"{tmp_path / 'one.py'}:build", str(tmp_path / "one.pellucid")
    runner = CliRunner()
    common = ["--data", "digits:test", "--no-progress"]
    made = runner.invoke(application, ["inspect", model, "--out", record, "--limit", "60", "--chosen", "0", *common])
    assert made.exit_code == 0, made.output
    asked = ["landscape", record, "--model", model, "--resolution", "3", "--limit", "40", *common]
    found = runner.invoke(application, [*asked, "--to", str(tmp_path / "other.pt")])
    assert found.exit_code == 0, found.output
    first, plane, line = found.stdout.splitlines()
    assert first.startswith("cross-entropy: ")
    assert "mean of 40 examples (batch normalisation: none)" in first
    assert plane.startswith("plane: 3 x 3 points, ")
    assert line == "line to other.pt: no barrier, nowhere does the loss lie above the straight line between both ends"
    answered = runner.invoke(application, [*asked, "--json"])
    panel = json.loads(answered.stdout)
    assert (panel["lens"], panel["count"], panel["batch_norms"]) == ("landscape", 40, 0)
    assert panel["line"] is not None, "kept from before"
