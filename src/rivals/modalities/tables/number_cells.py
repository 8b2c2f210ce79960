"""Numbers as people and programs write them: "1.234,50 €", "(12.0)", "1e-05", "37 %", and back."""

import re
import unicodedata
from typing import NamedTuple

import numpy as np
import polars as pl

from .columns import Format
from .series import least, mean, most

LARGEST_EXACT = 2.0**53
"""Whole numbers beyond this aren't all floats."""

_SPACES = "\u00a0\u202f "
_MINUS = "-−"
_PARTS = (
    r"^(?<open>\()?(?<first>[-−+])?(?<prefix>[^\d.,()+−-]*)(?<second>[-−+])?"
    rf"(?<core>[.,]?\d(?:[\d.,'’{_SPACES}]*\d)?)(?<power>[eE][-+]?\d{{1,3}})?"
    r"(?<suffix>[^\d.,()+−-]*)(?<close>\))?$"
)
_SIGNS = (("", "."), (",", "."), ("", ","), (".", ","), ("'", "."), ("’", "."), ("'", ","),
          *((space, sign) for space in _SPACES for sign in ".,"))  # fmt: skip
_CURRENCIES = frozenset(
    [
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CNY",
        "CZK",
        "DKK",
        "EUR",
        "FR",
        "GBP",
        "HKD",
        "HUF",
        "INR",
        "JPY",
        "KR",
        "MXN",
        "NOK",
        "NZD",
        "PLN",
        "RM",
        "RS",
        "SEK",
        "SGD",
        "TRY",
        "USD",
        "ZAR",
    ]
)
_LONGEST_AFFIX = 12
_MOST_DIGITS = 15
_MOST_DECIMALS = 12


class Numbers(NamedTuple):
    """How the numbers among some cells are written, and which cells they are.

    Attributes:
        format: Of the numbers.
        values: Float64, null where a cell isn't a number.
        zeros: Share of the numbers that begin with a zero which means nothing: "007", as codes do.
        digits: Digits of the longest whole number.
    """

    format: Format
    values: pl.Series
    zeros: float
    digits: int


def find_numbers(cells: pl.Series, counts: np.ndarray) -> Numbers | None:
    """How the numbers among the cells are written, by what most cells have in common.

    Args:
        cells: (k,) different cells, text without nulls.
        counts: (k,) how often each is there.

    Returns:
        None where no cell looks like a number.
    """
    edge, end = common_space(cells)
    parts = cells.str.strip_chars().str.extract_groups(_PARTS).struct.unnest()
    parts = parts.with_columns(pl.Series("count", counts))
    found = parts.filter(pl.col("core").is_not_null())
    if not len(found):
        return None
    affixes = found.group_by("prefix", "suffix").agg(pl.col("count").sum())
    prefix, suffix, _ = affixes.sort("count", "prefix", "suffix", descending=[False, True, True]).row(-1)
    if not _is_affix(prefix, suffix):
        return None
    found = found.filter(_with_affixes(prefix, suffix))
    thousands, decimal = _signs(found["core"])
    decimals, fewest = _decimals(found, thousands, decimal)
    minus, inside = _minus(found)
    whole = found["core"].str.replace_all(thousands, "", literal=True) if thousands else found["core"]
    form = Format(
        decimals=decimals, least=fewest, decimal=decimal, thousands=thousands, prefix=edge + prefix,
        suffix=suffix + end, minus=minus, inside=inside, pattern="e" if _there_is_power(found) else "",
    )  # fmt: skip
    return Numbers(
        form, read_numbers(cells, form), mean(whole.str.contains(r"^0\d")),
        most(whole.str.extract(r"^(\d+)").str.len_chars()),
    )  # fmt: skip


def find_decimals(cells: pl.Series) -> Numbers:
    """The same for cells of a numeric type: how many decimals they have as the shortest text that means them."""
    shown = cells.cast(pl.String)
    finite = cells.is_finite() if cells.dtype.is_float() else cells.is_not_null()
    rest = shown.str.extract(r"\.(\d+)$").fill_null("").str.strip_chars_end("0").str.len_chars().filter(finite)
    digits = shown.str.extract(r"(\d+)").str.strip_chars_start("0").str.len_chars().filter(finite)
    places = most(rest)
    full = places > _MOST_DECIMALS or (places > 0 and most(digits) + places > _MOST_DIGITS)
    powers = bool(shown.filter(finite).str.contains("e-").any())
    values = cells.cast(pl.Float64).set(~finite, None)
    return Numbers(Format(decimals=None if full or powers else places), values, 0.0, most(digits))


