"""One inspection: trace, sweep, choose, focus, seal.

The union of what the lenses need is captured once. Everything finished is on disk, so that an inspection that was cut
short is readable up to there, and `resume=True` goes on where it stopped, to the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.data import Source, from_python, read_for
from pellucid.data.naming import under_names
from pellucid.inspection.describe import check_same, manifest_of
from pellucid.inspection.live import LiveModel
from pellucid.inspection.options import Explains, Options, Progress, silent
from pellucid.inspection.run import Inspection
from pellucid.lenses import LensContext, available, build
from pellucid.models.losses import LossChoice, chosen_loss
from pellucid.record import Record, Writer
from pellucid.types import Outputs

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Explains", "Inspection", "Options", "Progress", "inspect", "silent"]


def inspect(
    model: nn.Module,
    examples: object,
    *,
    out: str | Path,
    target: Explains = "prediction",
    lenses: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    batch_size: int = 32,
    limit: int | None = None,
    seed: int = 0,
    chosen: int = 48,
    learned: int | None = None,
    loss: LossChoice = None,
    target_loss: float | None = None,
    outputs: Outputs = "auto",
    device: str | None = None,
    title: str | None = None,
    model_source: str = "",
    weights_source: str = "",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Record:
    """Inspects a model on examples and keeps what every lens saw in a record.

        record = pellucid.inspect(model, validation_set, out="net.pellucid")

    Args:
        model: any module; its forward gives logits or probabilities float[batch class] for classification. Left as it was.
        examples: a Dataset, DataLoader or iterable of (input, target), whose inputs are tensors, tuples or dicts of
            tensors; or a source from `pellucid.data`.
        out: folder of the record.
        target: the output whose score is explained in the focus stage: the prediction, the label or a class index. Of sets of
            classes the prediction is the strongest class, the label the strongest true one. A regression has one number alone.
        lenses: names of the lenses to use; all that are installed where None.
        classes: names of the classes in order of index.
        batch_size: examples a forward.
        limit: at most so many examples.
        seed: of the random choice of examples.
        chosen: how many examples get a closer look (one forward and one backward each).
        learned: of how many examples at most gradients by the parameters are taken (one forward and one backward each); as many
            as cost about a tenth of the sweep where None.
        loss: name of the loss to look at ("cross-entropy:smoothing=0.1", "focal", "hinge", ...; see docs/loss.md), or your own
            function or module of (outputs, targets), which gives one number an example; the task's own where None.
        target_loss: a loss that you want to reach, to compare with.
        outputs: what the model's outputs are: "logits", or "probabilities", where its own last step is a softmax or a
            sigmoid, or the "numbers" of a regression; told by values, targets and the graph if "auto".
        device: where to run ("cuda", "cpu"); where the model is if None. It is moved back afterwards.
        title: of the record; the model's name where None.
        model_source: how the model was named by who opened it; kept in the record.
        weights_source: the file that its weights came from, likewise.
        resume: go on with a record that was cut short.
        overwrite: replace a record that is already there.
        progress: hears how far each stage has come.

    Returns: the sealed record.
    Raises: OptionError, ModelError, DataError, RecordError; what was finished by then stays readable in `out`.
    """
    from pellucid.capture import on_device

    names = tuple(lenses) if lenses is not None else tuple(available())
    classes = None if classes is None else tuple(map(str, classes))
    asked = chosen_loss(loss)
    spec = asked.spec if asked is not None else None
    options = Options(target, names, batch_size, limit, seed, chosen, learned, spec, target_loss, outputs)
    build(names, LensContext())  # an unknown name is refused before anything is written
    source = examples if isinstance(examples, Source) else from_python(examples, limit=limit, classes=classes)
    source = read_for(source, model, classes)
    if classes is not None:
        source = under_names(source, classes)
    known = classes if classes is not None else source.classes or ()
    with on_device(model, device) as place:
        manifest = manifest_of(model, source, known, options, place, title, model_source, weights_source)
        with Writer.create(Path(out), manifest, resume=resume, overwrite=overwrite) as writer:
            if resume:
                check_same(writer.manifest, manifest)
                if writer.manifest.state == "complete":
                    return _with_model(Record(out), model, source)
            run = Inspection(model, source, known, options, writer, place, progress, asked)
            with writer.sealing():
                run.run()
    return _with_model(Record(out), model, source)


def _with_model(record: Record, model: nn.Module, source: Source) -> Record:
    record.live = LiveModel(record, model, source)
    return record
