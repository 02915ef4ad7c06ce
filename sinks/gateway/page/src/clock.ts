/**
 * ServerClock tells the server's time from what the server said and the page's
 * own monotonic clock.
 *
 * A message that travelled slowly makes the server look early, and then old
 * data would look fresh; so the latest of the last 30 beliefs holds. A server
 * whose clock is set back is believed after 30 messages: until then data look
 * older than they are, which is the safe side.
 */
export class ServerClock {
  private readonly offsets: number[] = [];
  private best = NaN;

  /** A message says server (ms UTC) and arrived at local (ms, monotonic). */
  observe(server: number, local: number): void {
    this.offsets.push(server - local);
    if (this.offsets.length > 30) this.offsets.shift();
    this.best = Math.max(...this.offsets);
  }

  /** Whether any message has told the time. */
  get known(): boolean {
    return this.offsets.length > 0;
  }

  /** The server's time (ms UTC) at local (ms, monotonic). NaN while unknown. */
  now(local: number): number {
    return local + this.best;
  }
}
