"""Ask the page of this machine how it is, for a container's health check: `python -m page.server.probe`.

Prints the answer; the exit code is 0 where all is well and 1 where it is not.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

HEALTH = "/health"
SECONDS = 8.0


def probe(environ: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the page is well, and what it says."""
    address = f"http://127.0.0.1:{environ.get('GRADIO_SERVER_PORT', '7860')}{HEALTH}"
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            return True, answer.read().decode()
    except urllib.error.HTTPError as error:
        return False, error.read().decode()
    except OSError as error:
        return False, f"The page does not answer: {error}"


if __name__ == "__main__":
    well, said = probe(os.environ)
    print(said)
    sys.exit(not well)
