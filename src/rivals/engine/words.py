"""Numbers as people read them."""


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(42), duration(150), duration(7300)
    ('42 s', '2 min 30 s', '2 h 1 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def short(number: int) -> str:
    """A count in few letters.

    >>> short(950), short(12_345), short(1_490_000)
    ('950', '12k', '1.5M')
    """
    if number < 1000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"
