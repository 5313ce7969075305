"""Tunebook on a Ray cluster, one rank a GPU: python lib/launch/manifests/ray.py 4 --dataset amazon_polarity --streaming"""

import json, os, socket, subprocess, sys
import ray

gpus = float(os.environ.get("GPUS_PER_RANK", "1"))


@ray.remote(num_gpus=gpus)
class Rank:
    def address(self):
        with socket.socket() as probe:
            probe.bind(("", 0))
            return f"{ray.util.get_node_ip_address()}:{probe.getsockname()[1]}"

    def run(self, worker, index, argv):
        config = json.dumps({"cluster": {"worker": worker}, "task": {"type": "worker", "index": index}})
        return subprocess.run(["npx", "tunebook", "finetune", *argv], env={**os.environ, "TF_CONFIG": config}).returncode


ranks = [Rank.remote() for _ in range(int(sys.argv[1]))]
worker = ray.get([rank.address.remote() for rank in ranks])
sys.exit(max(ray.get([rank.run.remote(worker, index, sys.argv[2:]) for index, rank in enumerate(ranks)])))
