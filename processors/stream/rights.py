"""What the broker lets this user do: asked before the first record (KIP-430), named when it refuses.

Rules of this file: rights on topics and on the group, and the one line that says which are missing. Which
rights a member needs is said here, once; deploy/SECURITY.md lists those of every role.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from processors import telemetry
from processors.errors import Forbidden, Unavailable

if TYPE_CHECKING:
    from processors.stream.wiring import Wiring

READ, WRITE = AclOperation.READ, AclOperation.WRITE
Needs = Mapping[str, frozenset[AclOperation]]
"""Name of a topic or group → what is done with it."""

ANSWER_S = 10.0
PAUSE_S = 0.1
WHERE = "see Least rights in deploy/SECURITY.md"
_REFUSALS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_ANSWERS = _REFUSALS | {KafkaError.GROUP_ID_NOT_FOUND}


def is_refusal(error: KafkaError) -> bool:
    """Asking again does not help: somebody must grant a right first."""
    return error.code() in _REFUSALS


def is_of_no_group(error: KafkaError | None) -> bool:
    """librdkafka asks for the coordinator also where partitions are assigned and no group is ever joined: the
    name it must be given needs no right, and the refusal means nothing.
    """
    return error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def refused(error: KafkaError, what: str = "") -> Forbidden:
    """Where only the broker's own word is known; `what`: the topic, group or transactional id."""
    return Forbidden(f"{what + ': ' if what else ''}the broker refuses this user ({error.name()}): {WHERE}")


def unanswered(failed: KafkaException) -> None:
    """Tell of a question that is asked again later. Raises Forbidden where that cannot help."""
    if is_refusal(failed.args[0]):
        raise refused(failed.args[0]) from failed
    telemetry.broker_unreachable(failed.args[0].name())


def without_coordinator(failed: KafkaException, transactional_id: str) -> Unavailable:
    """What it means that no transaction can be begun."""
    if is_refusal(failed.args[0]):
        return Forbidden(f"this user lacks Write on transactional id {transactional_id}: grant it, {WHERE}")
    return Unavailable(
        f"no transaction coordinator answers as {transactional_id} ({failed.args[0].name()}): "
        "check kafka.bootstrap.servers and the broker"
    )


def needs_of(wiring: Wiring) -> Needs:
    """A member's topics."""
    needs = dict.fromkeys(wiring.inputs, frozenset({READ}))
    needs |= dict.fromkeys(wiring.outputs.values(), frozenset({WRITE}))
    return needs | dict.fromkeys((wiring.intake, wiring.changelog), frozenset({READ, WRITE}))


def demand(admin: AdminClient, topics: Needs, group: str = "") -> None:
    """Raises Forbidden that names every right which is missing; `group`: one to read in.

    A topic that is not there lacks nothing. A broker that does not tell is believed to grant all: what it
    refuses later is told then.
    """
    asked = admin.describe_topics(
        TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=ANSWER_S
    )
    lacking = [each for name, need in topics.items() for each in _lacking(f"topic {name}", need, asked[name])]
    if group:
        lacking += _lacking(f"group {group}", frozenset({READ}), _of_group(admin, group))
    if lacking:
        raise Forbidden(f"this user lacks {', '.join(lacking)}: grant it, {WHERE}")


def _of_group(admin: AdminClient, group: str) -> Future[Any]:
    """The coordinator's answer, which may be away for a moment: it loads, or another takes over."""
    until = time.monotonic() + ANSWER_S
    while True:
        asked = admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=ANSWER_S
        )[group]
        failed = asked.exception()
        if failed is None or failed.args[0].code() in _ANSWERS or time.monotonic() > until:
            return asked
        time.sleep(PAUSE_S)


def _lacking(what: str, needed: frozenset[AclOperation], answer: Future[Any]) -> list[str]:
    try:
        allowed = set(answer.result().authorized_operations or needed)
    except KafkaException as failed:
        allowed = set() if is_refusal(failed.args[0]) else set(needed)
    return sorted(f"{operation.name.capitalize()} on {what}" for operation in needed - allowed)
