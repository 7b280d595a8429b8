"""The pages and their addresses.

Rules of this file: requests in, templates and streams out; what they show is asked elsewhere, in threads.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from processors.dashboard import reference_page
from processors.dashboard.feed import Feed
from processors.dashboard.fragments import templates
from processors.dashboard.push import Push
from processors.errors import NotFound, OperatorError
from processors.settings import Settings

PICTURES = 16
"""Kept from when a page was made until its browser asks for them."""

STATIC = Path(__file__).parent / "static"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Site:
    """`app` is an ASGI application. `since`: what the figures count, in words; `images`: where pictures come
    from.
    """

    def __init__(self, settings: Settings, feed: Feed, since: str, images: Sequence[Path] = ()) -> None:
        self._settings = settings
        self._feed = feed
        self._since = since
        self._images = images
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self.push = Push(feed)
        self.app = Starlette(
            routes=[
                Route("/", self._board),
                Route("/events", self._events),
                Route("/find", self._find),
                Route("/references/{reference_id}", self._reference),
                Route("/references/{reference_id}/picture.png", self._picture),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            lifespan=self._lifespan,
            exception_handlers={HTTPException: self._failed, OperatorError: self._unavailable},
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        pushing = asyncio.create_task(self.push.run())
        yield
        pushing.cancel()
        with suppress(asyncio.CancelledError):
            await pushing

    async def _board(self, _: Request) -> Response:
        made = await run_in_threadpool(self.push.make)
        parts = {name: Markup(text) for name, text in made.items()}  # noqa: S704 (made by templates)
        return _page("board.html", root="", parts=parts, since=self._since)

    async def _events(self, _: Request) -> Response:
        return EventSourceResponse(self.push.stream())

    async def _find(self, request: Request) -> Response:
        wanted = request.query_params.get("id", "").strip().lower()
        return RedirectResponse(f"references/{quote(wanted, safe='')}", 303)

    async def _reference(self, request: Request) -> Response:
        reference_id, study = self._asked(request)
        with_records = request.query_params.get("records") == "1"
        asked = (self._settings, reference_id, study)
        shown = await run_in_threadpool(reference_page.described, *asked, with_records)
        problem = await run_in_threadpool(self._draw, reference_id, study)
        return _page("reference.html", root="../", picture=not problem, no_picture=problem, **shown)

    async def _picture(self, request: Request) -> Response:
        reference_id, study = self._asked(request)
        if reference_id not in self._pictures:
            problem = await run_in_threadpool(self._draw, reference_id, study)
            if problem:
                raise HTTPException(404, problem)
        return Response(self._pictures[reference_id], media_type="image/png")

    def _draw(self, reference_id: str, study: str) -> str:
        """Make the picture anew, for the page that will ask for it; why there is none, or empty."""
        try:
            png = reference_page.picture(self._settings, reference_id, study, self._images)
        except OperatorError as problem:
            self._pictures.pop(reference_id, None)
            return str(problem)
        self._pictures[reference_id] = png
        self._pictures.move_to_end(reference_id)
        if len(self._pictures) > PICTURES:
            self._pictures.popitem(last=False)
        return ""

    def _asked(self, request: Request) -> tuple[str, str]:
        """Id, and its study if the figures know it, which spares reading all partitions."""
        reference_id = request.path_params["reference_id"]
        if not _ID.fullmatch(reference_id):
            raise HTTPException(404, "That is no id of a reference.")
        with self._feed.figures() as now:
            known = now.board.latest.get(reference_id)
        return reference_id, known.study_instance_uid if known else ""

    async def _failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _message(
            request, error.status_code, "Not found" if error.status_code == 404 else "No", error.detail
        )

    async def _unavailable(self, request: Request, error: Exception) -> Response:
        if isinstance(error, NotFound):
            return _message(request, 404, "Not found", str(error))
        return _message(request, 503, "Not now", str(error))


def _message(request: Request, status: int, title: str, text: str) -> Response:
    root = "../" * (request.url.path.count("/") - 1)
    return _page("message.html", status, root=root, title=title, text=text)


def _page(name: str, status: int = 200, **given: Any) -> Response:
    return HTMLResponse(templates().get_template(name).render(**given), status)
