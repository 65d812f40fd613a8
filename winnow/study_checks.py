"""What has to fit together in a study, arm by arm: images and batches, moments within training, patterns and tensors.

The minibatches of a run follow from the data set's constant TRAIN, so that durations in either unit compare before any
job starts. The one complete check of config; the programs, which may be started by hand and know the data themselves,
have their own (`winnow.spec`, before anything is loaded, and `winnow.runs`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from winnow import options, plugins
from winnow import timeline as timelines
from winnow.duration import Duration
from winnow.errors import UserError
from winnow.options import WrongValueError
from winnow.timeline import Timeline

if TYPE_CHECKING:
    from winnow.study_config import Arm, Study, Training


def check_arm(study: Study, name: str, training: Training) -> None:
    """WrongValueError, whose path starts below the study, for the first thing that does not fit."""
    arm = study.arms[name]
    dataset, validation = arm.dataset or study.dataset, arm.validation or study.validation
    count = plugins.constant("datasets", dataset, "TRAIN")
    if isinstance(count, int) and validation >= count:
        raise WrongValueError(
            f"arms.{name}.validation" if arm.validation else "validation",
            f"{validation} is not valid; {dataset} has {count} training images, and none would be left to train on. "
            f"Valid is 1 to {count - 1}.",
        )

    def images(train_on: str) -> int | None:
        return None if not isinstance(count, int) else count - validation if train_on == "holdout" else count

    length, rewind = Duration.parse(training.length), Duration.parse(training.rewind)
    for train_on in dict.fromkeys([study.dense.train_on, *([study.sweep.train_on] if arm.rates else [])]):
        trained = images(train_on)
        if trained is not None and training.batch_size > trained:
            raise WrongValueError(
                f"arms.{name}.training.batch_size" if "batch_size" in arm.training else "training.batch_size",
                f"{training.batch_size} is not valid; arm {name} trains on {trained} images of {dataset} "
                f"(train_on: {train_on}). Valid is 1 to {trained}.",
            )
        timeline = _timeline(name, arm, training, trained)
        if _below(_lead(rewind, length, timeline), 1):
            given = "rewind" in arm.training or ("length" in arm.training and study.training.rewind == training.rewind)
            raise WrongValueError(
                f"arms.{name}.training.rewind" if given else "training.rewind",
                f"{rewind} is not valid; the rewind point must lie before the end of training "
                f"({_both(length, timeline)}).",
            )
        _check_test_every(name, arm.training, training, timeline)
        if train_on == study.dense.train_on:
            dense = timeline
            _check_recipe_schedules(study, name, timeline)
    _check_patterns(study, name)
    for recipe, values in study.recipes.items():
        if values.in_run:
            _check_moments(f"recipes.{recipe}.in_run.at", values.in_run.at, rewind, length, dense)
        if values.sparsify and values.runs_in(name):
            _check_sparsifier(recipe, values.sparsify, arm.optimizer["name"], length, dense)
        if values.layer_rates and not arm.layer_rates and (values.arms is None or name in values.arms):
            _check_layer_rates(study, name, f"recipes.{recipe}", values.layer_rates)
    if arm.layer_rates:
        _check_layer_rates(study, name, f"arms.{name}", arm.layer_rates)
        _check_one_rate(study, name)


def check_recipe(study: Study, name: str) -> None:
    """WrongValueError for arms that the study does not have, and masks of a recipe that makes none of its own."""
    recipe = study.recipes[name]
    copied = recipe.instability.arms if recipe.instability else None
    for place, arms in (("arms", recipe.arms), ("instability.arms", copied)):
        for index, arm in enumerate(arms or []):
            if arm not in study.arms:
                raise WrongValueError(f"recipes.{name}.{place}[{index}]", options.unknown("The arm", arm, study.arms))
    if recipe.mask_of is None:
        return
    valid = [other for other, values in study.recipes.items() if values.rounds_of_its_own]
    path = f"recipes.{name}.mask_of"
    if recipe.mask_of not in valid:
        raise WrongValueError(path, options.unknown("The recipe (with rounds of its own)", recipe.mask_of, valid))
    source = study.recipes[recipe.mask_of]
    if recipe.enabled and not source.enabled:
        raise WrongValueError(
            path, f"{recipe.mask_of!r} is switched off (enabled: false), but {name}, which needs its masks, is on."
        )
    without = [arm for arm in study.arms if recipe.runs_in(arm) and not source.runs_in(arm)]
    if without:
        raise WrongValueError(
            path, f"{recipe.mask_of!r} is not valid; it makes no masks for {', '.join(without)}, where {name} runs."
        )


def _timeline(name: str, arm: Arm, training: Training, images: int | None) -> Timeline | None:
    """The minibatches of an arm's runs; None where the number of images is not known here, and the job will see."""
    if images is None:
        return None
    key = "batch_schedule"
    try:
        found = timelines.of(images, training.batch_size, training.batch_schedule)
        found.check_optimizer(arm.optimizer["name"])
        key = "schedule"
        found.check_schedule(training.schedule)
    except UserError as error:
        path = f"arms.{name}.training.{key}" if key in arm.training else f"training.{key}"
        raise WrongValueError(path, f"{error} (Arm {name}, {images} images to train on.)") from None
    return found


