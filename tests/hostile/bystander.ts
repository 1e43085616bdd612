import { sleep } from '@sluice/runtime';
import { stopLater } from '@sluice/testkit';
import { WebSocket } from 'ws';

/** Conversations of another principal, which the attack must not harm. */
const SESSIONS = 3;
/** Keeps all of them below the 50 messages per second of one principal. */
const PAUSE_MS = 80;
/** A turn that takes longer counts as failed. */
const TURN_LIMIT_MS = 20_000;

type Told = { readonly status?: string; readonly message_id?: string; readonly type?: string };

export type Conversations = {
  /** Times from a message to its final frame, in the order in which turns ended. */
  readonly turnsMs: number[];
  /** Turns that did not end `ok` at their first attempt, errors, and closed sockets. */
  readonly cut: string[];
  stop(): Promise<void>;
};

/** Sessions of one principal that talk until `stop`. */
export async function startConversations(wsUrl: string, token: string): Promise<Conversations> {
  const turnsMs: number[] = [];
  const cut: string[] = [];
  let isOver = false;

  const talk = async (session: number) => {
    const socket = new WebSocket(wsUrl, { headers: { authorization: `Bearer ${token}` } });
    const awaited = new Map<string, (frame: Told) => void>();
    let greeted = () => {};
    const hello = new Promise<void>((resolve) => {
      greeted = resolve;
    });
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === 'hello_ok') greeted();
      if (frame.type === 'error' || frame.type === 'hello_error') cut.push(String(data));
      if (frame.status === 'final') awaited.get(frame.message_id)?.(frame);
    });
    socket.on('error', (error) => cut.push(String(error)));
    socket.on('close', (code) => {
      if (!isOver) cut.push(`socket closed with ${code}`);
    });
    await new Promise((resolve) => socket.once('open', resolve));
    const session_id = `bystander-${session}`;
    socket.send(JSON.stringify({ type: 'hello', agent_id: 'echo', session_id, since: 0 }));
    await hello;
    return { socket, loop: converse(socket, awaited, session) };
  };

  const converse = async (
    socket: WebSocket,
    awaited: Map<string, (frame: Told) => void>,
    session: number,
  ) => {
    for (let at = 0; !isOver && socket.readyState === WebSocket.OPEN; at += 1) {
      const message_id = `turn-${session}-${at}`;
      const final = new Promise<Told | 'late'>((resolve) => {
        awaited.set(message_id, resolve);
        setTimeout(resolve, TURN_LIMIT_MS, 'late').unref();
      });
      const sentMs = performance.now();
      socket.send(JSON.stringify({ type: 'message', content: 'how is it', message_id }));
      const frame = await final;
      awaited.delete(message_id);
      turnsMs.push(performance.now() - sentMs);
      const text = JSON.stringify(frame);
      const isWhole = text.includes('"outcome":{"status":"ok"}') && text.includes('"attempt":1');
      if (!isWhole) cut.push(text);
      await sleep(PAUSE_MS);
    }
  };

  const talks = await Promise.all(Array.from({ length: SESSIONS }, (_, at) => talk(at)));
  const stop = async () => {
    isOver = true;
    await Promise.all(talks.map(({ loop }) => loop));
    for (const { socket } of talks) socket.terminate();
    forget();
  };
  const forget = stopLater(async () => {
    isOver = true;
    for (const { socket } of talks) socket.terminate();
  });
  return { turnsMs, cut, stop };
}

/** The value that `share` of the values do not exceed, rounded; 0 if there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
