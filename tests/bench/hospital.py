"""A large hospital's year of arrivals: every parameter of the simulation, with its source or its reason.

Rules of this file: the table, no arithmetic. *Assumed* marks what nobody publishes; change it here and see
what the finding does. Sources:

    NHS     NHS England, Annual Imaging and Radiodiagnostics Statistics 2013-14: 42.9 million examinations:
            X-ray 23.1, ultrasound 10.0, CT 5.2, MRI 2.7, fluoroscopy 1.3, radio-isotopes 0.6 million
    IDC     NCI Imaging Data Commons, the index of all its series (PyPI `idc-index-data` 25.0.5): quantiles of
            `instanceCount` and series per study by Modality (CT 270,830 series, MR 128,143, MG 48,128,
            PT 5,929, US 2,249, CR 12,534); a research archive, so US is poorer than a clinic's
    SPIE    Wilson and Smith, Distribution of workload over the working day in a PACS, SPIE 2165 (1994): the
            busiest hour has 10.1 % of a day's images, 15 % on single days
    Orthanc its shipped configuration: DicomScuTimeout 10 s, DicomScpTimeout 30 s
    C-STORE 300 CT images of 525 KB from dcmtk and pynetdicom to dcmtk, Orthanc and pynetdicom: 2 to 9 ms an
            image, 48 ms where Nagle's algorithm is left on
"""

from __future__ import annotations

from typing import NamedTuple

DAYS = 364
EXAMS_A_YEAR = 400_000
"""NHS: 42.9 million in some 140 acute trusts is 300,000 each; a large one has a third more."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""At which `Kind.sizes` are given; straight lines between them, the last one is the most."""


IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1."


class Pace(NamedTuple):
    """Images that leave as they are made: groups of `group` at network speed, a pause between two groups."""

    share: float
    """Of studies that are sent so; the others are sent once a series, or the examination, is over."""
    group: int
    median_s: float
    sigma: float
    """The pause is lognormal: two thirds of them within a factor e^sigma of the median."""


class Kind(NamedTuple):
    modality: str
    sop_class: str
    """Below IMAGE_STORAGE."""
    share: float
    """Of all examinations."""
    series: float
    """A study has in the mean, at least one."""
    sizes: tuple[int, ...]
    """Images of a series at QUANTILES."""
    pace: Pace
    pause_min: float
    """Median of minutes from the end of a series to the start of the next one, lognormal with sigma 0.6."""


# Shares: NHS. Sizes and series a study: IDC, but US and XA. Pace: CT and PT are reconstructed faster than
# they are sent (tens of images a second); a dynamic MR is a volume of some 30 slices every few seconds; the
# sonographer takes some 30 images in 20 minutes; a run of angiography or fluoroscopy comes once a minute or
# so; the second view of an X-ray takes a new position; the slices of a tomosynthesis come together. How many
# are sent so, and the pauses: assumed.
KINDS = (
    Kind("CT", "2", 0.121, 2.9, (1, 1, 2, 122, 167, 247, 316, 650), Pace(0.2, 1, 0.05, 0.3), 1),
    Kind("MR", "4", 0.063, 7.6, (1, 12, 24, 63, 136, 200, 560, 992), Pace(0.15, 30, 3, 0.5), 4),
    Kind("US", "6.1", 0.233, 1.1, (1, 4, 12, 25, 40, 60, 80, 140), Pace(0.5, 1, 25, 0.9), 5),
    Kind("DX", "1.1", 0.49, 1.8, (1, 1, 1, 1, 1, 1, 2, 4), Pace(1, 1, 45, 0.6), 1),
    Kind("MG", "1.2", 0.048, 2.0, (1, 1, 1, 1, 1, 25, 47, 57), Pace(0.5, 60, 40, 0.5), 1),
    Kind("XA", "12.1", 0.030, 1.9, (1, 1, 3, 8, 15, 28, 40, 80), Pace(0.5, 1, 60, 0.9), 3),
    Kind("PT", "128", 0.005, 1.6, (1, 47, 192, 263, 324, 429, 591, 2670), Pace(0, 1, 1, 1), 5),
    Kind("NM", "20", 0.010, 2.9, (1, 1, 1, 1, 1, 2, 4, 32), Pace(0.5, 1, 90, 0.8), 5),
)

