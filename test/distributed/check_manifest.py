"""Checks Kubernetes manifests against the models that Kubeflow and Kubernetes generate from their schemas.

Prints unknown and missing fields with their paths; nothing for a valid manifest. TFJob is of Kubeflow's first training operator;
TrainingRuntime, TrainJob and JobSet are of its Trainer.
"""

import re
import sys

import kubernetes.client.models
import yaml
from kubeflow.training import models
from kubeflow_trainer_api import models as trainer
from pydantic import ValidationError

KINDS = {"TFJob": "KubeflowOrgV1TFJob", "NetworkPolicy": "V1NetworkPolicy"}
TRAINER_KINDS = {
    "TrainingRuntime": trainer.TrainerV1alpha1TrainingRuntime,
    "TrainJob": trainer.TrainerV1alpha1TrainJob,
    "JobSet": trainer.JobsetV1alpha2JobSet,
}
PRIMITIVE = {"str": str, "int": int, "float": (int, float), "bool": bool, "object": object, "datetime": str}


def model(name):
    return getattr(models, name, None) or getattr(kubernetes.client.models, name)


def check(value, kind, place):
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{place} must be a list"]
        return [fault for i, each in enumerate(value) for fault in check(each, match[1], f"{place}[{i}]")]
    if match := re.fullmatch(r"dict\((\w+), (.+)\)", kind):
        return [fault for key, each in value.items() for fault in check(each, match[2], f"{place}.{key}")]
    if kind in PRIMITIVE:
        return [] if isinstance(value, PRIMITIVE[kind]) else [f"{place} must be {kind}"]
    known = model(kind)
    names = {written: name for name, written in known.attribute_map.items()}
    faults = [f"{place}.{key} is unknown" for key in value if key not in names]
    for key, each in value.items():
        if key in names:
            faults += check(each, known.openapi_types[names[key]], f"{place}.{key}")
    try:
        known(**{names[key]: each for key, each in value.items() if key in names})
    except ValueError as error:
        faults.append(f"{place}: {error}")
    return faults


def unknown(value, known, place):
    """Lists the keys of a manifest that its model has dropped."""
    if isinstance(value, dict) and isinstance(known, dict):
        return [
            fault
            for key, each in value.items()
            for fault in (unknown(each, known[key], f"{place}.{key}") if key in known else [f"{place}.{key} is unknown"])
        ]
    if isinstance(value, list) and isinstance(known, list):
        return [fault for i, (a, b) in enumerate(zip(value, known)) for fault in unknown(a, b, f"{place}[{i}]")]
    return []


def check_trainer(document, kind):
    try:
        return unknown(document, TRAINER_KINDS[kind].from_dict(document).to_dict(), kind)
    except ValidationError as error:
        return [f"{kind}.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]


for document in yaml.safe_load_all(sys.stdin.read()):
    kind = document["kind"]
    faults = check_trainer(document, kind) if kind in TRAINER_KINDS else check(document, KINDS[kind], kind)
    print(*faults, sep="\n", end="")
