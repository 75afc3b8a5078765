"""What the server writes down: warnings and errors, and nothing that shows a face or leads to one.

No request is logged: addresses hold the ids of runs, and whoever has an id has the run. What a library reports may hold
the path of a visitor's file, whose name may be a person's: it is taken out of every line, tracebacks too.
"""

from __future__ import annotations

import logging
import re

from gradio.http_server import uvicorn  # with which it serves the page

from page.settings import PageSettings

FORMAT = "%(levelname)s %(name)s: %(message)s"
HIDDEN = "<visitor's file>"
_RUN = re.compile(r"(\brun=)[A-Za-z0-9_-]{22}")


class Discreet(logging.Formatter):
    """Lays out records without ids of runs and without visitors' paths."""

    def __init__(self, settings: PageSettings) -> None:
        super().__init__(FORMAT)
        roots = "|".join(re.escape(str(root)) for root in (settings.private, settings.served))
        self._paths = re.compile(rf"(?:{roots})(?:/[^'\"\n]*)?")

    def format(self, record: logging.LogRecord) -> str:
        return _RUN.sub(r"\1...", self._paths.sub(HIDDEN, super().format(record)))


def log_discreetly(settings: PageSettings) -> None:
    """Write all of the process's records in this way, uvicorn's too."""
    handler = logging.StreamHandler()
    handler.setFormatter(Discreet(settings))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for logger in uvicorn.config.LOGGING_CONFIG["loggers"].values():  # which uvicorn sets when it starts
        logger["handlers"], logger["propagate"] = [], True
    uvicorn.config.LOGGING_CONFIG["loggers"]["uvicorn.access"]["propagate"] = False
