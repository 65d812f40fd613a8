"""The long options of the training programs, and the specs that they stand for when no --spec is given."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from winnow import lottery, plugins, provenance
from winnow.runs import Place

PRUNABLE = "rnn.weight_hh_l*,rnn.weight_ih_l[1-9]*"


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the workflow's arguments and everything that describes one training job by hand."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    provenance.arguments(made)
    made.add_argument(
        "--data", type=Path, default=Path("results/data/fashion_mnist"), help="folder of the packed data set"
    )
    made.add_argument("--out", type=Path, required=True, help="folder to write to")
    made.add_argument("--store", type=Path, default=None, help="folder for checkpoints (default: OUT/.store)")
    made.add_argument("--store-gb", type=float, default=20.0, help="largest size of the store")
    made.add_argument("--best", type=Path, metavar="FILE", help="best.json, where the learning rate is 'best'")
    hand = made.add_argument_group("by hand, instead of --spec")
    hand.add_argument("--dataset", default="fashion_mnist", choices=plugins.names("datasets"))
    hand.add_argument("--optimizer", default="gd", choices=plugins.names("optimizers"), help="optimiser (default: gd)")
    hand.add_argument("--learning-rate", default="0.022", help="learning rate (default: 0.022)")
    hand.add_argument("--momentum", type=float, default=0.9)
    hand.add_argument("--weight-decay", type=float, default=1e-6)
    hand.add_argument("--optimizer-options", type=json.loads, default={}, metavar="JSON", help="further options")
    hand.add_argument("--model", default="rnn", choices=plugins.names("models"))
    hand.add_argument("--model-options", type=json.loads, default={"hidden": 256, "layers": 3}, metavar="JSON")
    hand.add_argument("--epochs", type=int, default=20)
    hand.add_argument("--batch-size", type=int, default=256)
    hand.add_argument("--clip", type=float, default=1.0, help="largest gradient norm")
    hand.add_argument("--rewind", default="1ep", help="when the rewind point is taken (default: 1ep)")
    hand.add_argument(
        "--schedule", type=json.loads, default={"name": "step", "every": "5ep", "gamma": 0.9}, metavar="JSON",
        help='learning-rate schedule (default: {"name": "step", "every": "5ep", "gamma": 0.9})',
    )  # fmt: skip
    hand.add_argument("--validation", type=int, default=0, help="images to hold out (default: 0, train on all)")
    hand.add_argument("--seeds", default="0", help="comma-separated random seeds, trained together (default: 0)")
    hand.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    hand.add_argument("--device", default="cpu", help="cpu, cuda or another accelerator (default: cpu)")
    hand.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    return made


def add_pruning(made: argparse.ArgumentParser) -> None:
    """The options of pruning."""
    hand = made.add_argument_group("pruning by hand")
    hand.add_argument("--criterion", default="magnitude", choices=plugins.names("criteria"))
    hand.add_argument("--scope", default="global", choices=("global", "layerwise"))
    hand.add_argument("--restart", default="rewind", choices=lottery.RESTARTS)
    hand.add_argument("--schedule-restart", default="rewind", choices=lottery.SCHEDULE_RESTARTS)
    hand.add_argument("--density", type=float, default=0.2, help="share of the prunable weights kept in the end")
    hand.add_argument("--rounds", type=int, default=5, help="number of rounds (default: 5)")
    hand.add_argument("--prunable", default=PRUNABLE, help=f"comma-separated name patterns (default: {PRUNABLE})")


def place(args: argparse.Namespace) -> Place:
    """Where the job reads and writes."""
    return Place(args.data, args.out, args.store or args.out / ".store", int(args.store_gb * 1e9))


def train_spec(args: argparse.Namespace) -> dict[str, Any]:
    """The TrainSpec of the options."""
    return {
        "dataset": args.dataset, "validation": args.validation, "train_on": "holdout" if args.validation else "all",
        "model": {"name": args.model, **args.model_options},
        "optimizer": {
            "name": args.optimizer, "momentum": args.momentum, "weight_decay": args.weight_decay,
            **args.optimizer_options,
        },
        "lr": args.learning_rate, "schedule": args.schedule, "length": f"{args.epochs}ep", "rewind": args.rewind,
        "evaluate_every": "1ep", "batch_size": args.batch_size, "clip": args.clip, "precision": args.precision,
        "seeds": [int(seed) for seed in args.seeds.split(",")], "device": args.device, "threads": args.threads,
    }  # fmt: skip


def round_specs(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The RoundSpecs of all rounds."""
    recipe = {
        "criterion": args.criterion, "scope": args.scope, "restart": args.restart,
        "schedule_restart": args.schedule_restart, "schedule": None,
    }  # fmt: skip
    common = {"training": train_spec(args), "recipe": recipe, "prunable": args.prunable.split(",")}
    densities = lottery.round_densities(args.density, rounds=args.rounds)
    return [{**common, "round": index, "density": density} for index, density in enumerate(densities, start=1)]


def in_run_spec(args: argparse.Namespace) -> dict[str, Any]:
    """The InRunSpec: the rewind point's schedule is halved every 5 epochs, then cut to a tenth after each pruning."""
    at = args.at.split(",")
    training = {**train_spec(args), "schedule": {"name": "step", "every": "5ep", "gamma": 0.5}}
    after = {"name": "step", "every": "5ep", "gamma": 0.1}
    densities = lottery.round_densities(args.density, rounds=len(at))
    return {
        "training": training, "recipe": {"criterion": args.criterion, "scope": args.scope},
        "prunable": args.prunable.split(","), "in_run": {"at": at, "densities": densities, "schedule_after": after},
    }  # fmt: skip
