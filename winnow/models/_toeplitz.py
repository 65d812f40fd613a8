"""A convolution of few channels with its max-pool, as matrix products, for images that lie batch-last.

In [channels, rows, columns, B], shifting an image moves whole runs of memory. A block of g outputs side by side reads k
rows of w = g + k - 1 columns of each channel. With a column of X per block, row and image, and a row of T per filter o
and position j in the block,

    Z = T X,   T[(o, j), (c, r, j + s)] = W[o, c, r, s],   elsewhere zero.

T does w / k times the multiplications of the convolution, but X has g times fewer columns to copy than with one output
in each, and the products get sizes that matmul libraries are made for: g is about k - 1. Backward,

    dT = dZ X',   dW[o, c, r, s] = sum over j of dT[(o, j), (c, r, j + s)],   dX = T' dZ,

and dX is added up where X was read. Z is ordered by the parities of columns (its first axis) and rows, so that a 2x2
max-pool is an element-wise maximum of two columns, then of two rows. Whether the second was greater is kept as 0 or 1
(so the first maximum wins a tie), and d goes back as d * greater and d - d * greater. The bias comes after the pool.

The derivative of the outputs along a direction v of all weights, with dX that of the images below,

    dZ = T(v) X + T(W) dX,   through the pool by `greater`, plus v's bias, times f'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from winnow.models._activations import Activation


@dataclass(frozen=True)
class Views:
    """A layer's buffers for B images of each of G lanes. Outputs a and d = dL/da are [G, channels, rows, columns, B]
    or, by Z's axes, [G, channels, pair in a block, row, block, B]. A matrix of one lane has no axis of lanes."""

    t: Tensor
    read: Tensor  # where X reads the images below, by X's axes
    x: tuple[Tensor, Tensor]  # as matrix, by axes
    z: tuple[Tensor, Sequence[Tensor]]  # as matrix, by axes for each parity of the column
    m: Tensor  # maxima of two columns each
    greater: tuple[Tensor, Tensor] | None  # where the second column, of m the second row, was; for backward and a pool
    a: tuple[Tensor, Tensor, Tensor]  # as an image with borders, as one without, by the axes of Z
    d: tuple[Tensor, Tensor, Tensor]
    below: Tensor  # dL/da of the images below, or their derivative along a direction
    along: Tensor  # where X reads `below`, by X's axes
    sums: list[tuple[Tensor, Tensor]]  # parts of `below`, and of dX that is to be added there: no place twice


