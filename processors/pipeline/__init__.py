"""The topology as a step without I/O, and its ports in memory.

Rules of this room: time comes in as a parameter, effects go out as values; no Kafka. In reading order:
`records` and `ports` (what goes in and out), `decode` (a record's value → an event), `topology` (the walk),
`homes` and `clocks` (what one partition knows), `evaluation` (which references to look at), `publishing` (a
revision, if content changed), `dead_letters`, `memory` (all of it without a broker).
"""
