"""The past of records as Salesforce tells it: field histories, and the stage histories of deals.

Belongs here: entries, which of them have happened, and what all records say of their own past. Does not: what else
records say (`records`, `people`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pipelines.sandbox.company import Change, Changes, value_at
from pipelines.sandbox.salesforce.names import CATEGORIES
from pipelines.sandbox.salesforce.soql import text_of

T = TypeVar("T")
Row = dict[str, Any]


def record(
    present: datetime, key: str, born: datetime, changed_at: datetime, deleted_at: datetime | None, fields: Row
) -> Row:
    """A record of any kind, with when it was last changed, which its deletion is too."""
    is_deleted = deleted_at is not None and deleted_at <= present
    at = deleted_at if is_deleted and deleted_at is not None else max(born, changed_at)
    return {
        "Id": key,
        "IsDeleted": is_deleted,
        "CreatedDate": text_of(born),
        "SystemModstamp": text_of(at),
        **fields,
    }


def stage_history(
    zone: str, stages: Changes[str], amounts: Changes[Any], closings: Changes[str], currencies: Changes[str]
) -> Iterator[dict[str, Any]]:
    """Stage, amount, currency, close date and category after each change of one of them.

    A close date has to be entered: until somebody commits themselves it is a guess, and left out of forecasts.
    """
    guess = day(stages[0].at + timedelta(days=90), zone)
    for at in sorted({change.at for changes in (stages, amounts, closings, currencies) for change in changes}):
        stage, amount, closing = value_at(stages, at), value_at(amounts, at), value_at(closings, at)
        yield {
            "StageName": stage,
            "CurrencyIsoCode": value_at(currencies, at),
            "Amount": None if amount is None else float(amount),
            "CloseDate": closing[:10] if closing else guess,
            "ForecastCategory": CATEGORIES.get(str(stage), "Pipeline") if closing else "Omitted",
            "CreatedDate": text_of(at),
            "Id": "008",
        }


def pairs(changes: Sequence[Change[str]]) -> Iterator[tuple[str, Change[str]]]:
    """Each change but the first, with the value before it."""
    return ((before.value, after) for before, after in pairwise(changes))


def move(name: str, pair: tuple[str, Change[str]], words: Mapping[str, str]) -> Row:
    """The entry of a change."""
    before, after = pair
    return entry(name, after.at, words.get(before, before) or None, words.get(after.value, after.value) or None)


def entry(name: str, at: datetime, old: str | None, new: str | None) -> Row:
    """An entry of a field history."""
    return {"Id": "017", "Field": name, "CreatedDate": text_of(at), "OldValue": old, "NewValue": new}


def last_seen(deleted_at: datetime | None, present: datetime) -> datetime:
    """Nothing happens to a record once it is deleted."""
    return present if deleted_at is None else min(present, deleted_at)


def seen(changes: Changes[T], born: datetime, present: datetime) -> Changes[T]:
    """The changes that have happened; what was already so when the record was entered was entered with it."""
    before = [change for change in changes if change.at <= born]
    since = [change for change in changes if born < change.at <= present]
    return (*(Change(born, change.value) for change in before[-1:]), *since)


def day(at: datetime, zone: str) -> str:
    """The day that an instant lies in."""
    return str(at.astimezone(ZoneInfo(zone)).date())
