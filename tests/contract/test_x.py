"""Whether the source and its stand-in speak X's API v2 as X describes it, in the vocabulary of X's description.

The description is in X's own library, which is made from it: of each request its parameters and what fields can be
asked for, of each answer its fields and their types. The words of X's guides, which the source asks in first, are not
in it; in those, the stand-in says the same (`tests/pipelines/test_x.py`).
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import parse_qsl

import jsonschema
import pytest
from helpdesk_office import Exchange
from social import Office, at, company, follows, post
from xdk import schemas
from xdk.posts import client as posts
from xdk.users import client as users

from pipelines.sandbox import x as stand_in
from pipelines.x import X, XOptions

METHODS: tuple[tuple[str, Callable[..., Any], type[Any]], ...] = (
    (r"/2/users/\d+", users.UsersClient.get_by_id, schemas.GetUsersByIdResponse),
    (r"/2/users/\d+/tweets", users.UsersClient.get_posts, schemas.GetUsersPostsResponse),
    (r"/2/tweets", posts.PostsClient.get_by_ids, schemas.GetPostsByIdsResponse),
)
OF_GUIDES = {"tweet.fields"}
TWELVE = tuple(post(n, published_at=at(n)) for n in range(1, 13))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, X, XOptions(user=stand_in.USER), stand_in)


@cache
def schema(answer: type[Any]) -> jsonschema.Draft202012Validator:
    """The description of an answer as a JSON schema that refuses what X does not have."""

    def strict(node: Any) -> Any:
        if isinstance(node, list):
            return [strict(one) for one in node]
        if not isinstance(node, dict):
            return node
        found = {name: strict(one) for name, one in node.items()}
        return {**found, "additionalProperties": False} if "properties" in node else found

    return jsonschema.Draft202012Validator(strict(answer.model_json_schema()))


def words_of(parameter: Any) -> set[str]:
    """The words that a parameter's type lists."""
    if get_origin(parameter) is Literal:
        return {str(word) for word in get_args(parameter)}
    return {word for inner in get_args(parameter) for word in words_of(inner)}


def _models(name: str) -> dict[str, Any]:
    return vars(import_module(f"xdk.{name}.models"))


def reasons(error: jsonschema.ValidationError) -> Iterator[str]:
    """Why nothing that could stand there is met."""
    for inner in error.context or ():
        yield from reasons(inner)
    if not error.context:
        yield f"{error.json_path}: {error.message}"


def misfits(exchange: Exchange) -> list[str]:
    """What of a request or its answer is not as described."""
    method, answer = next((m, a) for path, m, a in METHODS if re.fullmatch(path, exchange.path))
    names = {**vars(typing), **_models("posts"), **_models("users"), "schemas": schemas}
    hints, found = typing.get_type_hints(method, localns=names), []
    for name, text in parse_qsl(exchange.query):
        known = name.replace(".", "_")
        if known not in signature(method).parameters:
            found.append(f"{exchange.path}?{name}: no parameter")
        elif words := words_of(hints[known]):
            found += [f"{name}: {word} is no word of it" for word in text.split(",") if word not in words]
    if exchange.status == 200:
        found += [told for one in schema(answer).iter_errors(exchange.content) for told in reasons(one)]
    return found


def test_every_request_and_answer_of_a_load_is_as_described(office: Office) -> None:
    of = company(*TWELVE, profiles=(follows("x"),))
    exchanges: list[Exchange] = []
    for now, these in ((at(13), of), (at(14), replace(of, posts=TWELVE[:-1]))):
        loads = office.load(these, now, vocabulary="posts")
        assert {load.failure for load in loads.values()} == {None}
        exchanges += office.exchanges
    described = [one for one in exchanges if not OF_GUIDES & {name for name, _ in parse_qsl(one.query)}]
    assert {one.status for one in exchanges if one not in described} == {400}
    assert not {text for one in described for text in misfits(one)}
    assert all(any(re.fullmatch(path, one.path) for one in described) for path, _, _ in METHODS)


def test_the_judge_sees_what_is_not_as_described(office: Office) -> None:
    office.load(company(*TWELVE), at(13), vocabulary="posts")
    listed = [one for one in office.exchanges if one.path.endswith("/tweets") and one.status == 200][-1]
    listed.query += "&order=asc&post.fields=likes"
    content = listed.content
    content["data"][0] |= {"id": 7, "likes": 3}
    listed.answer = json.dumps(content).encode()
    found = " ".join(misfits(listed))
    for told in ("?order: no parameter", "likes is no word", "7 is not", "'likes' was unexpected"):
        assert told in found
