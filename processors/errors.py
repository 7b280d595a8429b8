"""Every code of the contract, once: what happened, whose fault it is, what happens next.

Rules of this file: codes and the exceptions that carry them, nothing else. Bad *data* is a value with a
code (a dead letter, an ignored record or a warning) and never stops the loop. Broken *infrastructure* is an
exception that reaches the command line as one line.

    ImagingReferenceError
    ├── Refused            the sender's fault: this record cannot be read; it becomes a dead letter
    ├── Delayed            nobody's fault: what reading needs does not answer; the same records again, later
    └── OperatorError      the operator's fault: settings, topics, files; one line on stderr
        ├── SettingsError    exit 2
        ├── UsageError       exit 2
        ├── NotFound         exit 3: nothing has the id that was asked for
        └── Unavailable      exit 1: a broker, a topic or a folder is not as it must be
            └── Forbidden      the broker does not let this user do it; asking again does not help
"""

from __future__ import annotations

from enum import StrEnum


class DeadLetterCode(StrEnum):
    """Why a record was put aside: the sender must change something before a redrive can help."""

    UNDECODABLE_RECORD = "undecodable_record"
    UNKNOWN_EVENT = "unknown_event"
    NOT_DICOM = "not_dicom"
    TRUNCATED_HEADER = "truncated_header"
    BAD_VR = "bad_vr"
    MISSING_UID = "missing_uid"
    MULTIVALUED_UID = "multivalued_uid"
    UID_TOO_LONG = "uid_too_long"
    INVALID_UID = "invalid_uid"
    FRAME_OUT_OF_RANGE = "frame_out_of_range"
    NESTING_TOO_DEEP = "nesting_too_deep"
    NO_USABLE_REFERENCE = "no_usable_reference"
    SERIES_UNKNOWN = "series_unknown"
    DOCUMENT_UNAVAILABLE = "document_unavailable"
    DOCUMENT_REFUSED = "document_refused"
    TOO_LARGE = "too_large"
    TIME_BUDGET_EXCEEDED = "time_budget_exceeded"


class IgnoredReason(StrEnum):
    """Why a good record makes no reference of its own; nobody needs to act."""

    TOMBSTONE = "tombstone"
    MANIFEST = "manifest"
    REPORT_WITHOUT_OBJECT = "report_without_object"
    ERASED = "erased"
    REJECTION_NOTE = "rejection_note"
    PREVIOUSLY_REJECTED = "previously_rejected"
    UNKNOWN_INSTANCE = "unknown_instance"
    EMPTY_MANIFEST = "empty_manifest"
    UNFINISHED_REPORT = "unfinished_report"


class WarningCode(StrEnum):
    """What was wrong with a record that was published all the same."""

    TRANSFER_SYNTAX_INFERRED = "transfer_syntax_inferred"
    NONCONFORMANT_PART10 = "nonconformant_part10"
    TRUNCATED_PIXEL_DATA = "truncated_pixel_data"
    DATASET_INCOMPLETE = "dataset_incomplete"
    BAD_VR = "bad_vr"
    CHARSET_UNKNOWN = "charset_unknown"
    TEXT_UNDECODABLE = "text_undecodable"
    CODE_UNMAPPED = "code_unmapped"
    CODE_WITHOUT_SCHEME = "code_without_scheme"
    BY_REFERENCE_UNRESOLVED = "by_reference_unresolved"
    DATE_LEGACY_FORM = "date_legacy_form"
    DATE_UNUSABLE = "date_unusable"
    TIME_UNUSABLE = "time_unusable"
    TIMESTAMP_UNUSABLE = "timestamp_unusable"
    TZ_ABSENT = "tz_absent"
    TZ_UNUSABLE = "tz_unusable"
    INVALID_UID = "invalid_uid"
    UID_LEADING_ZERO = "uid_leading_zero"
    UID_PADDING_STRIPPED = "uid_padding_stripped"
    MEDIA_CLASS_MISMATCH = "media_class_mismatch"
    MULTIVALUED_TEXT = "multivalued_text"
    PRIVATE_SOP_CLASS = "private_sop_class"
    REFERENCE_MISSING = "reference_missing"
    REFERENCE_SOURCES_DISAGREE = "reference_sources_disagree"
    UNRESOLVED_FRAME_OF_REFERENCE = "unresolved_frame_of_reference"
    REGION_DROPPED = "region_dropped"
    SEGMENT_NUMBERS_NOT_CONSECUTIVE = "segment_numbers_not_consecutive"
    SERIES_LEVEL_REFERENCE_ONLY = "series_level_reference_only"
    SERIES_NUMBER_UNUSABLE = "series_number_unusable"
    SOP_CONTENT_CONFLICT = "sop_content_conflict"
    SOP_UID_CONFLICT = "sop_uid_conflict"
    SERIES_STUDY_CONFLICT = "series_study_conflict"


class ImagingReferenceError(Exception):
    """Root of everything this package raises on purpose."""


class Refused(ImagingReferenceError):
    """A record that cannot be used. `message` and `tag` name tags and rules, never values (patient data).

    Caught in one place, `pipeline.topology`, which turns it into a dead letter.
    """

    def __init__(self, code: DeadLetterCode, message: str, tag: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.tag = tag


class Delayed(ImagingReferenceError):
    """A record that cannot be read now: another service is asked, and does not answer. Nothing is lost, and
    nothing overtakes it: the batch is rolled back and read again, with pauses, until it does.

    Caught in one place, `stream.loop`; of a command it is the end.
    """


class OperatorError(ImagingReferenceError):
    """What the person at the keyboard can mend. The text is one line: what, where, what to do."""

    exit_code = 1


class SettingsError(OperatorError):
    """An unknown key, a wrong type or an impossible value; names the key."""

    exit_code = 2


class UsageError(OperatorError):
    """A command that cannot be carried out as written."""

    exit_code = 2


class NotFound(OperatorError):
    """Nothing has the id that was asked for."""

    exit_code = 3


class Unavailable(OperatorError):
    """A broker, a topic or a folder that is not there or not as it must be."""

    exit_code = 1


class Forbidden(Unavailable):
    """The broker does not let this user in, or do what is needed; the text names the right."""
