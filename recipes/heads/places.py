"""Places behind the people of the sample clips, as fields of HeadParameters."""

from __future__ import annotations

from typing import Any

import numpy as np

LIVING_ROOM: dict[str, Any] = {
    "outdoor": 0.05,
    "wall": np.array([0.42, 0.37, 0.29]),
    "floor": np.array([0.16, 0.10, 0.06]),
    "horizon": np.array([0.30, 0.06]),
    "window": np.array([0.95, -0.35, 0.9, 0.55]),
    "glow": np.array([1.05, 0.92, 0.72]),
    "mass": np.array([-0.95, 0.55]),
    "bokeh": np.array([0.2, 0.0, 0.3, 0.1]),
}
OFFICE: dict[str, Any] = {
    "outdoor": 0.12,
    "wall": np.array([0.34, 0.37, 0.39]),
    "floor": np.array([0.11, 0.12, 0.13]),
    "horizon": np.array([0.20, -0.05]),
    "window": np.array([-0.80, -0.40, 1.25, 0.75]),
    "glow": np.array([0.92, 1.0, 1.06]),
    "mass": np.array([0.90, 0.60]),
    "bokeh": np.array([0.1, 0.3, 0.0, 0.2]),
}
PARK: dict[str, Any] = {
    "outdoor": 0.95,
    "wall": np.array([0.62, 0.70, 0.74]),
    "floor": np.array([0.14, 0.19, 0.07]),
    "horizon": np.array([-0.25, 0.12]),
    "window": np.array([0.55, -0.75, 1.2, 0.4]),
    "glow": np.array([1.0, 1.0, 0.86]),
    "mass": np.array([-0.85, 0.65]),
    "bokeh": np.array([0.5, 0.3, 0.6, 0.2]),
}
