"""EfficientNet-Lite0 beside ten people on edges and silhouettes, its 1,000 classes taken together to the 16 categories of people.

    python examples/people.py HUMAN human16.json people/       # prints what it found and leaves two records
    pellucid open people/edge.pellucid

HUMAN holds a folder of answers for each experiment (edge/, silhouette/: the CSV files of model-vs-human) and stimuli/edges,
stimuli/filled-silhouettes: the images, in a folder for each category. human16.json says of each category which classes make it up.
The network needs what examples/efficientnet_lite0.py names.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn

import pellucid
from pellucid.data import open_data
from pellucid.human import import_people
from pellucid.recipe import Recipe
from pellucid.record.schema import HumanPanel

STIMULI = {"edge": "edges", "silhouette": "filled-silhouettes"}


class ByCategory(nn.Module):
    """A classifier that answers with categories: the logarithm of the sum, or the mean, of the probabilities of their classes.

    A concept includes its kinds, so its probability is their sum; the mean, of Geirhos et al. 2021, does not favour categories of
    many classes. The classes of no category play no part, as with people, who have to choose among the categories.
    """

    def __init__(self, model: nn.Module, kinds: dict[str, list[int]], *, mean: bool) -> None:
        super().__init__()
        self.model, self.kinds, self.mean = model, kinds, mean

    def forward(self, images: Tensor) -> Tensor:
        """Float[batch category], logits: the softmax of them is the distribution over the categories."""
        logs = self.model(images).log_softmax(dim=1)
        taken = [logs[:, classes].logsumexp(dim=1, keepdim=True) for classes in self.kinds.values()]
        if self.mean:
            taken = [
                one - torch.tensor(float(len(classes))).log()
                for one, classes in zip(taken, self.kinds.values(), strict=True)
            ]
        return torch.cat(taken, dim=1)


def beside_people(
    model: nn.Module,
    recipe: Recipe,
    human: Path,
    kinds: dict[str, list[int]],
    experiment: str,
    out: Path,
    *,
    mean: bool,
) -> HumanPanel:
    """Inspects the network on the images of one experiment, and sets people's answers to them beside its own."""
    images = open_data(str(human / "stimuli" / STIMULI[experiment]), recipe=recipe)
    record = out / f"{experiment}.pellucid"
    pellucid.inspect(
        ByCategory(model, kinds, mean=mean).eval(), images, out=record, classes=tuple(kinds), overwrite=True,
        title=f"EfficientNet-Lite0 on {experiment}",
    )  # fmt: skip
    return import_people(human / experiment, record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("human", type=Path, help="folder of answers and stimuli")
    parser.add_argument("categories", type=Path, help="JSON: the classes of each category")
    parser.add_argument("out", type=Path, help="folder for the records")
    parser.add_argument("--mean", action="store_true", help="take means over the classes of a category instead of sums")
    asked = parser.parse_args()
    from efficientnet_lite0 import make

    model, known = make()
    kinds = json.loads(asked.categories.read_text(encoding="utf-8"))
    asked.out.mkdir(parents=True, exist_ok=True)
    for experiment in STIMULI:
        panel = beside_people(model, known["recipe"], asked.human, kinds, experiment, asked.out, mean=asked.mean)
        print(f"{experiment}: {panel.answer}")
        for finding in panel.findings:
            print(f"  [{finding.severity}] {finding.sentence}")


if __name__ == "__main__":
    main()
