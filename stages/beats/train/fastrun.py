"""Trains fastrun.weights, and validates them in folds of records.

    python stages/beats/train/fastrun.py

Needs numpy and wfdb, a Go tool chain, and the recordings in ../shared/data beside
the checkout or in HEARTWIRE_DATA. The features come from the code that
watches patients (fastrun_train_test.go). To be run again when the classes change.

A true alarm of the PhysioNet Challenge 2015 tells that there was a tachycardia in
the 16 s before it, not where: the runs that look most so by the present weights
are taken, and the weights found anew (multiple instance learning).
"""

import csv
import os
import subprocess
import sys
import tempfile

import numpy as np
import wfdb

HERE = os.path.dirname(os.path.abspath(__file__))
BEATS = os.path.dirname(HERE)
ROOT = os.path.dirname(os.path.dirname(BEATS))
DATA = os.path.abspath(os.environ.get("HEARTWIRE_DATA", os.path.join(ROOT, "..", "shared", "data")))

FROM, TO = 284, 300  # s in which an alarm of cinc2015vt has its onset
FAST = 600  # ms: the interval at 100 /min
TURNS, RIDGE, FOLDS, SEEDS = 4, 3.0, 12, 5
TRUE, TRUE_RUNS, FALSE_RUNS = 1.5, 2, 6  # weight of a true alarm, a false one's is 1; runs taken of each
OTHER, OTHER_RUNS = 0.5, 20  # weight of the tachycardias of a record of mitdb or vfdb, that of what is none there is 1
LIKELY = 0.6  # as in stages/rhythm/run.go


def beats_of(record):
    """Runs of three and more ventricular beats: begin and end in s."""
    a = wfdb.rdann(os.path.join(DATA, "mitdb", record), "atr")
    spans, now = [], []
    for s, symbol in zip(a.sample, a.symbol):
        if symbol in ("V", "E", "!") or symbol == "F" and now:
            now.append(s / a.fs)
        elif symbol in "NLRBAaJSrFejnQ/f?":
            if len(now) >= 3:
                spans.append((now[0], now[-1]))
            now = []
    return spans


def rhythms_of(record):
    a = wfdb.rdann(os.path.join(DATA, "vfdb", record), "atr")
    at = [(s / a.fs, x.strip("\0")) for s, x in zip(a.sample, a.aux_note) if x.startswith("(")]
    return [(b, e, n) for (b, n), (e, _) in zip(at, at[1:] + [(1e9, "")])]


def truth(folder, record, onset, last, alarms):
    """1: tachycardia, 0: none, nan: not known; of a true alarm 1 where it may be one."""
    out = np.full(len(onset), np.nan)
    if folder == "cinc2015vt":
        out[(onset >= FROM) & (onset <= TO)] = alarms[record]
    elif folder == "mitdb":
        out[:] = 0
        for b, e in beats_of(record):
            out[(onset < e) & (last > b)] = np.nan
            out[(onset >= b - 0.2) & (last <= e + 0.2)] = 1
    else:
        for b, e, name in rhythms_of(record):
            if name in ("(VT", "(VFL"):
                out[(onset >= b) & (last <= e)] = 1
            elif name not in ("(VF", "(VFIB", "(NOISE", "(ASYS", "(HGEA", "(NOD"):
                out[(onset >= b) & (last <= e)] = 0
    return out


class Runs:
    """All runs that are fast enough; record is FOLDER.NAME."""

    def __init__(self, work):
        with open(os.path.join(work, "names")) as f:
            self.names = f.read().split("\n")
        with open(os.path.join(DATA, "cinc2015vt", "alarms.csv")) as f:
            alarms = {r["recordname"]: int(r["result"]) for r in csv.DictReader(f)}
        self.alarms = {"cinc2015vt." + n: t for n, t in alarms.items()}
        x, y, who, how = [], [], [], []
        for name in sorted(os.listdir(work)):
            if name == "names":
                continue
            folder, record, leads = name.split(".")
            rows = np.fromfile(os.path.join(work, name), "<f4").reshape(-1, 3 + len(self.names))
            rows = rows[(rows[:, 1] - rows[:, 0]) * 1000 / 4 < FAST]
            x.append(rows)
            y.append(truth(folder, record, rows[:, 0], rows[:, 1], alarms))
            who += [folder + "." + record] * len(rows)
            how += [leads] * len(rows)
        rows = np.concatenate(x).astype(float)
        self.onset, self.x, self.y, self.who, self.how = rows[:, 0], rows[:, 3:], np.concatenate(y), np.array(who), np.array(how)
        self.of = {w: np.flatnonzero(self.who == w) for w in sorted(set(who) | set(self.alarms))}

    def taken(self, odds, records):
        """The runs to learn from, their truth and weights, by the present odds."""
        index, y, weight = [], [], []

        def take(k, value, total):
            index.extend(k)
            y.extend([value] * len(k))
            weight.extend([total / max(len(k), 1)] * len(k))

        for w in records:
            k = self.of[w]
            yes, no = k[self.y[k] == 1], k[self.y[k] == 0]
            no = no[np.argsort(-odds[no], kind="stable")]
            if w in self.alarms:
                take(yes[np.argsort(-odds[yes], kind="stable")][:TRUE_RUNS], 1, TRUE)
                take(no[:FALSE_RUNS], 0, 1)
                continue
            take(yes[np.linspace(0, len(yes) - 1, min(len(yes), OTHER_RUNS)).astype(int)] if len(yes) else yes, 1, OTHER)
            take(no[:OTHER_RUNS], 0, 1)
        return np.array(index), np.array(y), np.array(weight)

    def learn(self, records):
        """Weights, the constant last."""
        odds = self.x[:, self.names.index("mean")]
        for _ in range(TURNS):
            k, y, weight = self.taken(odds, records)
            w = logistic(self.x[k], y, weight)
            odds = self.x @ w[:-1] + w[-1]
        return w

    def highest(self, odds, record):
        """Of the alarm: the highest odds of a run with its onset in time."""
        k = self.of[record]
        k = k[(self.onset[k] >= FROM) & (self.onset[k] <= TO)]
        return odds[k].max() if len(k) else -99.0


