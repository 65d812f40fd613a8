"""The long options of the training programs, and the specs that they stand for when no --spec is given.

What a user may type wrongly ends as a UserError naming the option (`winnow.argument_types`). Options of plug-ins are
checked by `winnow.options`, as those in config are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from winnow import lottery, options, plugins, provenance
from winnow.argument_types import Help, duration, mapping, moments, number, rate, seeds, whole
from winnow.errors import UserError
from winnow.stored_run import Place

PRUNABLE = "rnn.weight_hh_l*,rnn.weight_ih_l[1-9]*"


def parser(description: str | None, gamma: float = 0.9) -> argparse.ArgumentParser:
    """A parser with the workflow's arguments and all that describes one training job by hand.

    gamma: by how much the default schedule multiplies the learning rate every 5 epochs.
    """
    made = argparse.ArgumentParser(description=description, formatter_class=Help)
    provenance.arguments(made)
    made.add_argument(
        "--data", type=Path, help="folder of the packed data set (default: results/data/NAME, NAME as in --dataset)"
    )
    made.add_argument("--out", type=Path, required=True, help="folder to write to")
    made.add_argument("--store", type=Path, help="folder for checkpoints (default: OUT/.store)")
    made.add_argument(
        "--store-gb", type=number("--store-gb", lambda size: size > 0, "a number > 0"), default=20.0,
        help="largest size of the store; entries unused for longest go first",
    )  # fmt: skip
    made.add_argument("--best", type=Path, metavar="FILE", help="best.json, where the learning rate is 'best'")
    hand = made.add_argument_group("by hand, instead of --spec")
    hand.add_argument("--dataset", default="fashion_mnist", choices=plugins.names("datasets"), help="data set")
    hand.add_argument("--optimizer", default="gd", choices=plugins.names("optimizers"), help="optimiser")
    hand.add_argument("--learning-rate", type=rate, metavar="NUMBER", help="learning rate; required without --spec")
    hand.add_argument("--momentum", type=float, help="(default: 0.9, where the optimiser has it)")
    hand.add_argument("--weight-decay", type=float, help="(default: 1e-06, where the optimiser has it)")
    hand.add_argument(
        "--optimizer-options", type=mapping("--optimizer-options"), default={}, metavar="JSON",
        help="its further options (default: {})",
    )  # fmt: skip
    hand.add_argument("--model", default="rnn", choices=plugins.names("models"), help="model")
    hand.add_argument(
        "--model-options", type=mapping("--model-options"), default={}, metavar="JSON",
        help="its options (default: {}, so the model's own; rnn: hidden 256, layers 3)",
    )  # fmt: skip
    hand.add_argument("--epochs", type=whole("--epochs", 1), default=20, metavar="N", help="length of training")
    hand.add_argument("--batch-size", type=whole("--batch-size", 1), default=256, metavar="N", help="images per step")
    hand.add_argument(
        "--batch-schedule", type=mapping("--batch-schedule"), default={"name": "constant"}, metavar="JSON",
        help="how the batch size changes on the way",
    )  # fmt: skip
    hand.add_argument(
        "--clip",
        type=number("--clip", lambda norm: norm > 0, "a number > 0"),
        default=1.0,
        help="largest gradient norm",
    )
    hand.add_argument("--rewind", type=duration("--rewind"), default="1ep", help="when the rewind point is taken")
    hand.add_argument(
        "--schedule", type=mapping("--schedule"), default={"name": "step", "every": "5ep", "gamma": gamma},
        metavar="JSON", help="learning-rate schedule",
    )  # fmt: skip
    hand.add_argument(
        "--validation",
        type=whole("--validation", 0),
        default=0,
        metavar="N",
        help="images to hold out; 0: train on all",
    )
    hand.add_argument("--seeds", type=seeds, default="0", help="random seeds, comma-separated, trained together")
    hand.add_argument("--precision", default="fp32", choices=("fp32", "tf32", "bf16"), help="of matrix products")
    hand.add_argument("--inputs", default="standardised", choices=("standardised", "unit"), help="scale of the pixels")
    hand.add_argument(
        "--label-smoothing", type=number("--label-smoothing", lambda share: 0 <= share < 1, "a number >= 0 and < 1"),
        default=0.0, help="share of the other classes in the training loss",
    )  # fmt: skip
    hand.add_argument(
        "--l2", type=number("--l2", lambda strength: strength >= 0, "a number >= 0"), default=0.0,
        metavar="STRENGTH", help="the loss gets STRENGTH / 2 times the sum of all squared parameters",
    )  # fmt: skip
    hand.add_argument(
        "--augmentation", type=mapping("--augmentation"), default={"name": "none"}, metavar="JSON",
        help="how training images are changed",
    )  # fmt: skip
    hand.add_argument("--step-losses", action="store_true", help="keep the loss of every step, in steps.csv")
    hand.add_argument("--device", default="cpu", help="cpu, cuda or another accelerator")
    hand.add_argument("--deterministic", action="store_true", help="the same bits in every run on a GPU, too")
    hand.add_argument("--threads", type=whole("--threads", 1), default=2, metavar="N", help="CPU threads")
    return made


def add_selection(made: argparse.ArgumentParser) -> Any:
    """The options of every kind of pruning; returns their group."""
    hand = made.add_argument_group("pruning by hand")
    hand.add_argument("--criterion", default="magnitude", choices=plugins.names("criteria"), help="what scores weights")
    hand.add_argument(
        "--scope", default="global", choices=("global", "layerwise"), help="one threshold, or one for each tensor"
    )
    hand.add_argument(
        "--density", type=number("--density", lambda share: 0 < share < 1, "a number > 0 and < 1"), default=0.2,
        help="share of the prunable weights kept in the end",
    )  # fmt: skip
    hand.add_argument("--prunable", default=PRUNABLE, help="comma-separated name patterns")
    return hand


def add_pruning(made: argparse.ArgumentParser) -> None:
    """The options of pruning in rounds."""
    hand = add_selection(made)
    hand.add_argument("--restart", default="rewind", choices=lottery.RESTARTS, help="weights that a round starts from")
    hand.add_argument(
        "--schedule-restart", default="rewind", choices=lottery.SCHEDULE_RESTARTS, help="where its schedule starts"
    )
    hand.add_argument("--rounds", type=whole("--rounds", 1), default=5, metavar="N", help="number of rounds")


def add_in_run(made: argparse.ArgumentParser) -> None:
    """The options of pruning inside one run."""
    hand = add_selection(made)
    hand.add_argument(
        "--at", type=moments, default="5ep,9ep,12ep,16ep,20ep", help="when to prune, comma-separated durations"
    )
    hand.add_argument(
        "--schedule-after", type=mapping("--schedule-after"), default={"name": "step", "every": "5ep", "gamma": 0.1},
        metavar="JSON", help="schedule that starts anew after each pruning",
    )  # fmt: skip
    hand.add_argument(
        "--sparsify", type=mapping("--sparsify"), metavar="JSON",
        help="sparsifier and its options, in place of --criterion, --at and --schedule-after",
    )  # fmt: skip


def place(args: argparse.Namespace) -> Place:
    """Where the job reads and writes."""
    training = args.spec.get("training", args.spec)
    dataset = training.get("dataset", args.dataset) if isinstance(training, dict) else None
    if not isinstance(dataset, str):
        raise UserError(f"--spec: training is {training!r}; it must be a JSON object in which 'dataset' is a name.")
    data = args.data or Path("results/data") / dataset
    return Place(data, args.out, args.store or args.out / ".store", int(args.store_gb * 1e9))


def _checked(option: str, kind: str, entry: dict[str, Any], own: Iterable[str] = ()) -> dict[str, Any]:
    """The entry, checked. `own`: the plug-in's options among it that the user gave by an option of their own."""
    try:
        return options.check(kind, entry)
    except UserError as error:
        path = getattr(error, "path", "")
        option = f"--{path.replace('_', '-')}" if path in own else option
        raise UserError(f"{option}: {error}") from None