def common_space(cells: pl.Series) -> tuple[str, str]:
    """The blanks that every cell begins and ends with."""
    before = cells.str.extract(r"^(\s*)").unique()
    after = cells.str.extract(r"(\s*)$").unique()
    return (before[0] if len(before) == 1 else ""), (after[0] if len(after) == 1 else "")


def read_numbers(cells: pl.Series, form: Format) -> pl.Series:
    """The numbers that cells of this format mean, float64; null where a cell isn't one.

    Cells without the prefix and suffix, and without the signs between thousands, are read as well.
    """
    parts = cells.str.strip_chars().str.extract_groups(_PARTS).struct.unnest()
    thousands, decimal = re.escape(form.thousands), re.escape(form.decimal)
    grouped = rf"[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+|" if thousands else ""
    fits = rf"^(?:(?:{grouped}\d+)(?:{decimal}\d+)?|{decimal}\d+)$"
    core = pl.col("core")
    plain = core.str.replace_all(form.thousands, "", literal=True) if form.thousands else core
    if form.decimal != ".":
        plain = plain.str.replace(form.decimal, ".", literal=True)
    negative = pl.concat_str("open", "first", "second", ignore_nulls=True).str.contains(f"[{_MINUS}(]")
    magnitude = pl.concat_str(plain, pl.col("power").fill_null("")).cast(pl.Float64, strict=False)
    prefix, suffix = form.prefix.strip(), form.suffix.strip()
    return parts.select(
        pl.when(core.str.contains(fits) & _with_affixes(prefix, suffix) & (_there("open") == _there("close")))
        .then(pl.when(negative).then(-magnitude).otherwise(magnitude))
        .alias(cells.name)
    ).to_series()


def write_numbers(values: np.ndarray, form: Format) -> pl.Series:
    """Numbers as cells of this format: (n,) float64 to text, null where NaN."""
    if form.decimals is None:
        body = pl.Series([None if np.isnan(value) else _full(value, form) for value in np.abs(values)], dtype=pl.String)
    else:
        body = _fixed(np.abs(values), max(form.decimals, form.least), form)
    table = pl.DataFrame({"body": body, "negative": _below_zero(values, form)})
    return table.select(_signed(form)).to_series()


def _full(value: float, form: Format) -> str:
    """The shortest text that means the float, with an exponent where Python has one, or never."""
    text = repr(float(value)) if form.pattern == "e" else np.format_float_positional(value, trim="0")
    return (text if form.least else text.removesuffix(".0")).replace(".", form.decimal)


