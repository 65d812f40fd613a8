"""Orthogonalisation of matrices by Newton-Schulz steps, batched over lanes.

    X = M / max(|M|, eps)  (Frobenius norm, transposed where M has more rows than columns)
    five times  A = X X',  X <- a X + (b A + c A A) X,   (a, b, c) = (3.4445, -4.7750, 2.0315)

For M = U S V' the result is U S' V' with S' within about 0.7 to 1.2, whatever S was unless tiny: the coefficients
favour fast growth of small singular values over convergence (Jordan et al. 2024, kellerjordan.github.io/posts/muon).
"""

from __future__ import annotations

import torch
from torch import Tensor

ALIGNED = 4  # sides are made multiples of it
STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
EPS = 1e-7


def orthogonalised(matrices: Tensor) -> Tensor:
    """The equations above for matrices [L, m, n], in their own precision; a zero matrix stays zero."""
    a, b, c = COEFFICIENTS
    rows, columns = matrices.shape[1:]
    norm = torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True)
    x = matrices / norm.clamp_(min=EPS)
    if rows % ALIGNED or columns % ALIGNED:
        # The last bits of a matrix product depend on the alignment in memory: so all lanes have the same, 64 bytes.
        x = torch.nn.functional.pad(x, (0, -columns % ALIGNED, 0, -rows % ALIGNED))
    tall = rows > columns
    x = x.mT if tall else x
    for _ in range(STEPS):
        gram = torch.bmm(x, x.mT)  # [L, m, m], m the shorter side
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    found: Tensor = x.mT if tall else x
    return found[:, :rows, :columns]


def multiply_adds(rows: int, columns: int) -> int:
    """Of the equations above for one matrix: per step r^2 s, r^3 and r^2 s, with the sides r <= s as padded."""
    r, s = sorted((rows + -rows % ALIGNED, columns + -columns % ALIGNED))
    return STEPS * (2 * r * r * s + r**3)
