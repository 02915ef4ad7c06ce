"""Trains fibrillation.trees, and validates it with each record left out.

    python stages/beats/train/fibrillation.py [--validate]

Needs numpy, lightgbm and wfdb, a Go tool chain, and the recordings in
../shared/data beside the checkout or in HEARTWIRE_DATA. The features come from
the code that watches patients (fibrillation_train_test.go). All seeds are fixed.
"""

import csv
import os
import subprocess
import sys
import tempfile

import lightgbm
import numpy as np
import wfdb

HERE = os.path.dirname(os.path.abspath(__file__))
BEATS = os.path.dirname(HERE)
ROOT = os.path.dirname(os.path.dirname(BEATS))
DATA = os.environ.get("HEARTWIRE_DATA", os.path.join(ROOT, "..", "shared", "data"))
sys.path.insert(0, os.path.join(ROOT, "stages", "trees"))
import trees  # noqa: E402

VENTRICULAR = ["(VF", "(VFIB", "(VFL", "(VT"]
PLAIN, NOTHING, COARSE = 0.25, 0.1, 0.2  # as in fibrillation_judge.go and fibrillation_episode.go
MEAN, BOUND, ON, OFF, BACK = 3, 4, 0.0, -1.0, 2.5
CAP = 300  # windows of a rhythm taken from one signal: no patient outweighs the others
ROUNDS = 100
PARAMETERS = dict(
    objective="binary", num_leaves=8, learning_rate=0.1, min_data_in_leaf=50, min_sum_hessian_in_leaf=2, feature_fraction=0.4,
    bagging_fraction=0.6, bagging_freq=1, lambda_l2=5, max_bin=63, seed=1, deterministic=True, force_row_wise=True, num_threads=2, verbose=-1,
)


def names(folder):
    return sorted(f[:-4] for f in os.listdir(os.path.join(DATA, folder)) if f.endswith(".hea"))


def leads(folder, record):
    """The ECG signals of a record in mV, and their rate."""
    r = wfdb.rdrecord(os.path.join(DATA, folder, record))
    columns = [i for i, n in enumerate(r.sig_name) if folder != "cinc2015vt" or n not in ("PLETH", "ABP", "RESP")]
    return [np.nan_to_num(r.p_signal[:, i]) for i in columns], r.fs


def noisy(x, rate, noise):
    """x with a noise of 360 Hz at 12, 6 and 0 dB, minute by minute."""
    n = np.resize(noise - noise.mean(), int(len(x) * 360 / rate) + 2)
    at = np.arange(len(x)) / rate
    n = n[(at * 360).astype(int)]
    db = np.array([12, 6, 0])[(at / 60).astype(int) % 3]
    return x + n * x.std() / n.std() / 10 ** (db / 20)


