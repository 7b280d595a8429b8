"""`run`: from settings to running members, one a process, until SIGTERM or SIGINT.

Rules of this file: processes, signals and names; what a member does is `loop`'s.

A worker that is killed is started again and takes up where its last commit left off; one that says why it
cannot go on ends them all.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from processors import hush, telemetry
from processors.errors import OperatorError, SettingsError, Unavailable
from processors.http import HealthServer
from processors.pipeline.building import pipeline_of
from processors.pipeline.entries import as_of_now
from processors.pipeline.records import OutputTopic
from processors.pipeline.topology import Pipeline
from processors.settings import Settings
from processors.stopping import on_stop
from processors.stream.client import GROUP, MAX_POLL_INTERVAL_MS, group_of
from processors.stream.group_lag import GroupLag
from processors.stream.holding import Holding
from processors.stream.inspection import Inspection
from processors.stream.loop import Loop
from processors.stream.pacing import TURNS_A_POLL_INTERVAL
from processors.stream.registries import registry_of
from processors.stream.wiring import Topology, Wiring, no_steps
from processors.wire.state import FORMAT

if TYPE_CHECKING:
    from processors.stream.tracing import Tracer

RESTART_S = 1.0
"""Before a killed worker is started again: a worker that dies at once must not take all of the machine."""

COLLECT_AFTER = 20_000
"""Objects made between two runs of the garbage collector: those of some thousand records, about 2 MB. Hardly
any are in cycles, so that waiting longer costs little memory, and brings little."""


def run(settings: Settings, workers: int) -> None:
    """Blocks until SIGTERM or SIGINT, then drains, commits and leaves the group.

    Raises SettingsError if the slowest document would cost the member its place in the group, OperatorError
    when it cannot go on; the next start takes up where the last commit left off.
    """
    check_poll_interval(settings)
    if workers == 1:
        work(settings, 0)
    else:
        _Supervisor(settings, workers).run()


def check_poll_interval(settings: Settings) -> None:
    """A document fetched and read until its time is over comes on top of a turn. Raises SettingsError."""
    try:
        interval_s = int(settings.kafka.get("max.poll.interval.ms", MAX_POLL_INTERVAL_MS)) / 1000
    except ValueError:
        raise SettingsError("kafka.max.poll.interval.ms: expected a number of milliseconds") from None
    document_s = settings.documents.fetch_timeout_s + settings.documents.time_budget_s
    if document_s + interval_s / TURNS_A_POLL_INTERVAL >= interval_s:
        raise SettingsError(
            f"kafka.max.poll.interval.ms: in {interval_s:g} s the group gives up a member that waits for one "
            f"document; documents.fetch_timeout_s and documents.time_budget_s allow it {document_s:g} s, a "
            f"turn takes {interval_s / TURNS_A_POLL_INTERVAL:g} s: allow them less, or raise the interval"
        )


def work(settings: Settings, worker: int) -> None:
    """One member in this process; worker n answers on `http.port` + n."""
    wiring = wiring_of(settings, worker)
    loop = Loop(wiring)
    on_stop(loop.stop)
    _stop_with_parent(loop)
    calm_collector()
    telemetry.started(_version(), group_of(settings.kafka), worker)
    state = Inspection(wiring.state_dir, loop.homes, settings.policy().namespace)
    server = HealthServer(settings.http.host, _port(settings, worker), loop, state)
    try:
        loop.run()
    except OperatorError as failed:
        telemetry.failed(str(failed))
        raise
    finally:
        server.close()
        if wiring.tracer is not None:
            wiring.tracer.close()
    telemetry.stopped(loop.records)


def calm_collector() -> None:
    """Look for reference cycles less often, and not among what is there from the start.

    Every record makes objects that live as long as its study does; with CPython's default (each 700 objects)
    going through them again and again takes a tenth of a member's CPU. Called when all is imported.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def wiring_of(settings: Settings, worker: int, steps: Callable[[str], None] = no_steps) -> Wiring:
    """`steps` is called at the points that `wiring` names; crash tests end the process at one of them."""
    topics, state = settings.topics, settings.state
    member = f"{settings.kafka.get('group.instance.id') or socket.gethostname()}-{worker}"
    return Wiring(
        kafka=settings.kafka,
        group=group_of(settings.kafka),
        member=member,
        inputs=(topics.instances, topics.reports),
        intake=topics.intake,
        changelog=topics.changelog,
        outputs={
            OutputTopic.FHIR: topics.fhir,
            OutputTopic.ANALYTICS: topics.analytics,
            OutputTopic.DEAD_LETTERS: topics.dead_letters,
            OutputTopic.INTAKE: topics.intake,
        },
        state_dir=Path(state.dir) / member,
        build=lambda partitions: _topology(settings, partitions),
        state_format=FORMAT,
        upgrade=as_of_now,
        commit_interval_ms=state.commit_interval_ms,
        poll_records=state.batch_records,
        poll_bytes=state.batch_bytes,
        poll_ms=state.poll_ms,
        steps=steps,
        tracer=_tracer(settings, member),
    )


