"""One customer known to several systems counts once; two who share an id in two systems are two."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from builders import definition, event, facts, organisation
from pydantic import ValidationError
from stories import FIRST, MARCH, SECOND, THIRD, Story

from kr_definitions.catalogue import Definition, recalled
from kr_definitions.events import LINKED, as_known_at, current
from kr_definitions.identities import MAIL_DOMAINS, links
from kr_definitions.organisation import Organisation
from pipelines.identity import NAME

SOURCES = {name: {"kind": "files"} for name in ("crm", "desk", "bills", "sheet")}
TYPES = ("call.made", "ticket.created", "deal.won")
CUSTOMERS = definition(**MARCH, measure={"distinct": "account_id", "of": ["call.made", "ticket.created"]})


def one_by(**identity: Any) -> Organisation:
    return organisation(sources=SOURCES, identity=identity)


def known_by(account: str, by: str, identifier: str, day: str = "2026-03-01") -> dict[str, Any]:
    key = f"{account}:{by}"
    return event(
        "account.identified", day, account, key=key, account_id=account, identified_by=by, identifier=identifier
    )


def call(account: str, day: str = "2026-03-02", key: str | None = None) -> dict[str, Any]:
    return event("call.made", day, key or account, key=key or f"call of {account}", account_id=account)


def ticket(account: str, day: str = "2026-03-03") -> dict[str, Any]:
    return event("ticket.created", day, account, key=f"ticket of {account}", account_id=account)


def story(of: Organisation, asked: Definition = CUSTOMERS) -> Story:
    return Story((asked,), of=of).read(FIRST, "2026-03-03", *TYPES)


def value(told: Story) -> float | None:
    return told.now().filter(pl.col("as_of") == pl.col("as_of").max()).get_column("value").item()


# --- who is who -------------------------------------------------------------------------------------------------------


def found(of: Organisation, **identified: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The links that follow from what each source states."""
    told = [facts(said).with_columns(source=pl.lit(source)) for source, said in identified.items()]
    return [(link.one, link.other, link.by) for link in links(pl.concat(told), of.identity, of.identity.customers)]


def test_the_same_identifier_makes_two_one() -> None:
    of = one_by(by="email")
    said = found(
        of, crm=[known_by("1", "email", "aa"), known_by("2", "email", "bb")], desk=[known_by("9", "email", "aa")]
    )
    assert said == [("crm/1", "desk/9", "email")]


def test_only_what_is_declared_makes_two_one() -> None:
    both = {"crm": [known_by("1", "email", "aa")], "desk": [known_by("9", "email", "aa")]}
    assert found(one_by(), **both) == found(one_by(by="domain"), **both) == []


def test_a_value_of_one_kind_is_none_of_another() -> None:
    of = one_by(by=["email", "external_id"])
    assert found(of, crm=[known_by("1", "email", "7")], desk=[known_by("9", "external_id", "7")]) == []


def test_case_and_space_make_no_difference() -> None:
    of = one_by(by="domain")
    assert found(of, crm=[known_by("1", "domain", "ACME.com ")], desk=[known_by("9", "domain", "acme.com")])


@pytest.mark.parametrize("domain", ["gmail.com", "GMAIL.com", "Outlook.es"])
def test_public_mail_services_make_nobody_one(domain: str) -> None:
    assert domain.lower() in MAIL_DOMAINS
    of = one_by(by="domain")
    assert found(of, crm=[known_by("1", "domain", domain)], desk=[known_by("9", "domain", domain)]) == []


def test_what_many_share_can_be_ignored() -> None:
    said = {"crm": [known_by("1", "domain", "group.com")], "desk": [known_by("9", "domain", "group.com")]}
    assert found(one_by(by="domain", ignore="Group.com"), **said) == []
    assert found(one_by(by="domain"), **said)


def test_an_empty_identifier_is_none() -> None:
    assert found(one_by(by="email"), crm=[known_by("1", "email", " ")], desk=[known_by("9", "email", " ")]) == []


def test_links_go_on_through_a_third_system_and_no_further() -> None:
    of = one_by(by=["email", "external_id"])
    said = found(
        of,
        crm=[known_by("1", "email", "aa")],
        desk=[known_by("9", "email", "aa"), known_by("9", "external_id", "x")],
        bills=[known_by("c", "external_id", "x"), known_by("d", "external_id", "y")],
    )
    assert said == [("crm/1", "desk/9", "email"), ("bills/c", "desk/9", "external_id")]


