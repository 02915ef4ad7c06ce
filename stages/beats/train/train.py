"""Trains the ensembles judge.trees, v.trees and s.trees of stages/beats.

    python stages/beats/train/train.py [--validate]

With --validate nothing is written: the classes are learned again and again with one patient
left out, candidates being judged by judge.trees as it is, and the counts are printed.
Needs requirements.txt, Go, and the recordings (HEARTWIRE_DATA or ../shared/data
beside the checkout). Twice gives the same bytes.
"""

import itertools
import os
import sys
import tempfile

import lightgbm as lgb
import numpy as np

import classes
from common import HERE, features, inside, match, mix, noise, records, reference, signal

sys.path.insert(0, os.path.join(HERE, "..", "..", "trees"))
import trees  # noqa: E402

# What a record is trained in: lead, noise, its channel, dB, its begin in s; weight for the judge.
# Of electrode motion only the second channel: the first is what is tested.
VARIANTS = {"0": (0, None, 0, 0, 0, 1.0), "1": (1, None, 0, 0, 0, 0.5), "em12": (0, "em", 1, 12, 60, 0.3),
            "em6": (0, "em", 1, 6, 180, 0.3), "em12b": (1, "em", 1, 12, 100, 0.2), "ma8": (0, "ma", 0, 8, 60, 0.3)}
PARAMETERS = dict(objective="binary", feature_fraction=0.5, bagging_fraction=0.7, bagging_freq=1, lambda_l2=20, max_bin=63,
                  verbose=-1, num_threads=1, seed=7, deterministic=True, force_row_wise=True)
JUDGE = dict(PARAMETERS, num_leaves=10, min_data_in_leaf=100, learning_rate=0.1)
ROUNDS = 60  # trees of the judge
KEEP = 0.04  # of the plain candidates: there are far too many
WINDOW = 54  # samples at 360 Hz


def jobs():
    for r in records():
        ref, cls, _ = reference(r)
        for key, (lead, kind, column, db, begin, _) in VARIANTS.items():
            x, rate = signal(r, lead)
            if kind:
                x = mix(x, rate, ref, cls, noise(kind, column), db, shift=(int(r) * 7919 + begin * 3571) % 600000, begin=begin)
            yield dict(key=f"{r}_{key}", signal=x, rate=rate)


def judged(work):
    """Candidates as they are met when a judge is at work: the first one learns from what the rules alone would do."""
    out, names = features(list(jobs()), work)
    first = os.path.join(work, "first")
    os.makedirs(first, exist_ok=True)
    fit(JUDGE, candidates([out], names), names["judge"][2:], ROUNDS, os.path.join(first, "judge.trees"))
    again = [dict(key=f"{r}_{key}", rate=360.0, models=first) for r in records() for key in VARIANTS]
    more, names = features(again, work)
    return [out, more], names


def candidates(outs, names, of=None):
    """Features, whether it is a beat, weight, of the records named, in each of several runs."""
    rng = np.random.default_rng(1)
    name = names["judge"][2:]
    xs, ys, ws = [], [], []
    for r in of or records():
        ref, _, spans = reference(r)
        for (key, v), out in itertools.product(VARIANTS.items(), outs):
            j = out[f"{r}_{key}"]["judge"]
            x, y = j[:, 2:], match(j[:, 0], ref, WINDOW) >= 0
            rule = x[:, name.index("rule")] > 0
            plain = (rule & y & (x[:, name.index("cor_best")] > 0.95)) | (~rule & ~y & (x[:, name.index("level_threshold")] < 0.3))
            share = np.where(plain, KEEP, 1.0 if v[1] is None and v[0] == 0 else 0.3)
            take = ~inside(j[:, 0], spans) & (j[:, 1] > 0) & (rng.random(len(y)) < share)
            xs.append(x[take]), ys.append(y[take]), ws.append(v[5] / share[take] / len(outs))
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(ws)


def fit(parameters, data, names, rounds, path):
    x, y, w = data
    trees.write(lgb.train(parameters, lgb.Dataset(x, y, weight=w, feature_name=names), rounds), path)


def judge(work, to):
    outs, names = judged(work)
    fit(JUDGE, candidates(outs, names), names["judge"][2:], ROUNDS, os.path.join(to, "judge.trees"))


def main():
    to = os.path.dirname(HERE)
    validate = "--validate" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        if not validate:
            judge(work, to)
        all_, name = classes.beats(work, to)
    if validate:
        classes.validate(all_, name)
        return
    of = classes.samples(all_, name)
    for label in classes.CLASSES:
        trees.write(classes.fit(label, all_, of, name), os.path.join(to, label.lower() + ".trees"))


if __name__ == "__main__":
    main()
