"""What a training job is told: plain frozen values, read from the canonical JSON that a rule passes.

`winnow.study_plan` writes these specs and the training programs read them; a spec holds only what decides the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from winnow import tuning_space
from winnow.duration import Duration
from winnow.errors import UserError

T = TypeVar("T")
Options = dict[str, Any]


def _build(cls: type[T], values: dict[str, Any], what: str) -> T:
    expected = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    if set(values) != set(expected):
        raise UserError(f"The {what} spec has the keys {sorted(values)}, it needs exactly {sorted(expected)}.")
    return cls(**values)


def _with(values: dict[str, Any], part: str, read: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
    """`values` with the spec that is a part of them read; UserError if it is missing or no mapping."""
    if not isinstance(values.get(part), dict):
        raise UserError(f"The {what} spec has no {part!r}, a mapping; it has the keys {sorted(values)}.")
    return {**values, part: read(values[part])}


@dataclass(frozen=True)
class TrainSpec:
    """One training job: a seed block trained at one learning rate.

    `length`, `rewind`, `evaluate_every` and `test_every` are durations ("20ep", "4000it"), the last None for "at every
    evaluation"; `lr` is a decimal string or "best"; `train_on` is "holdout" (the last `validation` images of a seeded
    shuffle are kept out) or "all"; `inputs` is "standardised" (by the data set's mean and deviation) or "unit" (pixel
    values in [0, 1]); `label_smoothing` in [0, 1) is that of the training loss, `l2` >= 0 its penalty (`Problem`);
    `step_losses` says whether the loss of every step is kept; `deterministic` asks a GPU, too, for the same bits in
    every run.
    """

    dataset: str
    validation: int
    train_on: str
    model: Options
    optimizer: Options
    lr: str
    schedule: Options
    length: str
    rewind: str
    evaluate_every: str
    test_every: str | None
    batch_size: int
    batch_schedule: Options
    clip: float | None
    precision: str
    inputs: str
    label_smoothing: float
    l2: float
    augmentation: Options
    step_losses: bool
    seeds: list[int]
    device: str
    threads: int
    deterministic: bool

    @classmethod
    def read(cls, values: dict[str, Any]) -> TrainSpec:
        """Build from parsed JSON. UserError for missing or further keys and for impossible durations."""
        spec = _build(cls, values, "training")
        length, rewind = Duration.parse(spec.length), Duration.parse(spec.rewind)
        for every in (spec.evaluate_every, spec.test_every or "1ep"):
            Duration.parse(every)
        if length.unit == rewind.unit and rewind.count >= length.count:
            raise UserError(
                f"rewind: {spec.rewind} is at or after the end of training (length: {spec.length}); "
                "the rewind point must lie before the last epoch."
            )
        return spec

    def json(self) -> dict[str, Any]:
        """The spec as a JSON value, for run.json and for the lane key."""
        return asdict(self)


@dataclass(frozen=True)
class FusedSpec:
    """Dense runs that are trained as lanes of one job: each of `members`, {"lr", "seeds", "folder"}, as `training`
    says, but for its rate and seeds. `folder` is where its results will lie."""

    training: TrainSpec
    members: list[Options]

    @classmethod
    def read(cls, values: dict[str, Any]) -> FusedSpec:
        """Build from parsed JSON. UserError for missing or further keys, or if there are no members."""
        spec = _build(cls, _with(values, "training", TrainSpec.read, "fused"), "fused")
        if not spec.members or any(set(member) != {"lr", "seeds", "folder"} for member in spec.members):
            raise UserError("The members of a fused spec need exactly the keys folder, lr and seeds, and one at least.")
        return spec

    def runs(self) -> list[tuple[TrainSpec, Path]]:
        """The spec and the folder of each member."""
        return [
            (replace(self.training, lr=member["lr"], seeds=member["seeds"]), Path(member["folder"]))
            for member in self.members
        ]


@dataclass(frozen=True)
class RecipeSpec:
    """How a ticket is made: criterion + scope + restart; `schedule` None means the dense run's schedule.

    `criterion` and `scope` None: the mask is the one of the run named as the previous one. `one_shot`: the previous run
    is the dense one in every round.
    """

    criterion: str | None
    scope: str | None
    one_shot: bool
    restart: str
    schedule_restart: str
    schedule: Options | None


@dataclass(frozen=True)
class RoundSpec:
    """One prune - restart - train step. `density`: kept share after pruning, of all prunable weights or by tensor."""

    training: TrainSpec
    recipe: RecipeSpec
    prunable: list[str]
    round: int
    density: float | dict[str, float]

    @classmethod
    def read(cls, values: dict[str, Any]) -> RoundSpec:
        """Build from parsed JSON; UserError for missing or further keys."""
        values = _with(values, "training", TrainSpec.read, "round")
        values = _with(values, "recipe", lambda recipe: _build(RecipeSpec, recipe, "recipe"), "round")
        return _build(cls, values, "round")

    def with_training(self, training: TrainSpec) -> RoundSpec:
        """The same round with another training spec."""
        return replace(self, training=training)


@dataclass(frozen=True)
class InRun:
    """A pruning schedule inside one run: at each of `at` prune to the density of the same index.

    After each pruning the pruned tensors return to the rewind point, the optimiser starts afresh and
    `schedule_after` starts at its position 0.
    """

    at: list[str]
    densities: list[float]
    schedule_after: Options


@dataclass(frozen=True)
class InRunSpec:
    """One run that is pruned on the way (the seed study's procedure)."""

    training: TrainSpec
    criterion: str
    scope: str
    prunable: list[str]
    in_run: InRun

    @classmethod
    def read(cls, values: dict[str, Any]) -> InRunSpec:
        """Build from parsed JSON; UserError for missing or further keys."""
        recipe = values.get("recipe", {})
        return cls(
            training=TrainSpec.read(values["training"]),
            criterion=recipe["criterion"],
            scope=recipe["scope"],
            prunable=values["prunable"],
            in_run=_build(InRun, values["in_run"], "in-run pruning"),
        )

    def with_training(self, training: TrainSpec) -> InRunSpec:
        """The same run with another training spec."""
        return replace(self, training=training)


@dataclass(frozen=True)
class ScenarioSpec:
    """One run in a scenario: `sparsify` is a sparsifier with its options, its density among them, or None.

    `scope`: whether that density is one of all prunable weights ("global") or of each tensor ("layerwise").
    """

    training: TrainSpec
    sparsify: Options | None
    scope: str
    prunable: list[str]

    @classmethod
    def read(cls, values: dict[str, Any]) -> ScenarioSpec:
        """Build from parsed JSON; UserError for missing or further keys."""
        return _build(cls, _with(values, "training", TrainSpec.read, "scenario"), "scenario")

    def with_training(self, training: TrainSpec) -> ScenarioSpec:
        """The same run with another training spec."""
        return replace(self, training=training)

    def with_settings(self, settings: Mapping[str, Any]) -> ScenarioSpec:
        """The same run with tuned settings, {path: value} (winnow/tuning_space.py)."""
        entry = tuning_space.apply(settings, self.entry)
        return replace(self, sparsify=entry.pop("sparsify"), training=replace(self.training, **entry))

    @property
    def entry(self) -> Options:
        """What a tuning may change, see winnow/tuning_space.py."""
        parts = {key: getattr(self.training, key) for key in ("lr", "batch_size", "l2", "optimizer", "schedule")}
        return {**parts, "sparsify": self.sparsify}


@dataclass(frozen=True)
class TuningSpec:
    """The tuning of an arm in a scenario.

    space   {path: choices or range};  start  the first trial's settings, as far as they are given
    trials  settings to try for `length`, of which the best `finalists` are trained in full
    """

    scenario: ScenarioSpec
    space: Options
    start: Options
    trials: int
    length: str
    finalists: int

    @classmethod
    def read(cls, values: dict[str, Any]) -> TuningSpec:
        """Build from parsed JSON; UserError for missing or further keys."""
        return _build(cls, _with(values, "scenario", ScenarioSpec.read, "tuning"), "tuning")


def in_run_spec(values: dict[str, Any]) -> InRunSpec | ScenarioSpec:
    """The spec of one run that is pruned on the way, of either kind."""
    return ScenarioSpec.read(values) if "sparsify" in values else InRunSpec.read(values)


def training_plugins(spec: dict[str, Any], *schedules: dict[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """The plug-ins, (kind, name), that a job with this TrainSpec, as JSON, and these schedules on the way, loads."""
    named = [schedule["name"] for schedule in (spec["schedule"], *schedules) if schedule]
    return (
        ("datasets", spec["dataset"]),
        ("models", spec["model"]["name"]),
        ("optimizers", spec["optimizer"]["name"]),
        *(("schedules", name) for name in dict.fromkeys(named)),
        ("batch_schedules", spec["batch_schedule"]["name"]),
        ("augmentations", spec["augmentation"]["name"]),
    )


def scenario_plugins(spec: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The same of a job with this ScenarioSpec, as JSON."""
    used = training_plugins(spec["training"])
    return (*used, ("sparsifiers", spec["sparsify"]["name"])) if spec["sparsify"] else used
