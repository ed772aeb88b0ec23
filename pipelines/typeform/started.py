"""Who opened a form and did not send it, as `survey.started`.

Belongs here: reading those responses, and the facts that they state. Does not: HTTP (`api`), responses that were sent,
which were started too (`responses`).

Typeform says of a response that it is started (opened), partial (sent up to some point) or completed, one of them at a
time (typeform.com/developers/responses/reference/retrieve-responses, `response_type`); its token stays. So each run
reads all that are not completed: one that was sent since is not among them any more, and is stated by `responses`
instead, at the same time; one that was deleted is withdrawn. Of each are kept its token and when the form was opened:
who opened it is in hidden fields, which Typeform gives of completed ones alone.
"""

from __future__ import annotations

from collections.abc import Generator

import polars as pl

from pipelines.source import Account, Covered, Read, Record, Stream
from pipelines.typeform.api import Api, Kind
from pipelines.typeform.options import HOSTS, TypeformOptions
from pipelines.typeform.responses import key_of, opened

PAYLOAD = pl.Struct({"token": pl.String(), "landed_at": pl.String()})
_KINDS: tuple[Kind, ...] = ("started", "partial")
"""In this order: one that becomes partial while they are read comes twice, and not never."""


def started(account: Account, options: TypeformOptions, name: str) -> Stream:
    """The stream of one form. name: what the options call it."""
    form = options.forms[name].id

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        api = Api(account, HOSTS[options.region], read.clock)
        for kind in _KINDS:
            for page in api.responses(form, None, kind):
                yield [
                    Record(key_of(str(one["token"])), None, {"token": one["token"], "landed_at": one.get("landed_at")})
                    for one in page
                ]
        return Covered(None, read.until)

    return Stream(
        name=f"started_{name}",
        feeds=("survey.started",),
        fetch=fetch,
        payload=PAYLOAD,
        facts=lambda records: facts(records, name),
        always={"category": name},
        is_snapshot=True,
        most_removed=1,
    )


def facts(records: pl.LazyFrame, category: str) -> pl.LazyFrame:
    """What they state: that somebody opened the form."""
    return records.select("record_key", subject_id="token", category=pl.lit(category), **opened())
