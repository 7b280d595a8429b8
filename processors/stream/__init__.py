"""confluent-kafka's door: the loop that binds the pipeline to Kafka, exactly once.

Reading order: `runner` (the loop) → `assignment` (which homes are ours, restored) → `transaction` (one
batch, all or nothing) → `changelog` and `store` (durable state and its local index) → `offsets` (how far a
topic goes) → `client` (librdkafka's settings). Beside the loop: `workers`, `topics`, `publish`, `embedded`.

Rules of this room: confluent-kafka is imported here only; no DICOM, no FHIR, no decision about a study.
"""
