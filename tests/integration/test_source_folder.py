"""`source folder` on a real broker: what is there and what comes, once each, over restarts and kills."""

from __future__ import annotations

from processors.settings.neighbours import Folder
from tests.builders.images import ct, encoded
from tests.builders.key_objects import golden_g3
from tests.integration.site import Program, Site, until
from tests.integration.source_program import PATIENT, says_nothing_of_a_patient, sent, source, started

QUICK = Folder(source="SCANNER", settle_s=0.2)


def _source(site: Site) -> Program:
    return source(site, "folder", str(site.folder / "in"), folder=QUICK)


def test_existing_and_new_files_once_each_over_restarts(site: Site) -> None:
    folder = site.folder / "in"
    (folder / PATIENT).mkdir(parents=True)
    for number in range(1, 6):
        (folder / PATIENT / f"{number}.dcm").write_bytes(encoded(ct(number)))
    with _source(site) as running:
        until(lambda: len(sent(site)) == 5, "the existing", running)
        (folder / "new").mkdir()
        (folder / "new/6.dcm").write_bytes(encoded(ct(6)))
        (folder / "report.dcm").write_bytes(golden_g3())
        until(lambda: len(sent(site)) == 6 and len(sent(site, "reports")) == 1, "the new", running)
        assert running.stop() == 0
        assert says_nothing_of_a_patient(running)
    (folder / "7.dcm").write_bytes(encoded(ct(7)))
    with _source(site) as running:
        until(lambda: len(sent(site)) == 7, "what came in between", running)
        running.kill()
    (folder / "8.dcm").write_bytes(encoded(ct(8)))
    with _source(site) as running:
        started(running)
        until(
            lambda: len({event["event_id"] for event in sent(site)}) == 8, "what came after the kill", running
        )
        assert running.stop() == 0
    assert len(sent(site)) in (8, 9)  # the kill may have come between the broker's answer and the mark
    assert {event["source"] for event in sent(site)} == {"SCANNER"}
    assert len(sent(site, "reports")) == 1
