"""Live questions about several examples at layers that do not give one row an example: refused, and answered where they do."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

import pellucid
from pellucid.errors import LayerError
from pellucid.inspection.live import LiveModel
from support.experts import ROUTES, MapExperts, pictures

LAYER = "experts.1.1"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> LiveModel:
    torch.manual_seed(0)
    examples = [(image, at % 3) for at, image in enumerate(pictures())]
    folder = tmp_path_factory.mktemp("experts") / "experts.pellucid"
    record = pellucid.inspect(MapExperts().eval(), examples, out=folder, chosen=2, lenses=["graph", "predictions"])
    assert isinstance(record.live, LiveModel)
    return record.live


def ask(live: LiveModel, name: str, **given: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    words = {key: [str(one) for one in (value if isinstance(value, list) else [value])] for key, value in given.items()}
    content = live.inquiry(name, words)[1](lambda _: True)
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"][name]), load(content)


def test_maps_of_examples_that_went_to_another_expert_are_refused(live: LiveModel) -> None:
    assert ROUTES[:4] == [1, 1, 0, 0]
    with pytest.raises(LayerError, match=r"'experts\.1\.1' gave 2 rows for a batch of 4"):
        ask(live, "maps", row=[0, 1, 2, 3], layer=LAYER)
    said, tensors = ask(live, "maps", row=[0, 1], layer=LAYER, channel=[0, 5])
    with torch.no_grad():
        model = live.model
        assert isinstance(model, MapExperts)
        expected = model.experts[1](model.shared(pictures()[:2]))[:, [0, 5]].numpy()
    np.testing.assert_allclose(tensors["maps"] * np.float32(said["scales"]["maps"]), expected, atol=2e-3)


def test_examples_are_not_placed_by_rows_of_others_nor_is_a_field_measured_on_them(live: LiveModel) -> None:
    with pytest.raises(LayerError, match=r"'experts\.1\.1' gave 6 rows for a batch of 12"):
        ask(live, "places", layer=LAYER, method="pca", examples=12)
    with pytest.raises(LayerError, match=r"'experts\.1\.1' gave 4 rows for a batch of 8"):
        ask(live, "effective_field", layer=LAYER, examples=12)
    said, tensors = ask(live, "places", layer="shared.1", method="pca", examples=12)
    assert (said["count"], tensors["rows"].tolist()) == (12, list(range(12)))
