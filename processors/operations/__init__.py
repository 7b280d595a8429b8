"""What an operator asks and mends: dead letters, where a reference came from, series that were closed too
early, and what other settings would change.

Rules of this room: answers from the output topics, and records put back on the input topics; nothing is
printed, no state of the processor is touched. In reading order: `dead_letters`, `redrive`, `facts` (the
analytics topic as read), `explain`, `input_records`, `resource`, `early_closes`; and of `replay-diff`
`fingerprints`, `replay_spool`, `replay`, `replay_diff`.
"""
