"""A Ray of this machine, for tests of work on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Room for two workers; the test is skipped where Ray is not installed."""
    found = pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    found.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield found
    found.shutdown()
