"""A stand-in for a CUDA graph on the CPU: the operations of a step, repeated on the same memory with the same numbers.

As a graph does: capturing runs nothing (what ran is undone), host values are frozen, results are written where the
captured ones were, and what would read a device value or copy one from the host's memory is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
WAIT = {aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten._unique2.default}
COPY = {aten.lift_fresh.default}  # of a new tensor from numbers of the host


def waits(func: Any, args: Any) -> bool:
    """Whether an operation waits for a value of the device."""
    masks = args[1] if func in (aten.index.Tensor, aten.index_put_.default) else ()
    return func in WAIT or any(mask is not None and mask.dtype == torch.bool for mask in masks)


def tensors(values: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


class Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}  # by address: what was written to, and what it held
        self.made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        refused = func in COPY or waits(func, args)
        assert not refused, f"{func} cannot be captured in a CUDA graph"
        declared = func._schema.arguments
        named = [(argument, kwargs[argument.name]) for argument in declared if argument.name in kwargs]
        for argument, value in [*zip(declared, args, strict=False), *named]:
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tensors(value):
                    self.keep(tensor)
        result = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, result))
        return result

    def keep(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.before:
            whole = torch.empty(0, dtype=torch.uint8).set_(storage)
            self.before[storage.data_ptr()] = whole, whole.clone()

    def undo(self) -> None:
        for whole, old in self.before.values():
            whole.copy_(old)

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, result in self.calls:
                for old, new in zip(tensors(result), tensors(func(*args, **kwargs)), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def record(step: Callable[[], None]) -> Callable[[], None]:
    """The replay of `step`, which has not run."""
    recorder = Recorder()
    with torch.no_grad(), recorder:
        step()
    recorder.undo()
    return recorder.replay
