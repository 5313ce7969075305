"""Checks Kubernetes manifests against the models that Kubeflow and Kubernetes generate from their schemas.

Prints unknown and missing fields with their paths; nothing for a valid manifest.
"""

import re
import sys

import kubernetes.client.models
import yaml
from kubeflow.training import models

KINDS = {"TFJob": "KubeflowOrgV1TFJob", "NetworkPolicy": "V1NetworkPolicy"}
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


for document in yaml.safe_load_all(sys.stdin.read()):
    print(*check(document, KINDS[document["kind"]], document["kind"]), sep="\n", end="")
