"""Rhythms made of the patients' own beats.

Few patients of the recordings have ectopic beats, so that a model learns those patients by
heart. Here normal beats are cut out between the end of T and the beginning of P and set again at
the intervals of many rhythms. Supraventricular: early beats of the same QRS complex (with the sinus P wave,
another, or none), alone, in patterns and runs, as in a sick sinus. Ventricular: another patient's ectopic
complexes, early or late, alone, in patterns and runs. And what is no ectopy: sinus arrhythmia, atrial
fibrillation, dropped beats, a rate that changes.
"""

import numpy as np

MINUTES = 2.5  # of each rhythm
BEFORE, AFTER = 0.28, 0.50  # s of a beat, at most
QRS = 0.07  # s to each side of R that no change of P or T reaches
SHORTEST, LONGEST = 0.26, 6.0  # s between two beats


def _sinus(r, u, n, depth=None):
    """RR intervals in sinus rhythm: breathing and a slow random walk."""
    depth = r.uniform(0.01, 0.05) if depth is None else depth
    walk = np.convolve(r.normal(0, 0.012, n + 8), np.ones(8) / 8 ** 0.5, "valid")[:n]
    return u * np.clip(1 + depth * np.sin(2 * np.pi * np.arange(n) / r.uniform(3, 7) + r.uniform(0, 6)) + walk, 0.6, 1.6)


def _insert(r, rr, at, early, length, variation, back=None):
    """Puts runs of ectopic beats, early being their RR as a share of the rhythm's, before the beats
    where at is true: intervals, and which are ectopic."""
    out, ectopic = [], []
    for u, here in zip(rr, at):
        if here:
            for i in range(length()):
                out.append(u * early * (1 + r.normal(0, variation)) * (0.96 if i == 0 else 1))
                ectopic.append(True)
            # A compensatory pause, or the sinus node is reset.
            u *= back or (2 - early if r.random() < 0.3 else r.uniform(0.98, 1.2))
        out.append(u)
        ectopic.append(False)
    return np.array(out), np.array(ectopic)


def _one():
    return 1


def _isolated(r, u, n):
    return _insert(r, _sinus(r, u, n), r.random(n) < r.uniform(0.02, 0.15), r.uniform(0.55, 0.87), _one, 0.03)


def _patterned(r, u, n):
    return _insert(r, _sinus(r, u, n), np.arange(n) % r.integers(1, 4) == 0, r.uniform(0.55, 0.85), _one, 0.03)


def _runs(r, u, n):
    most = int(r.choice([3, 8, 50]))
    return _insert(r, _sinus(r, u, n), r.random(n) < 1.2 / (6 + most), r.uniform(0.5, 0.82), lambda: int(r.integers(2, most + 1)), r.choice([0.01, 0.03]))


def _sick(r, u, n):
    """A sick sinus: most beats are early, pauses of up to 6 s."""
    mean = r.uniform(0.2, 0.5)
    out, ectopic = _insert(r, _sinus(r, u * r.uniform(1.1, 1.5), n), np.ones(n, bool), r.uniform(0.45, 0.8), lambda: int(r.geometric(mean)), r.uniform(0.02, 0.1))
    after = np.flatnonzero(~ectopic)
    out[after] *= np.where(r.random(len(after)) < 0.1, r.uniform(1.5, 4, len(after)), r.uniform(0.9, 1.2, len(after)))
    return out, ectopic


def _plain(rr):
    return rr, np.zeros(len(rr), bool)


def _arrhythmia(r, u, n):
    return _plain(_sinus(r, u, n, r.uniform(0.08, 0.22)))


def _drift(r, u, n):
    return _plain(_sinus(r, u, n) * (1 + 0.3 * np.sin(np.arange(n) / r.uniform(8, 30))))


def _dropped(r, u, n):
    rr = _sinus(r, u, n)
    rr[r.random(n) < r.uniform(0.03, 0.12)] *= r.choice([1.4, 1.8, 2.0])
    return _plain(rr)


def _irregular(r, u, n):
    return u * np.clip(np.exp(r.normal(0, r.uniform(0.12, 0.28), n)), 0.45, 2.2)


def _fibrillation(r, u, n):
    return _plain(_irregular(r, u, n))


def _compensated(r, u, n):
    early = r.uniform(0.5, 0.95)
    return _insert(r, _sinus(r, u, n), r.random(n) < r.uniform(0.03, 0.2), early, _one, 0.03, 2 - early)


def _late(r, u, n):
    """At the end of diastole, and as an escape beat."""
    return _insert(r, _sinus(r, u, n), r.random(n) < 0.1, r.choice([0.93, 1.0, 1.4]), _one, 0.05, 1.0)


def _bigeminy(r, u, n):
    early = r.uniform(0.5, 0.8)
    return _insert(r, _sinus(r, u, n), np.arange(n) % r.integers(1, 4) == 0, early, _one, 0.03, 2 - early)


def _tachycardia(r, u, n):
    most = int(r.choice([3, 12]))
    return _insert(r, _sinus(r, u, n), r.random(n) < 1.2 / (6 + most), r.uniform(0.4, 0.7), lambda: int(r.integers(2, most + 1)), 0.03)


def _idioventricular(r, u, n):
    return _insert(r, _sinus(r, u, n), r.random(n) < 0.02, r.uniform(0.8, 1.1), lambda: int(r.integers(4, 40)), 0.02, 1.0)


def _interpolated(r, u, n):
    return _insert(r, _sinus(r, u, n), r.random(n) < 0.1, r.uniform(0.45, 0.55), _one, 0.02, 0.55)


