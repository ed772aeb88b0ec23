"""The answers to a form: which are good and bad, by the organisation's own rule.

Belongs here: reading answers, and the facts that they state. Does not: HTTP (`api`).

* `survey.answered`: a completed response, at the time of its submission: good or bad by the declared rule, neither
  where it says neither; score: the number that was given, on the question's own scale.
* `survey.sent`, where a hidden field says when somebody was asked: of those who answered alone. Typeform sends nothing
  and knows nothing of whoever did not open the form: how many were asked is known to what sent the invitations, whose
  list is a source of its own (a sheet, a table).
* `survey.started`, where it is declared: when the form was opened. Who did not send it is in a stream of its own
  (`started`).

Of a response are kept its token, its time, the number or good and bad, and the hidden fields that the options name; no
text, no label, no address, nothing of the browser. A response that is deleted leaves nothing behind: each reading asks
how many there are up to where the last one ended, and where that is not as many as were then, and once every
`reread_days`, all are read. A reading of all that is interrupted goes on from the second that it had come to.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.novelty import are_too_many
from pipelines.people import People, Place
from pipelines.source import (
    READ_AGAIN,
    Account,
    Covered,
    DoubtedReading,
    Mark,
    Read,
    Record,
    SourceConfigError,
    Stream,
    VendorError,
)
from pipelines.typeform.api import Api, Item, questions, refuse_unknown, second
from pipelines.typeform.options import HOSTS, Form, TypeformOptions

RESPONDENT = "respondent"
PROCESSED_WITHIN = timedelta(minutes=10)
"""How long a response may take to be in the list; one that takes longer is found as there are more than there were."""

NUMBERS = frozenset({"opinion_scale", "rating", "nps", "number"})
CHOICES = frozenset({"multiple_choice", "picture_choice", "dropdown", "yes_no", "legal"})

PAGES_A_MARK = 10
KEY_LENGTH = 12
"""Of a token, as a record's key: what is held is carried from one reading to the next."""

PAYLOAD = pl.Struct(
    {
        "token": pl.String(),
        "submitted_at": pl.String(),
        "rating": pl.String(),
        "score": pl.String(),
        "customer": pl.String(),
        "request": pl.String(),
        "sent_at": pl.String(),
        "landed_at": pl.String(),
    }
)


def responses(account: Account, options: TypeformOptions, name: str) -> Stream:
    """The stream of one form. name: what the options call it."""
    form = options.forms[name]
    kind = RESPONDENT if form.customer is not None else None
    return Stream(
        name=f"responses_{name}",
        feeds=(
            "survey.answered",
            *(("survey.sent",) if form.sent_at is not None else ()),
            *(("survey.started",) if form.started else ()),
        ),
        fetch=lambda read: _Reading(account, options, form, read).pages(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, name, has_sent=form.sent_at is not None, has_started=form.started),
        overlap=timedelta(days=1),
        always={"category": name},
        people=People(whose=(Place(RESPONDENT, ("customer",)),) if kind else (), account=kind),
    )


@dataclass(frozen=True)
class Known:
    """What is known of a form after a reading: the cursor. count: of the responses up to `until`."""

    form: str
    rule: str
    keys: frozenset[str]
    until: datetime
    count: int
    all_read_at: datetime

    def text(self) -> str:
        said = {"form": self.form, "rule": self.rule, "keys": _packed(self.keys), "count": self.count}
        return orjson.dumps({**said, "until": self.until, "all_read_at": self.all_read_at}).decode()

    @classmethod
    def of(cls, text: str) -> Known:
        said = orjson.loads(text)
        until, all_read_at = (datetime.fromisoformat(said[name]) for name in ("until", "all_read_at"))
        return cls(said["form"], said["rule"], _unpacked(said["keys"]), until, said["count"], all_read_at)


@dataclass
class _Walk:
    """How far a reading of all has got. start: the second that it had come to; count: of `Known`, when it began."""

    count: int
    start: str | None = None
    found: set[str] = field(default_factory=set)

    def mark(self) -> Mark:
        said = {"count": self.count, "start": self.start, "found": _packed(self.found)}
        return Mark(orjson.dumps(said).decode())

    @classmethod
    def of(cls, mark: str) -> _Walk:
        said = orjson.loads(mark)
        return cls(said["count"], said["start"], {*_unpacked(said["found"])})


