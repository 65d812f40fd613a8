"""Measure masks and weights: graph measures with null models, weight distributions and fits.

Of a run folder (--run), or by hand of files of your own (--masks or --weights): safetensors or PyTorch state dicts.
Writes graph.csv, nodes.csv, weights.csv and histograms.csv into --out (for a dense run the last two). For files of your
own the column `seed` numbers the networks from 0 in the order given.

Fits of pruned weights are truncated: they describe |w| above an edge below which pruning took everything. Of a round
(--run with --previous, and its "criterion" in --spec) they are made on the weights that the mask was made from, cut off
at the threshold; the trained weights have no sharp edge and are not fitted. Of your own files (--weights) a matrix with
exact zeros is truncated at its smallest |w|, one without is not. That is right for weights straight from magnitude
pruning. After further training it favours the log-normal, whatever the weights are: then look at the histograms, or
measure the weights as they were when they were pruned.
"""

import argparse
from pathlib import Path

from winnow import analysis, cli, provenance, user_files
from winnow.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    provenance.arguments(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", type=Path, metavar="DIR", help="folder of a dense run or of a round")
    source.add_argument("--masks", type=Path, nargs="+", metavar="FILE", help="mask files: zero is pruned")
    source.add_argument("--weights", type=Path, nargs="+", metavar="FILE", help="weight files: exact zeros are pruned")
    parser.add_argument("--dense", type=Path, metavar="DIR", help="with --run: dense run whose rewind point counts")
    parser.add_argument("--previous", type=Path, metavar="DIR", help="with --run: run that its mask was made from")
    parser.add_argument(
        "--pattern", nargs="+", default=["*"], metavar="GLOB", help="names of the matrices to measure (default: all)"
    )
    parser.add_argument("--nulls", type=int, metavar="N", help="null draws per null model (default: 20)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables")
    args = parser.parse_args()

    spec = provenance.start(args)
    if args.nulls is not None:
        spec["nulls"] = args.nulls
    if args.run:
        if not args.run.is_dir():
            raise UserError(f"--run {args.run} is no folder.")
        spec.setdefault("prunable", args.pattern)
        outputs = analysis.measure_run(args.run, spec, args.dense, args.out, args.previous)
    else:
        files = args.masks or args.weights
        found = user_files.read(files, args.pattern, bare=bool(args.masks))
        rows = analysis.measure_networks(found, analysis.Measures.of(spec), with_graphs=True)
        outputs = analysis.write(rows, args.out)
    print("wrote", *outputs)
    provenance.finish(args, outputs)


if __name__ == "__main__":
    cli.run(main)
