"""Which minibatch an iteration is: its epoch, its position in it, the batch size there. The one place that counts so.

An epoch is a pass over the training images; its last batch may be short. The batch size belongs to an epoch: where it
changes, epochs differ in their number of iterations, and every length in either unit still means one iteration.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from winnow import plugins
from winnow.duration import Duration
from winnow.errors import UserError


@dataclass(frozen=True)
class Step:
    """A minibatch: its 0-based `epoch` and `position` there, of `size` images (the last of an epoch: what is left)."""

    epoch: int
    position: int
    size: int


@dataclass(frozen=True)
class Timeline:
    """The minibatches of a run on `images` training images; `sizes` {first epoch: batch size from there on}.

    ValueError unless the epochs rise from 0 and the sizes lie in [1, images].
    """

    images: int
    sizes: Mapping[int, int]
    _epochs: tuple[int, ...] = field(init=False, repr=False, compare=False)  # at which the size changes
    _iterations: tuple[int, ...] = field(init=False, repr=False, compare=False)  # at which these begin

    def __post_init__(self) -> None:
        epochs = tuple(self.sizes)
        if not epochs or epochs[0] != 0 or list(epochs) != sorted(epochs):
            raise ValueError(f"batch sizes from the epochs {epochs}: they must rise from 0")
        if not all(1 <= size <= self.images for size in self.sizes.values()):
            raise ValueError(f"batch sizes {list(self.sizes.values())} of {self.images} images")
        iterations = [0]
        for index, epoch in enumerate(epochs[1:]):
            before = epochs[index]
            iterations.append(iterations[-1] + (epoch - before) * self._per_epoch(before))
        object.__setattr__(self, "_epochs", epochs)
        object.__setattr__(self, "_iterations", tuple(iterations))

    def _per_epoch(self, epoch: int) -> int:
        """Iterations of the epochs from `epoch`, one at which the size changes."""
        return -(-self.images // self.sizes[epoch])

    def at(self, iteration: int) -> Step:
        """The minibatch of a 0-based iteration."""
        piece = bisect_right(self._iterations, iteration) - 1
        first = self._epochs[piece]
        epochs, position = divmod(iteration - self._iterations[piece], self._per_epoch(first))
        return Step(first + epochs, position, self.sizes[first])

    def start(self, epoch: int) -> int:
        """The iteration with which an epoch begins."""
        piece = bisect_right(self._epochs, epoch) - 1
        first = self._epochs[piece]
        return self._iterations[piece] + (epoch - first) * self._per_epoch(first)

    def per_epoch(self, epoch: int) -> int:
        """Iterations of an epoch."""
        return self._per_epoch(self._epochs[bisect_right(self._epochs, epoch) - 1])

    def passes(self, iteration: int) -> float:
        """Passes over the images after so many iterations; within an epoch every iteration counts alike."""
        step = self.at(iteration)
        per_epoch = self.per_epoch(step.epoch)
        return (step.epoch * per_epoch + step.position) / per_epoch

    def seen(self, iteration: int) -> int:
        """Images seen, counted as often as they were, after so many iterations."""
        step = self.at(iteration)
        return step.epoch * self.images + min(step.position * step.size, self.images)

    def iterations(self, duration: str | Duration) -> int:
        """A duration from the start of training, in iterations."""
        length = Duration.parse(duration) if isinstance(duration, str) else duration
        return self.start(length.count) if length.unit == "ep" else length.count

    def following(self, iteration: int, every: Duration) -> int:
        """The first iteration after this one that is a whole multiple of `every`."""
        done = self.at(iteration).epoch if every.unit == "ep" else iteration
        return self.iterations(Duration((done // every.count + 1) * every.count, every.unit))

    def due(self, iteration: int, every: Duration) -> bool:
        """Whether an iteration is a whole multiple of `every`."""
        step = self.at(iteration)
        return step.position == 0 == step.epoch % every.count if every.unit == "ep" else iteration % every.count == 0

    @property
    def largest(self) -> int:
        """The largest batch size."""
        return max(self.sizes.values())

    @property
    def changes(self) -> bool:
        """Whether the batch size ever changes."""
        return len(set(self.sizes.values())) > 1

    # -- the clock of learning-rate schedules -------------------------------------------------------------------

    @property
    def ticks_per_epoch(self) -> int:
        """Ticks of an epoch: the iterations of the one that has most."""
        return max(map(self._per_epoch, self._epochs))

    def ticks(self, iteration: int) -> int:
        """Time as schedules count it: equal parts of a pass, so that a rate follows epochs whatever the batch size.

        Iterations, where the batch size never changes.
        """
        if len(self._epochs) == 1:  # asked at every step
            return iteration
        step, ticks = self.at(iteration), self.ticks_per_epoch
        return step.epoch * ticks + step.position * ticks // self.per_epoch(step.epoch)

    def check_schedule(self, options: Mapping[str, Any]) -> None:
        """UserError for an option of a learning-rate schedule in iterations, where these are not alike."""
        for option, value in options.items():
            if self.changes and isinstance(value, str) and option != "name" and value.endswith("it"):
                raise UserError(
                    f"The option {option} of the schedule {options['name']} is {value}, but the batch size changes on "
                    "the way and with it the iterations of an epoch. Valid is a duration in epochs ('5ep')."
                )

    def check_optimizer(self, name: str) -> None:
        """UserError for an optimiser that needs the same minibatches in every epoch, where these cannot be."""
        if self.changes and "fixed_batches" in plugins.constant("optimizers", name, "NEEDS", ()):
            raise UserError(
                f"The batch size changes on the way, but the optimiser {name} needs the same minibatches in every "
                "epoch. Valid is a batch schedule with one size, such as constant."
            )


def of(images: int, batch_size: int, schedule: Mapping[str, Any]) -> Timeline:
    """The minibatches by a batch schedule and its options (a checked entry of config). UserError: impossible sizes."""
    options = {key: value for key, value in schedule.items() if key != "name"}
    plugin = plugins.load("batch_schedules", schedule["name"])
    return Timeline(images, plugin.sizes(images=images, batch_size=batch_size, **options))
