"""TensorBoard event files, by the writer that PyTorch has: scalars, images, and settings for the tab HParams."""

from __future__ import annotations

from pathlib import Path

from winnow.trackers.export import require
from winnow.trackers.runs import Tracked, flat


class TensorBoard:
    """A folder with one event file per run; all their folders together are a logdir."""

    version = "1"

    def __init__(self) -> None:
        require("tensorboard")

    def write(self, run: Tracked, folder: Path) -> Path:
        """Write the run's event file; values are float32 there."""
        import numpy as np
        from PIL import Image
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        with SummaryWriter(str(folder / run.name)) as writer:
            # Without the list of settings: TensorBoard would take one run's for all; so it makes one of all.
            _, start, end = hparams(flat(run.config), {})  # type: ignore[no-untyped-call]
            for part in (start, end):
                writer.file_writer.add_summary(part, walltime=run.time)
            for point in run.points:
                for name, value in point.items():
                    if name != run.step:
                        writer.add_scalar(name, value, int(point[run.step]), walltime=run.time)
            for name, (_, path) in run.images.items():
                with Image.open(path) as image:
                    pixels = np.asarray(image.convert("RGB"))
                writer.add_image(name, pixels, 0, walltime=run.time, dataformats="HWC")
        return Path(run.name)

    def written(self, run: Tracked, folder: Path) -> list[Path]:
        """The run's folder, if it is there."""
        return [folder / run.name] if (folder / run.name).is_dir() else []

    def close(self) -> None:
        """Each run's file is closed when it is written."""
