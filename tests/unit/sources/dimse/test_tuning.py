from __future__ import annotations

import pytest
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE

from processors.sources.dimse.tuning import c_store_rsp


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xC211])
@pytest.mark.parametrize("instance", ["2.999.1.2.1", "2.999.1.2.10"])
def test_the_answer_is_the_library_s_own(status: int, instance: str) -> None:
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = 513
    answer.AffectedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    answer.AffectedSOPInstanceUID = instance
    answer.Status = status
    message = C_STORE_RSP()
    message.primitive_to_message(answer)
    (fragment,) = message.encode_msg(1, 16_384)
    assert fragment.presentation_data_value_list == [(1, b"\x03" + c_store_rsp(answer))]
