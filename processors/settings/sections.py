"""Every setting once: its name, type, default, and why the default is what it is.

Rules of this file: frozen values, a unit in every name that has one, no reading of files or environment.
Text that is not set is "". Changing a name here is a breaking change for users (CHANGELOG).
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args
from uuid import UUID

from msgspec import Meta, Struct, field

from processors.core.policy import Policy
from processors.settings.policy import policy_of
from processors.settings.zones import zone

Seconds = Annotated[float, Meta(gt=0, le=315_360_000)]
"""Up to ten years: longer is a slip of the unit, and an infinite clock cannot be stored."""
Text = Annotated[str, Meta(min_length=1)]
KafkaValue = str | bool | int | float


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


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
    unfinished: Literal["withhold", "publish"] = "withhold"
    """Reports that call themselves PARTIAL or PRELIMINARY, read from now on: FHIR's selections know no draft.
    Some writers, of measurements and CAD above all, never call a report anything else: `publish` for those
    (`unfinished_report` counts what is withheld)."""
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


class Folder(Section, frozen=True):
    """`source folder`."""

    source: Text = "folder"
    """The events' `source`."""
    settle_s: Annotated[float, Meta(ge=0, le=3600)] = 3.0
    """A file is whole when nobody has it open and nothing changed for so long. Writers on other machines are
    seen by their changes only: longer for a slow network."""


class Dimse(Section, frozen=True):
    """`source dimse`: the AE that modalities and archives send to."""

    ae_title: Annotated[str, Meta(min_length=1, max_length=16)] = "IMAGINGREF"
    """Its own AE title."""
    host: Text = "127.0.0.1"
    """Loopback: who may send is the site's decision."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 11_112
    """The registered port of DICOM; 0: any free one."""
    callers: tuple[str, ...] = ()
    """AE titles that may associate; empty: all."""
    require_called_ae_title: bool = False
    """True: an association that calls another AE title is rejected."""
    max_associations: Annotated[int, Meta(ge=1, le=1_000)] = 50
    """At the same time. Each takes a thread or two and the object it is sending."""
    publish_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Until an object that the broker does not take is answered with a failure; shorter than the sender's own
    time limit."""
    commitment_days: Annotated[int, Meta(ge=0, le=365)] = 7
    """How long Storage Commitment can be asked for what was received; 0: not at all. It promises the event,
    not the pixels: never let a sender that deletes what is committed ask here alone."""
    peers: dict[str, str] = field(default_factory=dict)
    """AE title → `host:port`, for those that take the commitment's report on a new association only."""
    tls_cert_file: str = ""
    """PEM; empty: no TLS."""
    tls_key_file: str = ""
    """PEM of the certificate's key."""
    tls_ca_file: str = ""
    """Callers must show a certificate of this authority; empty: none is asked for."""


class Orthanc(Section, frozen=True):
    """`source orthanc`: a server whose feed of changes is read."""

    url: str = "http://127.0.0.1:8042"
    """Of its REST API."""
    user: str = ""
    """Empty: no authentication."""
    password: str = ""
    """Better by the environment than in a file."""
    source: Text = "orthanc"
    """The events' `source`."""
    poll_s: Annotated[float, Meta(gt=0, le=3600)] = 1.0
    """How often an idle server is asked."""


class Hl7(Section, frozen=True):
    """`source hl7`: where an information system sends its messages (MLLP)."""

    host: Text = "127.0.0.1"
    """Loopback: MLLP knows no sender, so who may send is the site's decision."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 2_575
    """The registered port of HL7; 0: any free one."""
    source: str = ""
    """The events' `source`; empty: the sending application (MSH-3)."""
    publish_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Until a message that the broker does not take is answered with AE."""


class Dicomweb(Section, frozen=True):
    """`source dicomweb`: an archive whose studies are read in."""

    url: str = "http://127.0.0.1:8042/dicom-web"
    """Root of its QIDO-RS and WADO-RS."""
    user: str = ""
    """Empty: no basic authentication."""
    password: str = ""
    """Better by the environment than in a file."""
    token: str = ""
    """Bearer token, where there is no user."""
    source: Text = "dicomweb"
    """The events' `source`."""


