"""Runs of Weights & Biases in offline mode: no account, no network. `wandb sync` uploads them, for who wants that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from winnow.errors import UserError
from winnow.trackers.export import require
from winnow.trackers.runs import Tracked

PROJECT = "winnow"
TAG = 64  # characters that W&B allows, and of a project:
LONGEST, FORBIDDEN = 128, set("/\\#?%:")
OFF = {  # of what W&B adds to a run by itself: it would describe the export, not the training
    "console": "off", "silent": True, "disable_git": True, "save_code": False, "disable_job_creation": True,
    "x_disable_meta": True, "x_disable_stats": True, "x_disable_machine_info": True, "x_save_requirements": False,
}  # fmt: skip


class WandB:
    """A folder of offline runs of a project, and of an entity (a user or team) if one is named."""

    def __init__(self, project: str = PROJECT, entity: str | None = None) -> None:
        require("wandb")
        if not 0 < len(project) <= LONGEST or set(project) & FORBIDDEN:
            raise UserError(
                f"The W&B project {project!r} is not valid; valid is a name of 1 to {LONGEST} characters, none of them "
                f"{' '.join(sorted(FORBIDDEN))}."
            )
        self.project, self.entity = project, entity
        self._there: dict[Path, dict[str, list[Path]]] = {}  # as an export finds it when it begins

    @property
    def version(self) -> str:
        """Project and entity stand in the files."""
        return f"1 {self.project} {self.entity}"

    def write(self, run: Tracked, folder: Path) -> Path:
        """Write the run's offline folder. W&B counts its own steps; charts are over the run's, which it is told."""
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]  # notes, a sweep or a server of somebody's are not this run's
        os.environ["WANDB_ERROR_REPORTING"] = "false"  # or its import asks a name server
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        made = wandb.init(
            project=self.project, entity=self.entity, dir=folder, id=run.id, name=run.title, group=run.group,
            tags=[f"{key}:{value}"[:TAG] for key, value in run.tags.items()], config=run.config,
            settings=wandb.Settings(mode="offline", **OFF),
        )  # fmt: skip
        try:
            made.define_metric(run.step)
            made.define_metric("*", step_metric=run.step)
            for point in run.points:
                made.log(point)
            more: dict[str, Any] = {
                f"figures/{name}": wandb.Image(str(path), caption=text) for name, (text, path) in run.images.items()
            }
            if run.confusion:
                more["confusion_matrix"] = _confusion(run)
            if more:
                made.log(more)
            place = Path(made.dir).parent
        finally:
            made.finish()
        for link in place.parent.glob("latest-run"):
            link.unlink()
        target = folder / place.name
        place.rename(target)
        return Path(place.name)

    def written(self, run: Tracked, folder: Path) -> list[Path]:
        """Folders of this run: W&B puts the time into their names."""
        if folder not in self._there:
            found = self._there[folder] = {}
            for path in sorted(folder.glob("offline-run-*-*")):
                found.setdefault(path.name.rpartition("-")[2], []).append(path)
        return self._there[folder].get(run.id, [])

    def close(self) -> None:
        """Ends the process of W&B's own that wrote the files."""
        import wandb

        self._there.clear()
        wandb.teardown()


def _confusion(run: Tracked) -> Any:
    """W&B's own chart, which counts again: it takes a true and a predicted class for every image."""
    import wandb

    names = list(dict.fromkeys(true for true, _, _ in run.confusion))
    number = {name: index for index, name in enumerate(names)}
    pairs = [(number[true], number[said]) for true, said, count in run.confusion for _ in range(count)]
    return wandb.plot.confusion_matrix(
        y_true=[true for true, _ in pairs], preds=[said for _, said in pairs], class_names=names
    )
