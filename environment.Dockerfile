# Container image of Tunebook, for CPUs or NVIDIA GPUs. Starts JupyterLab by default; all commands are available.
#
#   docker build -f environment.Dockerfile -t tunebook .                                    # CPU
#   docker build -f environment.Dockerfile -t tunebook:gpu --build-arg TENSORFLOW=gpu .     # NVIDIA GPUs, T4 to Hopper
#   docker run --rm -p 127.0.0.1:8888:8888 tunebook                                         # add --gpus all for the GPUs
#
# Set-up installs the npm, Python and TensorFlow packages at the versions and hashes of the project's lock files, so no
# version is repeated here. The CUDA libraries are included: to use a GPU, the host needs only the driver and NVIDIA's
# container toolkit. podman and buildah can build this file too.

# To pin the base image too: --build-arg BASE=docker.io/library/debian@sha256:…
ARG BASE=docker.io/library/debian:trixie-slim
FROM ${BASE}

# Versions are not pinned, because Debian removes a version when it publishes a fix, which would break the build.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates g++ nodejs npm python3 python3-venv tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 tunebook \
 && install --directory --owner=tunebook --group=tunebook /home/tunebook/tunebook

USER 1000
WORKDIR /home/tunebook/tunebook

# cpu or gpu. The GPU build uses the CPU if there is no GPU.
ARG TENSORFLOW=cpu
ENV TUNEBOOK_TENSORFLOW=${TENSORFLOW} \
    # GPUs and driver features that NVIDIA's container toolkit provides.
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    # Adds `tunebook`, so that it receives signals directly instead of through npx, and the pinned npm that set-up
    # downloads, because Debian's npm cannot read a project with overrides.
    PATH=/home/tunebook/tunebook/node_modules/.bin:/home/tunebook/tunebook/.tunebook/npm/bin:${PATH} \
    PIP_NO_CACHE_DIR=1

# Ordered by how often the files change: a change to the project's code rebuilds only the last layer.
COPY --chown=tunebook:tunebook package.json package-lock.json .npmrc ./
COPY --chown=tunebook:tunebook data/sources.json data/
COPY --chown=tunebook:tunebook lib/package.json lib/
# npm links a command only if its file exists.
COPY --chown=tunebook:tunebook lib/cli/tunebook.mjs lib/cli/
COPY --chown=tunebook:tunebook lib/tensorflow/tfjs-node lib/tensorflow/tfjs-node
COPY --chown=tunebook:tunebook lib/setup lib/setup
# One layer per step: a change to one lock file does not rebuild the layers before it.
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
# tini forwards signals and reaps orphaned processes.
ENTRYPOINT ["tini", "--"]
# Listens on all interfaces, so that the published port works. JupyterLab prints the address with its token.
CMD ["tunebook", "lab", "--ServerApp.ip=0.0.0.0", "--no-browser"]
