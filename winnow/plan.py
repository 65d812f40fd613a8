"""From a validated configuration to jobs: who makes which file from what, under which key. Pure, without Snakemake.

The rules look up their wildcards here, `make why` walks the same jobs, and the tests ask it what an edit makes stale.
Paths are described in the header of the Snakefile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from winnow import provenance
from winnow.benchmark_plan import BenchmarkPlan
from winnow.config import Config
from winnow.errors import UserError
from winnow.jobs import AFTER, WILDCARDS, Job, Plugins
from winnow.report import inlined
from winnow.scratch_plan import ScratchPlan
from winnow.study_outputs import StudyOutputs
from winnow.study_plan import StudyPlan

STAGES = {
    "dense_runs": ("fuse", "dense"),
    "selection": ("select",),
    "pruning": ("prune", "prune_in_run"),
    "sweeps": ("sweep", "trials"),
    "from_scratch": ("train_from_scratch", "finalists", "classify"),
    "tuning": ("tune",),
    "scenarios": ("train_scenario",),
    "analysis": ("export_rounds", "export_edges", "instability", "measure_dense", "measure", "table"),
    "figures": ("figure",),
}


class Plan:
    """All jobs of the studies that run, in an order in which every job follows those that it reads."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = config.results
        self.jobs: dict[tuple[str, ...], Job] = {}
        self.maker: dict[str, Job] = {}
        self._sources: dict[tuple[str, Plugins], dict[str, str]] = {}
        made: dict[str, StudyOutputs] = {name: StudyPlan(self, name, study) for name, study in config.studies.items()}
        made |= {name: ScratchPlan(self, name, study) for name, study in config.scratch.items()}
        made |= {name: BenchmarkPlan(self, name, study) for name, study in config.benchmarks.items()}
        self._studies: dict[str, StudyOutputs] = {name: made[name] for name in config.run}
        for study in self._studies.values():
            study.build()
        kinds: dict[str, str] = {}
        for job in self.jobs.values():
            if job.rule in STAGES["pruning"] and kinds.setdefault(job.wildcards["recipe"], job.rule) != job.rule:
                raise UserError(
                    f"config: the recipe {job.wildcards['recipe']!r} prunes in rounds in one study and inside one run "
                    "in another; give them different names."
                )

    def job(self, rule: str, wildcards: Any) -> Job:
        """The job of a rule with these wildcards (a mapping). UserError if the configuration does not ask for it.

        Tables and figures are made without being named in the configuration, too, from the runs that there are. The
        report is made when it is asked for: the default target does without.
        """
        identity = (rule, *(str(wildcards[name]) for name in WILDCARDS[rule]))
        if rule == "report":
            self._add_report()
        if identity not in self.jobs and rule in ("table", "figure"):
            self._studies[wildcards["study"]].add_unasked(rule, *identity[2:])
        try:
            return self.jobs[identity]
        except KeyError:
            text = ", ".join(f"{name}={wildcards[name]}" for name in WILDCARDS[rule])
            raise UserError(f"The configuration asks for no job {rule} with {text}: see config.yaml.") from None

    def _add_report(self) -> None:
        """Add the report of all studies that run, from their tables and figures."""
        kinds = (self.config.studies, self.config.scratch, self.config.benchmarks)
        sections = {name: section for kind in kinds for name, section in kind.items()}
        self.add(
            "report",
            {},
            {
                "tables": self.outputs("table"),
                "figures": [path for path in self.outputs("figure") if path.endswith(".png")],
            },
            [f"{self.results}/report/index.html"],
            {
                "config": {name: sections[name].model_dump(mode="json") for name in self.config.run},
                "assets": inlined.digests(),
            },
            self.sources("report", ()),
        )

    def outputs(self, *rules: str) -> list[str]:
        """The files that the jobs of these rules make; of all rules if none is given."""
        return [path for job in self.jobs.values() if not rules or job.rule in rules for path in job.outputs]

    def newest_stale_output(self) -> float:
        """A time (seconds) after that of every output of a job that is not current; 0 if there is none."""
        stale = (Path(path) for job in self.jobs.values() if not job.current for path in job.outputs)
        return max((path.stat().st_mtime + 1 for path in stale if path.exists()), default=0.0)

    def values(self, wildcard: str, *rules: str) -> list[str]:
        """The values that a wildcard takes in the jobs of these rules (of all rules if none is given)."""
        jobs = (job for job in self.jobs.values() if wildcard in job.wildcards and (not rules or job.rule in rules))
        return list(dict.fromkeys(job.wildcards[wildcard] for job in jobs))

    def sources(self, program: str, used: Plugins) -> dict[str, str]:
        """Digests of the files that a program with these plug-ins uses."""
        if (program, used) not in self._sources:
            self._sources[program, used] = provenance.sources(f"workflow_scripts/{program}.py", used)
        return self._sources[program, used]

    def add(
        self,
        rule: str,
        wildcards: dict[str, str],
        inputs: dict[str, list[str]],
        outputs: list[str],
        spec: dict[str, Any],
        sources: dict[str, str],
    ) -> Job:
        """Add a job unless it is there (the sweep and the tuned dense runs may share one)."""
        identity = (rule, *wildcards.values())
        if identity in self.jobs:
            return self.jobs[identity]
        assert tuple(wildcards) == WILDCARDS[rule], rule
        read = [path for name, paths in inputs.items() if name != AFTER for path in paths]
        parents = tuple(dict.fromkeys(self.maker[path].key for path in read))
        job = Job(
            rule=rule,
            wildcards=wildcards,
            inputs=inputs,
            outputs=outputs,
            spec=spec,
            sources=sources,
            parents=parents,
            key=provenance.job_key(spec, sources, parents),
            ledger=f"{self.results}/.ledger/{'/'.join(identity)}.json",
        )
        self.jobs[identity] = job
        self.maker.update(dict.fromkeys(outputs, job))
        return job
