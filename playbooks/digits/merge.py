"""Joins the networks to one model by averaging what they believe, and judges it on digits that none of them has seen."""

import glob
import json

import joblib
import matplotlib
import numpy
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score

matplotlib.use("Agg")


def main() -> None:
    networks = [joblib.load(path) for path in sorted(glob.glob("network-*.joblib"))]
    test = numpy.load("test.npz")
    beliefs = [network.predict_proba(test["x"]) for network in networks]
    alone = [float(accuracy_score(test["y"], belief.argmax(axis=1))) for belief in beliefs]
    answer = numpy.mean(beliefs, axis=0).argmax(axis=1)
    accuracy = float(accuracy_score(test["y"], answer))

    joblib.dump(networks, "model.joblib")
    with open("metrics.json", "w") as file:
        json.dump({"accuracy": accuracy, "alone": alone, "networks": len(networks), "tested": len(test["y"])}, file)
    plot = ConfusionMatrixDisplay.from_predictions(test["y"], answer, cmap="Blues", colorbar=False)
    plot.ax_.set_title(f"{len(networks)} networks, accuracy {accuracy:.3f}")
    plot.figure_.savefig("confusion.png", dpi=120, bbox_inches="tight")
    for index, value in enumerate(alone):
        print(f"network {index} alone: {value:.3f}")
    print(f"accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
