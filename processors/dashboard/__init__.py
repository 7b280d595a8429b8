"""The live page: what is published, what waits and why, what was put aside; a page for each reference.

Rules of this room: needs the extra `dashboard`; the browser gets everything from here and nothing from
elsewhere. It reads topics and changes nothing. In reading order: `board` and `in_flight` (figures from
records), `feed` (the topics, followed), `charts`, `fragments` (figures as HTML), `reference_page`, `gate`
(who may look), `site` (the pages and the push), `server`.
"""

from processors.dashboard.server import Dashboard, Door

__all__ = ["Dashboard", "Door"]
