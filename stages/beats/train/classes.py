"""The classes of beats: what their ensembles learn from, and how well they do with each record left out."""

import lightgbm as lgb
import numpy as np

import ectopy
from common import features, inside, match, records, reference, signal

RATE, WINDOW, LEARNING = 360.0, 54, 300 * 360  # Hz; samples
PARAMETERS = dict(objective="binary", num_leaves=8, learning_rate=0.08, feature_fraction=0.5, bagging_fraction=0.7, bagging_freq=1,
                  lambda_l2=20, max_bin=63, verbose=-1, num_threads=1, seed=7, deterministic=True, force_row_wise=True)
# For each class the weight of what it is learned from (the leads of a record, rhythms made of its beats with
# supraventricular ectopy, with ventricular ectopy of one patient and of another), and which way the odds go with a feature where physiology says so.
CLASSES = {
    "V": (dict(PARAMETERS, min_data_in_leaf=60), {"0": 1.0, "1": 0.5, "s": 0.3, "v": 0.7, "w": 0.7},
          dict(res_dom=1, cor_dom=-1, width=1, p_cor=-1, rr_75=-1, share=-1, is_dom=-1)),
    "S": (dict(PARAMETERS, min_data_in_leaf=150), {"0": 1.0, "1": 0.5, "s": 0.8, "v": 0.2, "w": 0.2}, {}),
}
ROUNDS = 100
KEEP = 0.15  # of the plain normal beats: there are far too many
DONOR = 20   # ectopic complexes that a record must have to lend them
HEAD = 5     # columns before the features
ODDS_V, ODDS_S = 0.0, -0.75  # as oddsV and oddsS in class.go
POOLED, SHRINK, SLOWEST = 0.5, 4, 1 / 16  # as in model.go and template.go
LEAD_FOR, LEAD_AGAINST, LEAD_S, LEAD_MIDDLE = 0.4, 0.1, 0.3, -2  # as in class.go, and these
EVEN_RR, EVEN_SHARE, STEADY_RR, STEADY_BEATS = 0.1, 0.5, 0.05, 8


class Beats:
    """The beats that were found in a signal: features and class each, and the reference."""

    def __init__(self, rows, ref, cls, spans, patients):
        self.at, self.template, self.seen, self.x = rows[:, 0], rows[:, 1].astype(int), rows[:, 2], rows[:, HEAD:]
        self.ref, self.of, self.patients = ref, cls, patients
        self.pair = match(self.at, ref, WINDOW)
        self.cls = np.where(self.pair >= 0, cls[np.clip(self.pair, 0, None)], "O")
        self.hidden, self.ref_hidden = inside(self.at, spans), inside(ref, spans)

    def sample(self, name, random):
        """What is learned from: features, classes, weight for those that stand for others, beats in all."""
        take = ~self.hidden & np.isin(self.cls, ["N", "S", "V"])
        all_ = take.sum()
        plain = (self.cls == "N") & (self.x[:, name.index("cor_dom")] > 0.97) & (abs(self.x[:, name.index("rr_75")] - 1) < 0.1)
        take &= ~plain | (random.random(len(plain)) < KEEP)
        return self.x[take], self.cls[take], np.where(plain[take], 1 / KEEP, 1.0), all_

    def pooled(self, odds):
        """As models.classes draws them towards the mean of the template."""
        means, last, out = {}, {}, odds.copy()
        for i, (t, n) in enumerate(zip(self.template, self.seen)):
            if t < 0:
                continue
            old = means.get(t, 0.0) if n >= last.get(t, 0) else 0.0
            means[t], last[t] = old + max(1 / n, SLOWEST) * (odds[i] - old), n
            out[i] += POOLED * n / (n + SHRINK) * (means[t] - odds[i])
        return out

    def evened(self, odds, name):
        """As classify draws those of S towards the last beat's where the RR is the same."""
        change, out = abs(self.x[:, name.index("rr_last")] - 1), odds.copy()
        steady = (change < STEADY_RR) & (self.x[:, name.index("away")] < STEADY_BEATS)
        for i in range(1, len(out)):
            if change[i] < EVEN_RR:
                out[i] += EVEN_SHARE * (out[i - 1] - out[i])
                if out[i - 1] < ODDS_S and steady[i]:
                    out[i] = min(out[i], out[i - 1])
        return out

    def counts(self, said, label):
        """True positives, false negatives, false positives after EC57, from 5:00."""
        hit = np.zeros(len(self.ref), bool)
        hit[self.pair[said & (self.pair >= 0)]] = True
        due = (self.of == label) & ~self.ref_hidden & (self.ref >= LEARNING)
        against = {"V": ["N", "S", "O"], "S": ["N", "V", "F", "O"]}[label]
        false = said & ~self.hidden & (self.at >= LEARNING) & np.isin(self.cls, against)
        return np.array([(hit & due).sum(), (~hit & due).sum(), false.sum()])


