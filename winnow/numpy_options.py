"""The command line of the network from scratch: the seed study's options, and what a saved configuration may hold.

Its long options have underscores, as there. A configuration file is JSON or YAML with long options as keys; it is read
as if its entries stood on the command line, before those that do. Of a sweep's best.json the first one counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from winnow import options, plugins
from winnow.argument_types import Help, number, whole
from winnow.errors import UserError
from winnow.scratch.names import NAMES, RANGES, canonical
from winnow.scratch.settings import HIDDEN_SIZE, NUM_LAYERS, Settings

EQUAL = {"num_layers", "hidden_size"}  # which say the same as `layers`, for layers of one size
ALIASES = {"hidden_layers": "num_layers"}  # as the seed's sweep has it


@dataclass(frozen=True)
class Run:
    """What the command line asks for: `values` is all of it, as a configuration file takes it again.

    tracked: whether the command line itself, not a saved configuration, names a tracker's project or entity.
    """

    settings: Settings
    dataset: str
    data: Path
    out: Path
    values: dict[str, Any]
    tracked: bool


def read(arguments: Sequence[str], description: str | None) -> Run:
    """The run that these arguments describe. UserError for a wrong value, naming the option and what is valid."""
    made = _parser(description)
    given: dict[str, Any] = vars(made.parse_args(arguments))
    saved: dict[str, Any] = vars(made.parse_args(_saved(given.pop("config")))) if "config" in given else {}
    for values in (given, saved):
        if "layers" in values and (equal := values.keys() & EQUAL):
            raise UserError(f"--layers gives all hidden layers: leave it out, or --{min(equal)}.")
    if "layers" in given:
        saved = {option: value for option, value in saved.items() if option not in EQUAL}
    elif given.keys() & EQUAL:
        saved.pop("layers", None)
    values = {**saved, **given}
    settings = Settings.of(values)
    dataset = values.get("dataset", "fashion_mnist")
    trackers: dict[str, Any] = {key: values[key] for key in ("wandb_project", "wandb_entity") if key in values}
    return Run(
        settings=settings,
        dataset=dataset,
        data=values.get("data", Path("results/data") / dataset),
        out=values.get("out", Path("out") / run_name(settings)),
        values={"dataset": dataset, **asdict(settings), **trackers},
        tracked=bool(given.keys() & trackers.keys()),
    )


def run_name(settings: Settings) -> str:
    """The seed's name of a run: `run_hl-3_bs-16_act-tanh_opt-adam`."""
    return f"run_hl-{len(settings.layers)}_bs-{settings.batch_size}_act-{settings.activation}_opt-{settings.optimizer}"


def _parser(description: str | None) -> argparse.ArgumentParser:
    """Options that are not given are not in the result."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=Help, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    usual = Settings()
    datasets = plugins.names("datasets")

    def add(short: str, option: str, read: Callable[[str], Any], text: str, default: object = None) -> None:
        default = getattr(usual, option, default)
        shown = f"{text} (default: {default})" if default is not None else text
        made.add_argument(*[short] * bool(short), f"--{option}", type=read, help=shown, metavar="VALUE")

    add("-wp", "wandb_project", str, "W&B project that the finished training becomes an offline run of")
    add("-we", "wandb_entity", str, "W&B entity (user or team) of that run")
    add("-d", "dataset", lambda text: canonical("data set", text, datasets), ", ".join(datasets), "fashion_mnist")
    add("-e", "epochs", whole("--epochs", 1), "length of training")
    add("-b", "batch_size", whole("--batch_size", 1), "images per step")
    for short, option in {"-l": "loss", "-o": "optimizer", "-w_i": "weight_init", "-a": "activation"}.items():
        add(short, option, _name(option), ", ".join(NAMES[option][1]))
    add("", "train_on", _name("train_on"), "holdout: 10 % of the training images validate; all: none do")
    add("", "inputs", _name("inputs"), "what the network sees of the pixels, see winnow/scratch/inputs.py: "
        + ", ".join(NAMES["inputs"][1]))  # fmt: skip
    short_names = {"learning_rate": "-lr", "momentum": "-m", "epsilon": "-eps", "weight_decay": "-w_d"}
    texts = {
        "learning_rate": "learning rate", "momentum": "of momentum and nag", "beta": "of rmsprop",
        "beta1": "of adam and nadam", "beta2": "of adam and nadam", "epsilon": "of rmsprop, adam and nadam",
        "weight_decay": "L2 penalty of the weights",
    }  # fmt: skip
    for option, valid in RANGES.items():
        add(short_names.get(option, f"-{option}"), option, _number(option, valid), texts[option])
    add("-nhl", "num_layers", whole("--num_layers", 0), f"hidden layers of equal size; with -sz alone {NUM_LAYERS}")
    add("-sz", "hidden_size", whole("--hidden_size", 1), f"units of each; with -nhl alone {HIDDEN_SIZE}")
    add("", "layers", _layers, "sizes of the hidden layers, in place of -nhl and -sz, e.g. 128,64")
    add("", "seed", whole("--seed", 0), "random seed")
    add("", "config", Path, "a saved configuration (JSON or YAML), or a sweep's best.json; options given beside it win")
    add("", "data", Path, "folder of the packed data set, fetched if it is missing (default: results/data/NAME)")
    add("", "out", Path, "folder to write to (default: out/ and the run's name)")
    return made


def _name(option: str) -> Callable[[str], str]:
    what, known = NAMES[option]
    return lambda text: canonical(what, text, known)


def _number(option: str, valid: str) -> Callable[[str], float]:
    return number(f"--{option}", lambda value: options.allows(valid, value), options.words(valid))


def _layers(text: str) -> tuple[int, ...]:
    parts = text.split(",") if text.strip() else []
    return tuple(whole("--layers", 1)(part.strip()) for part in parts)


def _saved(path: Path) -> list[str]:
    """The entries of a configuration file as command-line arguments. UserError names what is wrong in it."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"--config: {path} cannot be read ({error}). Valid: a JSON or YAML file.") from error
    if not isinstance(found, dict):
        raise UserError(f"--config: {path} holds no entries `option: value`.")
    if "configurations" in found:
        try:
            found = {"dataset": found["dataset"], **found["configurations"][0]["settings"]}
        except (LookupError, TypeError):
            raise UserError(f"--config: {path} holds no configuration that a sweep has found.") from None
    known = ["dataset", "num_layers", "hidden_size", "wandb_project", "wandb_entity", *vars(Settings())]
    arguments = []
    for key, value in found.items():
        option = ALIASES.get(key, key)
        if option not in known:
            raise UserError(f"--config: {path}: {options.unknown('the option', key, known)}")
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        arguments.append(f"--{option}={text}")
    return arguments
