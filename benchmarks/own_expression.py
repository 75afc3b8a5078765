"""What the columns of benchmarks/photo_measures.py say of a change that nobody made: somebody's own grin or open mouth.

    python -m benchmarks.own_expression CLIP --neutral 0.1 --other 1.2 1.6

The frame at another time is laid over the neutral one by eyes and bridge of the nose and measured as if it were its
edit. `sharp` and `detail` of an edit that bares teeth are to be read beside that: teeth have edges, and the neutral
picture has none of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import dlib
import numpy as np

from benchmarks.photo_measures import measure_pair
from stit_core.config import VideoConfig
from stit_core.faces.reading import landmark_predictor
from stit_core.media.video import open_clip
from stit_core.runtime import Runtime

HELD = [*range(27, 31), *range(36, 48)]  # landmarks that a mouth leaves where they are


def main() -> None:
    """Print a line for each moment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--neutral", type=float, required=True, help="seconds")
    parser.add_argument("--other", type=float, nargs="+", required=True, help="seconds")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = open_clip(args.clip, VideoConfig(), Runtime(), Path(folder, "frames"))

        def frame(seconds: float) -> np.ndarray:
            times = [abs(float(time) - seconds) for time in clip.timestamps]
            return clip.frames.read(clip.frames.indices[int(np.argmin(times))])

        neutral = frame(args.neutral)
        for seconds in args.other:
            found = measure_pair([neutral], [laid_over(frame(seconds), neutral)])
            print(f"{seconds:5.2f} s: sharp {found.sharp:.2f}, detail {found.detail:.2f}, moved {found.moved:.1f} %")


def laid_over(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) uint8 moved, turned and scaled until its eyes and nose lie where those of another do."""
    detector, predictor = dlib.get_frontal_face_detector(), landmark_predictor()
    box = max(detector(other, 1), key=lambda found: found.area(), default=None)
    if box is None:
        raise SystemExit("The neutral frame shows no face.")
    from_, to = (np.array([(p.x, p.y) for p in predictor(each, box).parts()], float)[HELD] for each in (picture, other))
    matrix, _ = cv2.estimateAffinePartial2D(from_, to)
    return cv2.warpAffine(picture, matrix, other.shape[1::-1], flags=cv2.INTER_LANCZOS4)


if __name__ == "__main__":
    main()
