"""The prunable weights of a run whose mask changes while it trains: what a sparsifier (winnow/sparsifiers/) works on.

All of them stand side by side as [L, N], tensor after tensor in the model's order; N is the number that a density
refers to. The rules of `winnow.masks` hold: exactly floor(density * N + 0.5) weights per lane, over all tensors
(`global`) or within each (`layerwise`), ties keep the lower index. Lanes never see each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from winnow import exact_k, lane_optimizers, options, plugins
from winnow.errors import UserError
from winnow.lane_optimizers import Part
from winnow.masks import kept_count
from winnow.problem import Problem, Tensors
from winnow.seeds import stream
from winnow.training_job import Arrays, Sparsify


def make(sparsify: Sparsify, problem: Problem, parts: Sequence[Part]) -> Any:
    """The sparsifier of a job, on the weights of `problem`. UserError for a wrong option or optimiser."""
    entry = options.check("sparsifiers", sparsify.options)
    options.check_taken(entry, type(parts[0].optimizer).__name__, parts[0].optimizer.needs)
    weights = PrunableWeights(sparsify, problem, parts)
    if (moment := options.sparse_from(entry)) is not None:
        weights.sparse_from = weights.iterations(moment)
    plugin = plugins.load_class("sparsifiers", entry.pop("name"))
    return plugin(weights, **entry)


class PrunableWeights:
    """mask    float32 [L, N] of 0 and 1
    groups  the columns of each set of weights that compete with each other
    held    whether pruned weights have no gradient
    """

    def __init__(self, sparsify: Sparsify, problem: Problem, parts: Sequence[Part]) -> None:
        self.sparsify, self.problem, self.parts = sparsify, problem, parts
        tensors = self.tensors()
        ends = np.cumsum([0, *(tensor[0].numel() for tensor in tensors)]).tolist()
        self._columns = [slice(start, end) for start, end in pairwise(ends)]
        self.groups = self._columns if sparsify.scope == "layerwise" else [slice(0, ends[-1])]
        self.mask = torch.ones(len(problem.seeds), ends[-1], device=tensors[0].device)
        self._masks = self._split(self.mask)
        self.held = False
        self.sparse_from = -1  # iteration after which evaluations must have the density

    # -- moments and counts -------------------------------------------------------------------------------------

    def iterations(self, duration: str) -> int:
        """A duration in iterations."""
        return self.sparsify.iterations(duration)

    def moments(self, **given: str) -> list[int]:
        """Moments in iterations; UserError unless each lies after the one before it, and before the end of the run."""
        found = [self.iterations(text) for text in given.values()]
        for option, moment, earlier in zip(given, found, [-1, *found], strict=False):
            if not earlier < moment < self.sparsify.last:
                raise UserError(
                    f"The option {option} of {self.sparsify.options['name']} is {given[option]}, iteration {moment}; "
                    f"valid is {earlier + 1} to {self.sparsify.last - 1}: "
                    f"{'after the moment before it and ' if earlier >= 0 else ''}before the end of training."
                )
        return found

    def counts(self, density: float) -> list[int]:
        """How many weights `density` keeps in each group."""
        return [kept_count(density, columns.stop - columns.start) for columns in self.groups]

    def tensors(self) -> list[Tensor]:
        """The weights themselves, [L, ...] each."""
        return [self.problem.parameters[name] for name in self.sparsify.names]

    # -- looking ------------------------------------------------------------------------------------------------

    def magnitudes(self) -> Tensor:
        """|w| [L, N], to be overwritten at will."""
        return self._joined(self.problem.parameters).abs_()

    def dense_gradient(self) -> Tensor:
        """The gradient [L, N] on the current batch, of pruned weights, too; counted as a gradient of the batch."""
        out = {name: torch.empty_like(value) for name, value in self.problem.gradients.items()}
        self.problem.gradient(out=out, masked=False)
        return self._joined(out)

    def uniform(self, index: int) -> Tensor:
        """Numbers in [0, 1) [L, N], drawn for the `index`-th time."""
        drawn = [stream(seed, "growth", index).random(self.mask.shape[1]) for seed in self.problem.seeds]
        return torch.from_numpy(np.stack(drawn)).to(self.mask)

    def highest(self, scores: Tensor, counts: Sequence[int]) -> Tensor:
        """The mask [L, N] of the `counts` highest scores of each group; overwrites `scores`."""
        found = [exact_k.highest(scores[:, columns], count) for columns, count in zip(self.groups, counts, strict=True)]
        return found[0] if len(found) == 1 else torch.cat(found, 1)

    # -- acting -------------------------------------------------------------------------------------------------

    def keep(self, mask: Tensor, hold: bool = True) -> None:
        """Set the weights that `mask` [L, N] leaves out, and optimiser state of theirs, to exactly zero.

        hold: their gradients, too, from now on, so that they stay zero until the next mask; else they may come back
        with the next step.
        """
        self.mask.copy_(mask)
        self.held, self.problem.visible = hold, {}
        self.apply()
        for part in self.parts if hold else ():
            part.optimizer.masks_changed()

    def apply(self) -> None:
        """Zero once more what the mask leaves out, unless it is hidden."""
        if self.problem.visible:
            return
        lane_optimizers.set_masks(self.parts, self.problem, self._masks)
        if not self.held:
            lane_optimizers.set_masks(self.parts, self.problem, {})

    def hide(self, mask: Tensor) -> None:
        """Let the loss see only the weights of `mask` [L, N], from now on: all have gradients, none is set to zero."""
        self.mask.copy_(mask)
        self.held = False
        lane_optimizers.set_masks(self.parts, self.problem, self._masks, hide=True)

    def wake(self, grown: Tensor, direction: Tensor, others: Tensor) -> None:
        """Where the optimiser cannot move weights away from zero, give those that came back, `grown` [L, N], a value:
        the sign of `direction`, and the smallest magnitude among the `others` of their group."""
        if not self.parts[0].optimizer.absorbing_zeros:
            return
        magnitudes = torch.where(others > 0, self.magnitudes(), math.inf)
        value = grown * direction.sign()
        for columns in self.groups:
            smallest = magnitudes[:, columns].amin(1, keepdim=True)
            value[:, columns] *= torch.where(smallest.isfinite(), smallest, 0)
        for name, part in self._split(value).items():
            self.problem.parameters[name].add_(part)

    def arrays(self) -> Arrays:
        """The mask as bool arrays by tensor."""
        return {name: (mask > 0).cpu().numpy() for name, mask in self._masks.items()}

    def load(self, mask: Arrays, hide: bool = False) -> None:
        """Keep the weights of a mask as `arrays` gave it, or hide the others."""
        whole = self._joined({name: torch.from_numpy(value) for name, value in mask.items()})
        self.hide(whole) if hide else self.keep(whole)

    # -- details ------------------------------------------------------------------------------------------------

    def _joined(self, tensors: Tensors) -> Tensor:
        return torch.cat([tensors[name].flatten(1) for name in self.sparsify.names], 1)

    def _split(self, flat: Tensor) -> Tensors:
        """Views of [L, N] in the shapes of the tensors."""
        pairs = zip(self.sparsify.names, self._columns, strict=True)
        return {name: flat[:, columns].view_as(self.problem.parameters[name]) for name, columns in pairs}
