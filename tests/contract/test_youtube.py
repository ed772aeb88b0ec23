"""Whether the source and its stand-in speak YouTube's Data API and YouTube Analytics as Google describes them.

Google's descriptions (discovery documents) say which parameters a method has, and what each resource is made of.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from google_described import every_method, path_of, schema_of
from social import Exchange, Office, at, company, follows

from pipelines.sandbox import youtube as stand_in
from pipelines.sandbox.company import Video
from pipelines.youtube import YOUTUBE, YouTubeOptions

SPECS = Path(os.environ.get("HITO_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
FILES = ("youtube.v3.json", "youtubeAnalytics.v2.json")

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason=f"not run: the descriptions are not in {SPECS} (HITO_SPECS names another folder)"
)

VIDEOS = tuple(Video(f"video-{n:05d}", at(n), 60 + n, "Con Marta Ruiz", None) for n in range(1, 56))
CHANNEL = replace(
    company(profiles=(follows("youtube"),)),
    videos=VIDEOS,
    subscribers={at(n).date(): 1000 + n for n in range(1, 60)},
    views={at(n).date(): 50 * n for n in range(1, 60)},
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    options = YouTubeOptions(channel=stand_in.CHANNEL, analytics=True)
    return Office(tmp_path, monkeypatch, YOUTUBE, options, stand_in)


@cache
def description(name: str) -> dict[str, Any]:
    return dict(json.loads((SPECS / name).read_text(encoding="utf-8")))


@cache
def methods() -> dict[str, tuple[dict[str, Any], str]]:
    """Path of each method that reads -> the method, and the description that it is in."""
    return {
        path_of(method): (method, name)
        for name in FILES
        for method in every_method(description(name)["resources"])
        if method["httpMethod"] == "GET"
    }


@cache
def schema(file: str, name: str) -> jsonschema.Draft202012Validator:
    return schema_of(description(file), name)


def judge(exchange: Exchange) -> None:
    """Raises for a request or an answer that is not as described."""
    method, file = methods()[exchange.path]
    known = {**description(file)["parameters"], **method["parameters"]}
    asked = dict(parse_qsl(exchange.query))
    assert {*asked} <= {*known}, {*asked} - {*known}
    assert {name for name, one in method["parameters"].items() if one.get("required")} <= {*asked}
    for name, text in asked.items():
        if known[name]["type"] == "integer":
            assert int(known[name].get("minimum", 0)) <= int(text) <= int(known[name].get("maximum", 2**31)), name
    if exchange.status == 200:
        schema(file, method["response"]["$ref"]).validate(exchange.content)


def test_every_request_and_answer_of_a_load_is_as_described(office: Office) -> None:
    exchanges: list[Exchange] = []
    for day in (60, 61):
        loads = office.load(CHANNEL, at(1) + timedelta(days=day))
        assert {load.failure for load in loads.values()} == {None}
        exchanges += [one for one in office.exchanges if one.path != "/token"]
    for one in exchanges:
        judge(one)
    assert {*Counter(one.path for one in exchanges)} == {
        "/youtube/v3/channels", "/youtube/v3/playlistItems", "/youtube/v3/videos", "/v2/reports",
    }  # fmt: skip


def test_the_judge_sees_what_is_not_as_described(office: Office) -> None:
    office.load(CHANNEL, at(20))
    [channel, *_] = [one for one in office.exchanges if one.path == "/youtube/v3/channels"]
    content = channel.content
    content["items"][0]["statistics"]["subscriberCount"] = 1000
    channel.answer = json.dumps(content).encode()
    with pytest.raises(jsonschema.ValidationError, match="1000 is not of type 'string'"):
        judge(channel)
    [report, *_] = [one for one in office.exchanges if one.path == "/v2/reports"]
    report.query += "&granularity=day"
    with pytest.raises(AssertionError, match="granularity"):
        judge(report)
