"""PyTorch's side of the benchmark. Each line on standard input is a number of steps; the process runs them and prints a
Turn (work.ts) as JSON.

    pytorch.py train|infer ROWS BATCH float32|bfloat16|bfloat16-weights|float16 eager|compiled cpu|cuda

ROWS is a JSON file, { "ids": [[...], ...], "labels": [...] }. Batches keep the order of the rows and are padded to their
longest row, as Hugging Face's Trainer does with DataCollatorWithPadding. The optimizer is the fused AdamW, Trainer's default
since PyTorch 2.8 (TrainingArguments.optim). bfloat16 and float16 use autocast, as Trainer's bf16=True and fp16=True;
bfloat16-weights converts the whole model, for inference.
"""

import json
import resource
import sys
import time

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

mode, rows_file, size, precision, engine, device = sys.argv[1:]
training, size = mode == "train", int(size)
work = json.load(open(rows_file))
torch.set_float32_matmul_precision("high")  # enables TF32 on GPUs, as TensorFlow does; no effect on CPUs
config = DistilBertConfig()
model = DistilBertForSequenceClassification(config).to(device).train(training)
if precision == "bfloat16-weights":
    model = model.to(torch.bfloat16)
forward = torch.compile(model) if engine == "compiled" else model
autocast = torch.autocast(
    device,
    dtype=torch.float16 if precision == "float16" else torch.bfloat16,
    enabled=precision in ("bfloat16", "float16"),
)
scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
# The two parameter groups of Trainer.
decayed = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "norm" in n.lower())]
not_decayed = [p for n, p in model.named_parameters() if n.endswith("bias") or "norm" in n.lower()]
groups = [{"params": decayed, "weight_decay": 0.01}, {"params": not_decayed, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=5e-5, fused=True) if training else None


def batch_of(start):
    rows = [torch.tensor(ids) for ids in work["ids"][start : start + size]]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return ids, mask, torch.tensor(work["labels"][start : start + size])


batches = [batch_of(start) for start in range(0, len(work["ids"]) - size + 1, size)]


def step(ids, mask, labels):
    ids, mask, labels = ids.to(device), mask.to(device), labels.to(device)
    if not training:
        with torch.inference_mode(), autocast:
            return forward(input_ids=ids, attention_mask=mask).logits.float().cpu()
    with autocast:
        loss = forward(input_ids=ids, attention_mask=mask, labels=labels).loss
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    return loss.item()


def operations(ids):
    batch, tokens = ids.shape
    dim, hidden = config.dim, config.hidden_dim
    layer = 2 * batch * tokens * (4 * dim**2 + 2 * dim * hidden + 2 * tokens * dim)
    return (3 if training else 1) * config.n_layers * layer


for _ in range(3):  # warm-up, as on Tunebook's side
    step(*batches[0])
print("ready", flush=True)
next_batch = 0
for line in sys.stdin:
    turn = {"samples": 0, "tokens": 0, "operations": 0}
    start = time.perf_counter()
    for _ in range(int(line)):
        batch = batches[next_batch % len(batches)]
        next_batch += 1
        step(*batch)
        turn["samples"] += len(batch[0])
        turn["tokens"] += int(batch[1].sum())
        turn["operations"] += operations(batch[0])
    turn["seconds"] = time.perf_counter() - start
    turn["peakBytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(turn), flush=True)
