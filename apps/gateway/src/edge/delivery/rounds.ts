const LOOK_MS = 100;

/**
 * Calls `act` for each thing once in `everyMs`, a few at each look. With tens of thousands, all of them at once would
 * hold the event loop, and Redis, for seconds.
 */
export function startRounds<T>(
  list: () => readonly T[],
  act: (thing: T) => void,
  everyMs: number,
): NodeJS.Timeout {
  const looks = Math.max(1, Math.floor(everyMs / LOOK_MS));
  let round: readonly T[] = [];
  let look = 0;
  return setInterval(() => {
    if (look === 0) round = list();
    const next = look + 1;
    const at = (share: number) => Math.floor((round.length * share) / looks);
    for (const thing of round.slice(at(look), at(next))) act(thing);
    look = next % looks;
  }, everyMs / looks);
}
