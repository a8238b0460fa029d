"""Recorded cases that do not agree, each with the reason.

A case that is not named here must agree; one that is named must not agree. Areas that are `PENDING` may do either:
an entry is removed when what it names is there.
"""

from __future__ import annotations

# Areas whose operations are not all there yet.
PENDING: dict[str, str] = {}

# End of a case's name: why the server answers something else.
DEVIATIONS: dict[str, str] = {
    "::test_update_logging_configuration": "the recording replaced the log group's name by the word `log_group_name`",
    "[MAP_STATE_REFERENCE_IN_ITEM_SELECTOR]": "it needs Distributed Map, which a later release brings",
}


def reason(name: str) -> str | None:
    """Returns why the case may differ, if it may."""
    return next((why for end, why in DEVIATIONS.items() if name.endswith(end)), None)
