"""Iterative pruning with rewinding: one round for the workflow, or all rounds of a recipe by hand.

In the workflow: prune.py --spec JSON --data DIR --dense DIR --previous DIR --out DIR --store DIR. By hand, for example:
    python workflow_scripts/prune.py --optimizer eg --learning-rate 0.7 --density 0.2 --rounds 5 --out out/eg
trains the dense network into out/eg/dense (or takes the one named by --dense) and writes out/eg/round1 ... round5.
"""

import dataclasses
from pathlib import Path

from winnow import cli, provenance, training_options
from winnow.errors import UserError
from winnow.runs import check_rounds, prune_round, train_dense
from winnow.setting import resolve
from winnow.spec import RoundSpec


def main() -> None:
    """Parse; one round, or the dense run and every round."""
    parser = training_options.parser(__doc__)
    training_options.add_pruning(parser)
    parser.add_argument("--dense", type=Path, metavar="DIR", help="folder of the dense run")
    parser.add_argument("--previous", type=Path, metavar="DIR", help="folder of the round before (workflow)")
    args = parser.parse_args()
    values, place = provenance.start(args), training_options.place(args)
    if values:
        if args.dense is None or args.previous is None:
            raise UserError("--spec is of one round, which needs --dense DIR and --previous DIR, too.")
        spec = RoundSpec.read(values)
        prune_round(spec.with_training(resolve(spec.training, args.best)), place, args.dense, args.previous)
        names = ("metrics.csv", "mask.safetensors", "final.safetensors", "run.json")
        provenance.finish(args, [place.out / name for name in names])
        return
    specs = [RoundSpec.read(values) for values in training_options.round_specs(args)]
    specs = [spec.with_training(resolve(spec.training, args.best)) for spec in specs]
    if args.dense is not None and not args.dense.is_dir():
        raise UserError(f"--dense {args.dense} is no folder.")
    check_rounds(specs, place, args.dense)
    dense = args.dense or args.out / "dense"
    if args.dense is None:
        train_dense(specs[0].training, dataclasses.replace(place, out=dense))
    previous = dense
    for index, spec in enumerate(specs, start=1):
        out = args.out / f"round{index}"
        print(f"round {index}: density {spec.density:.4f} -> {out}", flush=True)
        prune_round(spec, dataclasses.replace(place, out=out), dense, previous)
        previous = out


if __name__ == "__main__":
    cli.run(main)
