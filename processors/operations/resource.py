"""A reference's resource as readers have it: the newest value of its key on the FHIR topic.

Rules of this file: reading one partition.
"""

from __future__ import annotations

from processors.pipeline.partitioning import home_of
from processors.settings import Settings
from processors.stream.scan import Scan

SLACK_MS = 60_000
"""Between a fact's own time and what the broker says of the record beside it."""


def published_resource(settings: Settings, reference_id: str, published_at_us: int | None) -> bytes | None:
    """FHIR JSON; None where nothing, or no longer anything, is published.

    `published_at_us`: when its newest revision was, so that what is older need not be read.
    """
    topic, wanted = settings.topics.fhir, reference_id.encode()
    since_ms = None if published_at_us is None else published_at_us // 1000 - SLACK_MS
    value = None
    with Scan(settings.kafka) as scan:
        place = (topic, home_of(reference_id, scan.partitions.get(topic, 1)))  # the key's partition
        for record in scan.read({place: scan.extent([topic], since_ms)[place]}):
            if record.key == wanted:
                value = record.value
    return value