def _check_recipe_schedules(study: Study, name: str, timeline: Timeline | None) -> None:
    """WrongValueError for a recipe's learning-rate schedule in iterations, in an arm whose batch size changes."""
    for recipe, values in study.recipes.items():
        found = {"schedule": values.schedule}
        if values.in_run:
            found |= {"in_run.schedule": values.in_run.schedule, "in_run.schedule_after": values.in_run.schedule_after}
        for key, schedule in found.items():
            try:
                if timeline is not None and schedule is not None and values.runs_in(name):
                    timeline.check_schedule(schedule)
            except UserError as error:
                raise WrongValueError(f"recipes.{recipe}.{key}", f"{error} (Arm {name}.)") from None


def _check_test_every(name: str, own: Container[str], training: Training, timeline: Timeline | None) -> None:
    """Test images are looked at when an evaluation is due: a moment between two would wait for a common multiple."""
    if training.test_every is None:
        return
    every, evaluate = Duration.parse(training.test_every), Duration.parse(training.evaluate_every)
    if every.unit != evaluate.unit and timeline is None:
        return
    per_epoch = timeline.per_epoch(0) if timeline is not None else 1
    mixed = every.unit != evaluate.unit and timeline is not None and timeline.changes
    if mixed or every.iterations(per_epoch) % evaluate.iterations(per_epoch):
        mine = "test_every" in own or "evaluate_every" in own
        raise WrongValueError(
            f"arms.{name}.training.test_every" if mine else "training.test_every",
            f"{every} is not valid; it must be a multiple of evaluate_every ({_both(evaluate, timeline)}).",
        )


def _check_layer_rates(study: Study, arm: str, place: str, layer_rates: Iterable[str]) -> None:
    tensors = prunable(study, arm)
    for pattern in layer_rates:
        if tensors is not None and not any(fnmatchcase(tensor, pattern) for tensor in tensors):
            raise WrongValueError(
                f"{place}.layer_rates",
                f"{pattern!r} matches no prunable tensor of arm {arm}. These are: {', '.join(tensors)}.",
            )


def _check_one_rate(study: Study, arm: str) -> None:
    """An arm's layer_rates stand beside the rate of its recipes: beside two of them they cannot both be meant."""
    rates = {name: r.rate for name, r in study.recipes.items() if r.runs_in(arm) and r.layer_rates}
    if len(set(rates.values())) > 1:
        raise WrongValueError(
            f"arms.{arm}.layer_rates",
            f"this takes the place of the layer_rates of recipes with different rates: {rates}. Limit some of them to "
            "other arms (recipes: arms).",
        )


