"""Train a network without pruning, by any optimiser: dense runs of the workflow, or a run of your own.

In the workflow: train_dense.py --spec JSON --data DIR --out DIR --store DIR. By hand, for example:
    python workflow_scripts/train_dense.py --optimizer gd --learning-rate 0.022 --out out/gd
"""

from winnow import cli, provenance, training_options
from winnow.runs import train_dense
from winnow.setting import resolve
from winnow.spec import TrainSpec


def main() -> None:
    """Parse, train, record."""
    parser = training_options.parser(__doc__)
    args = parser.parse_args()
    values = provenance.start(args) or training_options.train_spec(args)
    place = training_options.place(args)
    train_dense(resolve(TrainSpec.read(values), args.best), place)
    names = ("metrics.csv", "init.safetensors", "rewind.safetensors", "final.safetensors", "run.json")
    provenance.finish(args, [place.out / name for name in names])


if __name__ == "__main__":
    cli.run(main)
