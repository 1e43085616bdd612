import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  eventually,
  type Frame,
  FrameClient,
  type GatewayProcess,
  gaps,
  startRedis,
} from '@sluice/testkit';
import { Cluster } from '../support/cluster/cluster.js';

const KiB = 1_024;
const FRAME_BYTES = 16 * KiB;
const TURNS = 24;
/** 512 KiB a turn, 12 MiB in all. */
const FRAMES_PER_TURN = 32;

const streaming = { capabilities: ['streaming'] };

/** What the deltas and the replies say, by message. */
function textOf(frames: readonly Frame[]) {
  const streamed = new Map<string, string>();
  const replies = new Map<string, string>();
  for (const frame of frames) {
    const data = Object(frame.data) as { message_id?: string; content?: string };
    if (frame.type === 'token_stream') {
      const id = String(data.message_id);
      streamed.set(id, (streamed.get(id) ?? '') + data.content);
    }
    if (frame.status === 'final') replies.set(String(frame.message_id), String(frame.content));
  }
  return { streamed, replies };
}

describe('a reader that stops reading', () => {
  let cluster: Cluster;
  let node: GatewayProcess;
  beforeAll(async () => {
    cluster = await Cluster.open(await startRedis({ args: ['--appendfsync', 'no'] }), {
      gateway: { max_payload: 64 * KiB, max_reply: 640 * KiB, max_buffered_bytes: 1_280 * KiB },
      session: { max_log_bytes: '64MiB' },
    });
    node = await cluster.start();
    let frame = 0;
    cluster.agent.behave(async (_turn, { respond }) => {
      const writer = respond.stream('ndjson');
      const deltas: string[] = [];
      for (let i = 0; i < FRAMES_PER_TURN; i += 1) {
        frame += 1;
        const delta = `${frame} `.padEnd(FRAME_BYTES, 'x');
        deltas.push(delta);
        writer.delta(delta);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      writer.final(deltas.join(''));
    });
  });
  afterAll(() => cluster.stop());

  const connections = async () => {
    const info = (await (await fetch(`${node.url}/info`)).json()) as { connections: number };
    return info.connections;
  };

  it('E9 E8 is cut within its limits, delays nobody, and finds everything on return', async () => {
    const fast = await cluster.attach(node, { session_id: 's', ...streaming });
    const slow = await cluster.attach(node, { session_id: 's', ...streaming });
    slow.pause();
    for (let i = 0; i < TURNS; i += 1) fast.message('more', { message_id: `m${i}` });
    // The system itself buffers a few MB for a connection: the cut comes long before the end.
    await eventually(async () => (await connections()) === 1, 20_000);
    const finals = () => fast.frames.filter(({ status }) => status === 'final').length;
    expect(finals()).toBeLessThan(TURNS);
    await fast.final(`m${TURNS - 1}`, 30_000);
    expect(gaps(fast.logged())).toEqual([]);
    const frames = fast.frames.filter(({ type }) => type === 'token_stream');
    expect(frames.length).toBeGreaterThan((TURNS * FRAMES_PER_TURN) / 2);

    slow.resume();
    await slow.closed;
    const first = slow.logged();
    expect(gaps(first)).toEqual([]);
    const since = first.at(-1)?.cursor ?? 0;
    expect(since).toBeLessThan(fast.logged().length);
    const again = await FrameClient.connect(node.wsUrl);
    await again.hello({ agent_id: 'slow', session_id: 's', since, ...streaming });
    await again.final(`m${TURNS - 1}`, 30_000);
    expect(gaps(again.logged(), since)).toEqual([]);
    const whole = textOf(fast.logged());
    expect(textOf([...first, ...again.logged()])).toEqual(whole);
    expect(whole.replies).toEqual(whole.streamed);
    const bytes = [...whole.streamed.values()].reduce((sum, text) => sum + text.length, 0);
    expect(bytes).toBe(TURNS * FRAMES_PER_TURN * FRAME_BYTES);
  }, 60_000);
});