def prunable(study: Study, name: str) -> list[str] | None:
    """The prunable tensors of an arm in the model's order; None if the model does not tell its tensors."""
    arm = study.arms[name]
    tensors = options.tensors(arm.model or study.model)
    patterns = arm.prunable or study.prunable
    return tensors and [tensor for tensor in tensors if any(fnmatchcase(tensor, pattern) for pattern in patterns)]


def _lead(first: Duration, second: Duration, timeline: Timeline | None) -> int | None:
    """By how much the first lies before the second; None where that cannot be known here, and the job will see."""
    if first.unit == second.unit:
        return second.count - first.count
    return None if timeline is None else timeline.iterations(second) - timeline.iterations(first)


def _below(lead: int | None, least: int) -> bool:
    return lead is not None and lead < least


def _both(moment: Duration, timeline: Timeline | None) -> str:
    """A duration, also in the other unit: '20ep = 4700it; an epoch has 235it'."""
    if timeline is None:
        return str(moment)
    other = f" = {timeline.iterations(moment)}it" if moment.unit == "ep" else ""
    first = "the first epoch" if timeline.changes else "an epoch"
    return f"{moment}{other}; {first} has {timeline.per_epoch(0)}it"


def _check_moments(path: str, at: list[str], rewind: Duration, length: Duration, timeline: Timeline | None) -> None:
    moments = [Duration.parse(text) for text in at]
    for index, (earlier, later) in enumerate(pairwise(moments), start=1):
        if _below(_lead(earlier, later, timeline), 1):
            raise WrongValueError(
                f"{path}[{index}]", f"{later} is not valid; it must lie after the moment before it, {earlier}."
            )
    valid = f"valid is from the rewind point ({rewind}) to the end of training ({_both(length, timeline)})"
    for index, moment in enumerate(moments):
        if _below(_lead(rewind, moment, timeline), 0) or _below(_lead(moment, length, timeline), 0):
            raise WrongValueError(f"{path}[{index}]", f"{moment} is not valid; {valid}.")


def _check_sparsifier(
    recipe: str, entry: dict[str, Any], optimizer: str, length: Duration, timeline: Timeline | None
) -> None:
    """It takes the optimiser, and its MOMENTS lie in increasing order before the end of training."""
    try:
        options.check_taken(entry, optimizer, plugins.constant("optimizers", optimizer, "NEEDS", ()))
    except UserError as error:
        raise WrongValueError(f"recipes.{recipe}.sparsify.name", str(error)) from None
    earlier = None
    for option in plugins.constant("sparsifiers", entry["name"], "MOMENTS", ()):
        moment = Duration.parse(options.value_of("sparsifiers", entry, option))
        path = f"recipes.{recipe}.sparsify.{option if option in entry else 'name'}"
        if _below(_lead(moment, length, timeline), 1):
            raise WrongValueError(
                path,
                f"{moment} is not valid; the option {option} of {entry['name']} must lie before the end of training "
                f"({_both(length, timeline)}).",
            )
        if earlier is not None and _below(_lead(earlier, moment, timeline), 1):
            raise WrongValueError(path, f"{moment} is not valid; it must lie after the moment before it, {earlier}.")
        earlier = moment


def _check_patterns(study: Study, name: str) -> None:
    arm = study.arms[name]
    model = arm.model or study.model
    names = options.tensors(model)
    for index, pattern in enumerate(arm.prunable or study.prunable):
        if names is not None and not any(fnmatchcase(tensor, pattern) for tensor in names):
            raise WrongValueError(
                f"arms.{name}.prunable[{index}]" if arm.prunable else f"prunable[{index}]",
                f"{pattern!r} matches no tensor of the model {model['name']} of arm {name}. "
                f"Its tensors: {', '.join(names)}.",
            )
