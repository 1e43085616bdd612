import { jsonObject } from '../keys/damage.js';
import { sessionKeyId } from '../keys/keys.js';
import { notSuperseded } from './place.js';
import * as scripts from './scripts-migrate.js';
import type { Ends } from './session-copy.js';
import { forEach, scoredIn } from './walk.js';

const AT_ONCE = 16;

/** `<id>~<message_id>`, as listings of dead letters have it. */
const partsOf = (letter: string) => {
  const at = letter.indexOf('~');
  return { id: letter.slice(0, at), messageId: letter.slice(at + 1) };
};

/** Copies the dead letters of a partition. Returns how many the target did not have. */
export async function copyLetters(ends: Ends, partition: number): Promise<number> {
  const { from, to, run, isSealed } = ends;
  const { dead } = from.keys.partition(partition);
  let copied = 0;
  const listing = scoredIn(from, isSealed ? from.keys.sealed(dead) : dead);
  await forEach(listing, AT_ONCE, async ({ member, score: number }) => {
    const { id, messageId } = partsOf(member);
    const { letters } = from.keys.session(id);
    const [text] = await from.ask(letters, (client) =>
      client.zrangebyscore(letters, number, number),
    );
    if (text === undefined) return; // it was retried or dropped meanwhile
    const { move } = to.keys.partition(to.keys.partitionOf(id));
    const word = await to.run(
      scripts.letterArrive,
      { ...to.keys.session(id), move },
      { run, id, message_id: messageId, number, text },
    );
    if (notSuperseded(word) === 'arrived') copied += 1;
  });
  return copied;
}

/** Compares the dead letters of a partition of the source. Returns those that the target lacks or has otherwise. */
export async function compareLetters(ends: Ends, partition: number): Promise<string[]> {
  const { from, to, isSealed } = ends;
  const { dead } = from.keys.partition(partition);
  const different: string[] = [];
  const listing = scoredIn(from, isSealed ? from.keys.sealed(dead) : dead);
  await forEach(listing, AT_ONCE, async ({ member, score }) => {
    const { id } = partsOf(member);
    const [source, target] = [from.keys.session(id), to.keys.session(id)];
    const number = await to.ask(target.dead, (client) => client.zscore(target.dead, member));
    const [[text], [copy]] = await Promise.all([
      from.ask(source.letters, (client) => client.zrangebyscore(source.letters, score, score)),
      number === null
        ? [undefined]
        : to.ask(target.letters, (client) => client.zrangebyscore(target.letters, number, number)),
    ]);
    if (text !== copy) different.push(member);
  });
  return different;
}

/** Removes letters of a partition of the target that the source, which is closed, does not have. */
export async function forgetLetters(ends: Ends, partition: number): Promise<void> {
  const { from, to, run } = ends;
  const { dead, move } = to.keys.partition(partition);
  await forEach(scoredIn(to, dead), AT_ONCE, async ({ member }) => {
    const { id, messageId } = partsOf(member);
    const listed = from.keys.sealed(from.keys.session(id).dead);
    if ((await from.ask(listed, (client) => client.zscore(listed, member))) !== null) return;
    const word = await to.run(
      scripts.letterForget,
      { ...to.keys.session(id), move },
      { run, id, message_id: messageId },
    );
    notSuperseded(word);
  });
}

/** Copies SESSION_END records that wait for the global stream. Each comes at least once, as always. */
export async function copyEnds({ from, to, run }: Ends, partition: number): Promise<number> {
  const { ends } = from.keys.partition(partition);
  const records = await from.ask(ends, (client) => client.lrange(ends, 0, -1));
  for (const record of records) {
    const about = jsonObject(record) ?? {};
    const id = sessionKeyId(String(about.principal), String(about.session_id));
    const { move, ends: target } = to.keys.partition(to.keys.partitionOf(id));
    notSuperseded(await to.run(scripts.endArrive, { move, ends: target }, { run, record }));
  }
  return records.length;
}
