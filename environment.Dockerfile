# Tunebook on any machine that runs containers, with a GPU or without: JupyterLab by default, and every command.
#
#   docker build -f environment.Dockerfile -t tunebook .                                    # processors
#   docker build -f environment.Dockerfile -t tunebook:gpu --build-arg TENSORFLOW=gpu .     # NVIDIA GPUs, T4 to Hopper
#   docker run --rm -p 127.0.0.1:8888:8888 tunebook                                         # add --gpus all for the GPUs
#
# The versions of npm's, Python's and TensorFlow's packages, with their hashes, stand in the project's own lock files, and its
# own set-up installs them here as everywhere: there is no second list. The CUDA libraries come with them, so that a GPU asks
# for the host's driver and NVIDIA's container toolkit alone. podman and buildah take this file too.

# To hold the base still as well: --build-arg BASE=docker.io/library/debian@sha256:…
ARG BASE=docker.io/library/debian:trixie-slim
FROM ${BASE}

# Debian replaces its packages' versions with mended ones and keeps no old ones: pinning them here would break the build.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates g++ nodejs npm python3 python3-venv tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 tunebook \
 && install --directory --owner=tunebook --group=tunebook /home/tunebook/tunebook

USER 1000
WORKDIR /home/tunebook/tunebook

# cpu or gpu. The GPU's build computes on the processor where no GPU is.
ARG TENSORFLOW=cpu
ENV TUNEBOOK_TENSORFLOW=${TENSORFLOW} \
    # What NVIDIA's container toolkit hands in when it is asked for GPUs.
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    # The command `tunebook` itself, which receives signals without npx between; and the npm that set-up fetches, pinned, because
    # Debian's cannot read a project that overrides dependencies.
    PATH=/home/tunebook/tunebook/node_modules/.bin:/home/tunebook/tunebook/.tunebook/npm/bin:${PATH} \
    PIP_NO_CACHE_DIR=1

# From what changes seldom to what changes often: an edit of the project's code builds the last layer alone anew.
COPY --chown=tunebook:tunebook package.json package-lock.json .npmrc ./
COPY --chown=tunebook:tunebook data/sources.json data/
COPY --chown=tunebook:tunebook lib/package.json lib/
# npm links a command that is there, and no other.
COPY --chown=tunebook:tunebook lib/cli/tunebook.mjs lib/cli/
COPY --chown=tunebook:tunebook lib/tensorflow/tfjs-node lib/tensorflow/tfjs-node
COPY --chown=tunebook:tunebook lib/setup lib/setup
# One layer a step: a change of one lock file leaves the others' layers as they are.
# hadolint global ignore=DL3059
RUN node lib/setup/main.mjs --through packages \
 && npm cache clean --force
RUN node lib/setup/main.mjs --through kernel
RUN node lib/setup/main.mjs --through tensorflow
COPY --chown=tunebook:tunebook lib/tensorflow/native lib/tensorflow/native
RUN node lib/setup/main.mjs --through addon
COPY --chown=tunebook:tunebook . .
RUN node lib/setup/main.mjs

EXPOSE 8888
# Signals reach the commands, and what they leave behind is collected.
ENTRYPOINT ["tini", "--"]
# Other machines reach it by the port that is published; JupyterLab prints the address with its token.
CMD ["tunebook", "lab", "--ServerApp.ip=0.0.0.0", "--no-browser"]