@dataclass
class _Reading:
    """One reading of a form."""

    account: Account
    options: TypeformOptions
    form: Form
    read: Read
    api: Api = field(init=False)
    question: Item = field(init=False)

    def pages(self) -> Generator[list[Record] | Mark, None, Covered]:
        self.api = Api(self.account, HOSTS[self.options.region], self.read.clock)
        self._refuse_unknown()
        known = Known.of(self.read.cursor) if self.read.cursor else None
        until = self.read.until - PROCESSED_WITHIN
        since = self._since(known)
        count = self.api.count(self.form.id, until)
        if since is None or known is None:
            return (yield from self._all(known, until, count))
        found: set[str] = set()
        for page in self.api.responses(self.form.id, second(since)):
            records = [self._record(one) for one in page]
            found.update(record.key for record in records)
            yield records
        after = Known(self.form.id, self._rule, known.keys | found, until, count, known.all_read_at)
        return Covered(since, self.read.until, after.text())

    def _since(self, known: Known | None) -> datetime | None:
        """From when on responses are read; None for all of them."""
        if known is None or self.read.mark or self._is_due(known):
            return None
        return self.read.since if self.api.count(self.form.id, known.until) == known.count else None

    def _all(self, known: Known | None, until: datetime, count: int) -> Generator[list[Record] | Mark, None, Covered]:
        """All responses, and those that are known and not among them."""
        walk = _Walk.of(self.read.mark) if self.read.mark else _Walk(count)
        for number, page in enumerate(self.api.responses(self.form.id, walk.start), start=1):
            records = [self._record(one) for one in page]
            walk.found.update(record.key for record in records)
            yield records
            if page and number % PAGES_A_MARK == 0 and page[-1].get("submitted_at"):
                walk.start = page[-1]["submitted_at"]
                yield walk.mark()
        if len(walk.found) < count:
            raise VendorError(self.api.source, f"the responses to {self.form.id} became fewer", READ_AGAIN)
        if known is not None:
            gone = known.keys - walk.found
            self._refuse_doubtful(known, len(gone))
            yield [Record(key, None, {}, is_deleted=True) for key in sorted(gone)]
        after = Known(self.form.id, self._rule, frozenset(walk.found), until, walk.count, self.read.until)
        return Covered(None, self.read.until, after.text())

    def _is_due(self, known: Known) -> bool:
        """Whether all has to be read: from time to time, and where something else is asked than was."""
        is_old = self.read.until - known.all_read_at >= timedelta(days=self.options.reread_days)
        return is_old or (known.form, known.rule) != (self.form.id, self._rule)

    @property
    def _rule(self) -> str:
        return hashlib.sha256(self.form.model_dump_json().encode()).hexdigest()[:12]

    def _refuse_unknown(self) -> None:
        """Raise where the form has not what the options say of it."""
        content, rating = self.api.form(self.form.id), self.form.rating
        asked = questions(content)
        refuse_unknown(self.api.source, "question", rating.field, list(asked))
        self.question = asked[rating.field]
        kind = str(self.question.get("type"))
        if kind not in (NUMBERS if rating.is_number else CHOICES):
            do = "Write good and bad with its choices" if rating.is_number else "Write good_from and bad_to"
            raise SourceConfigError(self.api.source, f"the question {rating.field} is answered with {kind}", do)
        labels = [str(one.get("label")) for one in (self.question.get("properties") or {}).get("choices") or []]
        for label in (*rating.good, *rating.bad):
            refuse_unknown(self.api.source, "choice", label, labels or ["yes", "no"])
        hidden = [str(one) for one in content.get("hidden") or []]
        for name in self.form.hidden:
            refuse_unknown(self.api.source, "hidden field", name, hidden)

    def _record(self, response: Item) -> Record:
        """A response without what people wrote; it is never changed, so it has no revision."""
        token, hidden = str(response["token"]), response.get("hidden") or {}
        rating, score = self._judged(response)
        said = {name: str(hidden[name]).strip() or None for name in self.form.hidden if hidden.get(name) is not None}
        customer = said.get(self.form.customer or "")
        if customer is not None and not self.form.is_customer_id:
            customer = self.account.pseudonym(customer.lower())
        payload = {
            "token": token,
            "submitted_at": response.get("submitted_at"),
            "rating": rating,
            "score": score,
            "customer": customer,
            "request": said.get(self.form.request or ""),
            "sent_at": said.get(self.form.sent_at or ""),
        }
        if self.form.started:
            payload["landed_at"] = response.get("landed_at")
        return Record(key_of(token), None, payload)

    def _judged(self, response: Item) -> tuple[str | None, str | None]:
        """Good or bad, and the number that was given; neither where the question was left out."""
        rule, of_question = self.form.rating, {self.question.get("id"), self.question.get("ref")} - {None}
        answers = [
            one
            for one in response.get("answers") or []
            if of_question & {(one.get("field") or {}).get("id"), (one.get("field") or {}).get("ref")}
        ]
        if not answers:
            return None, None
        if rule.is_number:
            return _by_number(rule.good_from, rule.bad_to, answers[0].get("number"))
        given = _labels(answers[0])
        is_good, is_bad = bool(given & {*rule.good}), bool(given & {*rule.bad})
        return ("good" if is_good else "bad" if is_bad else None) if is_good != is_bad else None, None

    def _refuse_doubtful(self, known: Known, gone: int) -> None:
        """Where so much is gone, the form is likelier to be another one, or its answers hidden."""
        held = len(known.keys)
        if known.form == self.form.id and are_too_many(gone, held, self.options.most_removed):
            raise DoubtedReading(
                self.api.source,
                f"{gone} of the {held} responses that were known are not in {self.form.id} any more",
                "Check the form; where so many were really deleted, set most_removed to 1 for one run",
            )


