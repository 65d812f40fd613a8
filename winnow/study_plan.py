"""The jobs of one study, stage by stage: downloads, dense runs, selection, tickets, measures, tables, figures.

Every job has a spec with only the values it needs, so a further seed block, rate or round adds jobs and changes nothing
but joint tables and figures.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from winnow import study_checks
from winnow.fields import BEST
from winnow.jobs import (
    AFTER,
    DENSE_FILES,
    GRAPH_FILES,
    PREVIOUS_FILES,
    ROUND_FILES,
    STATES,
    TICKET_FILES,
    WEIGHT_FILES,
    rate_name,
    seeds_name,
)
from winnow.recipes import Recipe
from winnow.run_folder import RunFolder
from winnow.spec import scenario_plugins, training_plugins
from winnow.study_config import Study, Training
from winnow.study_outputs import StudyOutputs, constant

if TYPE_CHECKING:
    from winnow.plan import Plan


class StudyPlan(StudyOutputs):
    """Adds the jobs of one study."""

    GROUPS = ("sweep", "dense", "rounds", "in_run", "instability")

    def __init__(self, plan: Plan, name: str, study: Study) -> None:
        super().__init__(plan, name, study.tables, study.figures)
        self.study = study

    def build(self) -> None:
        for arm in self.study.running():
            self._download(self._dataset(arm))
            together = self._fuse(arm) if "lr" in self.study.sweep.fuse else []
            for rate, seeds in product(self.study.arms[arm].rates, self.study.sweep.seeds):
                self._dense("sweep", arm, self.study.sweep.train_on, rate, seeds, after=together)
            self._select(arm)
            for seeds in self.study.dense.seeds:
                self._dense("dense", arm, self.study.dense.train_on, self.study.arms[arm].pruning_rate, seeds)
                for recipe, values in self._recipes(arm):
                    if values.in_run:
                        self._prune_in_run(arm, recipe, values, seeds)
                    elif values.sparsify:
                        self._sparsify(arm, recipe, values, seeds)
                    else:
                        self._prune(arm, recipe, values, seeds)
        self.add_tables_and_figures()

    def _recipes(self, arm: str) -> list[tuple[str, Recipe]]:
        """The recipes that run in this arm; those that take another's masks follow it."""
        names = list(self.study.recipes)
        mine = [(name, recipe) for name, recipe in self.study.recipes.items() if recipe.runs_in(arm)]
        return sorted(mine, key=lambda item: (names.index(item[1].mask_of or item[0]), item[1].mask_of is not None))

    def _dataset(self, arm: str) -> str:
        return self.study.arms[arm].dataset or self.study.dataset

    def _prunable(self, arm: str) -> list[str]:
        return self.study.arms[arm].prunable or self.study.prunable

    def _wildcards(self, arm: str, **others: str) -> dict[str, str]:
        return {"study": self.name, "arm": arm, **others}

    def _data(self, arm: str) -> list[str]:
        return self._packed(self._dataset(arm))

    def _best(self, arm: str, rate: str) -> list[str]:
        return [f"{self.folder}/{arm}/best.json"] if rate == BEST else []

    def _dense_folder(self, arm: str, train_on: str, rate: str, seeds: list[int]) -> str:
        return f"{self.folder}/{arm}/dense/{train_on}/{rate_name(rate)}/{seeds_name(seeds)}"

    def _tuned_folder(self, arm: str, seeds: list[int]) -> str:
        return self._dense_folder(arm, self.study.dense.train_on, self.study.arms[arm].pruning_rate, seeds)

    def _round_folder(self, arm: str, recipe: str, seeds: list[int], number: int) -> str:
        return f"{self.folder}/{arm}/{recipe}/{seeds_name(seeds)}/round{number}"

    def _training(self, arm: str, train_on: str, rate: str, seeds: list[int], training: Training) -> dict[str, Any]:
        """A TrainSpec."""
        values = self.study.arms[arm]
        return {
            "dataset": self._dataset(arm),
            "validation": values.validation or self.study.validation,
            "train_on": train_on,
            "model": values.model or self.study.model,
            "optimizer": values.optimizer,
            "lr": rate,
            **training.model_dump(),
            "seeds": seeds,
            "device": self.plan.config.execution.device,
            "threads": self.plan.config.execution.threads,
            "deterministic": self.plan.config.execution.deterministic,
        }

    def _fuse(self, arm: str) -> list[str]:
        """The sweep of an arm in one training job, which fills the store; its file, that the dense runs wait for."""
        runs = list(product(self.study.arms[arm].rates, self.study.sweep.seeds))
        if len(runs) < 2:
            return []
        train_on, output = self.study.sweep.train_on, f"{self.folder}/{arm}/dense/fused/lanes.json"
        spec = self._training(arm, train_on, *runs[0], self.study.training_of(arm))
        members = [
            {"lr": rate, "seeds": seeds, "folder": self._dense_folder(arm, train_on, rate, seeds)}
            for rate, seeds in runs
        ]
        self.plan.add(
            "fuse",
            self._wildcards(arm),
            {"data": self._data(arm)},
            [output],
            {"training": spec, "members": members},
            self.plan.sources("train_fused", training_plugins(spec)),
        )
        return [output]

    def _dense(
        self, group: str, arm: str, train_on: str, rate: str, seeds: list[int], after: list[str] | None = None
    ) -> None:
        folder = self._dense_folder(arm, train_on, rate, seeds)
        spec = self._training(arm, train_on, rate, seeds, self.study.training_of(arm))
        wildcards = self._wildcards(arm, train_on=train_on, rate=rate_name(rate), seeds=seeds_name(seeds))
        self.plan.add(
            "dense",
            wildcards,
            {"data": self._data(arm), "best": self._best(arm, rate), AFTER: after or []},
            [f"{folder}/{file}" for file in DENSE_FILES],
            spec,
            self.plan.sources("train_dense", training_plugins(spec)),
        )
        self.runs.append(RunFolder(group, arm, "dense", 0, train_on, rate_name(rate), seeds, folder))
        if group == "dense":
            self._measure("measure_dense", wildcards, arm, folder, folder, STATES, WEIGHT_FILES)

    def _select(self, arm: str) -> None:
        candidates: dict[str, list[str]] = {}
        for run in self.runs:
            if run.group == "sweep" and run.arm == arm:
                candidates.setdefault(run.rate.removeprefix("lr"), []).append(run.folder)
        if candidates:
            self.plan.add(
                "select",
                self._wildcards(arm),
                {"metrics": [f"{folder}/metrics.csv" for folders in candidates.values() for folder in folders]},
                [f"{self.folder}/{arm}/best.json"],
                {
                    "last": self.study.sweep.last,
                    "candidates": [{"lr": lr, "folders": folders} for lr, folders in candidates.items()],
                },
                self.plan.sources("select_rate", ()),
            )

    def _measure(
        self,
        rule: str,
        wildcards: dict[str, str],
        arm: str,
        folder: str,
        dense: str,
        states: tuple[str, ...],
        outputs: tuple[str, ...],
        previous: list[str] | None = None,
        criterion: str | None = None,
    ) -> None:
        """Measures of a run; of a round with the weights that its mask was made from."""
        graph = self.study.measures.graph if rule == "measure" else []
        weights = self.study.measures.weights
        if not graph and not weights:
            return
        used = [*(("measures", name) for name in dict.fromkeys([*graph, *weights]))]
        if criterion:
            used.append(("criteria", criterion))  # its SELECTED_BY is read
        self.plan.add(
            rule,
            wildcards,
            {
                "run": [f"{folder}/{file}" for file in states],
                "dense": [f"{dense}/{file}" for file in STATES] if dense != folder else [],
                "previous": previous or [],
            },
            [f"{folder}/{file}" for file in outputs],
            {
                "graph": graph,
                "weights": weights,
                "nulls": self.study.measures.nulls if graph else 0,
                "prunable": self._prunable(arm),
                **({"criterion": criterion} if criterion else {}),
            },
            self.plan.sources("measure", tuple(used)),
        )

    def _ticket(self, rule: str, arm: str, recipe: str, seeds: list[int], number: int, **job: Any) -> str:
        """A round or an in-run recipe, its edge list and its measures; the folder."""
        folder = self._round_folder(arm, recipe, seeds, number)
        wildcards = self._wildcards(arm, recipe=recipe, seeds=seeds_name(seeds), round=str(number))
        rate, train_on = self.study.arms[arm].pruning_rate, self.study.dense.train_on
        job["inputs"] = {"data": self._data(arm), **job["inputs"], "best": self._best(arm, rate)}
        self.plan.add(rule, wildcards, outputs=[f"{folder}/{file}" for file in ROUND_FILES], **job)
        if self.study.measures.edge_lists:
            self.plan.add(
                "export_edges",
                wildcards,
                {"run": [f"{folder}/mask.safetensors", f"{folder}/final.safetensors"]},
                [f"{folder}/edges.csv.gz"],
                {},
                self.plan.sources("export_edges", ()),
            )
        group = "in_run" if "in_run" in job["spec"] else "rounds"
        # The mask of a round was made from the run before; inside a run from weights that no file holds.
        before = [path for path in job["inputs"].get("previous", []) if path.endswith(".safetensors")]
        criterion = job["spec"].get("recipe", {}).get("criterion")
        selection = (before, criterion) if before and criterion else ()
        outputs = (*GRAPH_FILES, *WEIGHT_FILES)
        self._measure(
            "measure", wildcards, arm, folder, self._tuned_folder(arm, seeds), TICKET_FILES, outputs, *selection
        )
        self.runs.append(RunFolder(group, arm, recipe, number, train_on, rate_name(rate), seeds, folder))
        return folder

    def _prune(self, arm: str, recipe: str, values: Recipe, seeds: list[int]) -> None:
        criterion = (("criteria", values.criterion),) if values.criterion else ()
        dense = self._tuned_folder(arm, seeds)
        unpruned = [f"{dense}/{file}" for file in ("final.safetensors", "run.json")]
        previous, folders, specs = unpruned, [], self._round_specs(arm, recipe, values, seeds)
        for spec in specs:
            if values.mask_of:  # the same round of the recipe that makes the masks
                other = self._round_folder(arm, values.mask_of, seeds, spec["round"])
                previous = [f"{other}/{file}" for file in PREVIOUS_FILES]
            folder = self._ticket(
                "prune",
                arm,
                recipe,
                seeds,
                spec["round"],
                inputs={"dense": [f"{dense}/{file}" for file in STATES], "previous": previous},
                spec=spec,
                sources=self.plan.sources("prune", (*training_plugins(spec["training"], values.schedule), *criterion)),
            )
            folders.append(folder)
            previous = unpruned if values.one_shot else [f"{folder}/{file}" for file in PREVIOUS_FILES]
        if self.study.dense.train_on == "holdout":  # there is a validation loss to stop by
            self._export_rounds(arm, recipe, seeds, [dense, *folders])
        if values.copied_in(arm):
            for spec in [{**specs[0], "round": 0, "density": 1.0}, *specs]:
                self._instability(arm, recipe, values, seeds, spec)

    def _round_specs(self, arm: str, recipe: str, values: Recipe, seeds: list[int]) -> list[dict[str, Any]]:
        """The RoundSpecs of all rounds."""
        rate, train_on = self.study.arms[arm].pruning_rate, self.study.dense.train_on
        common = {
            "training": self._training(arm, train_on, rate, seeds, self.study.training_of(arm)),
            "recipe": {
                "criterion": values.criterion,
                "scope": values.scope,
                "one_shot": bool(values.one_shot),
                "restart": values.restart,
                "schedule_restart": values.schedule_restart,
                "schedule": values.schedule,
            },
            "prunable": self._prunable(arm),
        }
        tensors, layer_rates = study_checks.prunable(self.study, arm), self.study.arms[arm].layer_rates
        densities = self.study.masks_of(recipe).densities(tensors, layer_rates)
        return [{**common, "round": number, "density": density} for number, density in enumerate(densities, start=1)]

    def _export_rounds(self, arm: str, recipe: str, seeds: list[int], folders: list[str]) -> None:
        for seed in seeds:
            self.plan.add(
                "export_rounds",
                self._wildcards(arm, recipe=recipe, seeds=seeds_name(seeds), seed=str(seed)),
                {"dense": [f"{folders[0]}/metrics.csv"], "rounds": [f"{folder}/metrics.csv" for folder in folders[1:]]},
                [f"{self.folder}/{arm}/{recipe}/{seeds_name(seeds)}/seed{seed}.csv"],
                {"seed": seed},
                self.plan.sources("export_rounds", ()),
            )

    def _instability(self, arm: str, recipe: str, values: Recipe, seeds: list[int], spec: dict[str, Any]) -> None:
        assert values.instability is not None
        number, rate, train_on = spec["round"], self.study.arms[arm].pruning_rate, self.study.dense.train_on
        folder, dense = self._round_folder(arm, recipe, seeds, number), self._tuned_folder(arm, seeds)
        self.plan.add(
            "instability",
            self._wildcards(arm, recipe=recipe, seeds=seeds_name(seeds), round=str(number)),
            {
                "data": self._data(arm),
                "dense": [f"{dense}/{file}" for file in ("rewind.safetensors", "run.json")],
                "run": [f"{folder}/{file}" for file in ("mask.safetensors", "run.json")] if number else [],
                "best": self._best(arm, rate),
            },
            [f"{folder}/instability.csv"],
            {"round": spec, **values.instability.model_dump(exclude={"arms"})},
            self.plan.sources("instability", training_plugins(spec["training"], values.schedule)),
        )
        self.runs.append(RunFolder("instability", arm, recipe, number, train_on, rate_name(rate), seeds, folder))

    def _prune_in_run(self, arm: str, recipe: str, values: Recipe, seeds: list[int]) -> None:
        assert values.in_run is not None
        rate, train_on = self.study.arms[arm].pruning_rate, self.study.dense.train_on
        schedule, after = values.in_run.schedule, values.in_run.schedule_after
        training = self._training(arm, train_on, rate, seeds, self.study.training_of(arm)) | {"schedule": schedule}
        used = (*training_plugins(training, after), ("criteria", str(values.criterion)))
        self._ticket(
            "prune_in_run",
            arm,
            recipe,
            seeds,
            1,
            inputs={},
            spec={
                "training": training,
                "recipe": {"criterion": values.criterion, "scope": values.scope},
                "prunable": self._prunable(arm),
                "in_run": {"at": values.in_run.at, "densities": values.densities(), "schedule_after": after},
            },
            sources=self.plan.sources("prune_in_run", used),
        )

    def _sparsify(self, arm: str, recipe: str, values: Recipe, seeds: list[int]) -> None:
        assert values.sparsify is not None
        rate, train_on = self.study.arms[arm].pruning_rate, self.study.dense.train_on
        training = self._training(arm, train_on, rate, seeds, self.study.training_of(arm))
        training |= {"schedule": values.schedule or training["schedule"]}
        spec = {
            "training": training,
            "sparsify": values.sparsify,
            "scope": values.scope,
            "prunable": self._prunable(arm),
        }
        sources = self.plan.sources("prune_in_run", scenario_plugins(spec))
        self._ticket("prune_in_run", arm, recipe, seeds, 1, inputs={}, spec=spec, sources=sources)

    def _table_inputs(self, table: str, runs: list[RunFolder]) -> dict[str, list[str]]:
        with_best = constant("tables", table, "BEST", False)
        arms = dict.fromkeys(run.arm for run in runs)
        read = [arm for arm in arms if with_best or self._best(arm, self._rate_of(runs, arm))]
        return {"best": [f"{self.folder}/{arm}/best.json" for arm in read]}

    def _table_spec(self, runs: list[RunFolder]) -> dict[str, Any]:
        used = {run.recipe for run in runs}
        return {
            "reference": self.study.reference,
            "last": self.study.sweep.last,
            "recipes": {k: {"criterion": self.study.masks_of(k).criterion} for k in self.study.recipes if k in used},
        }

    @staticmethod
    def _rate_of(runs: list[RunFolder], arm: str) -> str:
        return BEST if any(run.arm == arm and run.rate == BEST for run in runs) else ""
