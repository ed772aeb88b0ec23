"""X's API v2 over HTTP: the token, what reading costs, its limits, its two vocabularies, paging and its guards.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.

Sources of the facts: https://docs.x.com/x-api/getting-started/pricing (reads are paid for one by one, a record once a
day), /fundamentals/rate-limits, /fundamentals/response-codes-and-errors (an answer with status 200 may hold errors),
/fundamentals/pagination (a page may be short though there are more), /posts/timelines/integrate (the latest 3,200).

In 2026 the vendor's API description calls fields otherwise (`post.fields`, `referenced_posts`, `post_count`) than its
guides do (`tweet.fields`, `referenced_tweets`, `tweet_count`). What a server does not know it refuses, or leaves out
without a word. So the guides' words are asked for, then the others; answers are understood in both; and posts without
what was asked for are an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import requests

from pipelines.http import PatientSession, documented, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, RequestRefused, SourceConfigError, VendorError

HOST = "https://api.x.com"

READS_A_RUN = 1_000
"""What a run reads where nothing else is set: five dollars' worth, where the app is not the account's own."""
FEWEST_READS = 20

WINDOW_SECONDS = 15 * 60.0
MOST_A_PAGE, FEWEST_A_PAGE = 100, 5
_MOST_EMPTY_PAGES = 20
_VOCABULARIES: tuple[Mapping[str, str], ...] = (
    {"tweet.fields": "created_at,referenced_tweets"},
    {"post.fields": "created_at", "expansions": "referenced_posts"},
)

Object = dict[str, Any]
"""A record as X gives it."""


@dataclass
class Purse:
    """What the streams of one run have spent together, and which vocabulary X was found to understand."""

    spent: int = 0
    vocabulary: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """An account's: its followers, as X gives them, and how many posts X counts, answers and reposts among them."""

    followers: Any
    posts: int


