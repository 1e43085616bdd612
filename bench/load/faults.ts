/** Counts refusals and losses during a measurement. */
export class Faults {
  readonly #counts = new Map<string, number>();

  readonly add = (what: string): void => {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  };

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  toString(): string {
    return [...this.#counts].map(([what, count]) => `${count} x ${what}`).join(', ');
  }
}
