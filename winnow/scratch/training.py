"""Training: minibatches in an order of their own for every epoch, and after each epoch a row of metrics.

One step is: gather a batch, forward pass, loss, backward pass, update. Each writes into memory that was made before the
first; the last batch of an epoch may be smaller and has a workspace of its own. All is float32; with the same settings,
data and processor a training has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from winnow.data import Data, holdout, order
from winnow.errors import UserError
from winnow.scratch import inputs, optimizers
from winnow.scratch.evaluation import Evaluator
from winnow.scratch.images import Gather, Images
from winnow.scratch.memory import zeros
from winnow.scratch.network import Network, Workspace
from winnow.scratch.settings import Settings
from winnow.seeds import stream

VALIDATION = 10  # one in so many training images is held out


def on(settings: Settings, data: Data, test: bool = True) -> Training:
    """A training on a packed data set. test: whether the test images are looked at as well."""
    images = Images(data.train_images, data.train_labels, data.classes, f"{data.name}, training")
    count = len(images.labels)
    evaluate: dict[str, tuple[Images, np.ndarray | None]] = {}
    if settings.train_on == "all":
        train = np.arange(count)
    else:
        train, validation = holdout(count, count // VALIDATION)
        evaluate["validation"] = (images, validation)
    if test:
        evaluate["test"] = (Images(data.test_images, data.test_labels, data.classes, f"{data.name}, test"), None)
    return Training(settings, images, train, evaluate)


class Training:
    """Trains a network as `settings` say on the images `train` (indices) of `images`.

    evaluate: what is looked at after each epoch, {"validation" or "test": (images, indices or None for all)}; the
    columns of what is left out stay None. `per_epoch` is the number of steps of an epoch. UserError where there is
    nothing to train on.
    """

    def __init__(
        self,
        settings: Settings,
        images: Images,
        train: np.ndarray,
        evaluate: dict[str, tuple[Images, np.ndarray | None]],
    ) -> None:
        if len(train) == 0:
            raise UserError("There are no training images.")
        self.settings, self.train = settings, train
        sizes = (images.rows.shape[1], *settings.layers, images.classes)
        self.network = network = Network(sizes, settings.activation)
        network.power[:], network.shift[:], network.scale[:] = inputs.fit(settings.inputs, images, train)
        network.initialise(settings.weight_init, stream(settings.seed, "init"))
        gradient = zeros(network.parameters.shape, network.parameters.dtype)
        self.gradients = network.layers(gradient)
        self.optimizer = optimizers.named(
            settings.optimizer, network.parameters, gradient, network.weight_count, **settings.optimizer_options()
        )
        batch = settings.batch_size
        self.per_epoch = -(-len(train) // batch)
        sizes_of_batches = {min(batch, len(train)), len(train) % batch or min(batch, len(train))}
        self.workspaces = {rows: Workspace(network, rows, settings.loss) for rows in sizes_of_batches}
        self.gathers = {rows: Gather(images, workspace) for rows, workspace in self.workspaces.items()}
        self.evaluators = {prefix: Evaluator(network, settings.loss, *where) for prefix, where in evaluate.items()}
        self.iteration = self.sample_gradients = 0

    def step(self, index: np.ndarray) -> tuple[float, int]:
        """Train on the images `index`; (mean loss before the update, number of right answers)."""
        workspace = self.workspaces[len(index)]
        labels = self.gathers[len(index)](index)
        workspace.forward()
        loss, right = workspace.loss(labels), workspace.right(labels)
        workspace.backward(*self.gradients)
        self.optimizer.step()
        self.iteration += 1
        self.sample_gradients += len(index)
        return loss, right

    def epochs(self, tick: Callable[[int], object] = lambda iteration: None) -> Iterator[dict[str, Any]]:
        """Train epoch by epoch; after each, a row of the table `metrics`. `tick` is called after every step.

        A loss or parameter that is no finite number ends the training without an evaluation; the row says at which
        iteration.
        """
        for epoch in range(self.settings.epochs):
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # told by diverged_step
                row = self._epoch(epoch, tick)
            yield row
            if row["diverged_step"] is not None:
                return

    def _epoch(self, epoch: int, tick: Callable[[int], object]) -> dict[str, Any]:
        drawn, batch = order(self.settings.seed, epoch, self.train), self.settings.batch_size
        total, right, seen, diverged = 0.0, 0, 0, None
        for start in range(0, len(drawn), batch):
            index = drawn[start : start + batch]
            loss, hits = self.step(index)
            total, right, seen = total + loss * len(index), right + hits, seen + len(index)
            tick(self.iteration)
            if not np.isfinite(loss):
                diverged = self.iteration
                break
        if diverged is None and not np.isfinite(self.network.parameters).all():  # by the last update alone
            diverged = self.iteration
        found = {} if diverged else {prefix: evaluate() for prefix, evaluate in self.evaluators.items()}
        absent = (None, None)
        return {
            "seed": self.settings.seed,
            "epoch": self.iteration / self.per_epoch,
            "iteration": self.iteration,
            "lr": self.settings.learning_rate,
            "density": 1.0,
            "train_loss": total / seen,
            "train_accuracy": right / seen,
            "validation_loss": found.get("validation", absent)[0],
            "validation_accuracy": found.get("validation", absent)[1],
            "test_loss": found.get("test", absent)[0],
            "test_accuracy": found.get("test", absent)[1],
            "sample_gradients": self.sample_gradients,
            "clipped_share": 0.0,
            "diverged_step": diverged,
        }
