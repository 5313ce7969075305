"""A typical scoring API in Python: FastAPI with a transformers pipeline, which processes each request separately."""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

classifier = pipeline("text-classification", model=sys.argv[1], truncation=True)
app = FastAPI()


class Body(BaseModel):
    sentence: str


@app.get("/health")
def health():
    return {"ready": True}


@app.post("/predict")
def predict(body: Body):
    return classifier(body.sentence)[0]


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
