"""Damaged input of every kind, read under limits: nothing but a disposition may come of it.

    python -m tests.fuzz --mutants 20000 --seed 7 --workers 2
    python -m tests.fuzz --seed 7 --only 1234 --write mutant.bin    # one again, here, with its traceback

A mutant is made of its seed and number alone. It is decoded; some go through the whole pipeline (`trial`): no
exception but Refused may leave, every record must be accounted for, nothing of a patient may stand in a
dead letter's headers, and no reading may take more than `trial.CPU_S` or `trial.MEMORY_BYTES`, which the
processes that read are held to (`processes`).

Rules of this package: `seeds` are whole inputs of every kind; `dicom_mutations`, `json_mutations` and
`byte_mutations` damage what they know; `mutants` chooses. Nothing here asserts: `trial` says what it found.
"""
