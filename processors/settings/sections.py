"""Every setting once: its name, type, default, and why the default is what it is.

Rules of this file: frozen values, a unit in every name that has one, no reading of files or environment; what
is about a neighbouring system is in `neighbours`.
Text that is not set is "". Changing a name here is a breaking change for users (CHANGELOG).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, field

from processors.core.policy import Policy
from processors.settings.kinds import KafkaValue, Seconds, Section, Text
from processors.settings.neighbours import Dicomweb, Dimse, Fhircast, FhirServer, Folder, Hl7, Orthanc
from processors.settings.policy import policy_of
from processors.settings.zones import zone


class Topics(Section, frozen=True):
    """Names of the topics. Another name is another topic: one of the inputs is read from its start."""

    instances: Text = "dicom-instances"
    """In: events of images."""
    reports: Text = "dicom-reports"
    """In: events of reports and selections."""
    intake: Text = "imaging-reference-intake"
    """Internal: records on their way to the partition of their study. Never add partitions to it."""
    changelog: Text = "imaging-reference-changelog"
    """Internal: the state. Never read by anybody else."""
    fhir: Text = "fhir-imaging-references"
    """Out: the references."""
    analytics: Text = "analytics-imaging-references"
    """Out: a fact for each revision."""
    dead_letters: Text = "imaging-reference-dead-letters"
    """Out: what was put aside."""
    partitions: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """Of the inputs, the intake and the changelog, as `topics create` makes them; 0: 12. So many members can
    share the work. Where there is state, `topics grow` changes the number."""


class Override(Section, frozen=True):
    """Other times for a source or a modality: what is empty matches all, the last match holds."""

    source: str = ""
    """The events' `source`."""
    modality: str = ""
    """As in (0008,0060)."""
    quiet_s: Seconds | None = None
    """Not set: as in `[completeness]`."""
    hard_stop_s: Seconds | None = None
    """As `quiet_s`."""


class Completeness(Section, frozen=True):
    """When a series is published that nobody announced to be complete."""

    quiet_s: Seconds = 10.0
    """No new instance for so long. Shorter amends more series after closing, longer delays every reader."""
    hard_stop_s: Seconds = 300.0
    """Since the first unpublished instance, for series that never fall quiet."""
    override: tuple[Override, ...] = ()
    """See below; `imaging-reference early-closes --toml` suggests them."""


class Identity(Section, frozen=True):
    """What identifiers are called, and what time it is where images have no offset."""

    namespace: str = ""
    """UUID of the reference ids; empty: the project's. Changing it gives every reference a new id."""
    patient_id_system: str = ""
    """Default system (URI) of Patient ID (0010,0020)."""
    patient_id_systems: dict[str, str] = field(default_factory=dict)
    """Event source → system, before the default one."""
    accession_system: str = ""
    """Default system (URI) of Accession Number (0008,0050)."""
    accession_systems: dict[str, str] = field(default_factory=dict)
    """Event source → system, before the default one."""
    issuers: dict[str, str] = field(default_factory=dict)
    """Local issuer name ((0010,0021), (0008,0051)) → system."""
    site_time_zone: str = ""
    """`Europe/Zurich` or `+01:00`, for DICOM times without (0008,0201); empty: they give no `issued`."""

    def __post_init__(self) -> None:
        if self.namespace:
            try:
                UUID(self.namespace)
            except ValueError:
                raise ValueError("namespace: expected a UUID") from None
        zone(self.site_time_zone)


