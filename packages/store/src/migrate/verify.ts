import { compareLetters } from './letters-copy.js';
import { differs, type Progress, setAside } from './progress.js';
import { compareSession, type Ends } from './session-copy.js';
import { forEach, partitionsOf, sessionsIn } from './walk.js';

const AT_ONCE = 16;

/** All sessions of the source. */
export async function* allSessions({ from, isSealed }: Ends): AsyncGenerator<string[]> {
  for (const partition of partitionsOf(from)) yield* sessionsIn(from, partition, isSealed);
}

/** Compares every byte of every session, dead letters, and what else the target has. Changes nothing. */
export async function verify(ends: Ends, progress: Progress): Promise<void> {
  const { from, to } = ends;
  await forEach(allSessions(ends), AT_ONCE, async (id) => {
    progress.sessions += 1;
    try {
      const compared = await compareSession(ends, id);
      if (compared === 'missing' || compared === 'different')
        differs(progress, `${compared} ${id}`);
      else progress[compared] += 1;
    } catch (error) {
      setAside(progress, id, error);
    }
  });
  for (const partition of partitionsOf(from)) {
    for (const letter of await compareLetters(ends, partition))
      differs(progress, `letter ${letter}`);
  }
  await forEach(allSessions({ ...ends, from: to, isSealed: false }), AT_ONCE, async (id) => {
    if (await isGoneFrom(ends, id)) differs(progress, `only at the target ${id}`);
  });
}

/** Whether the source has no such session (any more). */
export async function isGoneFrom({ from, isSealed }: Ends, id: string): Promise<boolean> {
  const { state } = from.keys.session(id);
  const key = isSealed ? from.keys.sealed(state) : state;
  return (await from.ask(key, (client) => client.exists(key))) === 0;
}
