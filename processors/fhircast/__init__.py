"""A session of a FHIRcast hub (STU3, 3.0.0): websockets' door, and HTTP to the hub.

Rules of this room: what a hub says and is told, for the source and the sink of the same name; nothing of
Kafka. Only the hub that the settings name is contacted, and the hosts beside it that they allow. Messages of
errors name rules and statuses: what a hub says may be a patient's.
"""
