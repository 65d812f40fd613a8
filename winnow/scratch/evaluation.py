"""Class probabilities, loss and accuracy of images, in batches of fixed size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from winnow.scratch.images import Gather, Images
from winnow.scratch.network import Network, Workspace

ROWS = 500  # images at once


class Evaluator:
    """Looks at the images `index` of a data set with a network whose parameters may change between calls."""

    def __init__(self, network: Network, loss: str, images: Images, index: np.ndarray | None = None) -> None:
        self.index = np.arange(len(images.labels)) if index is None else index
        self.parts = [self.index[start : start + ROWS] for start in range(0, len(self.index), ROWS)]
        self.workspaces = {len(part): Workspace(network, len(part), loss) for part in self.parts}
        self.gathers = {rows: Gather(images, workspace) for rows, workspace in self.workspaces.items()}

    def __call__(self) -> tuple[float, float]:
        """(mean loss, accuracy in [0, 1])."""
        loss, right = 0.0, 0
        for workspace, labels in self._passes():
            loss += workspace.loss(labels) * len(labels)
            right += workspace.right(labels)
        return loss / len(self.index), right / len(self.index)

    def probabilities(self) -> np.ndarray:
        """The class probabilities [N, classes]."""
        return np.concatenate([workspace.probabilities.copy() for workspace, _ in self._passes()])

    def _passes(self) -> Iterator[tuple[Workspace, np.ndarray]]:
        for part in self.parts:
            workspace = self.workspaces[len(part)]
            labels = self.gathers[len(part)](part)
            workspace.forward()
            yield workspace, labels
