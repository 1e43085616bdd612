import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, type GatewayProcess, gaps, httpBehaviours, startRedis } from '@sluice/testkit';
import { Cluster, readSession } from '../support/cluster/cluster.js';

const resuming = (pending: unknown) => ({
  type: 'status',
  source: 'slow',
  message: `Resuming processing (${pending} pending messages)...`,
});

describe('a client that comes back', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis());
    node = await cluster.start();
  });
  afterAll(() => cluster.stop());
  beforeEach(() => cluster.agent.behave(httpBehaviours.delayMs(0)));

  const turnsOf = (session_id: string) =>
    cluster.agent.turns.filter(({ turn }) => turn.session_id === session_id);

  it.each([
    ['reconnects with since', true],
    ['never sends since', false],
  ])(
    'E3 E5 E6 E10 T1 ten messages at once, dropped after the third reply, for a client that %s',
    async (_, tracks) => {
      cluster.agent.behave(httpBehaviours.delayMs(200));
      const session_id = `ten-${tracks}`;
      const since = tracks ? 0 : undefined;
      const first = await cluster.attach(node, { session_id, since });
      const ids = Array.from({ length: 10 }, (_, i) => `m${i + 1}`);
      for (const message_id of ids) first.message(`text ${message_id}`, { message_id });
      await first.final('m3');
      first.cut();
      const last = first.logged().at(-1)?.cursor ?? 0;
      // Two more replies are produced while nobody is there.
      await eventually(() => turnsOf(session_id).length === 6);

      const second = await cluster.attach(node, {
        session_id,
        since: tracks ? last : undefined,
      });
      const hello = await second.waitFor({ type: 'hello_ok' });
      expect(hello).toMatchObject({ resumed: true, resync_required: false, is_executing: true });
      await second.final('m10');
      expect(second.frames.filter(({ type }) => type === 'status')).toEqual([
        resuming(hello.pending),
      ]);
      expect(hello.pending).toBe(5);
      const replayed = second.frames.filter(({ type }) => type === 'replay');
      expect(replayed.map(({ event }) => Object(event).data.message_id)).toEqual(['m4', 'm5']);
      // The status comes after the missed events.
      const types = second.frames.map(({ type }) => type);
      expect(types.indexOf('status')).toBeGreaterThan(types.lastIndexOf('replay'));

      const seen = [...first.logged(), ...second.logged()];
      expect(gaps(seen)).toEqual([]);
      const finals = seen.filter(({ status }) => status === 'final');
      expect(finals.map(({ message_id, content }) => [message_id, content])).toEqual(
        ids.map((id) => [id, `echo: text ${id}`]),
      );
      expect(turnsOf(session_id).map(({ turn }) => turn.message_id)).toEqual(ids);
    },
  );

  it('E5 a reply produced while nobody was connected is replayed like any other', async () => {
    const first = await cluster.attach(node, { session_id: 'away' });
    cluster.agent.behave(httpBehaviours.delayMs(100));
    const id = first.message('hello');
    await first.waitFor({ status: 'accepted' });
    first.cut();
    await eventually(async () => (await cluster.inbox('away')).length === 0);
    const second = await cluster.attach(node, { session_id: 'away', since: 1 });
    expect(await second.waitFor({ type: 'replay' })).toMatchObject({
      seq: 2,
      event: {
        type: 'response',
        data: { status: 'final', message_id: id, content: 'echo: hello' },
      },
    });
    await second.final(second.message('and live'));
    expect(second.frames.filter(({ type }) => type === 'status')).toEqual([]);
  });

  it('E6 N counts the started head, and work goes on without being asked for', async () => {
    let release = () => {};
    cluster.agent.behave(async (_turn, { respond }) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      respond.json({ content: 'done' });
    });
    const first = await cluster.attach(node, { session_id: 'pending' });
    for (const id of ['m1', 'm2', 'm3']) first.message(id, { message_id: id });
    await first.collect(3, { status: 'accepted' });
    await eventually(() => turnsOf('pending').length === 1);
    first.cut();
    const second = await cluster.attach(node, { session_id: 'pending', since: 3 });
    expect(await second.waitFor({ type: 'hello_ok' })).toMatchObject({
      pending: 3,
      is_executing: true,
      node_id: node.nodeId,
    });
    expect(await second.waitFor({ type: 'status' })).toEqual(resuming(3));
    cluster.agent.behave(httpBehaviours.delayMs(0));
    release();
    await second.final('m3');
    expect(turnsOf('pending')).toHaveLength(3);
  });

  it('E6 the legacy join gets the status too', async () => {
    cluster.agent.behave(httpBehaviours.hang());
    const first = await cluster.attach(node, { session_id: 'joins' });
    first.message('hello');
    await first.waitFor({ status: 'accepted' });
    await first.close();
    const second = await cluster.attach(node, { session_id: 'other' });
    second.send({ type: 'join', agent_id: 'slow', session_id: 'joins', since: 1 });
    expect(await second.waitFor({ type: 'joined' })).toMatchObject({ resumed: true });
    expect(await second.waitFor({ type: 'status' })).toEqual(resuming(1));
    second.send({ type: 'abort' });
    await second.waitFor({ status: 'final' });
  });

  it('E5 leave detaches; the session stays resumable', async () => {
    const client = await cluster.attach(node, { session_id: 'left' });
    cluster.agent.behave(httpBehaviours.delayMs(100));
    const id = client.message('hello');
    await client.waitFor({ status: 'accepted' });
    client.send({ type: 'leave' });
    expect(await client.waitFor({ type: 'left' })).toMatchObject({ session_id: 'left' });
    await eventually(async () => (await cluster.inbox('left')).length === 0);
    client.message('into the void', { message_id: 'm9' });
    expect(await client.waitFor({ type: 'error' })).toMatchObject({
      code: 'not_joined',
      message_id: 'm9',
    });
    expect(client.logged()).toHaveLength(1);
    const hello = await client.hello({ agent_id: 'slow', session_id: 'left', since: 1 });
    expect(hello).toMatchObject({ resumed: true, cursor: 2 });
    await client.final(id);
    expect((await readSession(node, 'left')).messages).toHaveLength(2);
  });
});
