"""What is said of a change, in words that a terminal and a pull request share.

Belongs here: sentences and figures as text. Does not: layout (`diff_told`, `diff_markdown`), or what there is to say
(`kr_definitions.changes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from assets.publication.trend import BLOCKS, UNKNOWN, sparkline
from assets.report import numbers
from assets.report.marks import RICH
from assets.report.words import LANGUAGES
from kr_definitions.changes import Changed, Changes, RolledUp
from kr_definitions.editions import Refused
from kr_definitions.effects import Course, Days, Effect, Move, Moved, Standing

T = TypeVar("T")

_ENGLISH = LANGUAGES["en"]
_MOST_MEMBERS = 5
_WHAT = {"measure": "measured otherwise", "target": "judged otherwise"}


@dataclass(frozen=True)
class Fact:
    """Something that is said of a key result: about what, and what."""

    about: str
    says: str


def heading(found: Changes) -> str:
    """The organisation, and how many key results are what."""
    counted = {
        "measured otherwise": len(found.of("measure")),
        "judged otherwise": len(found.of("target")),
        "added": len(found.of("added")),
        "reinstated": len(found.of("reinstated")),
        "removed": len(found.of("retired")),
        "refused": len(found.refused),
        "reworded": len(found.reworded),
    }
    if not any(counted.values()) and found.objectives:
        return f"{found.organisation}: its key results are declared as they are deployed, their weights are not"
    told = ", ".join(f"{count} {what}" for what, count in counted.items() if count)
    return f"{found.organisation}: {told or 'declared as it is deployed'}"


def basis(found: Changes) -> str:
    """What was compared, and from what."""
    if found.has_log:
        return f"Either meaning over the same log, up to {found.through}: what the data did is no part of it."
    return f"From the figures that were published, up to {found.through}, without the log."


def verdict(found: Changes) -> str:
    """In one sentence, whether anything would move."""
    is_known = any(one.moves and one.effect is not None for one in found.changed)
    is_known |= any(not one.needs_log for one in found.objectives) or bool(found.of("added", "reinstated"))
    if found.moves and not is_known:
        return "Whether figures would move takes the log."
    return "Figures would move." if found.moves else "No figure would move."


def version(change: Changed) -> str:
    """The version that it would get, after the one that it has."""
    if change.what == "retired" or change.before in (None, change.version):
        return change.version
    return f"{change.before} → {change.version}"


def what(change: Changed) -> str:
    """What happens to it, in two words."""
    return {**_WHAT, "added": "added", "reinstated": "reinstated", "retired": "removed"}[change.what]


def title(change: Changed) -> str:
    """Its title, where it is declared."""
    return "" if change.definition is None else RICH.text(change.definition.key_result.title.en)


def fields(change: Changed) -> list[str]:
    """The fields that were changed, old → new."""
    return [RICH.text(str(field)) for field in change.fields]


def shared_fields(found: Changes) -> list[str]:
    """Fields that were changed in more than one key result: a setting that they share."""
    touched: dict[str, int] = {}
    for change in found.of("measure", "target"):
        for field in fields(change):
            touched[field] = touched.get(field, 0) + 1
    return [f"{field} ({count} key results)" for field, count in touched.items() if count > 1]


def refused(one: Refused) -> str:
    """Why it is refused, and what to do."""
    definition = one.definition
    return (
        f"{definition.file}:{definition.line}: {definition.id} was retired on {one.retired_at:%Y-%m-%d} with another "
        "meaning. Give it an id of its own, or the meaning that it had"
    )


def objective(one: RolledUp) -> str:
    """An objective, and what it would come to."""
    if one.needs_log:
        return f"{one.id}: what it would come to takes the log"
    if one.before is None or one.after is None:
        side, said = (one.after, "new") if one.before is None else (one.before, "no longer declared")
        parts = [said] if side is None else [said, numbers.percent(side.progress, _ENGLISH), status(side.status)]
        return f"{one.id}: {', '.join(parts)}"
    before, after = one.before.progress, one.after.progress
    is_little = before != after and numbers.percent(before, _ENGLISH) == numbers.percent(after, _ENGLISH)
    more = numbers.more_decimals(before, after, "share")
    progress = _pair(
        before,
        after,
        lambda part: (
            numbers.figure(part, "share", _ENGLISH, more_decimals=more)
            if is_little
            else numbers.percent(part, _ENGLISH)
        ),
    )
    return f"{one.id}: {progress}, {_pair(one.before.status, one.after.status, status)}"


def status(name: str | None) -> str:
    """A status in words; that of a KPI is none."""
    return numbers.NOT_KNOWN if name is None else _ENGLISH.statuses[name]


# --- facts ------------------------------------------------------------------------------------------------------------


def facts(change: Changed) -> Iterator[Fact]:
    """All that is said of a key result beside its fields."""
    if change.same_as is not None:
        yield Fact("renamed", f"means what {change.same_as} did, whose history stays under its own id")
    if change.is_against_history:
        yield Fact(
            "before", "its meaning cannot be computed any more: these are its reported figures, data moves included"
        )
    if change.effect is None:
        yield Fact("figures", f"take the log: {change.needs_log}")
        yield from _stands(change.stands) if change.stands else ()
    elif change.what == "retired":
        yield from _stands(change.stands)
        kept = change.effect.whole.gone_days if change.effect.whole else Days()
        yield Fact("history", f"{_days(kept)}; it stays, and the id stays taken")
    elif change.what == "added":
        yield from _stands(change.effect.whole.after if change.effect.whole else None)
        yield Fact("days", _days(change.effect.whole.new_days if change.effect.whole else Days()))
    else:
        yield from _moves(change.effect)


def _stands(standing: Standing | None) -> Iterator[Fact]:
    if standing is None:
        yield Fact("stands", "nothing is known of it yet")
        return
    parts = [_figure(standing.value, standing.unit)]
    if standing.target is not None:
        parts[0] += f" / {_figure(standing.target, standing.unit)}"
    if standing.status is not None:
        parts.append(status(standing.status))
    if standing.progress is not None:
        parts.append(f"progress {numbers.percent(standing.progress, _ENGLISH)}")
    yield Fact(f"{standing.day}", ", ".join(parts))


def _moves(effect: Effect) -> Iterator[Fact]:
    whole = effect.whole
    yield Fact("restated", restated(effect))
    if whole is None or not effect.is_any:
        return
    if whole.new_days.count:
        yield Fact("new days", _days(whole.new_days))
    if whole.gone_days.count:
        yield Fact("days gone", _days(whole.gone_days))
    if whole.largest is not None:
        yield Fact("largest move", largest(whole))
    if whole.status_days or _status_of(whole.before) != _status_of(whole.after):
        yield Fact("status", _judged(whole))
    yield from _compared(whole.before, whole.after)
    for one in effect.members[:_MOST_MEMBERS]:
        yield Fact(RICH.text(one.member), _member(one))
    if len(effect.members) > _MOST_MEMBERS:
        yield Fact("", f"and {len(effect.members) - _MOST_MEMBERS} more")


def restated(effect: Effect) -> str:
    """The days that are restated, and on how many of them it is the value."""
    if not effect.restated.count:
        return "no day"
    value_days = effect.whole.value_days if effect.whole else 0
    if 0 < value_days < effect.restated.count:
        return f"{_days(effect.restated)}; the value on {value_days:,} of them"
    return f"{_days(effect.restated)}; the value on {'all' if value_days else 'none'} of them"


def _judged(whole: Moved) -> str:
    stays = "stays " if _status_of(whole.before) == _status_of(whole.after) else ""
    return f"{stays}{today(whole)}; on {_several(whole.status_days, 'day')} it is another one"


def largest(moved: Moved) -> str:
    """The largest move of the value, with its day."""
    return "" if moved.largest is None else f"{moved.largest.day}: {_move(moved.largest, moved)}"


def today(moved: Moved) -> str:
    """The status on the newest day, before and after."""
    return _pair(_status_of(moved.before), _status_of(moved.after), status)


def _compared(before: Standing | None, after: Standing | None) -> Iterator[Fact]:
    """What the newest day says by either meaning."""
    if before is None or after is None:
        yield from _stands(before or after)
        return
    day = f"{after.day}" if before.day == after.day else f"{before.day} → {after.day}"
    more = numbers.more_decimals(before.value, after.value, after.unit) if before.unit == after.unit else 0
    values = [_figure(one.value, one.unit, more) for one in (before, after)]
    parts = [f"value {_joined(*values)}"]
    if before.target is not None or after.target is not None:
        parts.append(f"target {_joined(*(_figure(one.target, one.unit) for one in (before, after)))}")
    if before.progress is not None or after.progress is not None:
        progress = _pair(before.progress, after.progress, lambda part: numbers.percent(part, _ENGLISH))
        parts += [f"progress {progress}", f"score {_pair(before.score, after.score, _score)}"]
    yield Fact(day, ", ".join(parts))


def _member(one: Moved) -> str:
    parts = []
    if one.restated.count:
        parts.append(f"{_several(one.restated.count, 'day')} restated")
    if one.new_days.count:
        parts.append(f"{_several(one.new_days.count, 'new day')}")
    if one.gone_days.count:
        parts.append(f"{_several(one.gone_days.count, 'day')} gone")
    if one.largest is not None:
        parts.append(f"largest {largest(one)}")
    if _status_of(one.before) != _status_of(one.after):
        parts.append(today(one))
    return ", ".join(parts)


def _move(move: Move, moved: Moved) -> str:
    units = [one.unit if one else None for one in (moved.before, moved.after)]
    more = numbers.more_decimals(move.before, move.after, units[1]) if units[0] == units[1] else 0
    return _joined(_figure(move.before, units[0], more), _figure(move.after, units[1], more))


# --- plots ------------------------------------------------------------------------------------------------------------


def plots(change: Changed, width: int, blocks: str = BLOCKS, unknown: str = UNKNOWN) -> list[tuple[str, str]]:
    """The figures before and after as lines of one scale, day below day, and the scale, each with its name.

    None where they are one.

    Of what only one meaning has figures of, the one line that there is.
    """
    course = change.effect.course if change.effect else None
    if course is None or course.before == course.after:
        return []
    known = [value for value in (*course.before, *course.after) if value is not None]
    sides = {name: side for name, side in (("before", course.before), ("after", course.after)) if set(side) != {None}}
    prefix = "" if course.figure == "value" else "progress "
    names = {name: f"{prefix}{name}" for name in sides} if len(sides) > 1 else dict.fromkeys(sides, "course")
    return [
        *(
            (names[name], sparkline(side, width, min(known), blocks, unknown, ceiling=max(known)))
            for name, side in sides.items()
        ),
        ("scale", _scale(change, course, min(known), max(known))),
    ]


def _scale(change: Changed, course: Course, lowest: float, highest: float) -> str:
    """What the lowest and the highest block mean, and which days the line goes over."""
    last = course.first + timedelta(days=max(len(course.before), len(course.after)) - 1)
    whole = change.effect.whole if change.effect else None
    unit = next((one.unit for one in (whole.after, whole.before) if one), None) if whole else None
    if course.figure == "progress":
        ends = [numbers.percent(part, _ENGLISH) for part in (lowest, highest)]
    else:
        ends = [_figure(part, unit, numbers.more_decimals(lowest, highest, unit)) for part in (lowest, highest)]
    return f"{' to '.join(ends)}, {course.first} to {last}"


# --- figures ----------------------------------------------------------------------------------------------------------


def _status_of(standing: Standing | None) -> str | None:
    return None if standing is None else standing.status


def _figure(value: float | None, unit: str | None, more: int = 0) -> str:
    return numbers.figure(value, unit, _ENGLISH, more_decimals=more)


def _score(score: float | None) -> str:
    return numbers.NOT_KNOWN if score is None else f"{score:.2f}"


def _pair(before: T, after: T, text: Callable[[T], str]) -> str:
    return _joined(text(before), text(after))


def _joined(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _days(days: Days) -> str:
    if not days.count:
        return "none"
    return f"1 day, {days.first}" if days.count == 1 else f"{days.count:,} days, {days.first} to {days.last}"


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