def _tracer(settings: Settings, member: str) -> Tracer | None:
    """None where this site does not trace. Raises SettingsError without the extra."""
    if not settings.tracing.enabled:
        return None
    try:
        from processors.stream.tracing import tracer_of  # noqa: PLC0415 (needs the extra)
    except ImportError as missing:
        needed = "pip install 'imaging-reference-processors[tracing]'"
        raise SettingsError(f"tracing.enabled needs the extra `tracing`: {needed}") from missing
    service = {"service.name": GROUP, "service.instance.id": member, "service.version": _version()}
    return tracer_of(settings.tracing, service)


def _topology(settings: Settings, partitions: int) -> Topology:
    topics = settings.topics
    inputs = topics.instances, topics.reports
    group = group_of(settings.kafka)
    return Holding(_pipeline(settings, partitions), lambda: GroupLag(settings.kafka, group, inputs))


def _pipeline(settings: Settings, partitions: int) -> Pipeline:
    """Raises Unavailable where facts are to be framed and the registry does not know their schema."""
    registry = registry_of(settings)
    if registry is None:
        return pipeline_of(settings, partitions)
    framing = registry.fact_framing(settings.topics.analytics)
    return pipeline_of(settings, partitions, registry, framing)


def _port(settings: Settings, worker: int) -> int:
    """Each process has metrics of its own, and they add up only where each can be scraped."""
    return settings.http.port + worker if settings.http.port else 0


def _stop_with_parent(loop: Loop) -> None:
    """A worker whose supervisor was killed leaves: nobody would tell it to stop any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            loop.stop()

        threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _version() -> str:
    try:
        return version("imaging-reference-processors")
    except PackageNotFoundError:
        return "source"  # run from a checkout that is not installed


# ---- several processes ---------------------------------------------------------------------------------


class _Supervisor:
    """Keeps so many workers running; forwards the signal to stop, and waits for all of them."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")  # a fork would share librdkafka's threads
        self._stopping = False
        self._running: dict[int, BaseProcess] = {}
        self._workers = range(workers)

    def run(self) -> None:
        on_stop(self._stop)
        for worker in self._workers:
            self._start(worker)
        code = 0
        while self._running:
            wait([process.sentinel for process in self._running.values()])
            for worker, process in list(self._running.items()):
                if process.exitcode is not None:
                    code = max(code, self._ended(worker, process.exitcode))
        if code:
            raise (SettingsError if code == SettingsError.exit_code else Unavailable)(
                "a worker could not go on, so all were stopped; its reason stands above"
            )

    def _start(self, worker: int) -> None:
        process = self._context.Process(target=_child, args=(self._settings, worker), name=f"worker-{worker}")
        process.start()
        self._running[worker] = process
        if self._stopping:  # it was told while this one came into being
            process.terminate()

    def _ended(self, worker: int, code: int) -> int:
        del self._running[worker]
        if code < 0 and not self._stopping:
            telemetry.failed(
                f"worker {worker} was ended by {signal.Signals(-code).name} and is started again"
            )
            self._context.Event().wait(RESTART_S)
            self._start(worker)
            return 0
        if code > 0:
            self._stop()
        return max(code, 0)

    def _stop(self) -> None:
        self._stopping = True
        for process in list(self._running.values()):
            process.terminate()


def _child(settings: Settings, worker: int) -> None:
    telemetry.configure(settings.logging.format, settings.logging.level)
    with hush.crashes():
        try:
            work(settings, worker)
        except OperatorError as failed:
            sys.stderr.write(f"worker {worker}: {failed}\n")
            sys.exit(failed.exit_code)