class ToeplitzLayer:
    """`channels` filters of size x size over images [channels, rows, columns] = `read`, borders included, then a 2x2
    max-pool if `pool`; outputs get borders of `above` zeros. Keeps `kept` images, and computes `chunk` at a time, of
    `together` lanes. Not in `training`, there is no backward pass.
    """

    def __init__(
        self, channels: int, size: int, pool: bool, read: tuple[int, int, int], above: int,
        lanes: int, together: int, kept: int, chunk: int, dtype: torch.dtype, training: bool,
    ) -> None:  # fmt: skip
        (inputs, high, wide), k, h = read, size, 1 + pool  # h: rows, and columns, for each that the pool leaves
        rows, columns = (high - k + 1) // h, (wide - k + 1) // h
        g = max(n for n in range(h, h * columns + 1, h) if h * columns % n == 0 and n <= max(k - 1, h))
        pairs, blocks, width = g // h, h * columns // g, g + k - 1
        n, depth = channels * g, inputs * k * width
        self._pool, self._above, self.padded = pool, above, (channels, rows + 2 * above, columns + 2 * above)
        # Axes, less that of images; the last three are those of a column of X and Z: parity of the row, row, block.
        self._x_axes, self._z_axes = (inputs, k, width, h, rows, blocks), (h, channels, pairs, h, rows, blocks)
        self._x_strides = (high * wide, wide, 1, wide, h * wide, g)
        self._t, self._dt = (torch.zeros(count, n, depth, dtype=dtype) for count in (lanes, together))
        band = (h, channels, pairs, inputs, k, k)
        strides = (channels * pairs * depth + 1, pairs * depth, depth + h, k * width, width, 1)
        self._band, self._band_of_dt = (
            t.as_strided((len(t), *band), (n * depth, *strides)) for t in (self._t, self._dt)
        )
        self._bands_of_dt = [one for of_parity in self._band_of_dt.unbind(1) for one in of_parity.unbind(2)]
        x, z, a = (prod(axes) for axes in (self._x_axes, self._z_axes, self.padded))
        self._x, self._z, self._m, self._d = (torch.empty(chunk * n, dtype=dtype) for n in (x, z, z // h, a))
        self._a = torch.empty(kept * a, dtype=dtype)
        self._greater = [torch.empty(kept * n, dtype=dtype) for n in (z // 2, z // 4) if pool and training]

    def views(self, lanes: slice, place: int, images: Tensor, below: Tensor) -> Views:
        """For `images` [G, *read, B] of some lanes, kept from place `place` on; `below`: buffer for dL/d images."""

        def part(flat: Tensor, shape: tuple[int, ...], place: int = 0) -> Tensor:
            return flat[place * prod(shape) :][: together * count * prod(shape)].view(together, *shape, count)

        def forms(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            end = -self._above or None
            inner = a[:, :, self._above : end, self._above : end]
            return a, inner, inner.view(together, channels, rows, blocks, pairs, count).permute(0, 1, 4, 2, 3, 5)

        together, count, (_, channels, pairs, _, rows, blocks) = len(images), images.shape[4], self._z_axes
        strides = (images.stride(0), *(n * count for n in self._x_strides), 1)
        read, add = (
            images_.as_strided((together, *self._x_axes, count), strides, images_.storage_offset())
            for images_ in (images, below)
        )
        x, z, greater = part(self._x, self._x_axes), part(self._z, self._z_axes), None
        if self._greater:
            of_columns, of_rows = self._greater
            pooled = (channels, pairs, rows, blocks)
            greater = part(of_columns, self._z_axes[1:], place), part(of_rows, pooled, place)
        sums = [
            pair
            for of_row in zip(add.unbind(2), x.unbind(2), strict=True)
            for pair in zip(*(one.unbind(5) for one in of_row), strict=True)
        ]
        return Views(
            t=_matrix(self._t[lanes]), read=read, along=add,
            x=(_matrix(x.flatten(4).flatten(1, 3)), x), z=(_matrix(z.flatten(4).flatten(1, 3)), z.unbind(1)),
            m=part(self._m, self._z_axes[1:]), greater=greater,
            a=forms(part(self._a, self.padded, place)), d=forms(part(self._d, self.padded)), below=below, sums=sums,
        )  # fmt: skip

    def set_weights(self, weight: Tensor) -> None:
        """Put W of all lanes, [L, channels, inputs, size, size], into T."""
        self._band.copy_(weight[:, None, :, None])

    def forward(self, v: Views, bias: Tensor, activation: Activation, gather: bool = True) -> None:
        """Fill `v.a`, with biases [G, channels]; without `gather`, X holds the images already."""
        if gather:
            v.x[1].copy_(v.read)
        _product(v.t, v.x[0], v.z[0])
        whole, a, by_axes = v.a
        if self._above:
            whole.zero_()
        z = v.z[1]
        if self._pool:
            torch.maximum(z[0], z[1], out=v.m)
            first, second = v.m.unbind(3)
            if v.greater is not None:
                torch.gt(z[1], z[0], out=v.greater[0])
                torch.gt(second, first, out=v.greater[1])
            torch.maximum(first, second, out=by_axes)
        else:
            by_axes.copy_(z[0][:, :, :, 0])
        activation.apply_(a.add_(_by_channel(bias.to(a.dtype))))

    def backward(self, v: Views, dw: Tensor, db: Tensor, activation: Activation, gather: bool, propagate: bool) -> None:
        """Add to `dw` and `db` what follows from v.d, which is overwritten; `propagate` fills `v.below`."""
        _, d, by_axes = v.d
        activation.backward_(d, v.a[1])
        db.add_(d.sum((2, 3, 4), dtype=db.dtype))
        z = v.z[1]
        if v.greater is not None:
            columns, rows = v.greater
            first, second = v.m.unbind(3)
            torch.mul(by_axes, rows, out=second)
            torch.sub(by_axes, second, out=first)
            torch.mul(v.m, columns, out=z[1])
            torch.sub(v.m, z[1], out=z[0])
        else:
            z[0][:, :, :, 0].copy_(by_axes)
        if gather:
            v.x[1].copy_(v.read)
        _product(v.z[0], v.x[0].mT, _matrix(self._dt))
        for band in self._bands_of_dt:
            dw.add_(band)
        if propagate:
            _product(v.t.mT, v.z[0], v.x[0])
            v.below.zero_()
            for to, part in v.sums:
                to.add_(part)

    def derivative(self, v: Views, dw: Tensor, db: Tensor, activation: Activation, propagate: bool) -> None:
        """Fill `v.d` with the derivative of `v.a` along the weights `dw`, the biases `db` and, if `propagate`, what
        `v.below` holds of the images below."""
        self._dt.zero_()
        self._band_of_dt.copy_(dw[:, None, :, None])
        v.x[1].copy_(v.read)
        _product(_matrix(self._dt), v.x[0], v.z[0])
        if propagate:
            v.x[1].copy_(v.along)
            _product(v.t, v.x[0], v.z[0], add=True)
        whole, d, by_axes = v.d
        if self._above:
            whole.zero_()
        z = v.z[1]
        if v.greater is not None:
            columns, rows = v.greater
            first, second = torch.lerp(z[0], z[1], columns, out=v.m).unbind(3)
            torch.lerp(first, second, rows, out=by_axes)
        else:
            by_axes.copy_(z[0][:, :, :, 0])
        activation.backward_(d.add_(_by_channel(db)), v.a[1])


def _matrix(t: Tensor) -> Tensor:
    """[G, n, m], or [n, m] of one lane."""
    return t[0] if len(t) == 1 else t


def _product(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> None:
    if out.dim() == 2:
        torch.addmm(out, a, b, out=out) if add else torch.mm(a, b, out=out)
    else:
        torch.baddbmm(out, a, b, out=out) if add else torch.bmm(a, b, out=out)


def _by_channel(bias: Tensor) -> Tensor:
    return bias[:, :, None, None, None]
