import type { LogPage } from '@sluice/store';
import type { BuiltEvent } from './frames.js';
import type { Reader } from './reader.js';

/** A page of a log. `built`, only with several readers: each event as it is sent to all of them. */
export type Page = LogPage & { readonly built?: (BuiltEvent | undefined)[] | undefined };

type UnderWay = { readonly readers: Reader[]; readonly page: Promise<Page | undefined> };

/** The reads of one log that are under way: readers that ask for the same place share one. */
export class SharedReads {
  private readonly underWay = new Map<string, UnderWay>();

  get areUnderWay(): boolean {
    return this.underWay.size > 0;
  }

  /** Joins the read of that place, or begins it. `isGone`: nobody waits any more. undefined: no such session. */
  page(
    reader: Reader,
    place: string,
    read: (isGone: () => boolean) => Promise<LogPage | undefined>,
  ): Promise<Page | undefined> {
    const joined = this.underWay.get(place);
    if (joined) {
      joined.readers.push(reader);
      return joined.page;
    }
    const readers = [reader];
    const page = read(() => readers.every(({ closed }) => closed))
      .then((it) => it && (readers.length > 1 ? { ...it, built: [] } : it))
      .finally(() => this.underWay.delete(place));
    this.underWay.set(place, { readers, page });
    return page;
  }
}
