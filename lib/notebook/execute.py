"""Runs a notebook headlessly, cell by cell, and says on standard output what happens, one JSON object a line.

    execute.py NOTEBOOK EXECUTED REPORT

tslab does not report a promise that nobody awaited and that failed: the cell counts as good. Here the kernel writes such
failures down (rejections.ts), and they fail the notebook, also a moment after the last cell.

SIGINT is passed on to the kernel, as the notebook's stop button does: training ends itself after its step and the
notebook goes on, any other cell fails. SIGTERM ends the run at once. What was executed is written in every case.
"""

import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter

source, executed, report = map(Path, sys.argv[1:])


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def errors_of(cell):
    """What the cell wrote as errors. TensorFlow's notices go there too, but they are no part of what a cell shows."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")


def line_of(cell, text):
    """The line of the cell that the error names: TypeScript's own line, else the first whose code the stack quotes."""
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
    say("error", cell=number, line=line_of(cell, message), message=message[-2000:], source=cell.source)
    raise SystemExit(1)


def check_rejections(number, cell, when):
    text = rejections.read_text(encoding="utf-8")
    if text:
        fail(number, cell, f"A promise that nobody awaited failed {when}:\n{text}")


def start_kernel():
    """tslab may never answer at all when other kernels start at the same moment; a second one does."""
    for last in (False, True):
        try:
            client.create_kernel_manager()
            client.start_new_kernel()
            client.start_new_kernel_client()
            return
        except RuntimeError:
            if last:
                raise
            client.km = client.kc = None


def pass_on(*_):
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
signal.signal(signal.SIGINT, pass_on)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
try:
    start_kernel()
    with client.setup_kernel():
        # tslab answers before its sockets are bound and fails at it; the client asks again, and no cell is to blame.
        rejections.write_text("", encoding="utf-8")
        for number, (index, cell) in enumerate(code, 1):
            say("cell", cell=number, cells=len(code), first=cell.source.strip().split("\n")[0])
            try:
                client.execute_cell(cell, index, execution_count=number)
            except CellExecutionError as error:
                fail(number, cell, errors_of(cell) or str(error))
            except DeadKernelError:
                fail(number, cell, "The kernel died in this cell (out of memory, or a crash in native code).")
            # tslab sends no count of its own.
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
        # Times of execution differ at each run and tell nobody anything.
        cell.metadata.pop("execution", None)
    executed.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, executed)

exporter = HTMLExporter(mathjax_url="", require_js_url="")
body, _ = exporter.from_notebook_node(notebook)
report.write_text(body, encoding="utf-8")
say("done")