def _named(option: str, name_option: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The options of the plug-in `name`, with its name; UserError if they name another."""
    if given.get("name", name) != name:
        raise UserError(f"{option} has the name {given['name']!r}, but {name_option} is {name!r}: give the name there.")
    return {**given, "name": name}


def train_spec(args: argparse.Namespace) -> dict[str, Any]:
    """The TrainSpec of the options. UserError: no learning rate, an option that a plug-in does not have."""
    if args.learning_rate is None:
        raise UserError(
            "--learning-rate is missing. It has no default, because what is good differs between optimisers: 0.022 for "
            "gd and 0.7 for eg are those of the study (config.yaml)."
        )
    known = options.parameters("optimizers", args.optimizer)
    defaults = {"momentum": 0.9, "weight_decay": 1e-6}
    own = {option: getattr(args, option) for option in defaults if getattr(args, option) is not None}
    defaults = {option: value for option, value in defaults.items() if option in known}
    model = _named("--model-options", "--model", args.model, args.model_options)
    further = _named("--optimizer-options", "--optimizer", args.optimizer, args.optimizer_options)
    return {
        "dataset": args.dataset, "validation": args.validation, "train_on": "holdout" if args.validation else "all",
        "model": _checked("--model-options", "models", model),
        "optimizer": _checked(
            "--optimizer-options", "optimizers", {**defaults, **own, **further}, own.keys() - further.keys()
        ),
        "lr": args.learning_rate, "schedule": _checked("--schedule", "schedules", args.schedule),
        "length": f"{args.epochs}ep", "rewind": args.rewind, "evaluate_every": "1ep", "test_every": None,
        "batch_size": args.batch_size,
        "batch_schedule": _checked("--batch-schedule", "batch_schedules", args.batch_schedule),
        "clip": args.clip, "precision": args.precision, "inputs": args.inputs,
        "label_smoothing": args.label_smoothing, "l2": args.l2,
        "augmentation": _checked("--augmentation", "augmentations", args.augmentation),
        "step_losses": args.step_losses, "seeds": args.seeds, "device": args.device, "threads": args.threads,
        "deterministic": args.deterministic,
    }  # fmt: skip


def round_specs(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The RoundSpecs of all rounds."""
    recipe = {
        "criterion": args.criterion, "scope": args.scope, "one_shot": False, "restart": args.restart,
        "schedule_restart": args.schedule_restart, "schedule": None,
    }  # fmt: skip
    common = {"training": train_spec(args), "recipe": recipe, "prunable": args.prunable.split(",")}
    densities = lottery.round_densities(args.density, rounds=args.rounds)
    return [{**common, "round": index, "density": density} for index, density in enumerate(densities, start=1)]


def in_run_spec(args: argparse.Namespace) -> dict[str, Any]:
    """The InRunSpec: --schedule until the first pruning, --schedule-after anew after each; or the ScenarioSpec."""
    if args.sparsify is not None:
        sparsify = _checked("--sparsify", "sparsifiers", {"density": args.density, **args.sparsify})
        given = {"training": train_spec(args), "scope": args.scope, "prunable": args.prunable.split(",")}
        return {**given, "sparsify": sparsify}
    after = _checked("--schedule-after", "schedules", args.schedule_after)
    densities = lottery.round_densities(args.density, rounds=len(args.at))
    return {
        "training": train_spec(args), "recipe": {"criterion": args.criterion, "scope": args.scope},
        "prunable": args.prunable.split(","),
        "in_run": {"at": args.at, "densities": densities, "schedule_after": after},
    }  # fmt: skip
