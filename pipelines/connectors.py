"""Which kinds of source there are, by the name that `organisation.yaml` calls them.

Belongs here: the list, and finding a connector that is not in it. Does not: anything of one kind. A connector's module
is imported only when an organisation uses it, so that one vendor's dependencies never keep another's definitions from
loading.

A kind of an organisation's own is named by where its connector is, `package.module:NAME` (docs/adding-a-source.md).
"""

from __future__ import annotations

from importlib import import_module

from kr_definitions.catalogue import Catalogue
from kr_definitions.complaints import parse
from kr_definitions.documents import DeclarationErrors, Problem
from kr_definitions.vocabulary import nearest
from pipelines import check_ins
from pipelines.load import Source
from pipelines.source import Account, Connector, Pseudonym

KINDS = {
    "hubspot": "pipelines.hubspot:HUBSPOT",
    "salesforce": "pipelines.salesforce:SALESFORCE",
    "pipedrive": "pipelines.pipedrive:PIPEDRIVE",
    "zendesk": "pipelines.zendesk:ZENDESK",
    "freshdesk": "pipelines.freshdesk:FRESHDESK",
    "jira": "pipelines.jira:JIRA",
    "facebook": "pipelines.facebook:FACEBOOK",
    "instagram": "pipelines.instagram:INSTAGRAM",
    "youtube": "pipelines.youtube:YOUTUBE",
    "linkedin": "pipelines.linkedin:LINKEDIN",
    "x": "pipelines.x:X",
    "inmovilla": "pipelines.inmovilla:INMOVILLA",
    "stripe": "pipelines.stripe:STRIPE",
    "holded": "pipelines.holded:HOLDED",
    "typeform": "pipelines.typeform:TYPEFORM",
    "wordpress": "pipelines.wordpress:WORDPRESS",
    "ecb": "pipelines.ecb:ECB",
    "google_sheets": "pipelines.google_sheets:GOOGLE_SHEETS",
    "files": "pipelines.files:FILES",
    "sql": "pipelines.sql:SQL",
}

_PARTS = ("kind", "options", "streams")


class NoConnector(Exception):
    """A kind has no connector: what was found, and what to do."""

    def __init__(self, found: str, do: str) -> None:
        super().__init__(f"{found}. {do}")
        self.found, self.do = found, do


def connector(kind: str) -> Connector:
    """The connector of a kind: one of `KINDS`, or one at `package.module:NAME`. Raises `NoConnector`."""
    if kind not in KINDS and ":" not in kind:
        likely = nearest(kind, KINDS)
        there_are = f"There are: {', '.join(KINDS)}; one of your own is package.module:NAME"
        raise NoConnector(
            f"no kind of source '{kind}'", f"Did you mean {' or '.join(likely)}?" if likely else there_are
        )
    place, _, name = KINDS.get(kind, kind).partition(":")
    try:
        module = import_module(place)
    except (ImportError, ValueError, SyntaxError) as failure:
        found = f"the module {place} of kind '{kind}' cannot be imported ({type(failure).__name__}: {failure})"
        raise NoConnector(found, "Write package.module:NAME, and put the package where Python finds it") from failure
    if not hasattr(module, name):
        likely = nearest(name, [one for one in vars(module) if not one.startswith("_")])
        do = f"Did you mean {' or '.join(likely)}?" if likely else "Name the connector after the colon"
        raise NoConnector(f"{place} has no {name or 'name after the colon'}", do)
    found = getattr(module, name)
    if isinstance(found, type) or (lacking := [part for part in _PARTS if not hasattr(found, part)]):
        what = "a class" if isinstance(found, type) else f"without {', '.join(lacking)}"
        raise NoConnector(
            f"{kind} is no connector: it is {what}", "Give it kind, options and streams, and name an instance"
        )
    made: Connector = found
    return made


def _still_read(catalogue: Catalogue, found: list[Source]) -> list[Problem]:
    """What is said to be former, and is read."""
    organisation, document = catalogue.organisation, catalogue.document
    if not organisation.former or document is None:
        return []
    read = {f"{source.name}.{stream.name}" for source in found for stream in source.streams()}
    return [
        document.problem(
            ("former", name), f"former {name}", "it is a stream that is read", "Take it out of one of the two"
        )
        for name in organisation.former
        if name in read
    ]


def sources(catalogue: Catalogue, pseudonym: Pseudonym) -> list[Source]:
    """The sources that an organisation uses, ready to be read; opens nothing and reads no secret.

    Raises `DeclarationErrors` with the lines of `organisation.yaml` for a kind that does not exist or options that its
    connector does not understand.
    """
    organisation, document = catalogue.organisation, catalogue.document
    assert document is not None
    problems: list[Problem] = []
    found = []
    for name, use in organisation.sources.items():
        where = f"source {name}"
        if name == check_ins.NAME:
            found_so = "it is called as the source of the check-ins that are made by command"
            problems.append(document.problem(("sources", name), where, found_so, "Give it another name"))
            continue
        try:
            kind = check_ins.held(connector(use.kind), catalogue)
        except NoConnector as none:
            problems.append(document.problem(("sources", name, "kind"), where, none.found, none.do))
            continue
        options = parse(document, ("sources", name, "options"), kind.options, where, problems)
        if options is not None:
            account = Account(organisation.id, name, organisation.zone, pseudonym)
            found.append(Source(kind, account, options, use.late_days))
    problems += _still_read(catalogue, found)
    if problems:
        raise DeclarationErrors(problems)
    return found