def _fixed(values: np.ndarray, decimals: int, form: Format) -> pl.Series:
    """Magnitudes with a fixed number of decimals, then without the zeros at the end that aren't always there."""
    scaled = np.rint(values * 10.0**decimals)
    large = ~(scaled < LARGEST_EXACT)  # NaN as well
    units = pl.Series(np.where(large, 0, scaled).astype(np.int64))
    table = pl.DataFrame({"whole": units // 10**decimals, "rest": units % 10**decimals})
    whole = table.select(_grouped(form)).to_series()
    if decimals:
        rest = table["rest"].cast(pl.String).str.zfill(decimals)
        if form.least < decimals:
            tail = rest.str.slice(form.least).str.strip_chars_end("0")
            rest = rest.str.slice(0, form.least) + tail
        dotted = pl.select(pl.when(rest.str.len_chars() > 0).then(pl.lit(form.decimal)).otherwise(pl.lit("")))
        whole = whole + dotted.to_series() + rest
    exact = [None if np.isnan(value) else f"{value:.{decimals}f}" for value in values[large]]
    return whole.scatter(np.flatnonzero(large), exact) if exact else whole


def _grouped(form: Format) -> pl.Expr:
    """The column "whole" as text, padded with zeros or parted into thousands."""
    whole = pl.col("whole")
    if not form.thousands:
        return whole.cast(pl.String).str.zfill(form.pad) if form.pad else whole.cast(pl.String)
    text = whole.cast(pl.String)
    for power in range(3, 19, 3):  # 64-bit numbers have 19 digits
        head, tail = whole.cast(pl.String).str.head(-power), text.str.tail(power + (power - 3) // 3)
        text = pl.when(whole >= 10**power).then(head + pl.lit(form.thousands) + tail).otherwise(text)
    return text


def _below_zero(values: np.ndarray, form: Format) -> np.ndarray:
    """Which numbers are negative as they are written: -0.001 with two decimals is not."""
    if form.decimals is None:
        return values < 0
    return np.rint(values * 10.0 ** max(form.decimals, form.least)) < 0


def _signed(form: Format) -> pl.Expr:
    """The column "body" with prefix, suffix and the mark of negative numbers."""
    edge = form.prefix[: len(form.prefix) - len(form.prefix.lstrip())]
    end = form.suffix[len(form.suffix.rstrip()) :]
    prefix, suffix = form.prefix[len(edge) :], form.suffix[: len(form.suffix) - len(end)]
    body = pl.col("body")
    if form.minus == "(":
        marked = pl.lit(edge + "(" + prefix) + body + pl.lit(suffix + ")" + end)
    elif form.inside:
        marked = pl.lit(edge + prefix + form.minus) + body + pl.lit(suffix + end)
    else:
        marked = pl.lit(edge + form.minus + prefix) + body + pl.lit(suffix + end)
    return pl.when("negative").then(marked).otherwise(pl.lit(form.prefix) + body + pl.lit(form.suffix))


def _there(name: str) -> pl.Expr:
    return pl.col(name).fill_null("") != ""


def _with_affixes(prefix: str, suffix: str) -> pl.Expr:
    """Cells with this prefix and suffix, or with neither."""
    before, after = (pl.col(name).fill_null("").str.strip_chars() for name in ("prefix", "suffix"))
    own = (before == prefix.strip()) & (after == suffix.strip())
    return own | ((before == "") & (after == ""))


def _is_affix(prefix: str, suffix: str) -> bool:
    """Whether this can stand around an amount: a currency before it, a currency or a unit after it."""
    if max(len(prefix), len(suffix)) > _LONGEST_AFFIX:
        return False
    word = prefix.strip()
    symbols = [letter for letter in word if unicodedata.category(letter) == "Sc"]
    letters = "".join(letter for letter in word if letter not in symbols).strip()
    return not word or letters.upper() in _CURRENCIES or (bool(symbols) and len(letters) <= 2)  # "US$", "R$"


def _signs(cores: pl.Series) -> tuple[str, str]:
    """The sign between thousands and the decimal sign that most of these digits fit."""

    def fitting(thousands: str, decimal: str) -> int:
        t, d = re.escape(thousands), re.escape(decimal)
        grouped = rf"[1-9]\d{{0,2}}(?:{t}\d{{3}})+|" if t else ""
        return int(cores.str.contains(rf"^(?:(?:{grouped}\d+)(?:{d}\d+)?|{d}\d+)$").sum())

    best = max(_SIGNS, key=lambda signs: fitting(*signs))  # the first of equals
    if best == ("", ".") and _dots_part_thousands(cores):
        return ".", ","
    return best


def _dots_part_thousands(cores: pl.Series) -> bool:
    """Whether 950, 1.200 and 12.340 are whole numbers.

    Decimals are either written in full everywhere, then each number has a dot, or without zeros at their end.
    """
    dotted = cores.filter(cores.str.contains(".", literal=True))
    plain = cores.filter(~cores.str.contains(".", literal=True))
    return bool(
        len(dotted) >= 3
        and len(plain)
        and dotted.str.contains(r"^[1-9]\d{0,2}\.\d{3}$").all()
        and dotted.str.ends_with("0").any()
        and most(plain.str.len_chars()) <= 3
    )


def _decimals(found: pl.DataFrame, thousands: str, decimal: str) -> tuple[int | None, int]:
    """Most digits after the decimal sign, zeros at the end aside, and the fewest that are written."""
    plain = found.filter(~_there("power"))["core"]
    rest = plain.str.extract(rf"{re.escape(decimal)}(\d+)$").fill_null("")
    fewest = least(rest.str.len_chars())
    places = most(rest.str.strip_chars_end("0").str.len_chars())
    whole = found["core"].str.replace_all(thousands or " ", "", literal=True).str.extract(r"^(\d+)")
    digits = most(whole.str.strip_chars_start("0").str.len_chars())
    if _there_is_power(found) or places > _MOST_DECIMALS or (places and digits + places > _MOST_DIGITS):
        return None, min(fewest, 1)
    return places, fewest


def _minus(found: pl.DataFrame) -> tuple[str, bool]:
    """How negative numbers are marked, by what most of them have; and whether the mark follows the prefix."""
    marked = found.select(
        mark=pl.concat_str("open", "first", "second", ignore_nulls=True), inside=_there("second") & _there("prefix")
    ).filter(pl.col("mark").is_in(["-", "−", "("]))
    if not len(marked):
        return "-", False
    mark = marked["mark"].value_counts().sort("count", "mark")["mark"][-1]
    return mark, mark != "(" and bool(marked["inside"].any())


def _there_is_power(found: pl.DataFrame) -> bool:
    return bool(found.select(_there("power").any()).item())
