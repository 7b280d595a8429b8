"""Settings of sources and sinks: where a neighbouring system is, and how it is talked to.

Rules of this file: as in `sections`, of which this is a part.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, field

from processors.settings.kinds import Section, Text


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


class FhirServer(Section, frozen=True):
    """`sink fhir`: the server that is to hold what the FHIR topic holds."""

    url: str = ""
    """Its base, as https://fhir.example/fhir."""
    token_file: str = ""
    """File with a bearer token, read anew for each request; empty: none is sent."""
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