def beats(work, models):
    """Runs the production code over the records and over rhythms made of their beats: {(kind, record): Beats}, names of the features."""
    jobs, made, cut = [], {}, {}
    for r in records():
        ref, cls, spans = reference(r)
        for lead in (0, 1):
            x, rate = signal(r, lead)
            jobs.append(dict(key=f"{r}_{lead}", signal=x, rate=rate, models=models))
            made[str(lead), r] = ref, cls, spans, (r,)
        x, rate = signal(r)
        cut[r] = ectopy.Beats(x, rate, ref, cls), ectopy.Beats(x, rate, ref, cls, "V")
    for i, r in enumerate(cut):
        donors = [d for d in cut if d != r and len(cut[d][1].list) >= DONOR]
        for kind, donor, seed in (("s", r, int(r)), ("v", donors[(5 * i + 3) % len(donors)], int(r) + 1000),
                                  ("w", donors[(5 * i + 8) % len(donors)], int(r) + 2000)):
            x, ref, cls = ectopy.rhythms(cut[r][0], seed, cut[donor][1] if donor != r else None)
            jobs.append(dict(key=f"{r}_{kind}", signal=x, rate=RATE, models=models))
            made[kind, r] = ref, cls, [], (r, donor)
    out, names = features(jobs, work)
    return {(k, r): Beats(out[f"{r}_{k}"]["class"], *m) for (k, r), m in made.items()}, names["class"][HEAD:]


def samples(all_, name):
    random = np.random.default_rng(3)
    return {key: b.sample(name, random) for key, b in all_.items()}


def fit(label, all_, of, name, without=None):
    """The ensemble of a class, learned without a patient: each signal's weight grows with the root of its beats."""
    parameters, kinds, ways = CLASSES[label]
    xs, ys, ws = [], [], []
    for (kind, r), (x, cls, stands, n) in of.items():
        if kind not in kinds or without in all_[kind, r].patients:
            continue
        y = cls == label
        w = kinds[kind] * stands * (2000 / n) ** 0.5
        if y.any():
            w[y] *= min(max((300 / y.sum()) ** 0.5, 0.6), 2.5)
        xs.append(x), ys.append(y), ws.append(w)
    data = lgb.Dataset(np.concatenate(xs), np.concatenate(ys), weight=np.concatenate(ws), feature_name=name)
    return lgb.train(dict(parameters, monotone_constraints=[ways.get(f, 0) for f in name]), data, ROUNDS)


def fused(a, b, v, o):
    """As odds.with in class.go: of the first lead's beats, with the odds of the second where it has the beat too."""
    pair = match(b.at, a.at, WINDOW)
    v_, s_ = v["0"].copy(), o["0"].copy()
    at, other = pair[pair >= 0], v["1"][pair >= 0]
    v_[at] += LEAD_FOR * np.maximum(other, 0) + LEAD_AGAINST * np.minimum(other, 0)
    s_[at] += LEAD_S * (o["1"][pair >= 0] - LEAD_MIDDLE)
    return v_, s_


def validate(all_, name):
    """Prints the counts of V and S with each record left out, of each lead and of both."""
    of, total = samples(all_, name), {}
    print("each record left out, from 5:00: found/missed/invented, V and S, lead 0 · lead 1 · both leads")
    for r in records():
        models = {label: fit(label, all_, of, name, r) for label in CLASSES}
        a, b = all_["0", r], all_["1", r]
        raw = {label: {k: m.predict(all_[k, r].x, raw_score=True) for k in "01"} for label, m in models.items()}
        v = {k: all_[k, r].pooled(o) for k, o in raw["V"].items()}
        s = {k: all_[k, r].evened(o, name) for k, o in raw["S"].items()}
        row = []
        for which, d, (ov, os_) in (("0", a, (v["0"], s["0"])), ("1", b, (v["1"], s["1"])), ("both", a, fused(a, b, v, s))):
            for label, said in (("V", ov >= ODDS_V), ("S", (ov < ODDS_V) & (os_ >= ODDS_S))):
                n = d.counts(said, label)
                total[which, label] = total.get((which, label), 0) + n
                row.append("/".join(map(str, n)))
        print(r, " · ".join(f"V {row[i]} S {row[i + 1]}" for i in (0, 2, 4)), flush=True)
    for (which, label), (tp, fn, fp) in total.items():
        print(f"{label} lead {which}: {100 * tp / (tp + fn):.1f} / {100 * tp / max(tp + fp, 1):.1f}")
