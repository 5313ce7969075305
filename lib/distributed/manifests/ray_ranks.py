"""Tunebook on a Ray cluster, one rank per GPU. Run it from the checkout, which must have the same path on every node.

    python3 lib/distributed/manifests/ray_ranks.py 4 --dataset amazon_polarity --streaming --batch-size 256
"""

import json, os, socket, subprocess, sys
import ray

gpus = float(os.environ.get("GPUS_PER_RANK", "1"))


@ray.remote(num_gpus=gpus)
class Rank:
    def address(self):
        with socket.socket() as probe:
            probe.bind(("", 0))
            return f"{ray.util.get_node_ip_address()}:{probe.getsockname()[1]}"

    def run(self, folder, worker, index, argv):
        config = json.dumps({"cluster": {"worker": worker}, "task": {"type": "worker", "index": index}})
        environment = {**os.environ, "TF_CONFIG": config}
        return subprocess.run(["node_modules/.bin/tunebook", "finetune", *argv], cwd=folder, env=environment).returncode


ranks = [Rank.remote() for _ in range(int(sys.argv[1]))]
worker = ray.get([rank.address.remote() for rank in ranks])
codes = [rank.run.remote(os.getcwd(), worker, index, sys.argv[2:]) for index, rank in enumerate(ranks)]
sys.exit(max(ray.get(codes)))
