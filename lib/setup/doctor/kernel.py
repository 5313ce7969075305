"""Starts the tslab kernel through Jupyter and evaluates 1 + 1. Prints JSON, one object per line: the kernel
specification, then the response of the kernel.

    python kernel.py SECONDS
"""

import json
import os
import sys
import time

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import KernelManager

deadline = time.monotonic() + float(sys.argv[1])


def left():
    return max(1, deadline - time.monotonic())


manager = KernelManager(kernel_name="tslab")
try:
    specification = manager.kernel_spec
except NoSuchKernel:
    print(json.dumps({"argv": None}))
    sys.exit()
print(json.dumps({"argv": specification.argv, "folder": specification.resource_dir}), flush=True)
if not all(os.path.exists(part) for part in specification.argv[:2]):
    sys.exit()

manager.start_kernel(stdout=sys.stderr)
try:
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=left())
    said = []
    reply = client.execute_interactive("1 + 1", timeout=left(), output_hook=said.append)
    text = "".join(str(each["content"].get("text", "")) for each in said)
    print(json.dumps({"status": reply["content"]["status"], "answer": text.strip()}))
    client.stop_channels()
finally:
    manager.shutdown_kernel(now=True)
