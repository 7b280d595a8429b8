"""`source fhircast`: what applications share in a reporting session, as selections.

Rules of this room: `selections` maps a resource, `changes` makes events of what was shared or removed,
`subscriber` keeps the subscription. An event of the hub is answered once the broker has what follows from it.
"""
