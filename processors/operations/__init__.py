"""What an operator asks and mends: dead letters, where a reference came from, series that were closed too
early.

Rules of this room: answers from the output topics, and records put back on the input topics; nothing is
printed, no state of the processor is touched. In reading order: `dead_letters`, `redrive`, `facts` (the
analytics topic as read), `explain`, `input_records`, `early_closes`.
"""
