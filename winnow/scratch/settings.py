"""What one training is: the network, its loss and start, the optimiser, and for how long. Checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from winnow.errors import UserError
from winnow.scratch.names import NAMES, RANGES, canonical, check_number

NUM_LAYERS, HIDDEN_SIZE = 3, 128  # of equal layers, where only one of them is given


@dataclass(frozen=True)
class Settings:
    """Names may be spelled as people do (`ReLU`, `nesterov`); here they become the table's own.

    inputs     what the network sees of the pixels (inputs.py)
    layers     sizes of the hidden layers, from the inputs on; may be empty
    train_on   holdout: 90 % of the training images, the same for every seed, and the rest validate; all: no validation
    momentum   of momentum and nag; beta of rmsprop; beta1, beta2 of adam and nadam; epsilon of all three

    UserError names a wrong value and what is valid.
    """

    layers: tuple[int, ...] = (128, 64)
    activation: str = "relu"
    loss: str = "cross_entropy"
    weight_init: str = "xavier"
    inputs: str = "unit"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    beta: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    batch_size: int = 32
    train_on: str = "holdout"
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for field, (what, known) in NAMES.items():
            object.__setattr__(self, field, canonical(what, getattr(self, field), known))
        for option, valid in RANGES.items():
            check_number(option, getattr(self, option), valid)
        if not isinstance(self.layers, (tuple, list)):
            raise UserError(f"layers is {self.layers!r}, but must be a list of sizes, which may be empty.")
        object.__setattr__(self, "layers", tuple(self.layers))
        whole = {"batch_size": 1, "epochs": 1, "seed": 0}
        for field, value, least in (
            *((field, getattr(self, field), least) for field, least in whole.items()),
            *(("layers", size, 1) for size in self.layers),
        ):
            if type(value) is not int or value < least:
                raise UserError(f"{field} has the value {value!r}, but must be a whole number of at least {least}.")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """With these values; in place of `layers` there may be `num_layers` and `hidden_size`, for equal ones."""
        values = dict(values)
        if values.keys() & {"num_layers", "hidden_size"}:
            values["layers"] = (values.get("hidden_size", HIDDEN_SIZE),) * values.get("num_layers", NUM_LAYERS)
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    def optimizer_options(self) -> dict[str, float]:
        """The options that every optimiser takes."""
        return {option: getattr(self, option) for option in RANGES}
