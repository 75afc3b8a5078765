"""What can go wrong, in words for the person who has to act on it."""

from __future__ import annotations

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a file system says of a disk that is full


class StitError(Exception):
    """Something that the user can understand and usually mend.

    Parameters
    ----------
    message: what was wrong, naming the frame, file or setting.
    hint: what to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(StitError):
    """A setting outside its range."""


class VideoError(StitError):
    """A file that cannot be read as video, is over a limit, or cannot be written."""


class FaceError(StitError):
    """No usable face where one is needed."""


class ArtefactMismatchError(StitError):
    """Two results that do not belong to the same clip or frames."""


class StoreError(StitError):
    """A run folder that cannot be read or written."""


class NoRoomError(StoreError):
    """A disk that is full, or would be."""


class DamagedError(StoreError):
    """A stored result that cannot be read, and has to be made again."""


class PackError(StitError):
    """A model pack that is missing, altered or incomplete."""


class CheckpointError(StitError):
    """A weight file that is truncated, hostile or of another layout."""


class DeviceError(StitError):
    """A graphics card that was not lent, or taken back: no result of what was to be done on it."""


class DirectionError(StitError):
    """An edit direction that is unknown, malformed or made for another pack."""


class Cancelled(Exception):
    """The user stopped the run: not an error, nothing made so far is lost."""


class BudgetSpent(Cancelled):
    """The time that was given is over: all that was made lies on the disk, and the run goes on from there."""