def key_of(token: str) -> str:
    """A response's key."""
    return token[:KEY_LENGTH].ljust(KEY_LENGTH, "_")


def _packed(keys: Collection[str]) -> str:
    return b64encode(zlib.compress("".join(sorted(keys)).encode(), 9)).decode()


def _unpacked(text: str) -> frozenset[str]:
    keys = zlib.decompress(b64decode(text)).decode()
    return frozenset(keys[at : at + KEY_LENGTH] for at in range(0, len(keys), KEY_LENGTH))


def _by_number(good_from: Decimal | None, bad_to: Decimal | None, number: Any) -> tuple[str | None, str | None]:
    try:
        given = Decimal(str(number))
    except InvalidOperation:
        return None, "?"
    if not given.is_finite():
        return None, "?"
    is_good = good_from is not None and given >= good_from
    is_bad = bad_to is not None and given <= bad_to
    return "good" if is_good else "bad" if is_bad else None, str(given)


def _labels(answer: Item) -> set[str]:
    if isinstance(answer.get("boolean"), bool):
        return {"yes" if answer["boolean"] else "no"}
    several = (answer.get("choices") or {}).get("labels") or []
    return {str(one) for one in ((answer.get("choice") or {}).get("label"), *several) if one is not None}


def facts(records: pl.LazyFrame, category: str, *, has_sent: bool, has_started: bool = False) -> pl.LazyFrame:
    """What responses state."""
    answered_at, sent_at = _time("submitted_at"), _time("sent_at")
    score = pl.col("score").cast(DECIMAL, strict=False)
    subject = pl.coalesce("request", "token")
    problem = (
        pl.when(answered_at.is_null())
        .then(pl.format("submitted_at: not a time ({})", pl.col("submitted_at").str.slice(0, 30).fill_null("nothing")))
        .when(pl.col("score").is_not_null() & score.is_null())
        .then(pl.lit("the question's answer is not a number"))
    )
    shared = {
        "record_key": pl.col("record_key"),
        "subject_id": subject,
        "account_id": pl.col("customer"),
        "category": pl.lit(category),
    }
    answered = records.select(
        **shared,
        fact_key=pl.format("{}/answered", "token"),
        event_type=pl.lit("survey.answered"),
        occurred_at=answered_at,
        rating="rating",
        score=score,
        problem=problem,
    )
    sent = records.filter(pl.col("sent_at").is_not_null()).select(
        **shared,
        fact_key=pl.format("{}/sent", "token"),
        event_type=pl.lit("survey.sent"),
        occurred_at=sent_at,
        problem=pl.when(sent_at.is_null()).then(
            pl.lit("the hidden field that says when somebody was asked: not a time")
        ),
    )
    started = records.filter(pl.col("landed_at").is_not_null()).select(**shared, **opened())
    parts = [answered, *([sent] if has_sent else []), *([started] if has_started else [])]
    return pl.concat(parts, how="diagonal")


def opened() -> dict[str, pl.Expr]:
    """What a response states of its form being opened."""
    at = _time("landed_at")
    return {
        "fact_key": pl.format("{}/started", "token"),
        "event_type": pl.lit("survey.started"),
        "occurred_at": at,
        "problem": pl.when(at.is_null()).then(
            pl.format("landed_at: not a time ({})", pl.col("landed_at").str.slice(0, 30).fill_null("nothing"))
        ),
    }


def _time(name: str) -> pl.Expr:
    return pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).cast(UTC_MICROSECONDS)
