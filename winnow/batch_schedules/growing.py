"""Batches that grow geometrically: less noise as training goes on, at the cost of fewer steps per epoch.

    B(e) = min(floor(B(0) * factor ^ floor(e / every)), largest)   in epoch e, B(0) = `batch_size`

Growing at the rate at which the error falls keeps the linear convergence of gradient descent at the cost per step of
stochastic gradients (Friedlander & Schmidt 2012, SIAM J. Sci. Comput. 34, A1380; Bottou, Curtis & Nocedal 2018,
arXiv 1606.04838, section 5.2). It takes the place of a falling learning rate (Smith et al. 2018, arXiv 1711.00489).
"""

from __future__ import annotations

from winnow.duration import Duration
from winnow.errors import UserError

RANGES = {"factor": "[1.1, inf)", "every": "epochs", "largest": "[1, inf)"}


def sizes(
    *, images: int, batch_size: int, factor: float = 2.0, every: str = "1ep", largest: int | None = None
) -> dict[int, int]:
    """{first epoch: batch size from there on}.

    factor   by which the batch grows, a finite number >= 1.1
    every    after how many epochs, "2ep"
    largest  where it stops, batch_size to images; None: at all the images

    UserError for anything else.
    """
    most = images if largest is None else largest
    if not isinstance(most, int) or isinstance(most, bool) or not batch_size <= most <= images:
        raise UserError(
            f"The option 'largest' of the batch schedule 'growing' is {largest!r}; valid is a whole number from the "
            f"batch size, {batch_size}, to the number of images to train on, {images}."
        )
    number = isinstance(factor, (int, float)) and not isinstance(factor, bool)
    if not number or not 1.1 <= factor < float("inf"):
        raise UserError(f"The option 'factor' of the batch schedule 'growing' is {factor!r}; valid is a number >= 1.1.")
    try:
        length = Duration.parse(every)
    except UserError:
        length = Duration(0, "ep")
    if length.unit != "ep" or length.count == 0:
        raise UserError(
            f"The option 'every' of the batch schedule 'growing' is {every!r}; valid is a whole number of epochs, at "
            "least '1ep'."
        )
    found, grown = {0: batch_size}, 0
    while found[grown * length.count] < most:
        grown += 1
        found[grown * length.count] = int(min(batch_size * factor**grown, most))
    return found