class Api:
    """One app's access."""

    def __init__(self, account: Account, clock: Clock, purse: Purse) -> None:
        self.settings = Settings(account)
        self.source, self.clock, self.purse = self.settings.source, clock, purse
        self.base_url = self.settings.base_url(HOST)
        self.most = self._reads_a_run()
        token = self.settings.need("bearer_token")
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def user(self, user: str) -> Figures:
        """The account's public figures; one read. Raises `SourceConfigError` where X does not show it."""
        answer = self._whole(self._get(f"users/{user}", {"user.fields": "public_metrics"}, 1), "data")
        with self._documented("the account"):
            figures = answer["data"]["public_metrics"]
            posts = figures["tweet_count"] if "tweet_count" in figures else figures["post_count"]
            return Figures(figures.get("followers_count"), int(posts))

    def timeline(self, user: str, params: Mapping[str, str]) -> Iterator[tuple[list[Object], bool]]:
        """What the account posted, newest first, page by page, each with whether there is more."""
        token, seen, last, empty = "", set[str](), _BEYOND, 0
        while True:
            asked = {**params, **({"pagination_token": token} if token else {})}
            answer = self._posts(f"users/{user}/tweets", asked)
            with self._documented("posts"):
                page, count = answer.get("data", []), answer["meta"]["result_count"]
                token, ids = answer["meta"].get("next_token") or "", [int(one["id"]) for one in page]
                is_whole = len(page) == count and all("created_at" in one for one in page)
            if not is_whole:
                raise VendorError(self.source, "posts were answered without what was asked for", READ_AGAIN)
            if any(later >= earlier for earlier, later in pairwise([last, *ids])):
                raise VendorError(self.source, "a page of posts came before, or is out of order", READ_AGAIN)
            last, empty = (ids[-1], 0) if ids else (last, empty + 1)
            if token in seen or empty > _MOST_EMPTY_PAGES:
                raise VendorError(self.source, "the pages of posts have no end", READ_AGAIN)
            yield page, bool(token)
            if not token:
                return
            seen.add(token)

    def gone(self, ids: list[str]) -> set[str]:
        """Those of the posts that X says are not there. Of those that it only does not show, nothing is known."""
        found = set[str]()
        for start in range(0, len(ids), MOST_A_PAGE):
            batch = ids[start : start + MOST_A_PAGE]
            answer = self._whole(self._get("tweets", {"ids": ",".join(batch)}, len(batch)))
            with self._documented("posts that were asked for by their ids"):
                told = {str(one["id"]) for one in answer.get("data", [])}
                missing = {str(one["resource_id"]): _kind(one) for one in answer.get("errors", [])}
            if not set(batch) <= told | missing.keys():
                raise VendorError(self.source, "of some posts X said neither that they are there nor not", READ_AGAIN)
            found |= {id_ for id_ in batch if missing.get(id_) == "resource-not-found"}
        return found

    def _posts(self, path: str, params: Mapping[str, str]) -> Object:
        """A page in the vocabulary that X understands; what its posts only refer to may be gone."""
        size = min(MOST_A_PAGE, max(self.most - self.purse.spent, FEWEST_A_PAGE))
        while True:
            words = _VOCABULARIES[self.purse.vocabulary]
            response = self._get(path, {**params, "max_results": str(size), **words}, size)
            is_last = self.purse.vocabulary + 1 == len(_VOCABULARIES)
            if is_last or response.status_code != 400 or not any(word in response.text for word in words):
                break
            self.purse.vocabulary += 1
        answer = self._whole(response, "meta")
        errors = [one for one in answer.get("errors", []) if not str(one.get("parameter")).startswith("referenced_")]
        if errors:
            found = ", ".join(sorted({_kind(one) for one in errors}))
            raise VendorError(self.source, f"X answered only some of the posts, and errors ({found})", READ_AGAIN)
        return answer

    def _get(self, path: str, params: Mapping[str, str], cost: int) -> requests.Response:
        """One answer. Raises `VendorError` instead of asking where the run may not spend what it can cost."""
        if self.purse.spent + cost > self.most:
            raise VendorError(
                self.source,
                f"the {self.most} reads that a run may pay for are spent",
                f"The next run goes on from here; set {self.settings.name('reads_a_run')} to more for it to go faster",
            )
        return self.session.get(f"{self.base_url}/2/{path}", params=params)

    def _whole(self, response: requests.Response, *must_have: str) -> Object:
        """The answer, paid for. Raises `SourceConfigError` where it has only errors: nothing is there for this app."""
        if response.status_code == 400:
            raise RequestRefused(self.source, f"X refused a request ({_kind_of(response)})", READ_AGAIN)
        answer = whole_json(self.source, response)
        with self._documented("an answer"):
            included = [one for several in answer.get("includes", {}).values() for one in several]
            data = answer.get("data", [])
            self.purse.spent += len(included) + (1 if isinstance(data, dict) else len(data))
            kinds = {_kind(one) for one in answer.get("errors", [])}
        if kinds and must_have and not answer.get("data"):
            raise SourceConfigError(
                self.source,
                f"X does not show the account ({', '.join(sorted(kinds))})",
                "Check the option `user` in organisation.yaml, which is an id and no name, and that the account is "
                "neither protected nor suspended",
            )
        return whole_json(self.source, response, must_have)

    def _documented(self, what: str) -> AbstractContextManager[None]:
        return documented(self.source, "X", what)

    def _reads_a_run(self) -> int:
        text = self.settings.get("reads_a_run")
        if text is None:
            return READS_A_RUN
        if not text.strip().isdigit() or int(text) < FEWEST_READS:
            found = f"{self.settings.name('reads_a_run')} is {text!r}"
            raise SourceConfigError(self.source, found, f"Set it to a number of reads, {FEWEST_READS} at least")
        return int(text)

    def _slow_down(self, response: requests.Response) -> float | None:
        """X says 429 until a window of a quarter of an hour is over, or for a month's cap; 402 and 403 for the rest."""
        if response.status_code == 402 or (response.status_code == 403 and _kind_of(response) in _UNPAID):
            raise SourceConfigError(
                self.source,
                f"the app's credits are used up, or its spending limit is reached (HTTP {response.status_code})",
                "Buy credits or raise the limit in X's Developer Console; the next run goes on from here",
            )
        if response.status_code == 403 and _kind_of(response) in ("client-forbidden", "client-not-enrolled"):
            raise SourceConfigError(
                self.source,
                "the app may not use X's API v2 (HTTP 403, client-not-enrolled)",
                "Put the app into a project that is enrolled for pay-per-use in X's Developer Console, and set "
                f"{self.settings.name('bearer_token')} to that app's",
            )
        if response.status_code != 429:
            return None
        if _kind_of(response) == "usage-capped":
            raise VendorError(
                self.source,
                "the app has read as many posts as its plan allows in a month (HTTP 429, usage-capped)",
                "The first run of the next billing cycle goes on from here",
            )
        reset = response.headers.get("x-rate-limit-reset", "")
        if not re.fullmatch(r"\d{9,11}", reset):
            return 0.0
        return min(max(int(reset) + 1 - self.clock.now().timestamp(), 0.0), WINDOW_SECONDS)


_BEYOND = 2**64
_UNPAID = ("credits", "credits-depleted", "credits-blocked", "spend-cap-reached", "spendcapreached")


def _kind(error: Any) -> str:
    """X's word for what is wrong: the end of the address of its type, if it is a word."""
    word = str(error.get("type", "")).rpartition("/")[2]
    return word if re.fullmatch(r"[a-z-]{3,60}", word) else "an error"


def _kind_of(response: requests.Response) -> str:
    try:
        content = response.json()
        reason = str(content.get("reason", ""))
        return reason if reason == "client-not-enrolled" else _kind(content)
    except (ValueError, AttributeError):
        return "an error"
