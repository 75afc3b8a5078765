"""The page's module, for tests of its widgets and handlers."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The page's module, with its files in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(tmp_path_factory.mktemp("page")))
        patch.setenv("GRADIO_TEMP_DIR", "")  # so that the patch undoes what the import does
        import app as module

        # Also where another test has imported it before: gradio would write beside the code.
        patch.setenv("GRADIO_TEMP_DIR", str(module.SETTINGS.served))
        yield module
