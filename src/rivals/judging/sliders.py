"""Pictures before and after an edit, one over the other with a line between that can be moved.

By mouse, by touch and by arrow keys; side by side where no scripts run, and on paper.
"""

from pathlib import Path

from .page import Picture, embed, paragraph, text

MOST_BYTES, WIDE = 2**17, 1024  # of a picture; what has more becomes a JPEG


def sliders(folder: Path, kind: str, what: str, most: int = 8) -> str:
    """Figures of the pictures KIND-1-given.png, KIND-1-made.png and, if there is one, KIND-1-true.png, and so on.

    Args:
        folder: that holds them.
        kind: how their names begin.
        what: they are, in words, for people who don't see them.
        most: figures.
    """
    found = []
    for number in range(1, most + 1):
        paths = {part: folder / f"{kind}-{number}-{part}.png" for part in ("given", "made", "true")}
        if not paths["given"].exists() and not paths["made"].exists():
            break
        found.append(figure({part: shown(path) for part, path in paths.items() if path.exists()}, number, what))
    return "".join(found)


def shown(path: Path) -> Picture | str:
    """A picture for the page, or why it can't be shown."""
    return embed(path, most=MOST_BYTES, wide=WIDE)


def figure(parts: dict[str, Picture | str], number: int, what: str) -> str:
    """One figure; parts that can't be shown are told of."""
    good = {part: picture for part, picture in parts.items() if isinstance(picture, Picture)}
    lost = "".join(paragraph(words, "missing") for words in parts.values() if isinstance(words, str))
    if not {"given", "made"} <= set(good):
        return lost or paragraph(f"Picture {number} can't be shown: a part of it is not there.", "missing")
    given = good["given"].img(f"Picture {number} as it was given: {what}")
    made = good["made"].img(f"Picture {number} as the model made it")
    true = good["true"].img(f"Picture {number}, the true one") if "true" in good else ""
    label = f"Picture {number}: how much of it is shown as it was given, from the left, in percent"
    slide = f'<input type="range" min="0" max="100" value="50" aria-label="{text(label)}">'
    reduced = " Some are embedded as JPEG." if any(picture.reduced for picture in good.values()) else ""
    words = f"Picture {number}, from left to right: as given, as made{', the true one' if true else ''}.{reduced}"
    pair = f'<div class="pair"><span class="given">{given}</span><span>{made}</span>{slide}</div>'
    return f'<figure class="versus">{pair}{true}<figcaption>{text(words)}</figcaption></figure>{lost}'
