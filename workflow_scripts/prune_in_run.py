"""Train one network and prune it on the way, as the seed study does: evaluate, then prune, at given epochs.

In the workflow: prune_in_run.py --spec JSON --data DIR --out DIR --store DIR. By hand, for example:
    python workflow_scripts/prune_in_run.py --optimizer eg --learning-rate 0.7 --density 0.2 \\
        --at 5ep,9ep,12ep,16ep,20ep --out out/eg_seed_procedure
The learning rate follows --schedule until the first pruning, and --schedule-after, begun anew, after each.

With --sparsify a mask changes while the network trains, and --schedule holds throughout:
    python workflow_scripts/prune_in_run.py --optimizer eg --learning-rate 0.7 --density 0.2 \\
        --sparsify '{"name": "gradual_magnitude", "end": "15ep"}' --out out/eg_gradual
"""

from winnow import cli, provenance, training_options
from winnow.runs import prune_in_run, train_scenario
from winnow.setting import resolve
from winnow.spec import ScenarioSpec, in_run_spec


def main() -> None:
    """Parse, train, record."""
    parser = training_options.parser(__doc__, gamma=0.5)
    training_options.add_in_run(parser)
    args = parser.parse_args()
    values = provenance.start(args) or training_options.in_run_spec(args)
    place = training_options.place(args)
    spec = in_run_spec(values)
    spec = spec.with_training(resolve(spec.training, args.best))
    if isinstance(spec, ScenarioSpec):
        train_scenario(spec, place)
    else:
        prune_in_run(spec, place)
    names = ("metrics.csv", "mask.safetensors", "final.safetensors", "run.json")
    provenance.finish(args, [place.out / name for name in names])


if __name__ == "__main__":
    cli.run(main)
