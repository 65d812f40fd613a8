"""Train copies of a round with data orders of their own, and measure the error on the lines between them."""

import dataclasses
from pathlib import Path

from winnow import cli, engine, io, masks, provenance, runs, training_options
from winnow.connectivity import lines
from winnow.errors import UserError
from winnow.setting import Setting, resolve
from winnow.spec import RoundSpec


def main() -> None:
    parser = training_options.parser(__doc__)
    parser.add_argument("--dense", type=Path, required=True, metavar="DIR", help="folder of the dense run")
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder of the round; left out, the dense network")
    args = parser.parse_args()
    values, place = provenance.start(args), training_options.place(args)
    if not values:
        raise UserError(
            "--spec is missing: the workflow makes it for every round of a recipe with `instability` in the config. "
            "To measure a study: snakemake --cores 1 results/STUDY/tables/instability.csv"
        )
    spec = RoundSpec.read(values["round"])
    spec = spec.with_training(resolve(spec.training, args.best))
    copies, diverged = {}, set()
    for number in range(1, values["copies"] + 1):
        folder = args.out / "copies" / f"copy{number}"
        runs.train_copy(spec, number, dataclasses.replace(place, out=folder), args.dense, args.run)
        copies[number] = io.read_tensors(folder / "final.safetensors")[0]
        diverged |= set(io.read_json(folder / "run.json")["diverged"])
    setting, out = Setting.of(spec.training, place.data), args.out / "instability.csv"
    training = spec.training
    engine.begin(training.threads, training.precision, training.deterministic, place.store)
    density = (
        masks.density(io.read_tensors(args.run / "mask.safetensors")[0])
        if args.run
        else [1.0] * len(setting.spec.seeds)
    )
    shares = dict(zip(setting.spec.seeds, density, strict=True))
    rows = (row | {"density": shares[row["seed"]]} for row in lines(setting, copies, values["points"]))
    io.write_table(out, "run_instability", (row for row in rows if row["seed"] not in diverged))
    provenance.finish(args, [out])


if __name__ == "__main__":
    cli.run(main)
