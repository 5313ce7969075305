"""Executes a notebook headlessly and prints its progress as JSON lines on standard output.

    execute.py NOTEBOOK EXECUTED REPORT

tslab does not report unhandled promise rejections, so the cell counts as successful. Here, rejections.ts makes the
kernel write them to a file, and they fail the notebook, also up to 300 ms after the last cell.

SIGINT is forwarded to the kernel, like the stop button of a notebook: training stops after its step and the notebook
continues; any other cell fails. SIGTERM ends the process at once. The executed notebook is written in every case.
"""

import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

# jsonschema would compile the grammar of international web addresses, which takes a second and no notebook needs.
sys.modules["rfc3987_syntax"] = None

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

source, executed, report = map(Path, sys.argv[1:])


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def errors_of(cell):
    """Returns what the cell wrote to standard error, where TensorFlow's notices go as well."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")


def line_of(cell, text):
    """Returns the line of the error in the cell: TypeScript's line, else the first line that the stack trace quotes."""
    diagnostic = re.search(r"^(\d+):\d+ - ", text, re.M)
    if diagnostic:
        return int(diagnostic.group(1))
    lines = [line.strip() for line in cell.source.split("\n")]
    for quoted in text.split("\n"):
        if len(quoted.strip()) > 3 and quoted.strip() in lines:
            return lines.index(quoted.strip()) + 1
    return None


def fail(number, cell, text):
    message = re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
    emit("error", cell=number, line=line_of(cell, message), message=message[-2000:], source=cell.source)
    raise SystemExit(1)


def check_rejections(number, cell, when):
    text = rejections.read_text(encoding="utf-8")
    if text:
        fail(number, cell, f"Unhandled promise rejection {when}:\n{text}")


def start_kernel():
    """Starts the kernel, at most twice: tslab may not respond if other kernels start at the same moment."""
    for last_attempt in (False, True):
        try:
            client.create_kernel_manager()
            client.start_new_kernel()
            client.start_new_kernel_client()
            return
        except RuntimeError:
            if last_attempt:
                raise
            client.km = client.kc = None


def forward_interrupt(*_):
    if client.km and client.km.provisioner.pid:
        os.kill(client.km.provisioner.pid, signal.SIGINT)


rejections = Path(tempfile.mkdtemp(prefix="tunebook-")) / "rejections"
rejections.touch()
os.environ["TUNEBOOK_REJECTIONS"] = str(rejections)
preload = Path(__file__).parent.parent / "dist/notebook/rejections.js"
os.environ["NODE_OPTIONS"] = f"{os.environ.get('NODE_OPTIONS', '')} --import {preload.as_uri()}".strip()

notebook = nbformat.read(source, as_version=4)
code = [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
client = NotebookClient(notebook, kernel_name="tslab", timeout=None, resources={"metadata": {"path": str(source.parent.resolve())}})
signal.signal(signal.SIGINT, forward_interrupt)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
try:
    start_kernel()
    with client.setup_kernel():
        # tslab replies before its sockets are bound and fails; the client retries. These rejections belong to no cell.
        rejections.write_text("", encoding="utf-8")
        for number, (index, cell) in enumerate(code, 1):
            emit("cell", cell=number, cells=len(code), first=cell.source.strip().split("\n")[0])
            try:
                client.execute_cell(cell, index, execution_count=number)
            except CellExecutionError as error:
                fail(number, cell, errors_of(cell) or str(error))
            except DeadKernelError:
                fail(number, cell, "The kernel died in this cell: it ran out of memory, or native code crashed.")
            # tslab sends no execution count.
            cell.execution_count = number
            check_rejections(number, cell, "during this cell")
        settle = nbformat.v4.new_code_cell("await new Promise((resolve) => setTimeout(resolve, 300));")
        notebook.cells.append(settle)
        try:
            client.execute_cell(settle, len(notebook.cells) - 1, execution_count=len(code) + 1)
        finally:
            notebook.cells.pop()
        check_rejections(len(code), code[-1][1], "after the last cell")
finally:
    rejections.unlink()
    rejections.parent.rmdir()
    for cell in notebook.cells:
        # Execution times differ in every run and would only add noise to diffs.
        cell.metadata.pop("execution", None)
    executed.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, executed)

# Only here, so that the first cell starts sooner.
from nbconvert import HTMLExporter

exporter = HTMLExporter(mathjax_url="", require_js_url="")
body, _ = exporter.from_notebook_node(notebook)
report.write_text(body, encoding="utf-8")
emit("done")
