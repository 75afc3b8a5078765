"""The one password of a page that asks for one.

Gradio asks for a name too; any will do, and none. It does not slow down whoever guesses: a wrong password is answered
after a second, a few at a time, so that a day is worth some hundred thousand guesses at most.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from gradio.routes import FastAPI, HTTPException, OAuth2PasswordRequestForm, fastapi  # the kinds that it knows

AT_ONCE = 4  # passwords that are looked at
MOST_WAITING = 40
WRONG_SECONDS = 1.0
SOMEBODY = "visitor"
TOO_MANY = "Too many people are logging in just now. Try again in a minute."

Field = Annotated[str, fastapi.Form()]
Check = Callable[[str, str], Awaitable[bool]]


def check_password(password: str, wrong_seconds: float = WRONG_SECONDS) -> Check:
    """What gradio asks at a login: (name, password) -> whether it is the one.

    Parameters
    ----------
    password: the one.
    wrong_seconds: that the answer to a wrong one takes.
    """
    slots, waiting = asyncio.Semaphore(AT_ONCE), 0

    async def check(name: str, given: str) -> bool:  # noqa: ARG001 (gradio asks for one)
        nonlocal waiting
        if waiting >= MOST_WAITING:
            raise HTTPException(429, TOO_MANY)
        waiting += 1
        try:
            async with slots:
                right = hmac.compare_digest(given.encode(), password.encode())
                if not right:
                    await asyncio.sleep(wrong_seconds)
                return right
        finally:
            waiting -= 1

    return check


class NamelessForm(OAuth2PasswordRequestForm):
    """What a login sends, whose name may be missing: gradio itself would answer that with nothing that is shown."""

    def __init__(self, password: Field = "", username: Field = "") -> None:
        super().__init__(username=username or SOMEBODY, password=password)


def ask_no_name(app: FastAPI) -> None:
    """Let a login of gradio's app do without a name."""
    app.dependency_overrides[OAuth2PasswordRequestForm] = NamelessForm
