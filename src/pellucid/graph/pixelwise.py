"""Operations that make each value of the values at the same place of their inputs, with broadcasting."""

from __future__ import annotations

_WORDS = """
add sub mul div true_divide floor_divide remainder pow neg abs exp log log1p sqrt rsqrt square reciprocal sign sin
cos tanh sigmoid relu relu6 clamp clip clamp_min clamp_max where maximum minimum lerp addcmul addcdiv masked_fill
radd rsub rmul rtruediv rdiv rpow iadd isub imul itruediv truediv subtract multiply divide float_power
contiguous clone detach to float double half bfloat16 type type_as cuda cpu positive nan_to_num erf
gt lt ge le eq ne logical_and logical_or logical_not isnan
hardswish hardsigmoid hardtanh leaky_relu elu selu celu gelu silu mish softplus softsign threshold prelu logsigmoid
Identity Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout dropout dropout2d alpha_dropout
feature_dropout StochasticDepth stochastic_depth DropPath
"""

BY_VALUE = frozenset(_WORDS.split())
