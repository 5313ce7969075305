"""PyTorch's side of the benchmark: a turn of training steps for each line on standard input, samples/s on standard output.

    pytorch.py WORK BATCH STEPS fused|default float32|bfloat16

WORK is a JSON file of rows, { "ids": [[...], ...], "labels": [...] }. `fused` is the AdamW that Hugging Face's Trainer
takes since PyTorch 2.8 (TrainingArguments.optim), `default` the one that torch.optim.AdamW is when nothing is said.
bfloat16 is autocast, as Trainer's bf16=True.
"""

import json
import sys
import time

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

work = json.load(open(sys.argv[1]))
batch, steps = map(int, sys.argv[2:4])
rows = torch.tensor(work["ids"])
row_labels = torch.tensor(work["labels"])
model = DistilBertForSequenceClassification(DistilBertConfig()).train()
# Trainer's two groups.
decayed = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "norm" in n.lower())]
kept = [p for n, p in model.named_parameters() if n.endswith("bias") or "norm" in n.lower()]
groups = [{"params": decayed, "weight_decay": 0.01}, {"params": kept, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=5e-5, fused=True if sys.argv[4] == "fused" else None)
passes = 0


def step():
    global passes
    chosen = [(passes * batch + i) % len(rows) for i in range(batch)]
    passes += 1
    ids = rows[chosen]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=sys.argv[5] == "bfloat16"):
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=row_labels[chosen]).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


for _ in range(3):  # not measured, as on the other side
    step()
print("ready", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    print(f"{batch * steps / (time.perf_counter() - start):.3f}", flush=True)
