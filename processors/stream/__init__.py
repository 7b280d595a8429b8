"""confluent-kafka's door: the loop that binds the pipeline to Kafka, exactly once.

Reading order: `runner` (processes) → `loop` → `reading` and `batch` → `assignment` (which homes are ours,
restored) → `transaction` (one batch, all or nothing) → `changelog` and `store` (durable state and its local
index) → `offsets` (how far a topic goes) → `client` (librdkafka's settings). Beside the loop: `topics`,
`publish`, `embedded`, and both ends as an outsider sees them, `sending` and `tail`.

Rules of this room: confluent-kafka is imported here only; no DICOM, no FHIR, no decision about a study.
"""
