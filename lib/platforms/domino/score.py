"""Domino's endpoints call a Python function. This one scores with Tunebook, which it starts once, on this machine only.

Choose this file and the function predict_sentiment, which has the signature of the original project. TUNEBOOK_RUN names the run or
its model; without it, the newest run is served.
"""

import atexit
import json
import os
import re
import subprocess
import urllib.request

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")


def _start():
    """Starts `tunebook serve` on a free port of loopback. Returns the process and its address."""
    run = os.environ.get("TUNEBOOK_RUN")
    command = [os.path.join(ROOT, "node_modules/.bin/tunebook"), "serve", *([run] if run else []), "--port", "0"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    atexit.register(server.terminate)
    for line in server.stdout:
        if match := re.search(r"http://[\w.]+:\d+", line):
            return server, match[0]
    raise RuntimeError(f"tunebook serve ended with {server.wait()}; its message is in the log above.")


_server, _address = _start()


def predict_sentiment(sentences=None, sentence=None):
    """Scores a text or a list of texts. Returns {label, score} for a text, and a list of them for a list.

    An error of the service, such as too many texts, is raised, so that Domino's asynchronous endpoint reports `failed`.
    """
    texts = sentence if sentences is None else sentences
    request = urllib.request.Request(
        f"{_address}/model",
        data=json.dumps({"data": {"sentence": texts}}).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)["result"]
    except urllib.error.HTTPError as error:
        raise ValueError(json.load(error).get("error", str(error))) from None
