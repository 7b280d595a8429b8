"""How fast `run` is, beside the ceiling of the same client, and what an instance costs in a big series.

    python -m tests.bench                      # all, about five minutes: events/s, ratio, cost per instance
    python -m tests.bench --events 60000 --rounds 1
    python -m tests.bench --documents          # reports by kind, no broker: documents/s, ratios to pydicom
    python -m tests.bench --year               # a hospital's year, no broker: what `quiet_s` costs and saves
    python -m tests.bench --peers --events 1000000 --growth 2000000   # beside Kafka Streams and Quix Streams
    python -m tests.bench --restore 1000000    # bytes an instance keeps, how long a member takes to be ready
    python -m tests.bench --profile            # one more run of the member, under cProfile

All of it is measured in one run on one broker (`tests.broker`), in rotation, so that a busy machine slows
both sides; ratios matter, figures do not. Nothing is asserted of time. What the product published is checked
each time: every series once, whole, as revision 1. `pytest -m bench -s tests/bench` does the same in small.

The peers need a JDK 17 with Maven, and a package index: they are built in a temporary folder.

Rules of this package: the member is the product's own (`stream.runner`), in a process of its own; what is
measured begins with the first records in hand and ends with the last commit, start-up is left out.
"""
