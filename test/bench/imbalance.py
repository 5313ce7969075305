"""Predicts test texts with scikit-learn's TF-IDF bag of words and logistic regression, without and with balanced class weights.

Reads {"train": {"texts", "labels"}, "test": {"texts"}} from standard input; prints {"none": [labels], "balanced": [labels]}.
"""

import json
import sys

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

rows = json.load(sys.stdin)
bag = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
train, test = bag.fit_transform(rows["train"]["texts"]), bag.transform(rows["test"]["texts"])
print(json.dumps({
    name: LogisticRegression(C=4, class_weight=weight, max_iter=1000).fit(train, rows["train"]["labels"]).predict(test).tolist()
    for name, weight in (("none", None), ("balanced", "balanced"))
}))
