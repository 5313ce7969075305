"""Prints the problems of .venv as JSON: modules that cannot be imported, packages without the locked version.

    python venv.py REQUIREMENTS
"""

import importlib
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

requirements = sys.argv[1]
faults = []

# Modules that Tunebook's commands use.
for module in ("jupyterlab", "jupyter_client", "nbclient", "nbconvert"):
    try:
        importlib.import_module(module)
    except Exception as error:
        faults.append(f"{module} cannot be imported ({error})")

try:
    from pip._vendor.packaging.requirements import Requirement
except ImportError as error:
    faults.append(f"pip cannot be imported ({error})")
    locked = []
else:
    with open(requirements) as file:
        lines = [line.split("\\")[0] for line in file if line[0].isalnum()]
    locked = [each for each in map(Requirement, lines) if each.marker is None or each.marker.evaluate()]

for each in locked:
    try:
        found = version(each.name)
    except PackageNotFoundError:
        faults.append(f"{each.name} is missing")
    else:
        if not each.specifier.contains(found, prereleases=True):
            faults.append(f"{each.name} is {found}, not {str(each.specifier).lstrip('=')}")

print(json.dumps({"python": platform.python_version(), "packages": len(locked), "faults": faults}))