def test_the_first_who_was_known_stays_the_first_as_others_come() -> None:
    of = one_by(by="domain")
    early, late = known_by("5", "domain", "a.com", "2026-01-01"), known_by("1", "domain", "a.com", "2026-02-01")
    later = known_by("0", "domain", "a.com", "2026-03-01")
    assert found(of, crm=[early, late]) == [("crm/5", "crm/1", "domain")]
    assert found(of, crm=[early, late, later]) == [("crm/5", "crm/1", "domain"), ("crm/5", "crm/0", "domain")]


def test_never_holds_however_they_would_come_together() -> None:
    of = one_by(by=["email", "domain"], never=[["crm/1", "bills/c"]])
    said = found(
        of,
        crm=[known_by("1", "email", "aa")],
        desk=[known_by("9", "email", "aa"), known_by("9", "domain", "a.com")],
        bills=[known_by("c", "domain", "a.com")],
    )
    assert said == [("crm/1", "desk/9", "email")]


def test_what_is_said_by_hand_comes_first() -> None:
    of = one_by(by="email", same=[["crm/1", "desk/9"]])
    assert found(of, crm=[known_by("1", "email", "aa")], desk=[known_by("9", "email", "aa")]) == [
        ("crm/1", "desk/9", "hand")
    ]


def test_a_source_that_names_another_s_customers_has_none_of_its_own() -> None:
    of = one_by(by="email", customers={"sheet": "crm"})
    assert found(of, sheet=[known_by("1", "email", "aa")], desk=[known_by("9", "email", "aa")]) == [
        ("crm/1", "desk/9", "email")
    ]


# --- what counts ------------------------------------------------------------------------------------------------------


def test_one_customer_of_two_systems_counts_once() -> None:
    told = story(one_by(by="email"))
    told.told(FIRST, call("1"), known_by("1", "email", "aa"), source="crm")
    told.told(FIRST, ticket("9"), known_by("9", "email", "aa"), source="desk").linked(FIRST)
    told.run(FIRST)
    assert value(told) == 1


def test_two_customers_with_one_id_in_two_systems_are_two() -> None:
    told = story(one_by())
    told.told(FIRST, call("7"), source="crm").told(FIRST, ticket("7"), source="desk").run(FIRST)
    assert value(told) == 2


def test_a_sheet_with_another_system_s_ids_names_the_same_customers() -> None:
    told = story(one_by(customers={"sheet": "crm"}))
    told.told(FIRST, call("7"), source="crm").told(FIRST, ticket("7"), source="sheet").run(FIRST)
    assert value(told) == 1


def test_a_filter_goes_by_the_id_that_a_system_gives() -> None:
    asked = definition(**MARCH, measure={"count": "call.made", "where": "account_id = '1'"})
    told = story(one_by(by="email"), asked)
    told.told(FIRST, call("1"), call("2"), known_by("1", "email", "aa"), source="crm")
    told.told(FIRST, known_by("9", "email", "aa"), source="desk").linked(FIRST).run(FIRST)
    assert value(told) == 1


JOINED = {
    "who had bought": ({"count": "ticket.created", "among": {"had": "call.made"}}, 1.0),
    "who had not": ({"count": "ticket.created", "among": {"had_not": "call.made"}}, 0.0),
    "from one to the other": ({"duration": {"from": "call.made", "to": "ticket.created", "by": "account_id"},
                               "unit": "days", "statistic": "mean"}, 1.0),
}  # fmt: skip


@pytest.mark.parametrize(("measure", "right"), JOINED.values(), ids=JOINED)
def test_what_joins_two_systems_joins_them_by_customer(measure: dict[str, Any], right: float) -> None:
    told = story(one_by(by="email"), definition(**MARCH, measure=measure))
    told.told(FIRST, call("1"), known_by("1", "email", "aa"), source="crm")
    told.told(FIRST, ticket("9"), known_by("9", "email", "aa"), source="desk").linked(FIRST).run(FIRST)
    assert value(told) == right


