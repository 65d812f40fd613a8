"""Class probabilities of one image by trained networks from scratch.

    python workflow_scripts/classify.py --run out/run_hl-3_bs-32_act-sigmoid_opt-adam --image 60001

RUN is a folder that train_numpy.py or the workflow wrote. Fashion-MNIST's images 1 to 60,000 are the training images,
60,001 to 70,000 the test images.
"""

import argparse
from pathlib import Path

from winnow import argument_types, classify, cli, data, download, io, provenance, scratch_run
from winnow.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argument_types.Help)
    provenance.arguments(parser)
    parser.add_argument("--run", type=Path, nargs="+", default=[], metavar="RUN", help="folders of trained networks")
    parser.add_argument("--image", type=argument_types.whole("--image", 1), default=1, help="number of the image")
    parser.add_argument("--data", type=Path, help="folder of the packed data set (default: results/data/NAME)")
    parser.add_argument("--out", type=Path, help="folder to write probabilities.csv and samples.csv to")
    args = parser.parse_args()
    spec = provenance.start(args)
    runs = spec.get("runs") or [{"sweep": str(folder), "folder": folder} for folder in args.run]
    if not runs:
        raise UserError("--run is missing: the folder of a trained network, as train_numpy.py writes it (--out).")
    read = [(run["sweep"], *scratch_run.read(Path(run["folder"]))) for run in runs]
    names = {dataset for _, _, dataset, _ in read}
    if len(names) > 1:
        raise UserError(f"--run: these networks were trained on different data sets: {', '.join(sorted(names))}.")
    folder = args.data or Path("results/data", *names)
    download.pack(*names, folder)
    packed, number = data.load(folder, verify=False), spec.get("image", args.image)
    networks = []
    for sweep, settings, _, network in read:
        if classify.diverged(network):
            print(f"{sweep}, seed {settings.seed}: its training diverged, there is no network.")
        else:
            networks.append((sweep, settings.seed, network))
    if not networks:
        raise UserError("The training diverged: there is no network to classify with. A smaller rate may help.")
    rows = list(classify.probability_rows(packed, number, networks))
    for row in rows:
        mark = " <- predicted" if row["predicted"] else ""
        print(f"{row['sweep']}, seed {row['seed']}: {row['class']:<12} {row['probability']:.4f}{mark}")
    print(f"Image {number} is: {rows[0]['true']}")
    if args.out:
        io.write_table(args.out / "probabilities.csv", "probabilities", rows)
        io.write_table(args.out / "samples.csv", "samples", classify.sample_rows(packed, number))
        provenance.finish(args, [args.out / "probabilities.csv", args.out / "samples.csv"])


if __name__ == "__main__":
    cli.run(main)
