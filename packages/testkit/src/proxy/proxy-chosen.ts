import type { Link } from './proxy-link.js';

/** The connections of a node, by the last word of their names. */
export type ConnectionPart =
  | 'commands'
  | 'bulk'
  | 'subscriber'
  | 'ring'
  | 'blocking'
  | 'durability';

/** One part of every node; `all` connections that have a name; or a pattern for names. */
export type ConnectionChoice = ConnectionPart | 'all' | RegExp;

function matches(which: ConnectionChoice, name: string): boolean {
  if (which instanceof RegExp) return which.test(name);
  return which === 'all' ? name !== '' : name.endsWith(`:${which}`);
}

/** Faults of connections that are chosen by their names. */
export function makeChosenFaults(links: ReadonlySet<Link>) {
  // Keyed by text: two regular expressions with the same text are one choice.
  const silent = new Map<string, ConnectionChoice>();
  const rejected = new Map<string, ConnectionChoice>();
  const isIn = (choices: ReadonlyMap<string, ConnectionChoice>, { name }: Link) =>
    [...choices.values()].some((which) => matches(which, name));
  const abandoned = new WeakSet<Link>();
  const isSilent = (link: Link) => abandoned.has(link) || isIn(silent, link);

  function named(link: Link): void {
    if (isIn(rejected, link)) link.cut();
    else if (isSilent(link)) link.hold(true);
  }
  return {
    named,
    isSilent,
    silence(which: ConnectionChoice, on: boolean): void {
      if (on) silent.set(String(which), which);
      else silent.delete(String(which));
      for (const link of links) if (matches(which, link.name)) link.hold(isSilent(link));
    },
    abandon(which: ConnectionChoice): void {
      for (const link of links) {
        if (!matches(which, link.name)) continue;
        abandoned.add(link);
        link.hold(true);
      }
    },
    reject(which: ConnectionChoice, on: boolean): void {
      if (on) rejected.set(String(which), which);
      else rejected.delete(String(which));
      for (const link of [...links]) if (isIn(rejected, link)) link.cut();
    },
  };
}
