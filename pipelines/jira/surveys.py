"""What customers thought of their requests: Service Management's satisfaction, the newest answer of each.

Belongs here: fetching answers, and the facts that they state. Does not: HTTP (`api`), which issues are read
(`reading`); that an answer was asked for, of which Jira keeps nothing (`tickets` states it where the options say when).

The answer is asked for request by request (`/rest/servicedeskapi/request/{id}/feedback`), but it has no time: that is
in the site's field of the kind "satisfaction date", which the search knows, so only requests with an answer are asked.

* `survey.answered`: the answer that holds now, at the time at which it was last given; score: 1 to 5; good from 4 on,
  bad up to 2, neither in the middle. A customer who changes an answer corrects the fact.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.jira.api import Api, Item, at_utc
from pipelines.jira.options import JiraOptions
from pipelines.jira.reading import Asked, read_scope
from pipelines.jira.scope import in_query, scope
from pipelines.people import People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError, Stream
from pipelines.ticketing import SURVEY_ANSWERED, USER, time_of

ANSWERED_ON = "com.atlassian.servicedesk:sd-request-feedback-date"
WORST, MIDDLE, BEST = 1, 3, 5

PAYLOAD = pl.Struct({"id": pl.String(), "reporter": pl.String(), "rating": pl.String(), "answered_at": pl.String()})


def satisfaction(account: Account, options: JiraOptions) -> Stream:
    """The stream."""
    return Stream(
        name="satisfaction",
        feeds=(SURVEY_ANSWERED,),
        fetch=lambda read: _fetch(account, options, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        people=People(whose=(Place(USER, ("reporter",)),), account=USER if options.customer == "reporter" else None),
    )


def _fetch(account: Account, options: JiraOptions, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
    api = Api(account, options.site, read.clock)
    fields = api.fields()
    field = next((one.id for one in fields if one.kind == ANSWERED_ON), None)
    if field is None:
        raise SourceConfigError(
            api.source,
            "the site has no field for the date of a customer's satisfaction",
            "Where it has no Service Management, leave satisfaction out with the option `surveys: false`",
        )
    asked = Asked(
        scope=scope(api, options, fields, answered=field),
        changed=in_query(field),
        fields=("updated", "reporter", field),
        most_gone=options.most_gone,
    )
    return (yield from read_scope(api, asked, read, partial(_records, api, field)))


def _records(api: Api, field: str, issues: list[Item]) -> list[Record]:
    return [record for one in issues if (record := _record(api, field, one)) is not None]


def _record(api: Api, field: str, issue: Item) -> Record | None:
    """A request's answer, without what was written beside it; None where it has none any more."""
    feedback = api.feedback(str(issue["id"]))
    if feedback is None:
        return None
    id_, answered = str(issue["id"]), issue["fields"].get(field)
    reporter = issue["fields"].get("reporter") or {}
    payload = {
        "id": id_,
        "reporter": reporter.get("accountId"),
        "rating": feedback.get("rating"),
        "answered_at": at_utc(answered),
    }
    return Record(id_, None, payload)


def facts(records: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """What answers state."""
    score = pl.col("rating").cast(pl.Int64, strict=False)
    said = records.with_columns(
        occurred_at=time_of("answered_at"),
        score=pl.when(score.is_between(WORST, BEST)).then(score),
    )
    problem = (
        pl.when(pl.col("occurred_at").is_null())
        .then(pl.format("satisfaction date: not a time ({})", pl.col("answered_at").fill_null("nothing")))
        .when(pl.col("score").is_null())
        .then(pl.format("rating: {} is not 1 to 5", pl.col("rating").fill_null("nothing")))
    )
    return said.select(
        "record_key",
        "occurred_at",
        subject_id="id",
        account_id=pl.col("reporter") if options.customer == "reporter" else pl.lit(None, pl.String()),
        source_url=pl.lit(options.url()) + pl.col("id"),
        fact_key=pl.format("ticket/{}/answered", "id"),
        event_type=pl.lit(SURVEY_ANSWERED),
        rating=pl.when(pl.col("score") > MIDDLE)
        .then(pl.lit("good"))
        .when(pl.col("score") < MIDDLE)
        .then(pl.lit("bad")),
        score=pl.col("score").cast(DECIMAL),
        problem=problem,
    )