def _fibrillating(r, u, n):
    return _insert(r, _irregular(r, u, n), r.random(n) < 0.1, r.uniform(0.5, 0.9), _one, 0.1, 1.1)


SUPRAVENTRICULAR = [_isolated, _sick, _arrhythmia, _runs, _fibrillation, _patterned, _dropped, _sick, _runs, _fibrillation, _isolated, _drift]
VENTRICULAR = [_compensated, _late, _bigeminy, _tachycardia, _fibrillating, _idioventricular, _interpolated, _compensated]
WITHOUT_P = (_fibrillation, _fibrillating)


class Beats:
    """Beats of a class cut out of a signal, each with the place of its R, less the line between its ends."""

    def __init__(self, x, rate, ref, cls, of="N"):
        self.rate, self.list = rate, []
        rr = np.diff(ref)
        self.usual = np.median(rr) / rate
        for k in range(2, len(ref) - 1):
            if of == "N":
                even = abs(rr[k - 1] / rr[k - 2] - 1) < 0.15 and abs(rr[k] / rr[k - 1] - 1) < 0.15
                if not even or any(cls[k - 1:k + 2] != "N") or not 0.45 * rate < rr[k] < 1.4 * rate:
                    continue
            elif cls[k] != of or min(rr[k - 1], rr[k]) < 0.4 * rate:
                continue
            a = min(int(0.36 * rr[k - 1]), int(BEFORE * rate))
            v = x[ref[k] - a:ref[k] + min(int(rr[k]) - int(0.36 * rr[k]), int(AFTER * rate))].astype(float)
            e = int(0.02 * rate)
            self.list.append((v - np.linspace(v[:e].mean(), v[-e:].mean(), len(v)), a))
        self.height = np.median([np.ptp(v[a - 10:a + 10]) for v, a in self.list]) if self.list else 0
        self.noise = np.median([abs(np.diff(v[:8])).mean() for v, _ in self.list]) if self.list else 0

    def beat(self, k, wave="own", scale=1.0):
        """The k-th beat with a P wave (its own, none, or its place, height and width), its T wave set nearer or farther."""
        v, a = self.list[k % len(self.list)]
        q = int(QRS * self.rate)
        if wave != "own":
            i = np.arange(len(v))
            p = np.clip((a - q - i) / (0.03 * self.rate), 0, 1)  # 1 in the P wave, 0 from the QRS complex on
            v = v * (1 - p)
            if wave != "none":
                place, height, width = wave
                v += p * height * np.exp(-0.5 * ((i - a + place * self.rate) / (width * self.rate)) ** 2)
        tail = v[a + q:]
        return np.concatenate([v[:a + q], np.interp(np.arange(0, len(tail) - 1, 1 / scale), np.arange(len(tail)), tail)]), a


def _wave(r, height):
    """The P wave of an ectopic focus."""
    return ["own", (r.uniform(0.10, 0.18), -r.uniform(0.05, 0.15) * height, r.uniform(0.012, 0.03)),
            (r.uniform(0.10, 0.2), r.uniform(0.05, 0.2) * height, r.uniform(0.012, 0.03)), "none"][r.integers(4)]


def rhythms(own, seed, foreign=None):
    """SUPRAVENTRICULAR rhythms of a patient's own beats, or VENTRICULAR ones with foreign complexes, one after
    the other: signal, samples of its beats and their classes."""
    r, rate = np.random.default_rng(seed), own.rate
    begin = r.integers(len(own.list))
    y = np.zeros(int((len(VENTRICULAR if foreign else SUPRAVENTRICULAR) * (60 * MINUTES + LONGEST) + 4) * rate))
    waves, at, cls, now = np.zeros(len(y)), [], [], 2.0
    for rhythm in VENTRICULAR if foreign else SUPRAVENTRICULAR:
        u = own.usual * r.uniform(0.75, 1.4)
        rr, ectopic = rhythm(r, u, int(MINUTES * 60 / u))
        rr = np.clip(rr, SHORTEST, LONGEST)
        rr = rr[np.cumsum(rr) < MINUTES * 60]
        wave, first = _wave(r, own.height), now
        if foreign:
            size = own.height / max(foreign.height, 1e-6) * r.uniform(0.6, 1.6) * r.choice([-1, 1])
            wide, from_, kinds = r.uniform(0.9, 1.2), r.integers(len(foreign.list)), r.integers(1, 12)
        for u, e in zip(rr, ectopic):
            now += u
            n = int(now * rate)
            if e and foreign:
                v, a = foreign.list[(from_ + r.integers(kinds)) % len(foreign.list)]
                v, a = size * np.interp(np.arange(0, len(v) - 1, 1 / wide), np.arange(len(v)), v), int(a * wide)
            else:
                p = "none" if rhythm in WITHOUT_P else wave if e else "own"
                v, a = own.beat(begin + len(at), p, float(np.clip((u / own.usual) ** 0.3, 0.75, 1.1)))
            y[n - a:n - a + len(v)] += v * r.uniform(0.94, 1.06)
            at.append(n)
            cls.append("N" if not e else "V" if foreign else "S")
        if rhythm in WITHOUT_P:
            waves[int(first * rate):int(now * rate)] = 1
    y = y[:int((now + 2) * rate)]
    t = np.arange(len(y)) / rate
    f = np.sin(2 * np.pi * (5.5 * t - np.cos(1.1 * t) - 0.2 * np.cos(3.7 * t)))
    y += waves[:len(y)] * f * 0.04 * own.height * (1 + 0.5 * np.sin(0.9 * t))
    y += r.normal(0, own.noise, len(y)) + 0.05 * own.height * np.sin(2 * np.pi * 0.21 * t)
    return y.astype(np.float32), np.array(at), np.array(cls)
