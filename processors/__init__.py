"""imaging-reference-processors: events of images and reports in, ImagingReferences out.

The rooms in reading order; each imports only from those above it (`pyproject.toml` holds the walls), and each
third-party library has one room.

    errors          every code of the contract, and the exceptions that carry them
    core            what happened, what is known of a study, and the references that follow from it: pure
    hush            what libraries log and crashes show, without their words
    schema_files    topics and their schemas, as shipped in `schemas/`
    settings        what a site decides
    asyncapi        the topics as an AsyncAPI document
    telemetry       every log event and metric, once
    input_files     files, folders and zips that a command is given
    wire            JSON and MessagePack: events, messages between studies, state entries
    dicom           DICOM objects → events
    fhir            references → ImagingSelection of R5 and R6, Basic of R4
    avro            framing, facts, envelopes
    fhircast        a hub's session: subscription, channel, context, requests
    pipeline        the whole topology as a step without I/O, and its ports in memory
    http            health and metrics
    http_client     fetching from hosts that a site allows
    http_service    asking a neighbour's server to do things
    stopping        signals, heard by a thread
    multipart       bodies of DICOMweb taken apart
    stream          Kafka: the loop, transactions, the local store, topics
    assemble        files through the pipeline, without a broker
    render          pictures of references
    sinks           bridges from the output topics to neighbouring systems
    sources         bridges from folders and neighbouring systems to the input topics
    demo            an embedded broker and a hospital's day
    cli             arguments, printing, exit codes

A record's walk: `stream.loop` → `pipeline.topology` → `pipeline.decode` → `core.folding` →
`pipeline.evaluation` → `core.references` → `pipeline.publishing` → back to `stream.loop`, which commits.
"""
