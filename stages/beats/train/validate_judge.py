"""Validates the judge of beats by leaving each record out.

    python stages/beats/train/validate_judge.py [WORK]

For each record of mitdb the judge is trained on the others, then the very code
that watches patients finds the beats of the record's first lead with it: clean,
and with electrode motion at 12 dB (first channel, which training has not seen).
Prints found, missed and invented beats from 5:00 and from 0:00.
"""

import os
import sys
import tempfile

import lightgbm as lgb
import numpy as np

from common import features, inside, match, mix, noise, records, reference, signal
from train import JUDGE, ROUNDS, VARIANTS, WINDOW, candidates, fit, judged

MOTION = (12,)  # dB
LEARNING = 300.0  # s, EC57


def tests(record, models=""):
    """Jobs of a record: clean, and with electrode motion."""
    x, rate = signal(record)
    ref, cls, _ = reference(record)
    yield dict(key=f"{record}_clean", signal=x, rate=rate, models=models)
    for db in MOTION:
        yield dict(key=f"{record}_motion{db}", signal=mix(x, rate, ref, cls, noise("em", 0), db), rate=rate, models=models)


def count(beats, record, begin, rate=360.0):
    """Found, missed, invented."""
    ref, _, spans = reference(record)
    ref = ref[~inside(ref, spans)]
    at = beats[~inside(beats, spans)]
    pair = match(at, ref, WINDOW)
    found = np.zeros(len(ref), bool)
    found[pair[pair >= 0]] = True
    begin *= rate
    return np.array([found[ref >= begin].sum(), (~found[ref >= begin]).sum(), (pair[at >= begin] < 0).sum()])


def se_ppv(c):
    return f"{100 * c[0] / (c[0] + c[1]):7.3f} / {100 * c[0] / (c[0] + c[2]):7.3f}"


def leave_one_out(outs, names, work, parameters=JUDGE, rounds=ROUNDS):
    """Trains a judge for each record and gives the folder it is in."""
    data = {r: candidates(outs, names, [r]) for r in records()}
    for r in records():
        folder = os.path.join(work, "without", r)
        os.makedirs(folder, exist_ok=True)
        rest = [np.concatenate(c) for c in zip(*(d for k, d in data.items() if k != r))]
        fit(parameters, rest, names["judge"][2:], rounds, os.path.join(folder, "judge.trees"))
    return {r: os.path.join(work, "without", r) for r in records()}


def score(folders, work, log=print):
    """folders: of each record's judge; None: rules alone."""
    todo = [t for r in records() for t in tests(r, folders[r] if folders else "")]
    out, _ = features(todo, work)
    rows = {k: {r: count(out[f"{r}_{k}"]["class"][:, 0], r, begin) for r in records()}
            for k, begin in (("clean", LEARNING), ("motion12", LEARNING))}
    rows["clean0"] = {r: count(out[f"{r}_clean"]["class"][:, 0], r, 0) for r in records()}
    log("record     clean from 5:00       from 0:00          motion 12 dB")
    for r in records():
        log(f"{r}   " + "   ".join("%6d %4d %4d" % tuple(rows[k][r]) for k in ("clean", "clean0", "motion12")))
    for title, k, of in (("from 5:00", "clean", records()), ("from 0:00", "clean0", records()),
                         ("motion 12 dB, all", "motion12", records()), ("motion 12 dB, 118 and 119", "motion12", ["118", "119"])):
        log(f"{title:26s} {se_ppv(sum(rows[k][r] for r in of))}")
    return rows


def main():
    work = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    outs, names = judged(work)
    score(leave_one_out(outs, names, work), work)


if __name__ == "__main__":
    main()
