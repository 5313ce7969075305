"""PyTorch's side of the benchmark, as Hugging Face's Trainer does it: a turn of steps for each line on standard input."""

import sys
import time

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

batch, tokens, steps = map(int, sys.argv[1:])
model = DistilBertForSequenceClassification(DistilBertConfig()).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.01)
ids = torch.randint(1, 30000, (batch, tokens))
mask = torch.ones_like(ids)
labels = torch.arange(batch) % 2


def step():
    model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


for _ in range(3):  # not measured, as on the other side
    step()
for _ in sys.stdin:
    start = time.perf_counter()
    for _ in range(steps):
        step()
    print(f"{batch * steps / (time.perf_counter() - start):.3f}", flush=True)
