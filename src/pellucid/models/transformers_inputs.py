"""What a model of transformers can be called with, from its configuration and the signature of its forward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pellucid.models import Inputs

if TYPE_CHECKING:
    from torch import Tensor

# Short, yet longer than any block that attention is cut into by the small configurations.
TOKENS = 16
_SAMPLES = 16_000
_FRAMES = 128


def example_of(model: Any) -> Inputs:
    """Inputs that fit: token ids, pixels, samples of sound, and what goes with them.

    They lie on the CPU, with values: a trace of a model without values still answers what is asked of ids and masks.
    """
    parameters = inspect.signature(model.forward).parameters
    wanted = _Wanted(model)
    kwargs: dict[str, Any] = {}
    for name in _names(model, parameters):
        kwargs[name] = wanted.make(name)
    if "use_cache" in parameters:
        kwargs["use_cache"] = False
    return Inputs((), kwargs)


def _names(model: Any, parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Which parameters of the forward to fill: what it must have, its main input, and what belongs with those."""
    main = str(getattr(model, "main_input_name", "input_ids"))
    required = [
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    ]
    names = set(required) | ({main} & set(parameters))
    if not names:
        names = {name for name in ("input_ids", "pixel_values", "input_values", "input_features") if name in parameters}
    config = model.config
    pairs = _is_pair(config)
    names |= set(_ALSO.get(str(config.model_type), ())) & set(parameters)
    for name in parameters:
        with_text = "input_ids" in names and name == "bbox"
        with_pixels = "pixel_values" in names and name == "pixel_mask" and not pairs
        decoder = name in ("decoder_input_ids",) and bool(
            getattr(config, "is_encoder_decoder", False) or name in required
        )
        both = pairs and name in ("input_ids", "pixel_values")
        if with_text or with_pixels or decoder or both:
            names.add(name)
    names &= set(_MAKERS) | {main} | set(required)
    return [name for name in parameters if name in names and name in _MAKERS]


def _is_pair(config: Any) -> bool:
    """Whether two encoders look at a text and a picture side by side, as CLIP's do: no token stands for a picture."""
    parts = getattr(config, "sub_configs", {})
    if not {"text_config", "vision_config"} <= set(parts):
        return False
    held = getattr(config, "text_config", None)
    causal = getattr(held, "use_cache", None) is not None and not hasattr(config, "projection_dim")
    marked = any(
        getattr(config, name, None) is not None for name in ("image_token_id", "image_token_index", "image_token")
    )
    return not marked and not causal


class _Wanted:
    """Makes the tensors for one model."""

    def __init__(self, model: Any) -> None:
        import torch

        self.model, self.config = model, model.config
        floating = next((one.dtype for one in model.parameters() if one.is_floating_point()), None)
        self.dtype = floating or torch.float32

    def make(self, name: str) -> Any:
        return _MAKERS[name](self)

    def whole(self, *shape: int, value: int = 0) -> Tensor:
        import torch

        return torch.full(shape, value, dtype=torch.int64)

    def real(self, *shape: int) -> Tensor:
        import torch

        return torch.zeros(shape, dtype=self.dtype)

    def setting(self, *names: str, default: Any = None) -> Any:
        """The first of these settings that the configuration has, or that one of its parts has."""
        parts = [self.config]
        parts += [getattr(self.config, name, None) for name in getattr(self.config, "sub_configs", ())]
        for name in names:
            for part in parts:
                value = getattr(part, name, None)
                if value is not None:
                    return value
        return default

    def side(self) -> tuple[int, int]:
        """Height and width of a picture."""
        size = self.setting("image_size", "input_size", "img_size", default=224)
        if isinstance(size, Mapping):
            size = (size.get("height", 224), size.get("width", 224))
        if isinstance(size, list | tuple):
            return (int(size[-2]), int(size[-1])) if len(size) > 1 else (int(size[0]), int(size[0]))
        return int(size), int(size)

    def tokens(self) -> int:
        most = int(self.setting("max_position_embeddings", "n_positions", default=TOKENS))
        return min(TOKENS, most) if most > 0 else TOKENS


def _pixels(wanted: _Wanted) -> Tensor:
    channels = int(wanted.setting("num_channels", "in_channels", "in_chans", default=3))
    frames = getattr(wanted.config, "num_frames", getattr(wanted.config, "frames_per_clip", None))
    height, width = wanted.side()
    if isinstance(frames, int):
        return wanted.real(1, frames, channels, height, width)
    return wanted.real(1, channels, height, width)


