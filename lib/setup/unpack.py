"""Unpacks matching members of a wheel or source archive: unpack.py ARCHIVE FOLDER PATTERN... (shell patterns)."""

import fnmatch
import os
import shutil
import sys
import tarfile
import zipfile

archive, folder, *patterns = sys.argv[1:]


def wanted(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def write(name, source):
    target = os.path.realpath(os.path.join(folder, name))
    if not target.startswith(os.path.realpath(folder) + os.sep):
        raise SystemExit(f"{archive} contains {name}, which would be written outside {folder}")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with source, open(target, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


if zipfile.is_zipfile(archive):
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            if not member.is_dir() and wanted(member.filename):
                write(member.filename, members.open(member))
else:
    with tarfile.open(archive) as members:
        for member in members:
            if member.isfile() and wanted(member.name):
                write(member.name, members.extractfile(member))
