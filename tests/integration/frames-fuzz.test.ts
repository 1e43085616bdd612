import { expect, it } from '@jest/globals';
import { clientFrameTypes, modes } from '@sluice/protocol';
import { eventually, FrameClient, startGateway, startRedis } from '@sluice/testkit';
import fc from 'fast-check';

const SEED = 20_261;
const FRAMES = 2_000;
/** Sent at once; too few for ten offences in a row, so that each frame is looked at. */
const GROUP = 8;

const value = fc.anything({ maxDepth: 3, withNullPrototype: false });
/** Pings mark the end of a group. Mostly messages, and a hello behind each leave. */
const types = clientFrameTypes.filter((type) => type !== 'ping');
const often = ['message', 'message', 'message', 'message', 'hello', 'hello', 'hello'];
const name = fc.constantFrom('echo', 's', 'm', '7');
/** Mostly what the field should hold, now and then anything. */
const field = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 15, arbitrary: right }, { weight: 1, arbitrary: value });
const fields = fc.record(
  {
    agent_id: field(fc.constant('echo')),
    session_id: field(name),
    since: field(fc.nat(9)),
    epoch: field(fc.string()),
    content: field(fc.oneof(name, fc.object(), fc.string({ unit: 'binary', minLength: 1 }))),
    message_id: field(name),
    mode: field(fc.constantFrom(...modes)),
    metadata: field(fc.object()),
    capabilities: field(fc.array(name)),
    reason: field(fc.string()),
    ['__proto__']: value,
  },
  { requiredKeys: ['agent_id', 'content'] },
);
/** Frames of a known type whose fields are not always what they should be. */
const nearly = fc
  .record({ type: fc.constantFrom<string>(...types, ...often), fields })
  .map((made) => ({ ...made.fields, type: made.type }));

const asJson = (something: unknown) =>
  JSON.stringify(something, (_, each) => (typeof each === 'bigint' ? `${each}` : each)) ?? 'null';

/** JSON with one character changed. */
const broken = fc
  .record({
    frame: nearly,
    at: fc.nat(),
    by: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  })
  .map(({ frame, at, by }) => {
    const text = asJson(frame);
    const place = at % text.length;
    return text.slice(0, place) + by + text.slice(place + 1);
  });

const frame = fc.oneof(
  { weight: 12, arbitrary: nearly.map(asJson) },
  { weight: 2, arbitrary: broken },
  { weight: 1, arbitrary: value.map(asJson) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
);

it('X4 no frame stops a node', async () => {
  const { url } = await startRedis();
  const node = await startGateway({
    redisUrl: url,
    config: { agents: { echo: { kind: 'echo' } } },
  });
  const client = await FrameClient.connect(node.wsUrl);
  await client.hello();
  const frames = fc.sample(frame, { seed: SEED, numRuns: FRAMES });
  while (frames.length > 0) {
    for (const raw of frames.splice(0, GROUP)) client.sendRaw(raw);
    client.send({ type: 'ping' });
    await client.next({ type: 'pong' });
  }
  let tries = 0;
  // Frames behind a hello wait for it: the answer to the last one says that all were looked at.
  await eventually(
    async () => {
      tries += 1;
      client.message('the end', { message_id: `end-${tries}` });
      const answer = await client.waitFor({ message_id: `end-${tries}` }, 20_000);
      // So many hellos in a row may leave more frames waiting than are kept.
      expect(answer.code).not.toBe('rate_limited');
    },
    20_000,
    200,
  );
  // Not all were refused, nor all taken.
  const answers = client.frames.map(({ type, code }) => code ?? type);
  const count = (what: string) => answers.filter((answer) => answer === what).length;
  for (const what of ['invalid_frame', 'response', 'hello_ok', 'joined', 'not_joined', 'left']) {
    expect({ what, often: count(what) > 50 }).toEqual({ what, often: true });
  }
  expect((await fetch(`${node.url}/live`)).status).toBe(200);
  const next = await FrameClient.connect(node.wsUrl);
  await next.hello();
  await next.final(next.message('still alive'));
  // What is no expected outcome is logged as an error: there must be none.
  expect(node.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  await Promise.all([client.close(), next.close()]);
  expect(await node.stop()).toMatchObject({ code: 0 });
});
