"""Trains PyPI's setfit on the splits of bench:few-labels, with its defaults, and appends a line for each finished run.

    python few-labels.py MODEL SPLITS RESULTS

MODEL    folder of the encoder; its embeddings are the normalized means of the tokens, as those of all-MiniLM-L6-v2
SPLITS   the JSON file that few-labels.ts writes
RESULTS  a JSON-lines file; runs that it contains are skipped
"""

import json
import pathlib
import sys
import time

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, models
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score

model_folder, splits_file, results_file = sys.argv[1:]
splits = json.loads(pathlib.Path(splits_file).read_text())
torch.set_num_threads(splits["threads"])
results = pathlib.Path(results_file)
key = lambda run: (run["reviews"], run["labels"], run["seed"])
finished = {key(json.loads(line)) for line in results.read_text().splitlines()} if results.exists() else set()
for run in splits["runs"]:
    if key(run) in finished:
        continue
    reviews = splits["reviews"][run["reviews"]]
    texts = lambda rows: [reviews["texts"][row] for row in rows]
    labels = lambda rows: [reviews["labels"][row] for row in rows]
    encoder = models.Transformer(model_folder, max_seq_length=splits["maxLength"])
    pooling = models.Pooling(encoder.get_word_embedding_dimension(), pooling_mode="mean")
    body = SentenceTransformer(modules=[encoder, pooling, models.Normalize()], device="cpu")
    model = SetFitModel(model_body=body, model_head=LogisticRegression())
    # The splits limit the number of steps where one epoch would take hours.
    arguments = TrainingArguments(
        seed=run["seed"], max_steps=run["maxSteps"], save_strategy="no", report_to="none", show_progress_bar=False,
        output_dir=str(results.parent / "setfit"),
    )
    started = time.time()
    train = Dataset.from_dict({"text": texts(run["train"]), "label": labels(run["train"])})
    trainer = Trainer(model=model, args=arguments, train_dataset=train)
    trainer.train()
    seconds = time.time() - started
    predicted, true = model.predict(texts(reviews["test"])).tolist(), labels(reviews["test"])
    line = {
        **{name: run[name] for name in ("reviews", "labels", "seed")},
        "method": "setfit of PyPI",
        "accuracy": accuracy_score(true, predicted),
        "meanRecall": balanced_accuracy_score(true, predicted),
        "seconds": round(seconds, 1),
        "steps": trainer.st_trainer.state.global_step,
    }
    with results.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)
