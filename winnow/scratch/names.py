"""What a user may say: names, and numbers within their range. Imports no NumPy, so that config can check them, too."""

from __future__ import annotations

from collections.abc import Iterable

from winnow.errors import UserError
from winnow.options import allows, words
from winnow.plugins import valid_names

ALIASES = {"nesterov": "nag"}
NAMES = {  # option: what it names, and the keys of the table where it is looked up
    "activation": ("activation", ("identity", "sigmoid", "tanh", "relu")),
    "loss": ("loss", ("cross_entropy", "mean_squared_error")),
    "inputs": ("form of the inputs", ("unit", "centred", "standardised", "roots")),
    "weight_init": ("weight initialisation", ("random", "xavier")),
    "train_on": ("part of the training images", ("holdout", "all")),
    "optimizer": ("optimiser", ("sgd", "momentum", "nag", "rmsprop", "adam", "nadam")),
}
RANGES = {
    "learning_rate": "(0, inf)",
    "weight_decay": "[0, inf)",
    "momentum": "[0, 1)",
    "beta": "[0, 1)",
    "beta1": "[0, 1)",
    "beta2": "[0, 1)",
    "epsilon": "(0, inf)",
}


def canonical(what: str, name: object, valid: Iterable[str]) -> str:
    """The one of `valid` that `name` means: `ReLU` is relu, `fashion-mnist` is fashion_mnist, `nesterov` is nag.

    UserError naming `what` it should be, the nearest and all valid names.
    """
    valid = list(valid)
    spelled = str(name).lower().replace("-", "_")
    found = ALIASES.get(spelled, spelled)
    if found not in valid:
        raise UserError(f"There is no {what} {name!r}. {valid_names(found, valid)}")
    return found


def check_number(option: str, value: object, valid: str) -> None:
    """UserError unless the value is a number in the interval `valid`, such as "[0, 1)"."""
    if not allows(valid, value):
        raise UserError(f"{option} is {value!r}, but must be {words(valid)}.")