# --- over time --------------------------------------------------------------------------------------------------------


def linked_on_the_second_day(of: Organisation) -> Story:
    told = story(of)
    told.told(FIRST, call("1"), known_by("1", "email", "aa"), source="crm")
    told.told(FIRST, ticket("9"), source="desk").linked(FIRST).run(FIRST)
    assert value(told) == 2
    told.told(SECOND, known_by("9", "email", "aa"), source="desk").linked(SECOND)
    return told


def test_a_link_that_is_found_later_restates_with_its_cause_and_names_itself() -> None:
    told = linked_on_the_second_day(one_by(by="email"))
    gained = told.run(SECOND)
    rows = gained.select("as_of", "value", "previous_value", "cause").rows()
    assert rows == [(date(2026, 3, 3), 1.0, 2.0, "identity")]
    moved = told.movers.filter(pl.col("event_type") == LINKED)
    assert moved.get_column("cause").to_list() == ["identity"]


def test_a_wrong_link_is_withdrawn_and_everything_follows() -> None:
    told = linked_on_the_second_day(one_by(by="email"))
    told.run(SECOND)
    told.of = one_by(by="email", never=[["crm/1", "desk/9"]])
    gained = told.linked(THIRD).run(THIRD)
    assert gained.select("value", "previous_value", "cause").rows() == [(2.0, 1.0, "identity")]
    assert not current(told.log.lazy()).filter(pl.col("event_type") == LINKED).collect().height


def test_a_corrected_identifier_undoes_its_link() -> None:
    told = linked_on_the_second_day(one_by(by="email"))
    told.run(SECOND)
    told.told(THIRD, known_by("9", "email", "other"), source="desk").linked(THIRD).run(THIRD)
    assert value(told) == 2


def test_what_was_known_of_a_customer_then_is_still_known() -> None:
    told = linked_on_the_second_day(one_by(by="email"))
    for instant, right in ((FIRST, 0), (SECOND, 1)):
        known = as_known_at(told.log.lazy(), instant).filter(pl.col("event_type") == LINKED).collect()
        assert known.height == right


def test_linking_again_states_nothing_anew() -> None:
    told = linked_on_the_second_day(one_by(by="email", same=[["crm/1", "bills/c"]]))
    before = told.log.height
    assert told.linked(THIRD).log.height == before
    assert told.log.filter(pl.col("source") == NAME).height == 2


def test_a_link_by_hand_is_dated_by_when_it_was_first_said() -> None:
    told = story(one_by(same=[["crm/1", "desk/9"]])).linked(FIRST).linked(SECOND)
    (link,) = told.log.filter(pl.col("event_type") == LINKED).get_column("occurred_at").to_list()
    assert link == FIRST


# --- what is declared -------------------------------------------------------------------------------------------------

WRONG = {
    "one twice": ({"same": [["crm/1", "crm/1"]]}, "twice in one pair"),
    "both": ({"same": [["crm/1", "desk/9"]], "never": [["desk/9", "crm/1"]]}, "are said to be one, and to be two"),
    "no source": ({"same": [["cmr/1", "desk/9"]]}, "cmr/1 is of no source"),
    "no customer": ({"same": [["crm", "desk/9"]]}, "not a customer of a source"),
    "three": ({"same": [["crm/1", "desk/9", "bills/c"]]}, "at most 2"),
    "another's": ({"customers": {"sheet": "crm"}, "never": [["sheet/1", "desk/9"]]}, "Write crm/1"),
    "a chain": ({"customers": {"sheet": "desk", "desk": "crm"}}, "who has none of its own"),
    "its own": ({"customers": {"sheet": "sheet"}}, "who has none of its own"),
    "of nobody": ({"customers": {"sheet": "cmr"}}, "cmr, which is no source"),
}


@pytest.mark.parametrize(("identity", "why"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(identity: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        one_by(**identity)


def test_whose_customers_a_source_names_is_part_of_what_a_key_result_means() -> None:
    plain, shared = (definition(of=of, **MARCH) for of in (one_by(), one_by(customers={"sheet": "crm"})))
    assert plain.meaning.content_hash != shared.meaning.content_hash
    _, remembered = recalled(shared.meaning.declared, "then")
    assert remembered.identity.customers == {"sheet": "crm"}
