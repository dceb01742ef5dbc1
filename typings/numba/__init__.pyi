"""The part of numba that kernels use, so that a compiled function keeps the types of its source."""

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

__version__: str

class Dispatcher(Generic[_P, _R]):
    py_func: Callable[_P, _R]
    signatures: list[tuple[object, ...]]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

def njit(
    *, cache: bool = ..., nogil: bool = ..., error_model: str = ..., inline: str = ...
) -> Callable[[Callable[_P, _R]], Dispatcher[_P, _R]]: ...