class Fhir(Section, frozen=True):
    """How references are written."""

    release: Literal["R5", "R4", "R6"] = "R5"
    """R5: ImagingSelection 5.0.0. R4: Basic with HL7's cross-version extensions. R6: a preview, as in
    6.0.0-snapshot1. After a change each reference is published anew when its study is next heard of."""
    r4_package: Literal["0.1.0", "0.0.1-snapshot-2"] = "0.1.0"
    """Version of hl7.fhir.uv.xver-r5.r4: readers of one do not read the other."""
    r4_status: Literal["extension", "modifier_extension"] = "extension"
    """With package 0.1.0. Its profile asks for `modifier_extension`, and a server that holds resources to it
    needs that; one without the package must refuse such a resource (FHIR R4, Extensibility). A withdrawal is
    in `meta.tag` either way."""
    r4_codes: Literal["known", "plain"] = "known"
    """FHIR R4's own copy of DICOM's codes is of 2015 and calls itself complete: validators that have no other
    one refuse younger codes (130488 of structure sets; modalities as ANN, DOC, RWV), whatever version is
    named. `known`: such a coding says its system in an extension of `system`, `coding-system`, beside its
    code and display. `plain`: as any other code, for readers that have DICOM's codes of today."""
    space_regions: Literal["report", "image"] = "report"
    """What a report's region in space is an instance's part of, in R5 and R4; R6 has it beside the instances.
    `report`: the report that says it. `image`: as in R5's own example, the first image of the one series of
    the study in its frame of reference, which need not be the nearest; the report while there is none, or
    where there are several."""
    series_instances: Literal["always", "omit_when_complete"] = "always"
    """Whether the reference of a whole series lists its instances. In FHIR no list means all of the series:
    `omit_when_complete` is shorter, and does not say what was there when it was written."""
    volumes_by: tuple[Literal["orientation", "acquisition", "temporal_position"], ...] = ()
    """By what the volumes of one series are told apart, of images read from now on: (0020,0037), (0020,0012),
    (0020,0100), which events with typed fields alone do not say. Each volume of a series with several is a
    reference of its own beside that of the series, which is its focus. Not by default: makers differ, some
    count an acquisition for each breath, some for each slice."""
    endpoints: dict[str, str] = field(default_factory=dict)
    """Event source → `Endpoint/…`."""
    body_sites: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Body Part Examined, in any case → [SNOMED CT code, display]; wins over the shipped table. An empty code
    leaves the text alone."""


class Reports(Section, frozen=True):
    """What is made of reports."""

    quality_rejection: Literal["hide", "keep"] = "hide"
    """What a rejection for quality (113001) does to the instances it names."""
    publish_manifests: bool = False
    """Manifests (113030–113035) describe content, not interest."""
    unfinished: Literal["publish", "withhold"] = "publish"
    """Reports that call themselves PARTIAL or PRELIMINARY, read from now on. FHIR's selections know no draft,
    and many writers, of measurements and AI results above all, never call a report anything else: `withhold`
    only where yours do (`unfinished_report` counts what is withheld)."""
    unresolved_after_s: Seconds = 86_400.0
    """A reference whose series no one knows is put aside after so long."""
    max_contours: Annotated[int, Meta(ge=0)] = 200
    """Contours of one ROI of a structure set that are published; one with more is its number alone."""


class Documents(Section, frozen=True):
    """What is fetched by `uri`, and how long an object may take to read."""

    root: str = ""
    """Folder below which `file:` claim checks are read; empty: none are."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts of `http(s):` claim checks: `archive.example` with any port, `archive.example:8443` with that
    one. Nothing is fetched from others, redirects included; no credentials are sent."""
    fetch_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """For one document, attempts and redirects included. The loop waits for it: longer holds up everybody."""
    time_budget_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """CPU time to read one object in; beyond it the object is put aside. The largest real ones take a second
    or two; while a machine is busy with others, or suspended, none is used."""


class State(Section, frozen=True):
    """The local index of the changelog, and how much work one transaction holds."""

    dir: Text = "state"
    """May be lost at any time: it is rebuilt from the changelog topic."""
    commit_interval_ms: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """At most one transaction in so long, or in half a second while a backlog is read. Shorter costs the
    broker more, longer delays every reader."""
    batch_records: Annotated[int, Meta(ge=1, le=100_000)] = 5_000
    """Most records read at a time; more of them only use more memory."""
    batch_bytes: Annotated[int, Meta(ge=1_048_576, le=1_073_741_824)] = 33_554_432
    """About as much is read at a time at most, and as much is fetched meanwhile: thousands of images, or two
    of the largest reports."""
    poll_ms: Annotated[int, Meta(ge=1, le=1_000)] = 50
    """How long to wait for a batch to fill; also how soon a clock that has run out is seen."""
    cached_instances: Annotated[int, Meta(ge=0)] = 100_000
    """Instances of recently touched studies kept decoded in memory, about half a kB each. A study that is not
    among them is read from the local file when something of it comes."""
    closing_clocks: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    """Most clocks of a home that end in one transaction. More make transactions of many seconds after an
    outage, fewer more of them."""
    closing_instances: Annotated[int, Meta(ge=1)] = 100_000
    """No further study is closed in a transaction whose studies have so many: all are in memory with what is
    published of them, some three quarters of a kB an instance."""
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    """A study of which nothing was heard for so long, by the time of the records, leaves the state within two
    more days; 0: never. Its references stay as they are, for good: whatever would change one later is put
    aside (`series_unknown`), an erasure excepted. Years rather than weeks: deploy/README.md, Purging."""


class Analytics(Section, frozen=True):
    """The facts."""

    pseudonym_key_file: str = ""
    """Key of `patient_pseudonym` (HMAC-SHA-256); empty: facts carry none."""


class SchemaRegistry(Section, frozen=True):
    """Confluent's API, needs the extra `registry`. What it is asked for is kept while the process lives."""

    url: str = ""
    """Of the Confluent-compatible API, as http://registry:8081, or …/apis/ccompat/v7 of an Apicurio; empty:
    values framed for a registry are dead letters."""
    user_info: str = ""
    """`name:password`, for basic authentication."""
    ca_file: str = ""
    """PEM of the authority that signed the registry's certificate; empty: the usual ones."""
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """For one answer. A member waits for it while its group expects it to poll."""
    facts: Literal["single_object", "confluent", "header"] = "single_object"
    """How facts are written: with their schema's fingerprint, or framed by the registry's id before the value
    or in a header. The last two need `topics create` to have registered the schema."""

    def __post_init__(self) -> None:
        if self.facts != "single_object" and not self.url:
            raise ValueError(f"facts: {self.facts} needs schema_registry.url")


