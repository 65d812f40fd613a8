"""The jobs of a study that compares optimisers: tunings, final runs, tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from winnow import options, tuning_space
from winnow.benchmark_config import BenchmarkStudy
from winnow.fields import BEST
from winnow.jobs import FINAL_FILES, TUNING_FILES, seeds_name
from winnow.run_folder import RunFolder
from winnow.spec import scenario_plugins
from winnow.study_outputs import StudyOutputs

if TYPE_CHECKING:
    from winnow.plan import Plan


class BenchmarkPlan(StudyOutputs):
    """Adds the jobs of one study."""

    GROUPS = ("tuning", "final")

    def __init__(self, plan: Plan, name: str, study: BenchmarkStudy) -> None:
        super().__init__(plan, name, study.tables, study.figures)
        self.study = study

    def build(self) -> None:
        """Add the jobs that config asks for."""
        self._download(self.study.dataset)
        running = self.study.running()
        for arm, scenario in running:
            if self.study.tuned_in(arm, scenario) == scenario:
                self._tune(arm, scenario)
        for arm, scenario in running:
            for seeds in self.study.final.seeds:
                self._final(arm, scenario, seeds)
        self.add_tables_and_figures()

    def _folder(self, arm: str, scenario: str) -> str:
        return f"{self.folder}/{arm}/{scenario}"

    def _scenario(self, arm: str, scenario: str, train_on: str, lr: str, seeds: list[int]) -> dict[str, Any]:
        """A ScenarioSpec."""
        study, there = self.study, self.study.scenarios[scenario]
        training = study.training_of(arm, scenario)
        return {
            "training": {
                "dataset": study.dataset,
                "validation": study.validation,
                "train_on": train_on,
                "model": study.model,
                "optimizer": study.entry(arm, scenario)["optimizer"],
                "lr": lr,
                **training.model_dump(),
                "seeds": seeds,
                "device": self.plan.config.execution.device,
                "threads": self.plan.config.execution.threads,
                "deterministic": self.plan.config.execution.deterministic,
            },
            "sparsify": there.sparsify,
            "scope": there.scope,
            "prunable": study.prunable,
        }

    def _tune(self, arm: str, scenario: str) -> None:
        folder, tuning = self._folder(arm, scenario), self.study.tuning
        spec = self._scenario(arm, scenario, "holdout", self.study.arms[arm].lr, [0])
        space = self.study.space(arm, scenario)
        self.plan.add(
            "tune",
            {"study": self.name, "arm": arm, "scenario": scenario},
            {"data": self._packed(self.study.dataset)},
            [f"{folder}/tuning/{file}" for file in TUNING_FILES],
            {
                "scenario": spec,
                "space": space,
                "start": tuning_space.start(space, self.study.entry(arm, scenario)),
                **tuning.model_dump(),
            },
            self.plan.sources("tune", scenario_plugins(spec)),
        )
        self.runs.append(RunFolder("tuning", arm, scenario, 0, "holdout", BEST, [0], folder))

    def _final(self, arm: str, scenario: str, seeds: list[int]) -> None:
        folder, train_on = f"{self._folder(arm, scenario)}/final/{seeds_name(seeds)}", self.study.final.train_on
        tuned_in = self.study.tuned_in(arm, scenario)
        lr = BEST if tuned_in else self.study.arms[arm].lr
        spec = self._scenario(arm, scenario, train_on, lr, seeds)
        self.plan.add(
            "train_scenario",
            {"study": self.name, "arm": arm, "scenario": scenario, "seeds": seeds_name(seeds)},
            {
                "data": self._packed(self.study.dataset),
                "best": [f"{self._folder(arm, tuned_in)}/tuning/best.json"] if tuned_in else [],
            },
            [f"{folder}/{file}" for file in FINAL_FILES],
            spec,
            self.plan.sources("train_scenario", scenario_plugins(spec)),
        )
        self.runs.append(RunFolder("final", arm, scenario, 0, train_on, BEST, seeds, folder))

    def _table_spec(self, runs: list[RunFolder]) -> dict[str, Any]:
        scenarios = self.study.scenarios.items()
        return {
            "targets": self.study.targets,
            "reference": self.study.reference,
            "baseline": self.study.baseline,
            "tuned_in": {name: one.tuned_in for name, one in scenarios if one.enabled and one.tuned_in},
            "sparse_from": {
                name: moment
                for name, one in scenarios
                if one.enabled and one.sparsify and (moment := options.sparse_from(one.sparsify))
            },
        }
