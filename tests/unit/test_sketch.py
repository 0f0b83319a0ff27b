"""Count sketches of gradients: exact up to their size, linear beyond it, and as far off as their size says."""

from __future__ import annotations

import torch

from pellucid.capture.sketch import Sketch


def test_a_sketch_is_exact_up_to_its_size_and_linear_beyond_it() -> None:
    generator = torch.Generator().manual_seed(3)
    layers = {"small": {"small.weight": 40, "small.bias": 8}, "large": {"large.weight": 64 * 300, "large.bias": 64}}
    sketch = Sketch(layers, 48 + 1021, 0)
    assert sketch.kept == {"small": 48, "large": 1021}
    small = {
        "small.weight": torch.randn(5, 8, 5, generator=generator),
        "small.bias": torch.randn(5, 8, generator=generator),
    }
    flat = torch.cat([one.reshape(5, -1) for one in small.values()], 1).double()
    found = sketch.of("small", small).double()
    torch.testing.assert_close(found @ found.T, flat @ flat.T, rtol=1e-5, atol=1e-5)
    large = {
        "large.weight": torch.randn(5, 64, 300, generator=generator),
        "large.bias": torch.randn(5, 64, generator=generator),
    }
    mean = sketch.of("large", {name: one.mean(0, keepdim=True) for name, one in large.items()})
    torch.testing.assert_close(mean, sketch.of("large", large).mean(0, keepdim=True), rtol=1e-4, atol=1e-4)
    again = Sketch(layers, 48 + 1021, 0).of("large", large)
    assert torch.equal(again, sketch.of("large", large))
    assert not torch.equal(again, Sketch(layers, 48 + 1021, 1).of("large", large))


def test_the_error_of_a_sketch_is_that_of_its_size_also_where_gradients_are_outer_products() -> None:
    """Gradients of a linear layer are of rank one, and their inputs sparse: the hardest case for an orderly hash."""
    generator = torch.Generator().manual_seed(4)
    errors = []
    for seed in range(30):
        sketch = Sketch({"fc": {"fc.weight": 64 * 512}}, 1024, seed)
        inputs = torch.relu(torch.randn(6, 512, generator=generator) - 2)
        outputs = torch.randn(6, 64, generator=generator)
        gradients = outputs[:, :, None] * inputs[:, None, :]
        flat = gradients.reshape(6, -1).double()
        found = sketch.of("fc", {"fc.weight": gradients}).double()
        norms = flat.norm(dim=1)
        errors.append(
            ((found @ found.T - flat @ flat.T) / norms[:, None] / norms[None])[~torch.eye(6, dtype=torch.bool)]
        )
    spread = torch.cat(errors)
    deviation = float(spread.square().mean().sqrt())
    assert 0.7 / 1021**0.5 < deviation < 1.4 / 1021**0.5
    assert abs(float(spread.mean())) < 4 * deviation / len(spread) ** 0.5
