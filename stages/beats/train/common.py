"""Recordings, noise, features by the production code, and labels."""

import json
import os
import subprocess

import numpy as np
import wfdb

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
DATA = os.environ.get("HEARTWIRE_DATA", os.path.join(ROOT, "..", "shared", "data"))

# AAMI EC57: the classes of the codes of the MIT-BIH databases.
CLASS = {c: k for k, codes in {"N": "NLRBejn", "S": "AaJS", "V": "VEr", "F": "F", "Q": "/fQ"}.items() for c in codes}
WINDOW = 0.15  # s within which annotations match


def records(folder="mitdb"):
    return sorted(f[:-4] for f in os.listdir(os.path.join(DATA, folder)) if f.endswith(".hea"))


def signal(record, lead=0, folder="mitdb"):
    r = wfdb.rdrecord(os.path.join(DATA, folder, record))
    return r.p_signal[:, lead].astype(np.float32), float(r.fs)


def reference(record, folder="mitdb"):
    """Samples and classes of the beats, and spans of fibrillation."""
    a = wfdb.rdann(os.path.join(DATA, folder, record), "atr")
    at, cls, spans, begin = [], [], [], None
    for n, code in zip(a.sample, a.symbol):
        if code == "[":
            begin = n
        elif code == "]":
            spans.append((begin, n))
        elif code in CLASS:
            at.append(n)
            cls.append(CLASS[code])
    return np.array(at), np.array(cls), spans


def noise(kind, column):
    return wfdb.rdrecord(os.path.join(DATA, "nstdb", kind)).p_signal[:, column].astype(np.float32)


def _trimmed(v):
    v = np.sort(v)
    cut = len(v) // 20
    return v[cut:len(v) - cut].mean()


def mix(x, rate, ref, cls, n, db, shift=0, begin=300.0):
    """Adds noise at a signal-to-noise ratio as nst does: two minutes on, two off."""
    w = int(rate * 0.05)
    heights = [np.ptp(x[a - w:a + w + 1]) for a, c in zip(ref, cls) if c == "N" and a >= w and a + w < len(x)][:300]
    power = _trimmed(np.array(heights)) ** 2 / 8
    m = len(n) // int(rate)
    rms = _trimmed(np.array([n[i * int(rate):(i + 1) * int(rate)].std() for i in range(min(m, 300))]))
    t = np.arange(len(x)) / rate - begin
    on = (t >= 0) & ((t // 120).astype(int) % 2 == 0)
    k = np.roll(n, shift)
    k = np.resize(k, len(x))
    return (x + on * k * np.sqrt(power) / rms / 10 ** (db / 20)).astype(np.float32)


_binary = None


def features(jobs, work):
    """Runs the production code over signals: jobs are dicts of key, signal, rate, models.
    Returns {key: {"judge": array, "class": array}} and the names of the columns."""
    global _binary
    os.makedirs(work, exist_ok=True)
    if _binary is None:
        _binary = os.path.join(work, "train.test")
        subprocess.run(["go", "test", "-tags", "train", "-c", "-o", _binary, "."], cwd=os.path.dirname(HERE), check=True, env={**os.environ, "CGO_ENABLED": "0"})
    todo = []
    for j in jobs:
        path = os.path.join(work, j["key"])
        if j.get("signal") is not None:
            j["signal"].astype("<f4").tofile(path + ".f32")
        todo.append({"signal": path + ".f32", "rate": j["rate"], "models": j.get("models", ""), "out": path})
    path = os.path.join(work, "jobs.json")
    with open(path, "w") as f:
        json.dump(todo, f)
    subprocess.run([_binary, "-test.run", "TestTrain", "-test.timeout", "0"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "HEARTWIRE_TRAIN": path})
    with open(path + ".names") as f:
        names = json.load(f)
    out = {}
    for j in jobs:
        base = os.path.join(work, j["key"])
        out[j["key"]] = {k: np.fromfile(base + "." + k, "<f4").reshape(-1, len(names[k])) for k in names}
    return out, names


def match(found, ref, window):
    """Pairs each reference with the nearest found one, each once: index into ref for each found, -1 none."""
    pair = np.full(len(found), -1)
    best = {}
    for i, f in enumerate(found):
        k = np.searchsorted(ref, f)
        for c in (k - 1, k):
            if 0 <= c < len(ref) and abs(ref[c] - f) <= window:
                d = abs(ref[c] - f)
                if c not in best or d < best[c][0]:
                    best[c] = (d, i)
    for c, (_, i) in best.items():
        if pair[i] < 0 or abs(ref[pair[i]] - found[i]) > abs(ref[c] - found[i]):
            pair[i] = c
    return pair


def inside(samples, spans):
    out = np.zeros(len(samples), bool)
    for a, b in spans:
        out |= (samples >= a) & (samples <= b)
    return out
