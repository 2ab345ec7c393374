"""Cuts scikit-learn's handwritten digits into equal training parts and one test set."""

import argparse

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--parts", type=int, required=True)
    parts = arguments.parse_args().parts

    images, labels = load_digits(return_X_y=True)
    images = images / 16.0
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.25, random_state=7, stratify=labels)
    for part in range(parts):
        numpy.savez(f"part-{part}.npz", x=train_x[part::parts], y=train_y[part::parts])
        print(f"part {part}: {len(train_y[part::parts])} digits", flush=True)
    numpy.savez("test.npz", x=test_x, y=test_y)
    print(f"test: {len(test_y)} digits", flush=True)


if __name__ == "__main__":
    main()
