"""What visitors read of errors whose own words are for whoever sits at the machine, as they speak of its disk."""

from __future__ import annotations

from stit_core.errors import DamagedError, NoRoomError, StitError

NO_ROOM = "The disk of this server is full."
NO_ROOM_HINT = (
    "What was finished is kept. Choose a shorter part of the clip, press 'Delete my data now' if you need nothing of "
    "it any more, or tell whoever runs this page; then do the same again."
)
DAMAGED = "Something that was stored for this run is damaged."
DAMAGED_HINT = "Keep your videos, press 'Delete my data now', and begin again."


def for_visitors(error: StitError) -> StitError:
    """The error in words that somebody who has nothing but the page can act on; most are so already."""
    if isinstance(error, NoRoomError):
        return StitError(NO_ROOM, NO_ROOM_HINT)
    if isinstance(error, DamagedError):
        return StitError(DAMAGED, DAMAGED_HINT)
    return error
