"""The two products of a batch with a wide layer, cut into slices of the layer's inputs.

    A W = sum over slices k of A_k W_k          A^T D = the rows A_k^T D, one slice below the other

BLAS copies matrices into blocks that fit its cache before it multiplies them, unless they are small: then the copying,
which costs as much as a third of the product here, is left out. So 784 inputs become 7 slices of 112.
"""

from __future__ import annotations

import numpy as np

from winnow.scratch.memory import zeros

WIDTH = 128  # most inputs of a slice
SMALL = 10**6  # most multiplications of a small product (OpenBLAS: 100 x 100 x 100)


def slices(rows: int, n: int, m: int) -> int:
    """Into how many slices of equal width to cut the n inputs of a layer with m units; 1 where it would not help."""
    for count in range(-(-n // WIDTH), n // (WIDTH // 2) + 1):
        if n % count == 0 and rows * (n // count) * m <= SMALL:
            return count
    return 1


class Products:
    """Products of `a` [rows, n], the weights [n, m] and `d` [rows, m]."""

    def __init__(self, a: np.ndarray, m: int) -> None:
        rows, n = a.shape
        self.count = count = slices(rows, n, m)
        self.a = a.reshape(rows, count, n // count).transpose(1, 0, 2)  # [slices, rows, width], a view
        self.parts = zeros((count, rows, m), a.dtype)

    def forward(self, w: np.ndarray, out: np.ndarray) -> None:
        """Write A W to `out` [rows, m]."""
        if self.count == 1:
            np.matmul(self.a[0], w, out=out)
        else:
            np.matmul(self.a, w.reshape(self.count, -1, w.shape[1]), out=self.parts)
            np.add.reduce(self.parts, axis=0, out=out)

    def gradient(self, d: np.ndarray, out: np.ndarray) -> None:
        """Write A^T D to `out` [n, m]."""
        np.matmul(self.a.transpose(0, 2, 1), d, out=out.reshape(self.count, -1, out.shape[1]))
