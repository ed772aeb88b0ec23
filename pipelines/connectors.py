"""Which kinds of source there are, by the name that `organisation.yaml` calls them.

Belongs here: the list. Does not: anything of one kind. A connector's module is imported only when an organisation uses
it, so that one vendor's dependencies never keep another's definitions from loading.
"""

from __future__ import annotations

from importlib import import_module

from kr_definitions.catalogue import Catalogue
from kr_definitions.complaints import parse
from kr_definitions.documents import DeclarationErrors, Document, Problem
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
    "youtube": "pipelines.youtube:YOUTUBE",
    "linkedin": "pipelines.linkedin:LINKEDIN",
    "x": "pipelines.x:X",
    "stripe": "pipelines.stripe:STRIPE",
    "files": "pipelines.files:FILES",
    "sql": "pipelines.sql:SQL",
}


def connector(kind: str) -> Connector:
    """The connector of a kind; raises `KeyError` for an unknown one."""
    module, _, name = KINDS[kind].partition(":")
    found: Connector = getattr(import_module(module), name)
    return found


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
        if use.kind not in KINDS:
            problems.append(_unknown_kind(document, name, use.kind))
            continue
        if name == check_ins.NAME:
            found_so = "it is called as the source of the check-ins that are made by command"
            problems.append(document.problem(("sources", name), where, found_so, "Give it another name"))
            continue
        kind = check_ins.held(connector(use.kind), catalogue)
        options = parse(document, ("sources", name, "options"), kind.options, where, problems)
        if options is not None:
            account = Account(organisation.id, name, organisation.zone, pseudonym)
            found.append(Source(kind, account, options, use.late_days))
    if problems:
        raise DeclarationErrors(problems)
    return found


def _unknown_kind(document: Document, name: str, kind: str) -> Problem:
    likely = nearest(kind, KINDS)
    do = f"Did you mean {' or '.join(likely)}?" if likely else f"There are: {', '.join(KINDS)}"
    return document.problem(("sources", name, "kind"), f"source {name}", f"no kind of source '{kind}'", do)