HOURS = (1, 1, 1, 1, 1, 2, 3, 6, 9, 10, 10, 9, 7, 8, 9, 8, 6, 4, 3, 2, 2, 2, 1, 1)
"""Examinations by hour of day, weights. SPIE: the busiest hour has a tenth of the day."""
WEEKEND = 0.35
"""Examinations of a Saturday or Sunday beside a working day. Assumed: emergencies and in-patients."""

# ---- how senders send ------------------------------------------------------------------------------------

SENDER_MS, SENDER_SIGMA = 20.0, 0.7
"""Between two images of an association, lognormal. C-STORE: 2 to 48 ms."""
AT_THE_END, INTERLEAVED = 0.3, 0.1
"""Studies sent when the examination is over, series after series; or with the images of all series mixed, as
a query sorted by nothing or several associations send them. Assumed."""

STALL = 1 / 20_000
"""Chance that a sender stops before an image. Assumed: some seven a day in this hospital."""
STALLS_S = (
    (0.55, 1.0, 6.0),
    (0.25, 10.0, 13.0),
    (0.12, 30.0, 35.0),
    (0.06, 60.0, 70.0),
    (0.02, 300.0, 330.0),
)
"""Chance, shortest, longest. Lost packets and busy disks; Orthanc: 10 s until a sender gives up and
associates anew, 30 s until a receiver does; a minute or five until queues try again. Chances assumed."""

LATE, LATE_MIN, LATE_SIGMA, LATE_MOST = 0.004, 25.0, 1.2, 20
"""Series of CT, MR and PT that get up to so many more images, so many minutes later (median): slices added on
request, a reconstruction under the same series UID. Assumed; no waiting helps, and none is counted as
avoidable."""

RESENT, RESENT_H = 0.015, 2.0
"""Studies that are sent whole once more, hours later (median): a second push, a router with two ways.
Assumed; repeated images must open nothing."""

MPPS, MPPS_COUNTED, MPPS_S = 0.45, 0.8, (-15.0, 30.0)
"""Studies whose modality reports the performed procedure step (IHE Scheduled Workflow asks for it), of those
with the list of images, and when after the last image of a series: the report and the images are two queues,
so it may come first. Shares assumed."""
COUNTED, MISCOUNTED = 0.15, 0.01
"""Studies whose images say how many the series has (sent on by an archive or gateway that knows), and counts,
also of MPPS, that are one too high: an image that was rejected before sending. Assumed."""

# ---- what the house goes through -------------------------------------------------------------------------

REMOTE, LINK_DOWN_DAYS, LINK_DOWN_H, FLUSH = 0.1, 28, (22.0, 30.0), 8
"""Studies from sites on another line; every so many days it is down from 22:00 to 06:00, and what queued up
follows so many times as fast as it was made: the overnight backlog. Assumed."""

MIGRATION_DAYS, MIGRATED, MIGRATION_H = 56, 20_000, (20.0, 78.0)
"""Every so many days, so many old studies come from another archive, from Friday 20:00 on for a weekend.
Assumed."""
MIGRATION_COUNTED, RECALL, RECALL_S = 0.8, 0.005, (20.0, 300.0)
"""Studies with a count (QIDO-RS offers it, not every archive does), series that stop for a recall from slower
storage, and for how long. Assumed."""

RESTART_DAYS, RESTART_S = 7, 40
"""The processor itself is updated; measured: ready after some ten seconds, the rest is the orchestrator's."""
OUTAGE_DAY, OUTAGE_H = 180, 4.0
"""Once a year it is away for hours. The backlog may make references late, and close none early."""