class Http(Section, frozen=True):
    """Health, metrics and state: /livez, /readyz, /metrics, /series/{uid}, /references/{id}."""

    host: Text = "127.0.0.1"
    """Loopback: who may read the metrics is the site's decision."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8_080
    """Of the first worker, the next ones follow; 0: any free port for each."""


class Tracing(Section, frozen=True):
    """OpenTelemetry, needs the extra `tracing`. All else is said by the standard variables (OTEL_*)."""

    enabled: bool = False
    """A span for each batch, about 1 ms, and for each publication, some 0.07 ms. Off, it costs nothing."""
    endpoint: str = ""
    """Of the collector (OTLP over HTTP), as http://127.0.0.1:4318; empty: OTEL_EXPORTER_OTLP_ENDPOINT."""


class Logging(Section, frozen=True):
    """Standard error. No level tells patient data."""

    format: Literal["auto", "json", "console"] = "auto"
    """auto: console on a terminal, else JSON."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is told."""


class Settings(Section, frozen=True):
    kafka: dict[str, KafkaValue] = field(default_factory=dict)
    """Passed to librdkafka as it is, so that TLS and SASL work; its own names, with dots. What exactly once
    rests on is set above it: isolation, idempotence, partitioner, offsets."""
    topics: Topics = Topics()
    completeness: Completeness = Completeness()
    identity: Identity = Identity()
    fhir: Fhir = Fhir()
    reports: Reports = Reports()
    documents: Documents = Documents()
    state: State = State()
    folder: Folder = Folder()
    dimse: Dimse = Dimse()
    orthanc: Orthanc = Orthanc()
    hl7: Hl7 = Hl7()
    dicomweb: Dicomweb = Dicomweb()
    analytics: Analytics = Analytics()
    schema_registry: SchemaRegistry = SchemaRegistry()
    fhir_server: FhirServer = FhirServer()
    fhircast: Fhircast = Fhircast()
    http: Http = Http()
    tracing: Tracing = Tracing()
    logging: Logging = Logging()

    def policy(self) -> Policy:
        return policy_of(self)
