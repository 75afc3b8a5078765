"""The command "credentials": a certificate for trials, and what a video's content credentials say."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from stit_core.media.credentials import CERTIFICATE, KEY, make_trial, read_credentials


def run_credentials(options: argparse.Namespace) -> None:
    """Carry out one action.

    Raises
    ------
    ConfigError: what cannot be made, or a package is missing.
    VideoError: a video that cannot be read.
    """
    if options.action == "make":
        signer = make_trial(options.folder)
        print("warning: No verifier knows this certificate: it is for trials only.", file=sys.stderr)
        record = {"certificate": str(signer.certificate), "key": str(signer.key)}
        _tell(options, record, [f"{CERTIFICATE}={signer.certificate}", f"{KEY}={signer.key}"])
        return
    found = read_credentials(options.video)
    if found is None:
        _tell(options, {"state": None}, [f"{options.video} carries no content credentials."])
        return
    lines = [
        f"{options.video}: {found['state']}, signed by {found['signed_by'] or 'nobody'}",
        f"  actions   {', '.join(action['action'] for action in found['actions'])}",
        f"  problems  {', '.join(found['problems']) or 'none'}",
    ]
    _tell(options, found, lines)


def _tell(options: argparse.Namespace, record: Mapping[str, Any], lines: Sequence[str]) -> None:
    print(json.dumps(record) if options.json else "\n".join(lines))
