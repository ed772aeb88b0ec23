"""What benchmarks read of what a company publishes, and of what is answered to it: networks, a channel, a blog, a form.

Where a vendor lists no more than so many, the account has `records` of them, and what is read is what the vendor lists.
"""

from __future__ import annotations

from datetime import timedelta

from bench import Bench
from starlette.types import ASGIApp

from pipelines.sandbox.stand_in import Desk, SharedClock


def facebook() -> Bench:
    """Posts, one an hour: eleven years of a busy page."""
    from helpdesk_office import at
    from meta_company import on, post

    from pipelines.facebook import FACEBOOK, FacebookOptions
    from pipelines.sandbox.facebook import CREDENTIALS, PAGE, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        posts = [post(n, at(60) - timedelta(hours=n), "facebook") for n in range(1, records + 1)]
        return app(Desk(on("facebook", *posts), at(60), clock))

    return Bench(FACEBOOK, FacebookOptions(page=PAGE), "posts", at(60), CREDENTIALS, serve)


def linkedin() -> Bench:
    """Posts of years; LinkedIn's quota would take days for so many."""
    from social import at, company, post

    from pipelines.linkedin import LINKEDIN, LinkedInOptions
    from pipelines.sandbox.linkedin import CREDENTIALS, ORGANIZATION, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        half_an_hour = timedelta(minutes=30)
        posts = (post(5 * n + 1, at(1) - n * half_an_hour, network="linkedin", kind="image") for n in range(records))
        return app(Desk(company(*posts), at(2), clock), 10**9)

    return Bench(LINKEDIN, LinkedInOptions(organization=ORGANIZATION), "posts", at(2), CREDENTIALS, serve)


def instagram() -> Bench:
    """Reels, one an hour, of which Instagram lists the newest 10,000."""
    from meta_company import on, post
    from social import at

    from pipelines.instagram import INSTAGRAM, InstagramOptions
    from pipelines.sandbox.instagram import CREDENTIALS, USER, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        posts = [post(n, at(60) - timedelta(hours=n), "instagram") for n in range(1, records + 1)]
        return app(Desk(on("instagram", *posts), at(60), clock))

    return Bench(INSTAGRAM, InstagramOptions(user=USER), "posts", at(60), CREDENTIALS, serve)


def x() -> Bench:
    """Posts, four an hour, of which X lists the latest 3,200, answers and reposts among them."""
    from social import at, company, post

    from pipelines.sandbox.x import CREDENTIALS, USER, app
    from pipelines.x import X, XOptions

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        posts = (post(n, at(1) - n * timedelta(minutes=15)) for n in range(1, records + 1))
        return app(Desk(company(*posts), at(2), clock))

    return Bench(X, XOptions(user=USER), "posts", at(2), {**CREDENTIALS, "reads_a_run": str(10**9)}, serve)


def youtube() -> Bench:
    """Videos, one an hour, of which YouTube lists the newest 20,000."""
    from social import at, company

    from pipelines.sandbox.company import Video
    from pipelines.sandbox.youtube import CHANNEL, CREDENTIALS, app
    from pipelines.youtube import YOUTUBE, YouTubeOptions

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        videos = [Video(f"v{n:010}", at(1) - n * timedelta(hours=1), 60 + n % 600, "…", None) for n in range(records)]
        return app(Desk(company(videos=tuple(videos)), at(2), clock))

    return Bench(YOUTUBE, YouTubeOptions(channel=CHANNEL), "videos", at(2), CREDENTIALS, serve)


def wordpress() -> Bench:
    """Articles, one an hour, one in ten of them edited later; the host's limit is waited for on the shared clock."""
    from social import at, company

    from pipelines.sandbox.company import Article
    from pipelines.sandbox.wordpress import CREDENTIALS, app
    from pipelines.wordpress import WORDPRESS, WordPressOptions

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        def one(number: int) -> Article:
            day = at(1) - (records - number) * timedelta(hours=1)
            edited = (day, *((day + timedelta(days=1),) if number % 10 == 0 else ()))
            return Article(number, day, day, False, edited, None, "Consejos", "…")

        return app(Desk(company(articles=tuple(one(n) for n in range(1, records + 1))), at(2), clock))

    return Bench(WORDPRESS, WordPressOptions(site="https://blog.bench.example"), "articles", at(2), CREDENTIALS, serve)


def typeform() -> Bench:
    """Answers to a form, one every five minutes; two requests a second are waited for on the shared clock."""
    from social import at, company

    from pipelines.sandbox.company import Opinion
    from pipelines.sandbox.typeform import CREDENTIALS, FORM, app
    from pipelines.typeform import TYPEFORM, TypeformOptions

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        def one(number: int) -> Opinion:
            answered = at(1) - number * timedelta(minutes=5)
            opened = answered - timedelta(minutes=2)
            return Opinion(number, 70 + number, answered - timedelta(days=1), opened, answered, number % 11, None)

        return app(Desk(company(opinions=tuple(one(n) for n in range(records))), at(2), clock))

    asked = {"customer": "cliente", "request": "envio", "sent_at": "enviada"}
    form = {"id": FORM, "rating": {"field": "recomienda", "good_from": 9, "bad_to": 6}, **asked}
    options = TypeformOptions.model_validate({"forms": {"compra": form}})
    return Bench(TYPEFORM, options, "responses_compra", at(2), CREDENTIALS, serve)
