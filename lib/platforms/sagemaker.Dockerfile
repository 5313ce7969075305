# Image for Amazon SageMaker, whose folders below /opt/ml belong to root.
#   docker build -f environment.Dockerfile -t tunebook:gpu --build-arg TENSORFLOW=gpu .
#   docker build -f lib/platforms/sagemaker.Dockerfile -t tunebook:sagemaker --build-arg BASE=tunebook:gpu .
ARG BASE=tunebook
FROM ${BASE}

# hadolint ignore=DL3002
USER 0
# TensorFlow is in the cache of the image's user. `train` and `serve` are what SageMaker starts.
ENV XDG_CACHE_HOME=/home/tunebook/.cache \
    PATH=/home/tunebook/tunebook/lib/platforms/bin:${PATH}

EXPOSE 8080
CMD ["train"]