class State(Section, frozen=True):
    """The local index of the changelog, and how much work one transaction holds."""

    dir: Text = "state"
    """May be lost at any time: it is rebuilt from the changelog topic."""
    commit_interval_ms: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """At most one transaction in so long. Shorter costs the broker more, longer delays every reader."""
    batch_records: Annotated[int, Meta(ge=1, le=100_000)] = 5_000
    """Most records in one transaction; more of them only use more memory."""
    poll_ms: Annotated[int, Meta(ge=1, le=1_000)] = 50
    """How long to wait for a batch to fill; also how soon a clock that has run out is seen."""
    cached_instances: Annotated[int, Meta(ge=0)] = 500_000
    """Instances of recently touched studies kept decoded in memory, about 1 kB each."""


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


class FhirServer(Section, frozen=True):
    """`sink fhir`: the server that is to hold what the FHIR topic holds."""

    url: str = ""
    """Its base, as https://fhir.example/fhir."""
    token_file: str = ""
    """File with a bearer token; empty: none is sent."""
    ca_file: str = ""
    """PEM of the authority that signed its certificate; empty: the usual ones."""
    timeout_s: Annotated[float, Meta(gt=0, le=45)] = 30.0
    """For one answer; four more tries must fit into the time the group allows between two polls."""
    batch_resources: Annotated[int, Meta(ge=1, le=500)] = 50
    """In one transaction: it succeeds or fails as a whole."""
    http_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Where the sink answers /livez, /readyz and /metrics, on `http.host`; 0: nowhere. `http.port` is that of
    `run`, which is often on the same machine."""


ReferenceKind = Literal[
    "series", "key_images", "source_item", "region", "segment", "roi", "presentation", "selection", "plain"
]


class Fhircast(Section, frozen=True):
    """`source fhircast` and `sink fhircast`: a session of a hub (FHIRcast STU3)."""

    url: str = ""
    """`hub.url`, as https://hub.example/fhircast."""
    topic: str = ""
    """`hub.topic`: which session."""
    token: str = ""
    """Bearer token, best by the environment; empty, and no `token_file`: none is sent."""
    token_file: str = ""
    """Read anew for each request, since access tokens are short-lived."""
    ca_file: str = ""
    """PEM of the authority that signed the hub's certificate; empty: the usual ones."""
    channel_hosts: tuple[str, ...] = ()
    """Hosts beside the hub's own to which it may send us for its WebSocket."""
    subscriber: Text = "imaging-reference"
    """`subscriber.name`: what other applications read of us where something went wrong."""
    lease_s: Annotated[int, Meta(ge=10, le=604_800)] = 7_200
    """`hub.lease_seconds` that is asked for; the hub decides, and it is renewed in time."""
    timeout_s: Annotated[float, Meta(gt=0, le=45)] = 10.0
    """For one answer of the hub."""
    source: Text = "fhircast"
    """The events' `source`. A part of the references' ids: the same for all sessions of a site."""
    publish_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 5.0
    """Until an event that the broker does not take is answered with 500; hubs wait for about 10 s."""
    kinds: tuple[ReferenceKind, ...] = get_args(ReferenceKind)[1:]
    """Kinds of references that are shared. A whole series points at nothing in particular."""
    form: Literal["STU3", "IRA"] = "STU3"
    """STU3: PUT and DELETE, references as FHIRcast 3.0.0 has them. IRA: as the examples of IHE's Integrated
    Reporting Applications 1.0.0 have it: POST of what is new, resources by value, status `unknown`."""
    select_key_images: bool = False
    """Key images that were shared are selected, too: other applications may bring them to the front."""
    batch_resources: Annotated[int, Meta(ge=1, le=500)] = 20
    """In one update, which succeeds or fails as a whole and goes to every subscriber in one message."""
    http_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Where the sink answers /livez, /readyz and /metrics, as in `[fhir_server]`; 0: nowhere."""


class Http(Section, frozen=True):
    """Health, metrics and state: /livez, /readyz, /metrics, /series/{uid}, /references/{id}."""

    host: Text = "127.0.0.1"
    """Loopback: who may read the metrics is the site's decision."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8_080
    """Of the first worker, the next ones follow; 0: any free port for each."""


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
    logging: Logging = Logging()

    def policy(self) -> Policy:
        return policy_of(self)
