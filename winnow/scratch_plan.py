"""The jobs of a study of the network from scratch: sweeps, trainings of what they found, tables and figures."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from winnow.jobs import CLASSIFY_FILES, SCRATCH_FILES, SWEEP_FILES
from winnow.run_folder import RunFolder
from winnow.scratch.names import NAMES
from winnow.scratch_config import Finalists, ScratchStudy, Sweep
from winnow.study_outputs import StudyOutputs

if TYPE_CHECKING:
    from winnow.plan import Plan


class ScratchPlan(StudyOutputs):
    """Adds the jobs of one study."""

    GROUPS = ("sweep", "finalists", "finals", "best", "loss_pairs", "carry_over", "classify")

    def __init__(self, plan: Plan, name: str, study: ScratchStudy) -> None:
        off = {"carry_over"} if not (study.carry_over and study.carry_over.enabled) else set()
        figures = study.figures.model_copy(update={"names": [n for n in study.figures.names if n not in off]})
        super().__init__(plan, name, [table for table in study.tables if table not in off], figures)
        self.study = study

    def build(self) -> None:
        """Add the jobs that config asks for."""
        dataset = self.study.dataset
        self._download(dataset)
        for name, sweep in self.study.sweeps.items():
            self._sweep(name, sweep)
            if sweep.finalists:
                self._finals(name, sweep.finalists)
            for seed in self.study.best.seeds:
                winner = {"rank": 1, "seed": seed, "train_on": self.study.best.train_on}
                self._train("best", name, f"{name}_best", f"seed{seed}", dataset, winner, self._best(name))
        if pairs := self.study.loss_pairs:
            space = self.study.sweeps[pairs.sweep].space
            for pair, loss in product(range(pairs.pairs), NAMES["loss"][1]):
                spec = {"space": space, "pair": pair, "loss": loss, "seed": 0}
                self._train("loss_pairs", pairs.sweep, "loss_pairs", f"pair{pair}_{loss}", dataset, spec)
        if (carried := self.study.carry_over) and carried.enabled:
            self._download(carried.dataset)
            for rank, seed in product(range(1, carried.configurations + 1), carried.seeds):
                spec = {"rank": rank, "seed": seed}
                run, best = f"rank{rank}_seed{seed}", self._best(carried.sweep)
                self._train("carry_over", carried.sweep, "carry_over", run, carried.dataset, spec, best)
        if self.study.image:
            self._classify(self.study.image)
        self.add_tables_and_figures()

    def _best(self, sweep: str) -> str:
        """The file with a sweep's best configurations in the order that counts: of its second stage, if it has one."""
        staged = self.study.sweeps[sweep].finalists is not None
        return f"{self._sweep_folder(sweep)}/{'finalists' if staged else 'best'}.json"

    def _sweep_folder(self, sweep: str) -> str:
        return f"{self.folder}/sweeps/{sweep}"

    def _sweep(self, name: str, sweep: Sweep) -> None:
        dataset, folder = self.study.dataset, self._sweep_folder(name)
        spec = {"dataset": dataset, **sweep.model_dump(exclude={"workers", "finalists"})}
        workers = [f"{folder}/worker{worker}.json" for worker in range(sweep.workers)]
        for worker, output in enumerate(workers):
            self.plan.add(
                "sweep",
                {"study": self.name, "sweep": name, "worker": str(worker)},
                {"data": self._packed(dataset)},
                [output],
                spec,
                self.plan.sources("sweep", (("datasets", dataset),)),
            )
        self.plan.add(
            "trials",
            {"study": self.name, "sweep": name},
            {"data": self._packed(dataset), "workers": workers},
            [f"{folder}/{file}" for file in SWEEP_FILES],
            spec,
            self.plan.sources("trials", (("datasets", dataset),)),
        )
        self.runs.append(_run("sweep", name, "", 0, [], folder))

    def _finals(self, sweep: str, finalists: Finalists) -> None:
        """Train a sweep's best configurations again and rank them."""
        dataset, folder = self.study.dataset, self._sweep_folder(sweep)
        best, runs = f"{folder}/best.json", []
        for rank, seed in product(range(1, finalists.configurations + 1), finalists.seeds):
            spec, run = {"rank": rank, "seed": seed}, f"rank{rank}_seed{seed}"
            self._train("finalists", sweep, f"{sweep}_finalists", run, dataset, spec, best)
            runs.append({"rank": rank, "folder": self.runs[-1].folder})
        self.plan.add(
            "finalists",
            {"study": self.name, "sweep": sweep},
            {"best": [best], "runs": [f"{run['folder']}/metrics.csv" for run in runs]},
            [self._best(sweep)],
            {"runs": runs},
            self.plan.sources("finalists", ()),
        )
        self.runs.append(_run("finals", sweep, "", 0, [], folder))

    def _train(
        self, group: str, sweep: str, subfolder: str, run: str, dataset: str, spec: dict[str, Any], best: str = ""
    ) -> None:
        """A training whose settings are those of a rank in the file `best`, or drawn from a sweep's space."""
        folder = f"{self.folder}/runs/{subfolder}/{run}"
        self.plan.add(
            "train_from_scratch",
            {"study": self.name, "group": subfolder, "run": run},
            {
                "data": self._packed(dataset),
                "best": [best] if best else [],
            },
            [f"{folder}/{file}" for file in SCRATCH_FILES],
            {"dataset": dataset, **spec},
            self.plan.sources("train_from_scratch", (("datasets", dataset),)),
        )
        number = spec["rank"] if "rank" in spec else spec["pair"]
        self.runs.append(_run(group, sweep, subfolder, number, [spec["seed"]], folder))

    def _classify(self, image: int) -> None:
        dataset, runs = self.study.dataset, [run for run in self.runs if run.group == "best"]
        self.plan.add(
            "classify",
            {"study": self.name},
            {
                "data": self._packed(dataset),
                "runs": [f"{run.folder}/{file}" for run in runs for file in ("config.json", "final.safetensors")],
            },
            [f"{self.folder}/classify/{file}" for file in CLASSIFY_FILES],
            {"image": image, "runs": [{"sweep": run.arm, "seed": run.seeds[0], "folder": run.folder} for run in runs]},
            self.plan.sources("classify", (("datasets", dataset),)),
        )
        self.runs.append(_run("classify", "", "", 0, [], f"{self.folder}/classify"))


def _run(group: str, sweep: str, recipe: str, number: int, seeds: list[int], folder: str) -> RunFolder:
    """In the words of other studies: a sweep is an arm. Which images a run trained on stands in its config.json."""
    return RunFolder(group, sweep, recipe, number, "holdout", "", seeds, folder)
