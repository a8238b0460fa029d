"""Takes its time, and shows with heartbeats that it is alive."""

import time
from dataclasses import dataclass

from stepwell import heartbeat, task


@dataclass
class Patience:
    beats: int
    pauseMilliseconds: int


@task
def slow(patience: Patience):
    for _ in range(patience.beats):
        heartbeat()
        time.sleep(patience.pauseMilliseconds / 1000)
    return {"beats": patience.beats}
