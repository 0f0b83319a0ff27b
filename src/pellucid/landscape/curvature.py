"""The Hessian of the mean loss by the trainable parameters, and the Gauss-Newton matrix, as products with vectors."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from pellucid.capture import unfused
from pellucid.capture.call import apply
from pellucid.capture.memory import for_memory
from pellucid.errors import MethodError, MissingExtraError, PellucidError
from pellucid.landscape.losses import Objective
from pellucid.landscape.norms import Labelled
from pellucid.landscape.weights import own_parameters, repeated_modules

Matrix: TypeAlias = Literal["hessian", "ggn"]
Way: TypeAlias = Literal["forward over reverse", "reverse over reverse"]
Floats: TypeAlias = NDArray[np.float64]
Product: TypeAlias = Callable[[list[Tensor]], list[Tensor]]
NAMES: dict[Matrix, str] = {"hessian": "Hessian", "ggn": "generalised Gauss-Newton matrix"}
# Share of a product by which it may miss symmetry through rounding, in float32 and deep networks.
ROUGHLY = 1e-3


class Curvature:
    """A symmetric matrix that is only ever multiplied with vectors; each product goes once over the examples.

    Memory is that of one batch and of a few vectors as long as the parameters, however many batches there are.

    Attributes:
        size: rows of the matrix: trainable values.
        products: how many there were.
        way: how a product is taken: derivatives along the vector of the gradient ("forward over reverse", curvlinops), or the
            gradient of gradient times vector, where an operation of the model has no derivative forward, or a wrong one.
        operator: the matrix, for curvlinops.
        whole: float64[size size], once somebody asked for all of it.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        batches: Iterable[Labelled],
        count: int,
        matrix: Matrix = "hessian",
        hear: Callable[[int], None] = lambda products: None,
    ) -> None:
        """Sets up the products; use it inside `twice_differentiable`.

        Args:
            model: in the mode that it is looked at in.
            objective: what an example costs.
            batches: can be gone through again and again, in the same order.
            count: examples in them.
            matrix: which.
            hear: hears how many products there were; raise to cancel.

        Raises: MethodError: the loss is not smooth, no parameter is trainable, or an operation of the model cannot be
            differentiated twice. MissingExtraError.
        """
        objective.check_smooth()
        self.parameters = [one for one in model.parameters() if one.requires_grad and one.is_floating_point()]
        if not self.parameters:
            raise MethodError(f"The {NAMES[matrix]} is by trainable parameters, and none of this model's is trainable.")
        coarse = next((one.dtype for one in self.parameters if one.dtype not in (torch.float32, torch.float64)), None)
        if coarse is not None:
            raise MethodError(
                f"Sharpness needs weights of float32 or float64; some of this model's are {str(coarse).removeprefix('torch.')}, in "
                "which products with the matrix are rounded too roughly. Build the model in float32 (model.float())."
            )
        self.size = sum(one.numel() for one in self.parameters)
        self.products = 0
        self.whole: Floats | None = None
        self._model = model
        self._hear = hear
        self.way: Way = "forward over reverse"
        self.operator = _operator(model, objective, batches, count, matrix, self.parameters)
        plain = None if matrix == "ggn" else _twice_backward(model, objective, batches, count, self.parameters)
        self._choose_way(matrix, plain)
        self._plain = self.operator._matmat
        self.operator._matmat = self._counted

    @property
    def dtype(self) -> torch.dtype:
        """Of the parameters, and so of the products."""
        return self.parameters[0].dtype

    def times(self, vector: Floats) -> Floats:
        """float64[size] or [size column]: the matrix times a vector, or each of several. Raises: MethodError: it is not finite."""
        given = torch.from_numpy(np.ascontiguousarray(vector)).to(self.parameters[0].device, self.dtype)
        found: Floats = (self.operator @ given).detach().cpu().double().numpy()
        if not np.isfinite(found).all():
            raise MethodError(
                "A product with the matrix is not finite: the loss has no curvature at these weights. Are the weights and the "
                "examples finite?"
            )
        return found

    def _choose_way(self, matrix: Matrix, plain: Product | None) -> None:
        """Takes products forward over reverse where they are right, else by gradients alone.

        Not all that torch differentiates forward comes out right (the weight of a layer normalisation, as of torch 2.14), so both
        ways are compared on one vector; where there is one way only, or both differ, the matrix has to be symmetric on two.
        """
        one, other = self._random(0), self._random(1)
        found, error = (None, self._repeated()) if self._repeated() else _tried(lambda: self.operator @ one)
        if plain is not None:
            shapes = [parameter.shape for parameter in self.parameters]
            columns = [part.view(*shape, 1) for part, shape in zip(torch.split(one, self._sizes), shapes, strict=True)]
            expected, second = _tried(lambda: torch.cat([part.reshape(-1) for part in plain(columns)]))
            if expected is not None and found is not None and _close(found, expected):
                return
            if expected is not None:
                self.way = "reverse over reverse"
                self.operator._matmat = plain
                found = expected
            error = second if second is not None else error
        if found is None:
            raise _refused(matrix, error)
        # u'Hv = v'Hu, up to what rounding makes of it.
        gap = abs(float(other.double() @ found.double() - one.double() @ (self.operator @ other).double()))
        if gap > ROUGHLY * float(found.double().norm()):
            raise _refused(
                matrix, RuntimeError("products with the matrix are not symmetric, so a derivative in torch is wrong")
            )

    def _repeated(self) -> MethodError | None:
        """Why curvlinops cannot be asked: torch's `functional_call` does not put back what stands in a model twice."""
        paths = repeated_modules(self._model)
        return MethodError(f"the module '{paths[0]}' stands at several places") if paths else None

    @property
    def _sizes(self) -> list[int]:
        return [one.numel() for one in self.parameters]

    def _random(self, seed: int) -> Tensor:
        drawn = torch.randn(self.size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return drawn.to(self.parameters[0].device, self.dtype)

    def _counted(self, columns: list[Tensor]) -> list[Tensor]:
        self.products += columns[0].shape[-1]
        self._hear(self.products)
        found: list[Tensor] = self._plain(columns)
        return found


def curvlinops() -> ModuleType:
    """The library. Raises: MissingExtraError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it imports warns of its own use of torch
            found: ModuleType = importlib.import_module("curvlinops")
            # So does torch, where derivatives are taken forward for the first time.
            with forward_ad.dual_level():
                forward_ad.make_dual(torch.zeros(1), torch.ones(1))  # type: ignore[no-untyped-call]
    except ImportError as error:
        raise MissingExtraError("curvlinops-for-pytorch", "curvature", "Sharpness") from error
    return found


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Inside, attention, recurrent layers and weight norms take the ways through torch that can be differentiated twice; parameters
    that a forward writes to are put back.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kept = [(one, one._version, one.detach().clone(), one.grad) for one in model.parameters()]
    fused = unfused(model.modules(), (torch.backends.mkldnn, torch.backends.cudnn))
    try:
        with own_parameters(model), sdpa_kernel(SDPBackend.MATH), fused, _PlainWeightNorm():
            yield
    finally:
        for parameter, version, value, gradient in kept:
            parameter.grad = gradient
            if parameter._version != version:
                with torch.no_grad():
                    parameter.copy_(value)


class _PlainWeightNorm(TorchFunctionMode):
    """Weight normalisation in its parts: the second derivative of torch's fused one is wrong, as of torch 2.14."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch._weight_norm:
            return _weight_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    axes = [axis for axis in range(v.ndim) if axis != dim]  # a dim of -1 means all of it as one
    return v * (g / v.square().sum(axes, keepdim=True).sqrt())


class _Called(nn.Module):
    """The model as curvlinops calls it: from a dictionary to what the loss takes."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self._objective = objective

    def forward(self, given: dict[str, Any]) -> Tensor:
        return self._objective.outputs(apply(self.model, given["inputs"]))


class _MeanLoss(nn.Module):
    """Of a batch; the name of what it does is asked for by curvlinops."""

    reduction = "mean"

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self._objective = objective

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._objective.losses(outputs, targets).mean()


class _Pairs:
    """Batches as curvlinops reads them, again and again."""

    def __init__(self, batches: Iterable[Labelled]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Tensor]]:
        for batch in self._batches:
            yield {"inputs": batch.inputs, "count": len(batch)}, batch.targets


def _operator(
    model: nn.Module,
    objective: Objective,
    batches: Iterable[Labelled],
    count: int,
    matrix: Matrix,
    parameters: Sequence[nn.Parameter],
) -> Any:
    library = curvlinops()
    kind = library.HessianLinearOperator if matrix == "hessian" else library.GGNLinearOperator
    return kind(
        _Called(model, objective),
        _MeanLoss(objective),
        list(parameters),
        _Pairs(batches),
        check_deterministic=False,
        num_data=count,
        batch_size_fn=lambda given: int(given["count"]),
    )


def _twice_backward(
    model: nn.Module,
    objective: Objective,
    batches: Iterable[Labelled],
    count: int,
    parameters: Sequence[nn.Parameter],
) -> Callable[[list[Tensor]], list[Tensor]]:
    """Products with the Hessian as gradients of gradient times vector, column by column."""

    def add(batch: Labelled, columns: list[Tensor], found: list[Tensor]) -> None:
        outputs = objective.outputs(apply(model, batch.inputs))
        loss = objective.losses(outputs, batch.targets).sum() / count
        gradients = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
        _check_twice(gradients)
        for place in range(columns[0].shape[-1]):
            along = torch.stack(
                [(one * other[..., place]).sum() for one, other in zip(gradients, columns, strict=True)]
            ).sum()
            products = torch.autograd.grad(along, parameters, retain_graph=True, materialize_grads=True)
            for total, one in zip(found, products, strict=True):
                total[..., place] += one

    def product(columns: list[Tensor]) -> list[Tensor]:
        found = [torch.zeros_like(one) for one in columns]
        for batch in batches:
            with torch.enable_grad():
                add(batch, columns, found)  # a function, so that a batch's graph is gone before the next
        return found

    return product


def _check_twice(gradients: Sequence[Tensor]) -> None:
    """Refuses gradients that stand for an error: torch would pass by them, and give 0 for what goes through them.

    Raises: RuntimeError: a function of the model is marked as differentiable once.
    """
    waiting: list[Any] = [one.grad_fn for one in gradients]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().endswith("Error"):
            raise RuntimeError("a function of the model is marked with once_differentiable")
        waiting.extend(before for before, _ in node.next_functions)


def _tried(product: Callable[[], Tensor]) -> tuple[Tensor | None, Exception | None]:
    """A product, or the error that stands in its way; what was cancelled or has no memory is no such error."""
    try:
        return product().detach(), None
    except (RuntimeError, NotImplementedError, PellucidError) as error:
        if for_memory(error):
            raise
        return None, error


def _close(found: Tensor, expected: Tensor) -> bool:
    share = 1e-4 if expected.dtype != torch.float64 else 1e-8
    gap = float((found.double() - expected.double()).norm())
    # Where neither is finite, the weights are not, and the first product says so.
    return not gap > share * float(expected.double().norm())


def _refused(matrix: Matrix, error: BaseException | None) -> MethodError:
    cause = str(error).partition("\n")[0].partition("Please file")[0].strip().rstrip(".")
    return MethodError(
        f"The {NAMES[matrix]} needs every operation of the model to be differentiable twice, and one is not: "
        f"{type(error).__name__}: {cause}. The plane and the line need no derivatives: leave --sharpness out."
    )
