// A patch's zero is anywhere: electrodes polarise and a reader's counts may be
// offset. A strip shows the signal about its own baseline.

/** Milliseconds of signal in one knot of the baseline. */
const KNOT_MS = 40;

/** Knots in the window of the median: 2 s. */
const WINDOW = 50;

/**
 * Baseline follows a lead's baseline as the median of the last 2 s. A median,
 * unlike a high-pass filter, takes nothing from the height of a QRS complex, an
 * ST segment or a calibration pulse, all of which fill less than half of 2 s.
 */
export class Baseline {
  private readonly knots: number[] = [];
  private sorted: number[] = [];
  private from = NaN;
  private to = NaN;
  private sum = 0;
  private count = 0;
  private done = 0;

  /** Forget: after a gap the signal begins anew. */
  reset(): void {
    this.knots.length = 0;
    this.sorted.length = 0;
    this.from = this.to = NaN;
    this.sum = this.count = this.done = 0;
  }

  /** Takes the baseline from values (mV, NaN is missing) in place; dt is ms a sample. */
  remove(values: Float32Array, dt: number): void {
    if (Number.isNaN(this.to)) {
      this.from = this.to = median(values);
      if (Number.isNaN(this.to)) return;
    }
    const length = Math.max(1, Math.round(KNOT_MS / dt));
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value === value) {
        this.sum += value;
        this.count++;
      }
      values[i] = value - (this.from + ((this.to - this.from) * this.done) / length);
      if (++this.done >= length) this.knot();
    }
  }

  private knot(): void {
    if (this.count > 0) {
      const mean = this.sum / this.count;
      this.knots.push(mean);
      this.sorted.splice(place(this.sorted, mean), 0, mean);
      if (this.knots.length > WINDOW) this.sorted.splice(place(this.sorted, this.knots.shift()!), 1);
    }
    this.sum = this.count = this.done = 0;
    this.from = this.to;
    // Until there is half a second to judge by, the first estimate stands.
    if (this.knots.length >= 12) this.to = this.sorted[this.sorted.length >> 1]!;
  }
}

/** Index of the first of the ascending values that is not below value. */
function place(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function median(values: Float32Array): number {
  const valid = values.filter((value) => value === value).sort();
  return valid.length === 0 ? NaN : valid[valid.length >> 1]!;
}
