"""A model that is moved to a device is afterwards what it was, tensor by tensor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.capture import Session, on_device, placing
from pellucid.errors import OptionError
from support.untouched import Untouched


def worn() -> nn.Module:
    """Shared weights, buffers, a gradient, a recurrent layer that holds its weights twice."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.LSTM(4, 4), nn.Linear(4, 4))
    model[3].weight = model[0].weight  # type: ignore[assignment]
    model[0].bias.grad = torch.ones(4)  # type: ignore[union-attr]
    return model


def storages(model: nn.Module) -> list[int]:
    return [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())]


@pytest.mark.parametrize("raised", [False, True])
def test_every_tensor_is_the_one_of_before(monkeypatch: pytest.MonkeyPatch, raised: bool) -> None:
    monkeypatch.setattr(placing, "place_of", lambda parameters, device: torch.device("meta"))
    model = worn()
    before, lying = Untouched(model, versions=True), storages(model)

    def run() -> None:
        with on_device(model, "meta") as place:
            assert place == "meta"
            assert {tensor.device.type for tensor in (*model.parameters(), *model.buffers())} == {"meta"}
            if raised:
                raise KeyError

    if raised:
        with pytest.raises(KeyError):
            run()
    else:
        run()
    assert before.differences() == []
    assert storages(model) == lying
    assert model[2](torch.ones(2, 4))[0].shape == (2, 4)


def test_tensors_whose_values_are_replaced_are_put_back() -> None:
    """Between a processor and a GPU torch keeps the parameter, and gives it other values."""
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.zeros(3)
    values, gradient = parameter.data_ptr(), parameter.grad
    slopes = gradient.data_ptr()
    held = placing._Held(parameter)
    parameter.data = parameter.data.clone()
    parameter.grad.data = parameter.grad.data.clone()
    held.put_back()
    assert parameter.data_ptr() == values
    assert parameter.grad is gradient
    assert gradient.data_ptr() == slopes


class Spread(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.here, self.there = nn.Linear(2, 2), nn.Linear(2, 2, device="meta")

    def forward(self, values: Tensor) -> Tensor:
        return self.here(values)


def test_a_model_that_is_spread_over_devices_is_not_moved() -> None:
    model = Spread()
    with on_device(model, None) as place:
        assert place == "cpu"
    with pytest.raises(OptionError, match="spread over cpu, meta"), on_device(model, "cpu"):
        pass
    assert model.there.weight.is_meta


@pytest.mark.parametrize(
    ("device", "said"), [("mps", "no float64"), ("meta", "no numbers"), ("warp", "no device 'warp'")]
)
def test_devices_on_which_no_number_can_be_right_are_refused(device: str, said: str) -> None:
    with pytest.raises(OptionError, match=said), on_device(nn.Linear(2, 2), device):
        pass
    with pytest.raises(OptionError, match=said):
        Session(nn.Linear(2, 2), (), device=device)
