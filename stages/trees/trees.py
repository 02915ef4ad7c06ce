"""Writes a LightGBM ensemble as package trees reads it.

A threshold is rounded down to the nearest 32-bit number: features are 32-bit
numbers, so each goes the same way as it did in training.
"""

import struct

import numpy as np


def _below(threshold):
    t = np.float32(threshold)
    return float(np.nextafter(t, np.float32(-np.inf))) if float(t) > threshold else float(t)


def write(booster, path):
    """Writes a lightgbm.Booster of objective binary or multiclass to path."""
    model = booster.dump_model()
    names = model["feature_names"]
    classes = model["num_tree_per_iteration"]
    roots, nodes, leaves = [], [], []

    def place(tree):
        if "leaf_value" in tree:
            leaves.append(tree["leaf_value"])
            return ~(len(leaves) - 1)
        assert tree["decision_type"] == "<=", tree["decision_type"]
        at = len(nodes)
        nodes.append(None)
        left, right = place(tree["left_child"]), place(tree["right_child"])
        nodes[at] = (_below(tree["threshold"]), tree["split_feature"], left, right)
        return at

    for tree in model["tree_info"]:
        roots.append(place(tree["tree_structure"]))
    with open(path, "wb") as f:
        f.write(b"hwt1" + struct.pack("<HH", classes, len(names)))
        for name in names:
            f.write(struct.pack("<B", len(name)) + name.encode())
        f.write(struct.pack("<III", len(roots), len(nodes), len(leaves)))
        f.write(struct.pack(f"<{len(roots)}i", *roots))
        for n in nodes:
            f.write(struct.pack("<fHii", *n))
        f.write(struct.pack(f"<{len(leaves)}f", *leaves))
