"""The closed expression language: what it means, what it refuses, and that it means what SQL means."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions.expressions import Expression, ExpressionError, predicate, scalar
from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS, vocabulary

COLUMNS: dict[str, pl.DataType] = {
    "mandate": pl.String(),
    "market": pl.String(),
    "amount": DECIMAL,
    "quantity": DECIMAL,
    "is_within_sla": pl.Boolean(),
    "day": pl.Date(),
    "occurred_at": UTC_MICROSECONDS,
}


def value(text: str, **cells: object) -> object:
    """What the expression makes of one row; columns that are not given are NULL."""
    row = pl.DataFrame({name: [cells.get(name)] for name in COLUMNS}, schema=COLUMNS)
    return row.select(scalar(text, COLUMNS).expr()).item()


def refused(text: str, columns: dict[str, pl.DataType] = COLUMNS) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        scalar(text, columns)
    return caught.value


# What it means


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("mandate = 'exclusive'", True),
        ("mandate <> 'exclusive'", False),
        ("mandate != 'open'", True),
        ("mandate < 'f' AND mandate >= 'e'", True),
        ("mandate IN ('open', 'exclusive')", True),
        ("mandate NOT IN ('open')", True),
        ("mandate LIKE 'excl%' AND mandate LIKE '_xclusive'", True),
        ("mandate LIKE 'Excl%'", False),
        ("mandate ILIKE 'Excl%'", True),
        ("mandate NOT LIKE 'excl%'", False),
        ("mandate LIKE 'e.*'", False),
        ("amount = 0.1", True),
        ("amount BETWEEN 0.1 AND 0.2", True),
        ("amount NOT BETWEEN 0.1 AND 0.2", False),
        ("amount > -1 AND amount < 1", True),
        ("is_within_sla", True),
        ("NOT is_within_sla OR mandate = 'open'", False),
        ("is_within_sla IS TRUE AND is_within_sla IS NOT FALSE", True),
        ("is_within_sla = TRUE", True),
        ("day = DATE '2026-02-28' AND day < DATE '2026-03-01'", True),
        ("occurred_at >= TIMESTAMPTZ '2026-03-01 00:30:00+01:00'", True),
        ("occurred_at > TIMESTAMPTZ '2026-02-28T23:30:00Z'", False),
        ("market IS NULL AND mandate IS NOT NULL", True),
        ("starts_with(mandate, 'ex') AND ends_with(mandate, 've') AND contains(mandate, 'clus')", True),
        ("contains(mandate, '.')", False),
        ("regexp_matches(mandate, '^ex.l')", True),
    ],
)
def test_a_condition_holds_as_it_reads(text: str, holds: bool) -> None:
    found = value(
        text,
        mandate="exclusive",
        amount=Decimal("0.1"),
        is_within_sla=True,
        day=date(2026, 2, 28),
        occurred_at=datetime(2026, 2, 28, 23, 30, tzinfo=UTC),
    )
    assert found is holds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lower(mandate)", " abc-d"),
        ("upper(trim(mandate))", "ABC-D"),
        ("length(mandate)", Decimal(6)),
        ("substr(mandate, 2, 3)", "ABc"),
        ("substr(mandate, 5)", "-D"),
        ("split_part(mandate, '-', 2)", "D"),
        ("split_part(mandate, '-', 3)", ""),
        ("replace(mandate, 'c-D', '$0')", " AB$0"),
        ("mandate || '!'", " ABc-D!"),
        ("mandate || market", None),
        ("concat(mandate, market, '!')", " ABc-D!"),
        ("coalesce(market, mandate, 'none')", " ABc-D"),
        ("coalesce(market, NULL)", None),
        ("nullif(mandate, ' ABc-D')", None),
        ("nullif(mandate, 'x')", " ABc-D"),
        ("amount + quantity * 2", Decimal("2.5")),
        ("amount - quantity", Decimal("-3.5")),
        ("amount / quantity", Decimal("-1.25")),
        ("1 / 3", Decimal("0.333333")),
        ("amount / (amount - amount)", None),
        ("- amount", Decimal("2.5")),
        ("abs(amount)", Decimal("2.5")),
        ("round(amount)", Decimal(-3)),
        ("round(amount / 4, 2)", Decimal("-0.63")),
        ("CASE WHEN amount > 0 THEN 'up' WHEN amount < 0 THEN 'down' END", "down"),
        ("CASE WHEN amount > 0 THEN 1 END", None),
        ("CASE mandate WHEN 'x' THEN FALSE ELSE TRUE END", True),
        ("CAST(amount AS TEXT)", "-2.5"),
        ("CAST(quantity * 100 AS TEXT)", "200"),
        ("CAST(is_within_sla AS TEXT)", "true"),
        ("CAST(day AS TEXT)", "2026-02-28"),
        ("TRY_CAST('12.5' AS NUMBER)", Decimal("12.5")),
        ("TRY_CAST(mandate AS NUMBER)", None),
        ("TRY_CAST('True' AS BOOLEAN)", True),
        ("TRY_CAST('yes' AS BOOLEAN)", None),
        ("TRY_CAST('2026-02-28' AS DATE) = day", True),
        ("TRY_CAST('2026-02-30' AS DATE)", None),
        ("TRY_CAST('26-2-28' AS DATE)", None),
        ("'it''s'", "it's"),
    ],
)
def test_a_value_is_computed_as_it_reads(text: str, expected: object) -> None:
    quantity = Decimal("2.5") if text.startswith("amount + ") else Decimal(2)
    quantity = Decimal(1) if text.startswith("amount - quantity") else quantity
    cells = {"mandate": " ABc-D", "amount": Decimal("-2.5"), "is_within_sla": True, "day": date(2026, 2, 28)}
    assert value(text, quantity=quantity, **cells) == expected


@pytest.mark.parametrize(
    "text",
    [
        "market = 'x'",
        "market <> 'x'",
        "NOT (market = 'x')",
        "market IN ('x', 'y')",
        "market NOT IN ('x', 'y')",
        "market LIKE '%'",
        "amount BETWEEN 1 AND 2",
        "amount = 1 AND mandate = 'x'",
        "amount = 1 OR mandate = 'y'",
        "NOT is_within_sla",
        "contains(market, 'x')",
    ],
)
def test_what_compares_an_empty_value_is_neither_true_nor_false(text: str) -> None:
    assert value(text, mandate="x") is None


def test_an_empty_value_decides_nothing_that_is_decided_without_it() -> None:
    assert value("mandate = 'x' OR amount = 1", mandate="x") is True
    assert value("mandate = 'y' AND amount = 1", mandate="x") is False


def test_numbers_compare_exactly_where_floats_would_not() -> None:
    large = Decimal("99999999999999999999999999.000001")
    assert value("amount = 99999999999999999999999999", amount=large) is False
    assert value("amount > 99999999999999999999999999", amount=large) is True
    longest = Decimal("-" + "9" * 32 + ".999999")
    assert value(f"amount = {longest}", amount=longest) is True
    assert value("amount + quantity = 0.3", amount=Decimal("0.1"), quantity=Decimal("0.2")) is True


def test_whole_number_columns_are_exact_numbers_and_floats_are_refused() -> None:
    counted = pl.DataFrame({"n": [2**53 + 1]}, schema={"n": pl.Int64})
    equal = predicate(f"n = {2**53 + 1}", {"n": pl.Int64()}).expr()
    assert counted.select(equal).item() is True
    assert "Float64" in refused("n = 1", {"n": pl.Float64()}).found


@pytest.mark.parametrize("text", ["'' = coalesce(market, '')", "'x' IN ('x')", "1 = 1", "coalesce(NULL, 'x') = 'x'"])
def test_a_condition_holds_of_every_row_even_where_columns_are_all_empty(text: str) -> None:
    frame = pl.DataFrame({name: [None] * 3 for name in COLUMNS}, schema=COLUMNS)
    assert (
        frame.with_columns(predicate(text, COLUMNS).expr().alias("holds")).get_column("holds").to_list() == [True] * 3
    )
    assert frame.filter(predicate(text, COLUMNS).expr()).height == 3


# What an Expression is


def test_texts_that_differ_in_nothing_but_writing_have_one_normal_form() -> None:
    texts = ["mandate='exclusive' and amount>1.50", "(mandate  =  'exclusive')\n AND ((amount) > 1.5)"]
    forms = {predicate(text, COLUMNS).normal_form for text in texts}
    assert forms == {"""("mandate" = 'exclusive') AND ("amount" > 1.5)"""}
    assert predicate(texts[0], COLUMNS) == predicate(texts[1], COLUMNS)
    assert predicate("market IN ('b', 'a', 'b')", COLUMNS) == predicate("market IN ('a', 'b')", COLUMNS)


def test_texts_that_mean_something_else_have_another_normal_form() -> None:
    forms = {
        scalar(text, COLUMNS).normal_form
        for text in ("mandate = 'a'", "mandate = 'A'", "market = 'a'", "mandate <> 'a'", "mandate LIKE 'a'", "'a'")
    }
    assert len(forms) == 6


def test_an_expression_says_what_it_uses_and_what_it_is_and_cannot_be_changed() -> None:
    found = scalar("coalesce(market, mandate) || 'x'", COLUMNS)
    assert (found.columns, found.dtype) == (("mandate", "market"), pl.String())
    assert scalar("amount * 2", COLUMNS).dtype == DECIMAL
    assert scalar("DATE '2026-01-31'", COLUMNS).dtype == pl.Date()
    with pytest.raises(FrozenInstanceError):
        found.text = "x"  # type: ignore[misc]  # what is tried


def test_every_column_of_the_vocabulary_can_be_named_without_quotes() -> None:
    for event_type in vocabulary().types:
        columns = vocabulary().columns_of(event_type)
        for name in columns:
            assert predicate(f"{name} IS NOT NULL", columns).columns == (name,)


def test_a_column_with_any_name_can_be_named_in_quotes() -> None:
    names = ["end", "case", "Fecha de alta", 'a"b', "select", "sys.updated", "año"]
    columns: dict[str, pl.DataType] = dict.fromkeys(names, pl.String())
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        assert predicate(f"{quoted} = 'x'", columns).columns == (name,)


def test_a_condition_is_asked_for_and_nothing_else_taken() -> None:
    with pytest.raises(ExpressionError, match="a text where a condition was expected"):
        predicate("mandate", COLUMNS)


# What it refuses, and how


@pytest.mark.parametrize(
    ("text", "position", "found", "do"),
    [
        ("mandat = 'x'", 1, "mandat", "mandate"),
        ("mandate = 'x' AND loer(market) = 'y'", 19, "loer", "lower(text)"),
        ("mandate = 5", 11, "a number (5)", "Write texts between ' and '"),
        ("amount = '5'", 10, "a text ('5')", "without quotes"),
        ("is_within_sla = 'true'", 17, "a text ('true')", "TRUE or FALSE"),
        ("day = '2026-01-31'", 7, "a text", "DATE '2026-01-31'"),
        ("day > occurred_at", 7, "an instant", "TIMESTAMPTZ"),
        ("occurred_at > TIMESTAMPTZ '2026-01-31 10:00:00'", 27, "2026-01-31 10:00:00", "with its offset"),
        ("day = DATE '2026-02-30'", 12, "2026-02-30", "DATE '2026-01-31'"),
        ("market = NULL", 1, "never holds", "IS NULL"),
        ("market NOT IN ('x', NULL)", 1, "never holds", "IS NULL"),
        ("market IN (mandate)", 12, "literals", "a = b OR a = c"),
        ("1 < amount < 3", 1, "a condition beside a comparison", "parentheses"),
        ("is_within_sla = market IS NULL", 17, "a condition beside a comparison", "parentheses"),
        ("amount / 0 > 1", 10, "division by zero", "Divide"),
        ("amount = 0.1234567", 10, "0.1234567", "6 decimals"),
        ("amount = 1e5", 10, "1e5", "1234.5"),
        ("CAST(market AS NUMBER) > 1", 6, "may fail", "TRY_CAST"),
        ("CAST(market AS VARCHAR(10))", 16, "VARCHAR", "TEXT"),
        ("lower(market, 'x')", 18, "what does not fit", "lower(text)"),
        ("trim(market, 'x')", 6, "trim", "trim(text)"),
        ("regexp_matches(market, '(?=x)')", 24, "(?=x)", "look-around"),
        ("market LIKE mandate", 13, "not a text", "written out"),
        ("market = ‘x’", 10, "‘", "' and '"),
        ("market -- x", 8, "a comment", "beside it"),
        ("market = 'x", 10, "never closed", "Close it"),
        ("", 1, "nothing", "The language has"),
        ("amount >", 8, "what does not fit", "The language has"),
        ("end = 'x'", 1, "end", "columns"),
        ("NULL", 1, "always NULL", "Leave it out"),
    ],
)
def test_an_error_says_what_was_found_where_and_what_to_do(text: str, position: int, found: str, do: str) -> None:
    error = refused(text, {**COLUMNS, "open": pl.String()})
    assert (error.position, found in error.found or found in error.do, do in error.do) == (position, True, True)
    assert f"character {position} " in str(error)


OUTSIDE = [
    "market IN (SELECT c FROM read_csv('{secret}'))",
    "EXISTS (SELECT 1)",
    "(SELECT 1) = 1",
    "SELECT market FROM x",
    "FROM x",
    "read_csv('{secret}') = 'x'",
    "read_text('{secret}') = 'x'",
    "market = read_blob('{secret}')",
    "getenv('HOME') = 'x'",
    "current_setting('x') = 'y'",
    "sum(amount) > 1",
    "count(*) > 1",
    "row_number() OVER () = 1",
    "amount > 1 QUALIFY true",
    "round(amount) OVER () > 1",
    "lower(DISTINCT market) = 'x'",
    "lower(market ORDER BY market) = 'x'",
    "lower(market) FILTER (WHERE TRUE) = 'x'",
    "list_transform([1], x -> x) = [1]",
    "*",
    "COLUMNS('.*') = 'x'",
    "x.market = 'y'",
    "market = ?",
    "market = $1",
    "market = :name",
    "market = @name",
    "market = {name}",
    "market = {{ name }}",
    "market = {% raw %}",
    "market = 'x'; DROP TABLE x",
    "market = 'x';",
    "market = 'x' -- and more",
    "market = 'x' /* and more */",
    "/* x */ market = 'x'",
    "-- x",
    "market = $$x$$",
    "market = e'x'",
    "market = x'41'",
    "market = U&'x'",
    "market::date = day",
    "market COLLATE nocase = 'x'",
    "occurred_at AT TIME ZONE 'UTC' > occurred_at",
    "occurred_at > now()",
    "occurred_at > current_timestamp",
    "day > current_date",
    "day + INTERVAL 1 DAY > day",
    "extract(year FROM day) = 2026",
    "date_trunc('month', day) = day",
    "market IS DISTINCT FROM 'x'",
    "market SIMILAR TO 'x'",
    "market GLOB '*'",
    "market ~ 'x'",
    "market[1] = 'x'",
    "[1, 2] = [1]",
    "(market, mandate) = ('x', 'y')",
    "amount % 2 = 0",
    "amount // 2 = 0",
    "amount ** 2 = 0",
    "amount & 1 = 0",
    "amount BETWEEN SYMMETRIC 2 AND 1",
    "market LIKE 'x' ESCAPE '!'",
    "market AS x",
    "market x",
    "market = 'x' 'y'",
    "market = ANY(['x'])",
    "IF(is_within_sla, 1, 2) = 1",
    "CAST(market AS STRUCT(a INT)) IS NULL",
    "TRY_CAST(market AS BLOB) IS NULL",
    "random() > 0",
    "sleep(1000)",
    "eval('1')",
    "__import__('os')",
    "1 = 1 UNION SELECT 1",
    "PRAGMA database_list",
    "ATTACH '{secret}'",
    "COPY x TO '{secret}'",
    "INSTALL httpfs",
    "SET x = 1",
    "DESCRIBE market",
    "COMMENT ON TABLE x IS 'y'",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_not_of_the_language_is_refused_and_opens_nothing(text: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("c\nconfidential\n")
    secret.chmod(0o600)
    before = secret.stat().st_atime_ns
    error = refused(text.replace("{secret}", str(secret)))
    assert "confidential" not in str(error)
    assert secret.stat().st_atime_ns == before


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "TRUE" + ")" * 10_000,
        "(" * 4_000 + "TRUE" + ")" * 4_000,
        "(" * 400 + "TRUE" + ")" * 400,
        "NOT " * 2_000 + "TRUE",
        "- " * 1_500 + "1",
        "CASE WHEN " * 300 + "TRUE" + " THEN TRUE END" * 300,
        "lower(" * 300 + "market" + ")" * 300,
        "amount" + " + amount" * 900,
        "market" + " || market" * 900,
        "NOT is_within_sla = " * 400 + "TRUE",
        "x" * 1_000_000,
        "'" + "x" * 20_000 + "'",
        "TRUE" + " AND TRUE" * 5_000,
        "regexp_matches(market, '((a{100}){100}){100}')",
    ],
    ids=lambda text: f"{text[:12]}…{len(text)}",
)
def test_what_is_too_long_or_too_deep_is_refused_at_once(text: str) -> None:
    refused(text)


def test_long_chains_and_lists_within_the_limits_are_taken() -> None:
    either = " OR ".join(f"mandate = 'm{index}'" for index in range(300))
    assert value(either, mandate="m299") is True
    listed = ", ".join(f"'m{index}'" for index in range(900))
    assert value(f"mandate IN ({listed})", mandate="m899") is True


@pytest.mark.parametrize(
    "text",
    [
        "mаndate = 'x'",  # Cyrillic а
        "mandate\u200b = 'x'",
        "mandate = 'x\u202e'",
        "mandate\u00a0= 'x'",
        "mandate = 'x\u0000'",
        "mandate = 'x\ufeff'",
        "mandate = 'x\n'",
        "ｍandate = 'x'",
        "mandate ＝ 'x'",
        "mandate = ＇x＇",
        "mandate \u2028 = 'x'",
        "mandate = 'x' \ue000",
    ],
)
def test_characters_that_look_like_others_or_like_nothing_are_refused(text: str) -> None:
    refused(text)


def test_texts_in_any_script_are_texts() -> None:
    assert value("mandate = 'Münster 東京 🏠'", mandate="Münster 東京 🏠") is True


def test_a_column_name_that_polars_reads_as_a_pattern_is_refused() -> None:
    for name in ("*", "^.*$"):
        assert "pattern" in refused(f"\"{name}\" = 'x'", {name: pl.String(), "other": pl.String()}).found


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_whatever_is_written_is_an_expression_or_an_expression_error(text: str) -> None:
    try:
        found: object = scalar(text, COLUMNS)
    except ExpressionError as error:
        found = error
    assert isinstance(found, Expression) or 1 <= getattr(found, "position", 0) <= len(text) + 1


_PIECES = [*COLUMNS, "'x'", "1", "NULL", "(", ")", "=", "<", "AND", "OR", "NOT", "IN", ",", "BETWEEN", "IS", "LIKE"]
_PIECES += [
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "AS",
    "TEXT",
    "DATE",
    "lower",
    "coalesce",
    "+",
    "-",
    "||",
    ".",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=14))
def test_whatever_words_are_put_together_are_an_expression_or_an_expression_error(pieces: list[str]) -> None:
    text = " ".join(pieces)
    try:
        found = scalar(text, COLUMNS)
    except ExpressionError:
        return
    assert scalar(found.normal_form, COLUMNS) == found


# That it means what SQL means: random expressions over random rows, against DuckDB.

_TEXTS = st.sampled_from(
    ["", " a", "a", "b", "ab", "A", "á", "a-b", "%", "_", "1", "2.5", "true", "2026-02-28", "it's"]
)
_NUMBERS = st.decimals(min_value=-999, max_value=999, places=2)
_DAYS = st.dates(min_value=date(2026, 2, 27), max_value=date(2026, 3, 2))
_FRAME = {"t": pl.String(), "u": pl.String(), "n": DECIMAL, "m": DECIMAL, "p": pl.Boolean(), "q": pl.Boolean()} | {
    "d": pl.Date(),
    "e": pl.Date(),
}
_ROWS = st.lists(
    st.tuples(
        *(st.none() | _TEXTS for _ in "tu"),
        *(st.none() | _NUMBERS for _ in "nm"),
        *(st.none() | st.booleans() for _ in "pq"),
        *(st.none() | _DAYS for _ in "de"),
    ),
    min_size=1,
    max_size=6,
)

# An expression of the language, and the same in DuckDB's words where they differ.
Both = tuple[str, str]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _same(text: str) -> Both:
    return text, text


def _with(template: str, *parts: Both, duck: str | None = None) -> Both:
    return template.format(*(part[0] for part in parts)), (duck or template).format(*(part[1] for part in parts))


def _text_of(texts: st.SearchStrategy[Both], numbers: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    literal, start = _TEXTS.map(_quote).map(_same), st.integers(1, 4).map(str).map(_same)
    separator = st.sampled_from(["'-'", "'a'", "'ab'"]).map(_same)
    written = "rtrim(rtrim(CAST(CAST({0} AS DECIMAL(38, 6)) AS TEXT), '0'), '.')"
    return st.one_of(
        st.builds(lambda a: _with("lower({0})", a), texts),
        st.builds(lambda a: _with("upper({0})", a), texts),
        st.builds(lambda a: _with("trim({0})", a), texts),
        st.builds(lambda a, b: _with("({0} || {1})", a, b), texts, texts),
        st.builds(lambda a, b: _with("concat({0}, {1})", a, b), texts, texts),
        st.builds(lambda a, s: _with("substr({0}, {1})", a, s), texts, start),
        st.builds(lambda a, s, k: _with("substr({0}, {1}, {2})", a, s, k), texts, start, start),
        st.builds(lambda a, s, k: _with("split_part({0}, {1}, {2})", a, s, k), texts, separator, start),
        st.builds(lambda a, s, b: _with("replace({0}, {1}, {2})", a, s, b), texts, separator, literal),
        st.builds(lambda a, b: _with("coalesce({0}, {1})", a, b), texts, texts),
        st.builds(lambda a, b: _with("nullif({0}, {1})", a, b), texts, texts),
        st.builds(lambda a: _with("CAST({0} AS TEXT)", a, duck=written), numbers),
    )


def _number_of(texts: st.SearchStrategy[Both], numbers: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
    sign, whole = st.sampled_from("+-"), st.sampled_from(["2", "3", "-4"]).map(_same)
    exactly = "CAST({0} AS DECIMAL(38, 6))"
    try_cast = ("TRY_CAST({0} AS NUMBER)", "TRY_CAST({0} AS DECIMAL(38, 6))")
    return st.one_of(
        st.builds(lambda a, s, b: _with("({0} " + s + " {1})", a, b), numbers, sign, numbers),
        st.builds(lambda a, b: _with("({0} * {1})", a, b, duck=exactly.format("({0} * {1})")), numbers, whole),
        st.builds(lambda a: _with("({0} / 4)", a, duck=exactly.format("({0} / 4)")), numbers),
        st.builds(lambda a: _with("(- {0})", a), numbers),
        st.builds(lambda a: _with("abs({0})", a), numbers),
        st.builds(lambda a: _with("round({0}, 1)", a, duck=exactly.format("round({0}, 1)")), numbers),
        st.builds(lambda a: _with("length({0})", a, duck=exactly.format("length({0})")), texts),
        st.builds(lambda a, b: _with("coalesce({0}, {1})", a, b), numbers, numbers),
        st.builds(lambda a: _with(try_cast[0], a, duck=try_cast[1]), st.sampled_from(["t", "u"]).map(_same)),
    )


def _condition_of(
    texts: st.SearchStrategy[Both],
    numbers: st.SearchStrategy[Both],
    days: st.SearchStrategy[Both],
    conditions: st.SearchStrategy[Both],
) -> st.SearchStrategy[Both]:
    sign = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    pattern = st.text(alphabet="ab%_A.", max_size=4).map(_quote).map(_same)
    listed = st.lists(_TEXTS.map(_quote), min_size=1, max_size=3).map(", ".join).map(_same)
    no = st.sampled_from(["", "NOT "])

    def compared(values: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
        return st.builds(lambda a, s, b: _with("({0} " + s + " {1})", a, b), values, sign, values)

    def between(values: st.SearchStrategy[Both]) -> st.SearchStrategy[Both]:
        return st.builds(
            lambda a, n, b, c: _with("({0} " + n + "BETWEEN {1} AND {2})", a, b, c), values, no, values, values
        )

    return st.one_of(
        *(compared(values) for values in (texts, numbers, days)),
        *(between(values) for values in (texts, numbers, days)),
        st.builds(lambda a, n, b: _with("({0} " + n + "IN ({1}))", a, b), texts, no, listed),
        st.builds(lambda a, n, b: _with("({0} " + n + "LIKE {1})", a, b), texts, no, pattern),
        st.builds(lambda a, n, b: _with("({0} " + n + "ILIKE {1})", a, b), texts, no, pattern),
        st.builds(lambda a, n: _with("({0} IS " + n + "NULL)", a), st.one_of(texts, numbers, days, conditions), no),
        st.builds(lambda a, n: _with("({0} IS " + n + "TRUE)", a), conditions, no),
        st.builds(lambda a, b: _with("starts_with({0}, {1})", a, b), texts, texts),
        st.builds(lambda a, b: _with("ends_with({0}, {1})", a, b), texts, texts),
        st.builds(lambda a, b: _with("contains({0}, {1})", a, b), texts, texts),
        st.builds(lambda a, b: _with("({0} AND {1})", a, b), conditions, conditions),
        st.builds(lambda a, b: _with("({0} OR {1})", a, b), conditions, conditions),
        st.builds(lambda a: _with("(NOT {0})", a), conditions),
        st.builds(lambda a, b, c: _with("CASE WHEN {0} THEN {1} ELSE {2} END", a, b, c), *(conditions,) * 3),
    )


_TEXT0 = st.one_of(st.sampled_from(["t", "u"]), _TEXTS.map(_quote)).map(_same)
_NUMBER0 = st.one_of(st.sampled_from(["n", "m"]), _NUMBERS.filter(lambda n: n >= 0).map(lambda n: f"{n:f}")).map(_same)
_DAY0 = st.one_of(st.sampled_from(["d", "e"]), _DAYS.map(lambda day: f"DATE '{day}'")).map(_same)
_TEXT1 = st.one_of(_TEXT0, _text_of(_TEXT0, _NUMBER0))
_NUMBER1 = st.one_of(_NUMBER0, _number_of(_TEXT0, _NUMBER0))
_PREDICATES = st.recursive(
    st.sampled_from(["p", "q", "TRUE", "FALSE"]).map(_same),
    lambda conditions: _condition_of(_TEXT1, _NUMBER1, _DAY0, conditions),
    max_leaves=8,
)


_DUCKDB = duckdb.connect(":memory:", config={"enable_external_access": False, "threads": 1})


def _asked_of_duckdb(text: str, frame: pl.DataFrame) -> list[object]:
    _DUCKDB.register("rows", frame.with_row_index("i").to_arrow())
    return [row[0] for row in _DUCKDB.execute(f"SELECT {text} FROM rows ORDER BY i").fetchall()]


@settings(max_examples=400, deadline=None)
@given(rows=_ROWS, both=_PREDICATES)
def test_a_random_predicate_says_of_random_rows_what_duckdb_says(rows: list[tuple[object, ...]], both: Both) -> None:
    ours, theirs = both
    frame = pl.DataFrame(rows, schema=_FRAME, orient="row")
    found = predicate(ours, _FRAME)
    expected = _asked_of_duckdb(theirs, frame)
    assert frame.with_columns(found.expr().alias("holds")).get_column("holds").to_list() == expected
    assert predicate(found.normal_form, _FRAME) == found


@settings(max_examples=200, deadline=None)
@given(rows=_ROWS, both=st.one_of(_TEXT1, _NUMBER1, _DAY0))
def test_a_random_value_is_of_random_rows_what_duckdb_makes_it(rows: list[tuple[object, ...]], both: Both) -> None:
    ours, theirs = both
    frame = pl.DataFrame(rows, schema=_FRAME, orient="row")
    found = scalar(ours, _FRAME)
    expected = _asked_of_duckdb(theirs, frame)
    computed = frame.with_columns(found.expr().alias("value")).get_column("value")
    assert (computed.to_list(), computed.dtype) == (expected, found.dtype)


@pytest.mark.parametrize(
    "text",
    [
        "p OR q AND NOT p",
        "NOT t = 'a' OR p",
        "n + m * 2 - 1 > n - m - 1",
        "n - (m - 1) >= n - m + 1",
        "t || 'x' LIKE 'a%' AND p",
        "NOT t IN ('a') AND n BETWEEN 1 AND 2 OR q",
        "- n * 2 + 1 < m",
        "t || u = 'ab' OR t IS NULL AND u IS NULL",
        "NOT p AND NOT q OR t = 'a'",
        "- n - - m > 0",
    ],
)
@settings(max_examples=20, deadline=None)
@given(rows=_ROWS)
def test_without_parentheses_signs_bind_as_in_duckdb(text: str, rows: list[tuple[object, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=_FRAME, orient="row")
    holds = frame.with_columns(predicate(text, _FRAME).expr().alias("holds")).get_column("holds").to_list()
    assert holds == _asked_of_duckdb(text, frame)


def test_a_result_too_large_for_exact_numbers_is_unknown_and_stops_nobody():
    holds = predicate("quantity * 99999999999999999999 * 99999999999999999999 > 1", COLUMNS).expr()
    rows = pl.DataFrame({"quantity": [Decimal(5), Decimal(0)]}, schema={"quantity": pl.Decimal(38, 6)})
    assert [None, False] == rows.select(holds).to_series().to_list()
    assert [True, None] == (
        rows.with_columns(pl.Series("quantity", [Decimal(5), Decimal(10) ** 31], dtype=pl.Decimal(38, 6)))
        .select(predicate("quantity * 10 > 1", COLUMNS).expr())
        .to_series()
        .to_list()
    )
