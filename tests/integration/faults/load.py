"""What arrives while things break: random events of every kind, by a seed, and what must come of them.

Rules of this file: inputs and the expectation, which is computed over memory; nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import Record
from processors.settings import Settings
from tests.builders.goldens import Message
from tests.integration.hospital import STUDIES, documents, instance, poison
from tests.property.events import INTAKE, record_of
from tests.property.histories import Few
from tests.property.runs import References, latest

ROLES = {INTAKE: "intake", "dicom-instances": "instances", "dicom-reports": "reports"}


class Sent(NamedTuple):
    """A record to send; partition -1: by its key."""

    role: str
    key: bytes | None
    value: bytes | None
    partition: int = -1


class Load:
    """Rounds of about ten records: images by three kinds of key, everything else there is as events of the
    intake (`tests.property`), now and then a report with its object, and a record that nobody can use.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._few = Few(seed)
        self._reports = [self._as_sent(message) for message in documents()]
        self._images = 0

    def round(self) -> list[Sent]:
        sent = [self._image() for _ in range(4)]
        for _ in range(5):
            record = record_of(self._few.event(), 0, 1)
            partition = record.partition if record.topic == INTAKE else -1
            sent.append(Sent(ROLES[record.topic], record.key, record.value, partition))
        sent.append(self._as_sent(self._random.choice(poison())))
        sent += self._reports[:1]
        del self._reports[:1]
        self._random.shuffle(sent)
        return sent

    def _image(self) -> Sent:
        self._images += 1
        study, series = self._random.choice(STUDIES), self._random.randrange(1, 3)
        number = self._random.randrange(1, 40)  # often the same again
        said = self._as_sent(instance(study, series, number, f"10:{number % 60:02}"))
        key = self._random.choice((said.key, said.key, None, b"odd"))
        return said._replace(key=key)

    @staticmethod
    def _as_sent(message: Message) -> Sent:
        return Sent(ROLES[message.topic], message.key, message.value)


def undisturbed(settings: Settings, sent: Iterable[Sent]) -> tuple[References, References]:
    """(available, withdrawn) references when nothing goes wrong, by id, less version and time."""
    names = {"intake": settings.topics.intake}
    member = MemoryMember(lambda: pipeline_of(settings, 1), 1, settings.topics.intake)
    records: Sequence[Record] = [
        Record(names.get(each.role, each.role), 0, offset, 1, each.key, each.value)
        for offset, each in enumerate(sent)
    ]
    return latest(member.feed(records, 2) + member.run_out(2))