def paced(x, rate):
    """x with spikes of a pacemaker as a recorder of that band shows them, which
    the ventricles do not answer: 2, 6 and 10 times the deviation, some with a tail."""
    random, y, at = np.random.default_rng(7), x.copy(), 0.0
    while at < len(x) / rate - 1:
        part = int(at / 20)
        size = x.std() * (2 + 4 * (part % 3)) * random.uniform(0.9, 1.1)
        s = np.arange(int(0.3 * rate)) / rate
        spike = size * np.maximum(1 - abs(s - 0.008) / 0.008, 0)
        spike -= (s > 0.008) * (0, 0.3, -0.3)[part // 3 % 3] * size * np.exp(-(s - 0.008) / 0.05)
        y[int(at * rate) :][: len(s)] += spike
        at += 60 / random.uniform(60, 90)
    return y


def signals():
    noise = {n: leads("nstdb", n)[0][0] for n in ("em", "ma")}
    for folder in ("vfdb", "mitdb", "cinc2015vt"):
        for record in names(folder):
            xs, rate = leads(folder, record)
            for i, x in enumerate(xs):
                yield folder, record, i, "clean", rate, x
                if folder == "cinc2015vt" or i > 0:
                    continue
                for n in noise:
                    yield folder, record, i, n, rate, noisy(x, rate, noise[n])
                if folder == "vfdb":
                    yield folder, record, i, "paced", rate, paced(x, rate)


def features(work):
    """Rows of all signals, and the names of the features."""
    rows = []
    for folder, record, lead, how, rate, x in signals():
        path = os.path.join(work, f"{folder}.{record}.{lead}.{how}@{rate}")
        x.astype("<f4").tofile(path + ".signal")
        rows.append(dict(folder=folder, record=record, lead=lead, how=how, path=path, end=len(x) / rate))
    subprocess.run(
        ["go", "test", "-tags", "train", "-count=1", "-timeout", "1h", "-run", "TestWriteFibrillationFeatures", "."],
        cwd=BEATS, env={**os.environ, "HEARTWIRE_FIBRILLATION": work, "CGO_ENABLED": "0"}, check=True,
    )
    with open(os.path.join(work, "names")) as f:
        columns = f.read().split("\n")
    alarms = {r["recordname"]: int(r["result"]) for r in csv.DictReader(open(os.path.join(DATA, "cinc2015vt", "alarms.csv")))}
    for r in rows:
        v = np.fromfile(r["path"] + ".features", "<f4").reshape(-1, len(columns) + 2)
        r["t"], r["height"], r["x"] = v[:, 0].astype(float), v[:, 1], v[:, 2:]
        r["plain"] = (r["x"][:, columns.index("flat10")] > PLAIN) | (r["height"] < NOTHING)
        if r["folder"] == "cinc2015vt":  # a true alarm's record is not annotated: it is left out
            r["spans"] = [(0, r["end"], "(FALSE")] if alarms[r["record"]] == 0 else []
        else:
            r["spans"] = spans(r)
        r["label"] = labels(r, 4)
    return rows, columns


def spans(r):
    """The rhythms of the reference: begin and end in s, name."""
    a = wfdb.rdann(os.path.join(DATA, r["folder"], r["record"]), "atr")
    list_ = [(s / a.fs, x.strip("\0")) for s, x in zip(a.sample, a.aux_note) if x.startswith("(")]
    return [(b, e, n) for (b, n), (e, _) in zip(list_, list_[1:] + [(r["end"], "")])]


def labels(r, width):
    """For the windows of a width that end at t: the rhythm in which they lie wholly, else nothing."""
    out = np.full(len(r["t"]), "", "U8")
    for begin, end, name in r["spans"]:
        out[(r["t"] - width >= begin) & (r["t"] <= end)] = name
    return out


def table(rows):
    """The windows to learn from: features, truth, weights and patients."""
    random = np.random.default_rng(7)
    x, y, w, who = [], [], [], []
    for r in rows:
        truth = np.isin(r["label"], VENTRICULAR)
        keep = (r["label"] != "") & (r["label"] != "(NOISE") & ~r["plain"]
        weight = np.full(len(truth), 1.0 if r["folder"] == "vfdb" else 0.3)
        if r["how"] != "clean":
            weight *= 0.3 if r["folder"] == "vfdb" else 0.5
        if r["how"] in ("em", "ma"):
            keep &= ~truth  # what noise has buried is not asked for
        for name in sorted(set(r["label"][keep])):
            k = np.flatnonzero(keep & (r["label"] == name))
            if len(k) > CAP:
                k = np.sort(random.choice(k, CAP, replace=False))
            x.append(r["x"][k])
            y.append(truth[k])
            w.append(weight[k])
            who += [r["folder"] + r["record"]] * len(k)
    return np.concatenate(x), np.concatenate(y), np.concatenate(w), np.array(who)


def train(x, y, w, columns):
    data = lightgbm.Dataset(x, y.astype(float), weight=w, feature_name=columns)
    return lightgbm.train(PARAMETERS, data, ROUNDS)


def episodes(r, odds):
    """As fibrillation_episode.go makes them: begins and ends in s."""
    bounded = np.clip(np.where(r["plain"], -6, odds), -BOUND, BOUND)
    list_, begin, last = [], None, 0
    for i, t in enumerate(r["t"]):
        mean = bounded[max(i - MEAN + 1, 0) : i + 1].mean()
        on = begin is not None
        if not (mean < OFF if on else mean > ON and r["height"][i] >= COARSE):
            continue
        j = i
        while j > max(i - MEAN + 1, 0) and (bounded[j - 1] > 0) != on:
            j -= 1
        at = max(r["t"][j] - BACK, last)
        if on:
            list_.append((begin, at))
            begin, last = None, at
        else:
            begin = at
    return list_ + ([(begin, r["end"])] if begin is not None else [])


def covered(list_, t, width):
    return sum((np.clip(np.minimum(e, t) - np.maximum(b, t - width), 0, None) for b, e in list_), np.zeros(len(t))) / width


def windows(r, list_):
    """Windows of 8 s in one rhythm: found, ventricular, not found, other, and those found by rhythm."""
    label, t = labels(r, 8), r["t"]
    counted = (label != "") & (label != "(NOISE") & (t >= 8)
    truth, found = np.isin(label, VENTRICULAR), covered(list_, t, 8) >= 0.5
    by = {str(n): (int((found & (label == n)).sum()), int((label == n).sum())) for n in sorted(set(label[counted]))}
    return np.array([(found & truth & counted).sum(), (truth & counted).sum(), (~found & ~truth & counted).sum(), (~truth & counted).sum()]), by


def false_minutes(r, list_):
    """Minutes of episodes away from the ventricular rhythms of the reference."""
    at = np.arange(0, r["end"], 0.1) + 0.05
    on = sum(((at >= b) & (at < e) for b, e in list_), np.zeros(len(at), bool))
    for b, e, n in r["spans"]:
        if n in VENTRICULAR:
            on &= (at < b - 4) | (at > e + 4)
    return on.sum() / 600


def validate(rows, x, y, w, who, columns):
    """Each record of vfdb left out, the others in four groups of patients."""
    total, minutes = {}, {}
    groups = [["vfdb" + n] for n in names("vfdb")]
    for folder in ("mitdb", "cinc2015vt"):
        groups += [[folder + n for n in names(folder)[i::4]] for i in range(4)]
    for group in groups:
        k = ~np.isin(who, group)
        model = train(x[k], y[k], w[k], columns)
        for r in rows:
            if r["folder"] + r["record"] not in group:
                continue
            list_ = episodes(r, model.predict(r["x"], raw_score=True))
            if r["folder"] != "vfdb":
                if r["spans"]:
                    sum_ = minutes.setdefault((r["folder"], r["lead"], r["how"]), [0, 0, {}])
                    m = false_minutes(r, list_)
                    sum_[0], sum_[1] = sum_[0] + m, sum_[1] + r["end"] / 86400
                    if m:
                        sum_[2][r["record"]] = round(m, 1)
                continue
            n, by = windows(r, list_)
            total[r["lead"], r["how"]] = total.get((r["lead"], r["how"]), 0) + n
            if r["how"] == "clean":
                print(f"{r['record']} lead {r['lead']}: Se {100 * n[0] / max(n[1], 1):.1f} Sp {100 * n[2] / n[3]:.1f} {by}")
    for (lead, how), n in sorted(total.items()):
        print(f"vfdb lead {lead} {how}: Se {100 * n[0] / n[1]:.2f} Sp {100 * n[2] / n[3]:.2f}")
    for key, (m, days, where) in sorted(minutes.items()):
        print(*key, f"false: {m / days:.1f} min a day {where}")


def main():
    with tempfile.TemporaryDirectory() as work:
        rows, columns = features(work)
    x, y, w, who = table(rows)
    print(f"{len(y)} windows, {y.sum()} ventricular, of {len(set(who))} patients")
    if "--validate" in sys.argv[1:]:
        validate(rows, x, y, w, who, columns)
    trees.write(train(x, y, w, columns), os.path.join(BEATS, "fibrillation.trees"))


if __name__ == "__main__":
    main()
