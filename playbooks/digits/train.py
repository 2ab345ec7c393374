"""Trains one network on one part and says how it goes."""

import argparse
import json
import time

import joblib
import numpy
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--shard", type=int, required=True)
    arguments.add_argument("--of", type=int, required=True)
    arguments.add_argument("--seconds", type=float, default=6.0)
    options = arguments.parse_args()

    data = numpy.load(f"part-{options.shard}.npz")
    network = MLPClassifier((96,), alpha=1e-3, learning_rate_init=2e-3, batch_size=32, random_state=options.shard)
    began, epoch, said = time.monotonic(), 0, 0.0
    print(f"shard {options.shard} of {options.of}: {len(data['y'])} digits", flush=True)
    while epoch < 30 or time.monotonic() - began < options.seconds:
        network.partial_fit(data["x"], data["y"], classes=numpy.arange(10))
        epoch += 1
        if time.monotonic() - said >= 1.0:
            said = time.monotonic()
            loss = log_loss(data["y"], network.predict_proba(data["x"]), labels=network.classes_)
            print(f"epoch {epoch:4d}  loss {loss:.4f}", flush=True)
    loss = log_loss(data["y"], network.predict_proba(data["x"]), labels=network.classes_)
    print(f"epoch {epoch:4d}  loss {loss:.4f}  done", flush=True)
    joblib.dump(network, f"network-{options.shard}.joblib")
    with open(f"network-{options.shard}.json", "w") as file:
        json.dump({"shard": options.shard, "digits": len(data["y"]), "epochs": epoch, "loss": float(loss)}, file)


if __name__ == "__main__":
    main()
