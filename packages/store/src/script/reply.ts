import { InvariantError } from '@sluice/runtime';

/** What a script returns: RESP values as ioredis gives them. */
export type Value = string | number | null | Buffer | readonly Value[];

/** Reads a reply from front to back. Throws InvariantError on a shape that the script does not promise. */
export class ReplyReader {
  private position = 0;
  constructor(private readonly values: readonly Value[]) {}

  text(): string {
    const value = this.values[this.position++];
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || Buffer.isBuffer(value)) return String(value);
    throw new InvariantError(`reply[${this.position - 1}] is not text`);
  }

  int(): number {
    const value = Number(this.text());
    if (!Number.isSafeInteger(value))
      throw new InvariantError(`reply[${this.position - 1}]: not an integer`);
    return value;
  }

  flag(): boolean {
    return this.int() === 1;
  }

  list(): readonly Value[] {
    const value = this.values[this.position++];
    if (Array.isArray(value)) return value;
    throw new InvariantError(`reply[${this.position - 1}] is not a list`);
  }

  texts(): string[] {
    return this.list().map(String);
  }

  /** For scripts that are `isBinary`: the bytes that Redis has, which may not be valid text. */
  bytes(): Buffer {
    const value = this.values[this.position++];
    if (Buffer.isBuffer(value)) return value;
    throw new InvariantError(`reply[${this.position - 1}] is not bytes`);
  }
}

/** Flat `field value field value` -> a record. */
export function pairs(flat: readonly Value[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) record[String(flat[i])] = String(flat[i + 1]);
  return record;
}
