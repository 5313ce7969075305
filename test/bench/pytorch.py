"""PyTorch's side of the benchmark. Each line on standard input is a number of steps; the process runs them and prints a
Turn (work.ts) as JSON.

    pytorch.py train|infer ROWS BATCH float32|bfloat16|bfloat16-weights|float16 eager|grouped|compiled MODEL cpu|cuda

ROWS is a RowsFile (work.ts), MODEL the content of config.json. Without listed batches, batches keep the order of the rows;
`grouped` forms batches of similar length within random groups of 50 batches, as Trainer's group_by_length
(train_sampling_strategy="group_by_length" in newer releases). Batches are padded to their longest row, as Trainer does with
DataCollatorWithPadding. The optimizer is the fused AdamW, Trainer's default since PyTorch 2.8 (TrainingArguments.optim).
bfloat16 and float16 use autocast, as Trainer's bf16=True and fp16=True; bfloat16-weights converts the whole model, for
inference.
"""

import json
import resource
import sys
import time

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.trainer_pt_utils import get_length_grouped_indices

mode, rows_file, size, precision, engine, model, device = sys.argv[1:]
training, size = mode == "train", int(size)
work = json.load(open(rows_file))
torch.set_float32_matmul_precision("high")  # enables TF32 on GPUs, as TensorFlow does; no effect on CPUs
config = AutoConfig.for_model(**json.loads(model))
model = AutoModelForSequenceClassification.from_config(config).to(device).train(training)
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


def row_batches():
    """Returns the row numbers of each batch."""
    if "batches" in work:
        return work["batches"]
    order = list(range(len(work["ids"])))
    if engine == "grouped":
        # Trainer uses smaller groups for data sets of less than 200 batches; these rows stand for a larger one.
        order = get_length_grouped_indices([len(ids) for ids in work["ids"]], size, 50, torch.Generator().manual_seed(42))
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def batch_of(indices):
    rows = [torch.tensor(work["ids"][i]) for i in indices]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return ids, mask, torch.tensor([work["labels"][i] for i in indices])


batches = [batch_of(indices) for indices in row_batches()]


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
    dim, hidden = config.hidden_size, getattr(config, "hidden_dim", None) or config.intermediate_size
    layer = 2 * batch * tokens * (4 * dim**2 + 2 * dim * hidden + 2 * tokens * dim)
    return (3 if training else 1) * config.num_hidden_layers * layer


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
