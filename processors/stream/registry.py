"""A Confluent-compatible schema registry: schemas by id while reading, subjects when topics are made.

Rules of this file: the registry's API and its errors; what a schema means is `avro`'s. Needs the extra
`registry`: imported only where `schema_registry.url` is set.

    an id that it does not know    dead letter `undecodable_record`: register the schema, then redrive
    no answer, or one of another   Delayed: nothing is lost, the batch is read again until it answers
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn, TypeVar

from processors import telemetry
from processors.avro.facts import SINGLE_OBJECT, FactFraming
from processors.avro.facts import TOPIC as FACTS
from processors.avro.registered import BY_GUID, BY_ID, HEADER, RegisteredSchema, SchemaId
from processors.errors import DeadLetterCode, Delayed, Refused, SettingsError, Unavailable
from processors.schema_files import TopicSpec, schema_texts
from processors.settings.sections import SchemaRegistry

try:
    import httpx2
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError
except ImportError as missing:
    raise SettingsError(
        "schema_registry.url needs the extra `registry`: pip install 'imaging-reference-processors[registry]'"
    ) from missing

NOT_FOUND = 404
CONFLICT = 409
UNKNOWN_SCHEMA = 40403
UNKNOWN_S = 30.0
"""So long an id that is not known is not asked for again: a flood of broken records is no flood of questions,
and a schema that is registered late is found all the same."""

_FAILED = (SchemaRegistryError, httpx2.HTTPError, ValueError)
"""ValueError: an answer that is no JSON."""

T = TypeVar("T")


class ConfluentRegistry:
    """Not thread-safe. Asks on demand; raises SettingsError where the settings cannot be meant."""

    def __init__(self, settings: SchemaRegistry) -> None:
        self._settings = settings
        config: dict[str, Any] = {"url": settings.url, "timeout": settings.timeout_s, "max.retries": 0}
        if settings.user_info:
            config["basic.auth.user.info"] = settings.user_info
        if settings.ca_file:
            config["ssl.ca.location"] = settings.ca_file
        try:
            self._client = SchemaRegistryClient(config)
        except (OSError, ValueError):
            raise SettingsError(
                "schema_registry: url is no http(s) url, user_info no name:password, or ca_file holds no "
                "certificates"
            ) from None
        self._unknown: dict[SchemaId, float] = {}

    def close(self) -> None:
        self._client.close()

    # ---- reading ----------------------------------------------------------------------------------------

    def schema(self, schema_id: SchemaId) -> RegisteredSchema:
        """As `avro.registered.Registry` has it."""
        if time.monotonic() < self._unknown.get(schema_id, 0.0):
            _unknown_schema()
        try:
            if isinstance(schema_id, int):
                found = self._client.get_schema(schema_id)
            else:
                found = self._client.get_schema_by_guid(str(schema_id))
        except _FAILED as failed:
            if _is_unknown(failed, schema_id):
                self._unknown[schema_id] = time.monotonic() + UNKNOWN_S
                _unknown_schema()
            reason = _reason(failed)
            telemetry.registry_unanswered(reason)
            raise Delayed(f"schema registry: {reason}") from None
        if found.references:
            raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "the schema refers to others in the registry")
        return RegisteredSchema(found.schema_type or "AVRO", found.schema_str or "")

    # ---- writing ----------------------------------------------------------------------------------------

    def fact_framing(self, topic: str) -> FactFraming:
        """As `schema_registry.facts` says. Raises Unavailable if it is not registered, or no answer comes."""
        if self._settings.facts == "single_object":
            return SINGLE_OBJECT
        text = schema_texts(FACTS)[-1]
        found = self._asked(partial(self._registered, topic, text))
        if found is None or found.schema_id is None:
            raise Unavailable(
                f"schema registry: {_subject(topic)} has no schema of the facts this version writes: "
                "run `imaging-reference topics create`"
            )
        by_id = BY_ID + found.schema_id.to_bytes(4)
        if self._settings.facts == "confluent":
            return FactFraming(by_id)
        # Registries before Confluent's 8 have no GUIDs; readers take both forms.
        by_guid = BY_GUID + bytes.fromhex(found.guid.replace("-", "")) if found.guid else by_id
        return FactFraming(b"", (HEADER, by_guid))

    def _registered(self, topic: str, text: str) -> Any:
        """None: this schema is not under the topic's subject."""
        try:
            return self._client.lookup_schema(_subject(topic), Schema(text, "AVRO"))
        except SchemaRegistryError as failed:
            if failed.http_status_code == NOT_FOUND:
                return None
            raise

    # ---- subjects ---------------------------------------------------------------------------------------

    def register(self, topic: str, spec: TopicSpec) -> None:
        """Every version of the topic's schema, oldest first, and what a new one must be compatible with.

        Raises Unavailable where the registry refuses one, or does not answer.
        """
        subject = _subject(topic)
        for number, text in enumerate(schema_texts(spec.name), 1):
            if self._asked(partial(self._registered, topic, text)) is None:
                refused = f"{subject}: v{number} is refused as incompatible with what is registered there"
                self._asked(partial(self._client.register_schema, subject, Schema(text, "AVRO")), refused)
            if number == 1:
                self._asked(partial(self._client.set_compatibility, subject, spec.compatibility))

    def differences(self, topic: str, spec: TopicSpec) -> Iterator[str]:
        """One line each. Raises Unavailable without an answer."""
        subject = _subject(topic)
        for number, text in enumerate(schema_texts(spec.name), 1):
            if self._asked(partial(self._registered, topic, text)) is None:
                yield f"{subject}: v{number} is not registered"
                return
        actual = self._asked(partial(self._client.get_compatibility, subject))
        if actual != spec.compatibility:
            yield f"{subject}: compatibility: {actual}, wanted {spec.compatibility}"

    def _asked(self, question: Callable[[], T], conflict: str = "") -> T:
        try:
            return question()
        except _FAILED as failed:
            if conflict and getattr(failed, "http_status_code", 0) == CONFLICT:
                raise Unavailable(f"schema registry: {conflict}") from failed
            raise Unavailable(
                f"schema registry: {_reason(failed)}: check schema_registry.url, and that it runs"
            ) from failed


def _subject(topic: str) -> str:
    """TopicNameStrategy, the default of every serializer."""
    return f"{topic}-value"


def _is_unknown(failed: Exception, schema_id: SchemaId) -> bool:
    """A 404 of the registry's own, not of a wrong path; registries without GUIDs have no path for them."""
    if not isinstance(failed, SchemaRegistryError) or failed.http_status_code != NOT_FOUND:
        return False
    return failed.error_code == UNKNOWN_SCHEMA or not isinstance(schema_id, int)


def _unknown_schema() -> NoReturn:
    raise Refused(
        DeadLetterCode.UNDECODABLE_RECORD, "the schema registry knows no schema of this id"
    ) from None


def _reason(failed: Exception) -> str:
    """Never what the registry said: it may quote what it was asked."""
    status = getattr(failed, "http_status_code", None)
    return f"HTTP {status}" if status else type(failed).__name__