def _features(wanted: _Wanted) -> Tensor:
    """Spectrogram frames: (mel, time) for Whisper's kind, (time, mel) for the others."""
    mel = wanted.setting("num_mel_bins", "feature_projection_input_dim", "input_feat_per_channel", default=80)
    positions = wanted.setting("max_source_positions")
    if (
        wanted.setting("num_mel_bins") is not None
        and isinstance(positions, int)
        and not hasattr(wanted.config, "input_feat_per_channel")
    ):
        return wanted.real(1, int(mel), 2 * positions)
    return wanted.real(1, _FRAMES, int(mel))


def _samples(wanted: _Wanted) -> Tensor:
    """Sound: samples, or the spectrogram that an Audio Spectrogram Transformer looks at."""
    mel, length = wanted.setting("num_mel_bins"), wanted.setting("max_length")
    if isinstance(mel, int) and isinstance(length, int) and hasattr(wanted.config, "frequency_stride"):
        return wanted.real(1, length, mel)
    if wanted.config.model_type == "speecht5" and not hasattr(wanted.model, "speecht5"):
        return _hidden(wanted)  # without the part that would turn sound into frames
    if wanted.setting("codebook_size") is not None and wanted.setting("conv_dim") is None:
        return wanted.real(1, 1, _SAMPLES)  # a codec of sound has an axis of channels
    return wanted.real(1, _SAMPLES)


def _hidden(wanted: _Wanted) -> Tensor:
    return wanted.real(1, TOKENS, int(wanted.setting("d_model", "hidden_size", default=1)))


def _series(wanted: _Wanted) -> Tensor:
    """A time series: (batch, time, channel)."""
    return wanted.real(
        1, int(wanted.setting("context_length", default=TOKENS)), int(wanted.setting("num_input_channels", default=1))
    )


def _boxes(wanted: _Wanted) -> Tensor:
    """Where each token stands on the page; UDOP reads parts of the page's width, the others whole thousandths."""
    return (
        wanted.real(1, wanted.tokens(), 4)
        if wanted.config.model_type == "udop"
        else wanted.whole(1, wanted.tokens(), 4)
    )


def _clap(wanted: _Wanted) -> Tensor:
    return wanted.real(1, 1, 1001, int(wanted.setting("num_mel_bins", default=64)))


_MAKERS: dict[str, Callable[[_Wanted], Any]] = {
    "input_ids": lambda wanted: wanted.whole(1, wanted.tokens(), value=1),
    "attention_mask": lambda wanted: wanted.whole(1, wanted.tokens(), value=1),
    "decoder_input_ids": lambda wanted: wanted.whole(1, wanted.tokens(), value=1),
    "bbox": _boxes,
    "decoder_input_values": _hidden,
    "qformer_input_ids": lambda wanted: wanted.whole(1, wanted.tokens(), value=1),
    "inputs": _hidden,
    "past_values": _series,
    "visual_feats": lambda wanted: wanted.real(1, TOKENS, int(wanted.setting("visual_feat_dim", default=2048))),
    "visual_pos": lambda wanted: wanted.real(1, TOKENS, 4),
    "states": lambda wanted: wanted.real(1, TOKENS, int(wanted.setting("state_dim", default=17))),
    "actions": lambda wanted: wanted.real(1, TOKENS, int(wanted.setting("act_dim", default=4))),
    "rewards": lambda wanted: wanted.real(1, TOKENS, 1),
    "returns_to_go": lambda wanted: wanted.real(1, TOKENS, 1),
    "timesteps": lambda wanted: wanted.whole(1, TOKENS),
    "pixel_values": _pixels,
    "pixel_values_videos": _pixels,
    "pixel_mask": lambda wanted: wanted.whole(1, *wanted.side(), value=1),
    "input_values": _samples,
    "input_features": lambda wanted: _clap(wanted) if wanted.config.model_type == "clap" else _features(wanted),
}
# What some models cannot do without, though their forward has defaults for it.
_ALSO: dict[str, tuple[str, ...]] = {
    "bridgetower": ("pixel_values",),
    "clap": ("input_features",),
    "decision_transformer": ("states", "actions", "rewards", "returns_to_go", "timesteps", "attention_mask"),
    "lxmert": ("visual_feats", "visual_pos"),
    "speecht5": ("decoder_input_values",),
    "vilt": ("pixel_values",),
}
