"""Loads a saved model with transformers; prints the logits of FOLDER/rows.json and the warnings of loading as JSON.

    saved-model.py FOLDER
"""

import contextlib
import io
import json
import logging as python_logging
import pathlib
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

folder = pathlib.Path(sys.argv[1])
warnings = io.StringIO()
logging.set_verbosity_info()
logging.disable_progress_bar()
handler = python_logging.StreamHandler(warnings)
handler.setLevel("WARNING")
logging.add_handler(handler)
with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    AutoTokenizer.from_pretrained(folder)
logits = []
with torch.no_grad():
    for ids in json.loads((folder / "rows.json").read_text()):
        logits += model(input_ids=torch.tensor([ids])).logits[0].tolist()
print(json.dumps({"logits": logits, "warnings": warnings.getvalue().strip()}))
