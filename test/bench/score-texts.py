"""The practical limit of scoring in Python: onnxruntime, called directly with batches of texts of similar length, tokenized
by Hugging Face's tokenizers. Scores all texts for each line on standard input, and prints the seconds.

    score-texts.py MODEL ONNX TEXTS BATCH

MODEL is a folder, ONNX one of its files, and TEXTS a JSON list.
"""

import json
import sys
import time

import numpy
import onnxruntime
from tokenizers import Tokenizer

model, onnx_file, texts_file, size = sys.argv[1:]
size = int(size)
texts = json.load(open(texts_file))
tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
tokenizer.enable_truncation(512)
session = onnxruntime.InferenceSession(f"{model}/{onnx_file}", providers=["CPUExecutionProvider"])


def score():
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(texts)), key=lambda index: -len(encoded[index]))
    logits = [None] * len(texts)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        longest = len(encoded[rows[0]])
        ids = numpy.zeros((len(rows), longest), dtype=numpy.int64)
        mask = numpy.zeros((len(rows), longest), dtype=numpy.int64)
        for row, index in enumerate(rows):
            ids[row, : len(encoded[index])] = encoded[index]
            mask[row, : len(encoded[index])] = 1
        for index, row in zip(rows, session.run(None, {"input_ids": ids, "attention_mask": mask})[0]):
            logits[index] = row
    return logits


score()
print("ready", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    score()
    print(time.perf_counter() - start, flush=True)
