import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
from rivals.engine.memory import keep_freed

keep_freed()
for number in range(22):
    if number == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parts = [torch.ones(2**20) for _ in range(12)]  # 4 MiB each, and 12,288 pages together
    del parts
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_freed_memory_is_not_asked_for_anew():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 3_000  # 12,256 otherwise
