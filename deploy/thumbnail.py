"""Draw assets/thumbnail.jpg, which shows the page where its address is shared: `python -m deploy.thumbnail`."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deploy.contents import ROOT, THUMBNAIL

WIDTH, HEIGHT = 1200, 630  # what sites show of a page that is shared
PLAYER = "docs/page/player.webp"
FACE = (27, 2, 517, 492)  # of PLAYER: left, top, right, bottom
TOP, BOTTOM = (90, 84, 202), (48, 45, 106)  # the page's accent colour, 600 and 900
TITLE, CLAIM = "STIT Studio", ("Edit the face in a video,", "and put it back so that", "nobody sees the seam.")
DETAIL = 3  # drawn so many times as large, for smooth lines
QUALITY = 88


def draw_thumbnail() -> Image.Image:
    """The page's sign, name and claim beside a face under the divider: before, and after."""
    down = np.linspace(0, 1, HEIGHT)[:, None, None]
    shade = (1 - down) * np.array(TOP) + down * np.array(BOTTOM)
    picture = Image.fromarray(np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).round().astype(np.uint8))
    with Image.open(ROOT / PLAYER) as player:
        face = player.convert("RGB").crop(FACE).resize((HEIGHT, HEIGHT), Image.Resampling.LANCZOS)
    picture.paste(face, (WIDTH - HEIGHT, 0))
    sign = _draw_sign(96)
    picture.paste(sign, (64, 96), sign)
    draw = ImageDraw.Draw(picture)
    draw.text((64, 236), TITLE, font=ImageFont.load_default(72), fill="white")
    for line, text in enumerate(CLAIM):
        draw.text((64, 344 + 46 * line), text, font=ImageFont.load_default(34), fill=(225, 224, 250))
    return picture


def _draw_sign(size: int) -> Image.Image:
    """The sign at the head of the page: half an outline, and its other half stitched."""
    sign = Image.new("RGBA", (DETAIL * size, DETAIL * size))
    draw, unit = ImageDraw.Draw(sign), DETAIL * size / 32
    draw.rounded_rectangle((0, 0, DETAIL * size - 1, DETAIL * size - 1), 9 * unit, fill=(255, 255, 255, 46))
    box = (8.5 * unit, 6.5 * unit, 23.5 * unit, 25.5 * unit)
    draw.arc(box, 90, 270, fill="white", width=round(2 * unit))
    for start in range(-84, 90, 24):
        draw.arc(box, start, start + 12, fill="white", width=round(2 * unit))
    return sign.resize((size, size), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    draw_thumbnail().save(ROOT / THUMBNAIL, quality=QUALITY, optimize=True, progressive=True)
