"""How the plots of all runs look, and how they are written."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

INK, OTHER = "#1f4e79", "#b5651d"


def save(figure: Figure, path: Path) -> None:
    """The same bytes for the same run; text as text."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "flux"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
