"""Whose face it is: tracks cut where another person takes a face's place, and joined where one comes back.

A track by place follows a face as long as it is seen. Where two people cross, or the picture cuts from one to another,
place alone may take the one for the other; and who was away, or turned away, comes back as a new track. dlib's
embeddings decide both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from stit_core.faces.tracks import Track

Embed = Callable[[int, np.ndarray], np.ndarray]  # (frame, landmarks (68, 2)) -> embedding (128,)

SAMPLE_EVERY = 12  # sightings of a track, of which one is embedded
JUMP = 0.48  # of the embedding, between neighbouring sightings that show two people
SAME = 0.45  # of mean embeddings, up to which two tracks are one person wherever they are
SAME_NEAR = 0.48  # the same where the place fits as well
SAME_TRACK = 0.6  # the same for pieces of one track by place: a face that turns or is partly covered
BESIDE = 2.5  # sides of a face from another, within which one that is lost may come back as the other
_AROUND = 3  # sightings on each side of a suspected change that are compared
_SAMPLES = 8  # of a track, at most, whose mean stands for it


def people_of(tracks: Sequence[Track], embed: Embed) -> list[Track]:
    """One track a person.

    Parameters
    ----------
    tracks: by place.
    embed: gives the embedding of a sighting; asked for few of them, in no order.

    Returns
    -------
    Tracks; a lone one in which nothing changes comes back as it is.

    Source: ours; thresholds from the samples, where one person stays below 0.45 and two stay above 0.49, and two in
    photographs above 0.7.
    """
    known: dict[tuple[int, int], np.ndarray] = {}

    def embedding(track: Track, frame: int) -> np.ndarray:
        place = (frame, round(float(track.faces[frame].centre @ (1.0, 4099.0))))
        if place not in known:
            known[place] = embed(frame, track.points[frame])
        return known[place]

    pieces: list[Track] = []
    origins: list[set[object]] = []
    for number, track in enumerate(tracks):
        whole = _cut_at_losses(track, [other for other in tracks if other is not track])
        own = [piece for part in whole for piece in _cut_at_changes(part, embedding)]
        pieces += own
        origins += [{number if len(own) == len(whole) else (number, i)} for i in range(len(own))]
    return _join(pieces, origins, embedding) if len(pieces) > 1 else pieces


def _cut_at_losses(track: Track, others: Sequence[Track]) -> list[Track]:
    """The track in pieces, cut where it lost its face beside another's."""
    frames = sorted(track.faces)
    edges = [0]
    for position, (before, after) in enumerate(itertools.pairwise(frames), start=1):
        if after - before > 1 and any(_is_beside(track, before, after, other) for other in others):
            edges.append(position)
    if len(edges) == 1:
        return [track]
    return [track.part(frames[start:end]) for start, end in itertools.pairwise([*edges, len(frames)])]


def _is_beside(track: Track, before: int, after: int, other: Track) -> bool:
    """Whether another face is seen, from one frame to another, near where the track's is at either end."""
    for frame in range(before, after + 1):
        face = other.faces.get(frame)
        if face is not None and any(
            np.linalg.norm(face.centre - track.faces[end].centre) < BESIDE * max(face.side, track.faces[end].side)
            for end in (before, after)
        ):
            return True
    return False


def _cut_at_changes(track: Track, embedding: Callable[[Track, int], np.ndarray]) -> list[Track]:
    """The track in pieces, cut where it goes on with somebody else's face."""
    frames = sorted(track.faces)
    samples = sorted({*range(0, len(frames), SAMPLE_EVERY), len(frames) - 1})

    def at(position: int) -> np.ndarray:
        return embedding(track, frames[position])

    edges = [0]
    for first, last in itertools.pairwise(samples):
        if np.linalg.norm(at(first) - at(last)) <= JUMP:
            continue
        low, high = first, last
        while high - low > 1:
            middle = (low + high) // 2
            if np.linalg.norm(at(middle) - at(first)) <= np.linalg.norm(at(middle) - at(last)):
                low = middle
            else:
                high = middle
        before = np.mean([at(i) for i in range(max(0, high - _AROUND), high)], axis=0)
        after = np.mean([at(i) for i in range(high, min(len(frames), high + _AROUND))], axis=0)
        if np.linalg.norm(before - after) > JUMP:
            edges.append(high)
    if len(edges) == 1:
        return [track]
    return [track.part(frames[start:end]) for start, end in itertools.pairwise([*edges, len(frames)])]


def _join(
    pieces: list[Track], origins: list[set[object]], embedding: Callable[[Track, int], np.ndarray]
) -> list[Track]:
    """Pieces that are one person put together, the likest first; `origins` names the tracks they are pieces of."""
    means = [_mean(piece, embedding) for piece in pieces]
    while True:
        best, pair = np.inf, None
        for a, b in itertools.combinations(range(len(pieces)), 2):
            distance = float(np.linalg.norm(means[a] - means[b]))
            if distance >= best or pieces[a].faces.keys() & pieces[b].faces.keys():
                continue
            limit = SAME_TRACK if origins[a] & origins[b] else SAME
            if distance <= limit or (distance <= SAME_NEAR and _near(pieces[a], pieces[b])):
                best, pair = distance, (a, b)
        if pair is None:
            return pieces
        a, b = pair
        share = len(pieces[a].faces) / (len(pieces[a].faces) + len(pieces[b].faces))
        means[a] = share * means[a] + (1 - share) * means[b]
        pieces[a] = Track({**pieces[a].faces, **pieces[b].faces}, {**pieces[a].points, **pieces[b].points})
        origins[a] = origins[a] | origins[b]
        del pieces[b], means[b], origins[b]


def _mean(track: Track, embedding: Callable[[Track, int], np.ndarray]) -> np.ndarray:
    frames = sorted(track.faces)
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(_SAMPLES, len(frames))).round().astype(int))
    return np.mean([embedding(track, frames[i]) for i in chosen.tolist()], axis=0)  # type: ignore[no-any-return]


def _near(a: Track, b: Track) -> bool:
    """Whether the two, which share no frame, could be one face by place where they come nearest in time."""
    _, frame, other = min((abs(f - g), f, g) for f in _edges(a) for g in _edges(b))
    return a.part([frame]).distance(other, b.faces[other]) is not None


def _edges(track: Track) -> list[int]:
    """Frames at which a stretch of a track begins or ends."""
    frames = np.array(sorted(track.faces))
    breaks = np.flatnonzero(np.diff(frames) != 1)
    return sorted({int(frames[0]), int(frames[-1]), *frames[breaks].tolist(), *frames[breaks + 1].tolist()})