def logistic(x, y, weight):
    """Weights and constant by Newton's method; RIDGE on the weights of standardised features."""
    mean, deviation = x.mean(0), x.std(0) + 1e-9
    z = np.column_stack([(x - mean) / deviation, np.ones(len(x))])
    ridge = np.full(z.shape[1], RIDGE)
    ridge[-1] = 0
    w = np.zeros(z.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-z @ w))
        slope = z.T @ (weight * (p - y)) + ridge * w
        w -= np.linalg.solve((z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(ridge), slope)
    return np.append(w[:-1] / deviation, w[-1] - (w[:-1] * mean / deviation).sum())


def score(highest, alarms, least):
    tp = sum(highest[n] >= least for n in highest if alarms[n])
    fp = sum(highest[n] >= least for n in highest if not alarms[n])
    yes = sum(alarms[n] for n in highest)
    fn, tn = yes - tp, len(highest) - yes - fp
    return 100 * (tp + tn) / (tp + tn + fp + 5 * fn), tp, fn, fp, tn


def spells(runs, odds, least):
    """Runs apart by 10 s or more that are said, of the records with all annotations: by folder, leads and truth."""
    out = {}
    for w, k in runs.of.items():
        if w in runs.alarms:
            continue
        for how in ("all", "first"):
            for value in (1, 0):
                at = np.sort(runs.onset[k[(odds[k] >= least) & (runs.y[k] == value) & (runs.how[k] == how)]])
                key = w.split(".")[0], how, "tachycardia" if value else "none"
                out[key] = out.get(key, 0) + (len(at) > 0) + int((np.diff(at) > 10).sum())
    return out


def validate(runs):
    least = np.log(LIKELY / (1 - LIKELY))
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        groups = []
        for group in ([n for n in runs.alarms if runs.alarms[n]], [n for n in runs.alarms if not runs.alarms[n]], [n for n in runs.of if n not in runs.alarms]):
            group = sorted(group)
            random.shuffle(group)
            groups.append(group)
        odds = np.full(len(runs.y), -99.0)
        for i in range(FOLDS):
            out = [n for g in groups for n in g[i::FOLDS]]
            w = runs.learn([n for n in runs.of if n not in out])
            for n in out:
                odds[runs.of[n]] = runs.x[runs.of[n]] @ w[:-1] + w[-1]
        highest = {n: runs.highest(odds, n) for n in runs.alarms}
        print("folds, seed %d: score %.1f, TP %d FN %d FP %d TN %d" % (seed, *score(highest, runs.alarms, least)), spells(runs, odds, least))
        wrong = sorted((n.split(".")[1], round(float(highest[n]), 1)) for n in highest if (highest[n] >= least) != runs.alarms[n])
        print("  wrong:", *wrong)


def main():
    if len(sys.argv) > 1:
        runs = Runs(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as work:
            subprocess.run(
                ["go", "test", "-tags", "train", "-count=1", "-timeout", "1h", "-run", "TestWriteRuns", "."],
                cwd=BEATS, env={**os.environ, "HEARTWIRE_RUNS": work, "HEARTWIRE_DATA": DATA, "CGO_ENABLED": "0"}, check=True,
            )
            runs = Runs(work)
    validate(runs)
    w = runs.learn(list(runs.of))
    odds = runs.x @ w[:-1] + w[-1]
    least = np.log(LIKELY / (1 - LIKELY))
    highest = {n: runs.highest(odds, n) for n in runs.alarms}
    print("in sample: score %.1f, TP %d FN %d FP %d TN %d" % score(highest, runs.alarms, least), spells(runs, odds, least))
    print("  wrong:", *sorted((n.split(".")[1], round(float(highest[n]), 1)) for n in highest if (highest[n] >= least) != runs.alarms[n]))
    with open(os.path.join(BEATS, "fastrun.weights"), "w") as f:
        for name, v in zip(runs.names + ["constant"], w):
            f.write(f"{name} {v:.4f}\n")


if __name__ == "__main__":
    main()
