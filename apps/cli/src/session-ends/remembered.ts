/** The newest `max` ids; the oldest is forgotten first. */
export class Remembered {
  readonly #ids = new Set<string>();

  constructor(readonly max: number) {}

  /** Returns false when the id is known already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.max) {
      for (const oldest of this.#ids) {
        this.#ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}
