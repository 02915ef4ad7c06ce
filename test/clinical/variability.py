"""Heart-rate variability of five minutes by other means than Heartwire's: the figures of variability_test.go.

    python variability.py ../../../shared/data/mitdb 101 112 115

Needs numpy, scipy and wfdb. From the reference beats, as the Task Force of ESC and NASPE defines it (Eur. Heart J.
1996;17:354): intervals between normal beats; the spectrum is scipy's Welch of a natural cubic spline, and
beside it, as the method that needs no resampling, scipy's Lomb-Scargle periodogram of the intervals themselves.
"""

import sys

import numpy as np
import wfdb
from scipy import interpolate, signal

NORMAL = "NLRejBn"
BEATS = NORMAL + "AaJSVEF/fQ"
HZ, SEGMENT = 4.0, 512
LF, HF = (0.04, 0.15), (0.15, 0.4)


def five_minutes(path):
    """Times in s at which normal intervals end, their lengths in ms, and which follow one another."""
    a = wfdb.rdann(path, "atr")
    fs = wfdb.rdheader(path).fs
    beats = [(s / fs, c in NORMAL) for s, c in zip(a.sample, a.symbol) if c in BEATS]
    first = beats[0][0]
    at, nn, index = [], [], []
    for i in range(1, len(beats)):
        (t0, n0), (t1, n1) = beats[i - 1], beats[i]
        if n0 and n1:
            at.append(t1 - first), nn.append(1000 * (t1 - t0)), index.append(i)
        if t1 - first >= 300:
            break
    return np.array(at), np.array(nn), np.array(index)


def welch(at, nn):
    t = np.arange(at[0], at[-1], 1 / HZ)
    x = interpolate.CubicSpline(at, nn, bc_type="natural")(t)
    f, p = signal.welch(x, HZ, window="hann", nperseg=SEGMENT, noverlap=SEGMENT // 2, detrend="constant")
    return [p[(f >= a) & (f < b)].sum() * (f[1] - f[0]) for a, b in (LF, HF)]


def lomb(at, nn):
    df = 1 / (at[-1] - at[0])
    out = []
    for a, b in (LF, HF):
        f = np.arange(a, b, df)
        p = signal.lombscargle(at, nn - nn.mean(), 2 * np.pi * f)
        out.append(p.sum() * 2 / len(nn))
    return out


if __name__ == "__main__":
    folder = sys.argv[1]
    print("record intervals mean SDNN RMSSD pNN50 LF HF LF/HF | Lomb-Scargle LF HF LF/HF")
    for name in sys.argv[2:]:
        at, nn, index = five_minutes(f"{folder}/{name}")
        d = np.diff(nn)[np.diff(index) == 1]
        lf, hf = welch(at, nn)
        llf, lhf = lomb(at, nn)
        print(f"{name} {len(nn)} {nn.mean():.2f} {nn.std(ddof=1):.2f} {np.sqrt((d**2).mean()):.2f} {(abs(d) > 50 + 1e-6).mean():.4f} {lf:.1f} {hf:.1f} {lf / hf:.3f} | {llf:.1f} {lhf:.1f} {llf / lhf:.3f}")
