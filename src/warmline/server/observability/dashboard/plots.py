"""Where uPlot's files are, which draw the plots.

They come in the package `uplot-python`, which is never imported: its code wants IPython, its files do not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["INSTALL_PLOTS", "PLOT_FILES", "plot_folder"]

PLOT_FILES: Final = ("uPlot.iife.js", "uPlot.min.css")

INSTALL_PLOTS: Final = "pip install --no-deps uplot-python==1.1.1"
"""What to do where they are missing; tables stand in place of the plots then."""


def plot_folder() -> Path | None:
    """Return the folder that has them, or None."""
    spec = find_spec("uplot")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "static"
    return folder if all((folder / name).is_file() for name in PLOT_FILES) else None
