"""The names that users rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

import pellucid
from pellucid import errors
from pellucid.graph import trace_timed

PUBLIC = [
    "Attribution",
    "Comparison",
    "Fit",
    "PellucidError",
    "Record",
    "Watch",
    "attribute",
    "compare",
    "fit",
    "graph",
    "import_predictions",
    "inspect",
    "watch",
]


def test_the_public_names_are_pinned_and_sorted() -> None:
    assert pellucid.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC
    for name in PUBLIC:
        assert getattr(pellucid, name) is not None


def test_functions_that_share_a_name_with_a_package_stay_callable_after_its_import() -> None:
    script = (
        "import pellucid, pellucid.graph, pellucid.watch, pellucid.inspection\n"
        "assert callable(pellucid.graph) and callable(pellucid.watch) and callable(pellucid.inspect)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_parts_that_the_docs_name_are_there_without_an_import_of_their_own() -> None:
    script = (
        "import pellucid\n"
        "assert 'grad_cam' in pellucid.attribution.METHODS and pellucid.features.maximise and pellucid.errors.TargetError\n"
        "assert not hasattr(pellucid, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_error_descends_from_the_root() -> None:
    raised = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(raised) > 10
    assert all(issubclass(error, pellucid.PellucidError) for error in raised)


def test_importing_the_package_and_the_parts_that_look_at_records_needs_no_torch() -> None:
    script = (
        "import sys, pellucid, pellucid.cli, pellucid.record.reader, pellucid.record.writer, pellucid.export\n"
        "import pellucid.server\n"
        "heavy = {'torch', 'torchvision', 'timm', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def _make() -> nn.Module:
    return nn.ReLU()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("resnet18", "the text 'resnet18'"),
        (_make, "the function _make"),
        (nn.ReLU, "the class ReLU"),
        (None, "a NoneType"),
        ({"weight": 1}, "a dict"),
    ],
)
def test_what_is_no_model_is_refused_and_told_what_arrived(given: object, said: str) -> None:
    for public in (pellucid.graph, trace_timed):
        with pytest.raises(errors.ModelError) as refused:
            public(given, 1)  # type: ignore[operator]
        assert (
            str(refused.value) == f"graph traces an nn.Module; got {said}. Give the model itself, ready to be called."
        )
