"""A table's verdict as a page that stands alone; everything may be missing, nothing is trusted."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rivals.engine.files import write_whole
from rivals.judging.page import number, paragraph, prose, table
from rivals.judging.record import Values, as_number, inner, value
from rivals.judging.report import Section, whole_page
from rivals.judging.tables import columns, counted
from rivals.judging.verdict_page import notes_words
from rivals.judging.verdict_words import spans

from .drawings import LEGEND, column_figure, listed, maps
from .verdict_sections import privacy_section, useful_section
from .verdict_words import KINDS, MAKERS, better_baselines, share, verdict_sentences

CARD = {
    "fakes": "judged",
    "fakes_sha256": "sha256 of what made them",
    "fake_count": "synthetic rows",
    "data": "judged against",
    "data_sha256": "sha256 of the data",
    "split": "part of the data",
    "real_count": "real rows compared with",
    "train_count": "training rows",
    "columns": "columns judged",
    "target": "learned to measure usefulness",
    "two_sample_rows": "rows of either side in the two-sample test",
    "seed": "seed",
    "interval": "intervals",
    "version": "made with Rivals",
}


def write_table_page(path: Path, verdict: Values, title: str = "") -> Path:
    """Write a table's verdict as one page, made of nothing but the verdict.

    Args:
        path: of the page.
        verdict: what `verdict_of` returned, or the same from a file.
        title: of the page; the names of both sides by default.
    """
    card = inner(verdict, "card")
    title = title or f"{card.get('fakes', 'Synthetic table')} against {card.get('data', 'real table')}"
    counts = [(as_number(card.get(key)), words) for key, words in (("fake_count", "synthetic"), ("real_count", "real"))]
    about = " · ".join(f"{number(count)} {words} rows" for count, words in counts if count is not None)
    page = whole_page(f"{title} – Rivals", title, f'<p class="about">{prose(about)}</p>', table_sections(verdict))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page)
    return path


def table_sections(verdict: Values) -> list[Section]:
    """What a verdict has to say, section by section."""
    return [
        ("verdict", "Verdict", words_section(verdict)),
        ("scores", "Scores", scores_section(verdict)),
        ("useful", "Usefulness", useful_section(verdict)),
        ("privacy", "Privacy", privacy_section(verdict)),
        ("columns", "Columns", columns_section(verdict)),
        ("pairs", "Pairs of columns", pairs_section(verdict)),
        ("baselines", "Baselines", baselines_section(verdict)),
        ("card", "Score card", card_section(verdict)),
    ]


def words_section(verdict: Values) -> str:
    """The verdict in words, and what should be known beside it."""
    words = list(verdict_sentences(verdict))
    lead = "".join(paragraph(each, "lead") for each in words) or paragraph("There are no scores.", "missing")
    return notes_words(verdict) + lead


def score_rows(verdict: Values) -> Iterator[tuple[str, ...]]:
    """The rows of the table: name, value, interval, floor, words, which way is better."""
    for name, kind in KINDS.items():
        found, floor = value(verdict, "scores", name), value(verdict, "floor", name)
        if found is not None:
            beside = f"{number(floor)}{kind.unit}" if floor is not None else "–"
            yield kind.name, f"{number(found)}{kind.unit}", spans(verdict, name) or "–", beside, kind.says, kind.better


def scores_section(verdict: Values) -> str:
    """All scores: value, interval, floor, and what they say."""
    rows = list(score_rows(verdict))
    if not rows:
        return ""
    made = inner(verdict, "card").get("interval", "how is not known")
    words = (
        "The floor is the same of real rows against other real rows: nobody can do better but by chance, by copying, "
        "or in shares of categories, which a run counts on the whole table. "
        f"Intervals are of 95 %: {made}; that of the attack is of 99.2 %, so that all attacks' intervals hold together."
    )
    head = ("score", "value", "interval", "floor", "what it says", "better")
    return columns(rows, head, "Scores with intervals and floors") + paragraph(words, "soft")


def columns_section(verdict: Values) -> str:
    """Every column on both sides."""
    found = [(str(name), each) for name, each in inner(verdict, "columns").items() if isinstance(each, Mapping)]
    if not found:
        return ""
    words = (
        "The synthetic column beside the real one. What lies beyond the inner 99 % of the real values counts to the "
        "outermost bars."
    )
    figures = "".join(column_figure(name, each) for name, each in found)
    return paragraph(words, "soft") + LEGEND + f'<div class="charts">{figures}</div>'


def pairs_section(verdict: Values) -> str:
    """How columns hang together."""
    pairs = inner(verdict, "pairs")
    drawn = maps(pairs)
    worst = [row for row in listed(pairs.get("worst")) if isinstance(row, list) and len(row) == 3]
    rows = [(f"{a} and {b}", share(value)) for a, b, found in worst if (value := as_number(found)) is not None]
    words = (
        "Correlation of two numbers (orange where it is negative), Cramér's V of two categories, correlation ratio of "
        "one of each. The difference is drawn in full colour from 0.5 on."
    )
    parts = [f'<div class="charts">{drawn}</div>', paragraph(words, "soft")] if drawn else []
    if rows:
        parts += ["<h3>The pairs that are least alike</h3>", table(rows, ("pair", "trend"), "Least alike pairs")]
    return "".join(parts)


def baselines_section(verdict: Values) -> str:
    """What tables made without a network score."""
    found = {str(name): each for name, each in inner(verdict, "baselines").items() if isinstance(each, Mapping)}
    if not found:
        return ""
    rows = []
    for name, kind in KINDS.items():
        ours = value(verdict, "scores", name)
        theirs = [as_number(each.get(name)) for each in found.values()]
        if ours is not None and any(each is not None for each in theirs):
            told = ("–" if each is None else f"{number(each)}{kind.unit}" for each in (ours, *theirs))
            rows.append((kind.name, *told, kind.better))
    won = dict(better_baselines(verdict))
    names = [MAKERS.get(name, name) + (" (better in some)" if name in won else "") for name in found]
    return columns(rows, ("score", "this table", *names, "better"), "Baselines")


def card_section(verdict: Values) -> str:
    """What the numbers stand on: they compare only with numbers of the same card."""
    card = inner(verdict, "card")
    rows = [(words, counted(card[name])) for name, words in CARD.items() if name in card]
    told = "Compare these numbers only with numbers whose card says the same, names, seed and version apart."
    return table(rows, ("what", "value"), "The score card") + paragraph(told, "soft") if rows else ""
