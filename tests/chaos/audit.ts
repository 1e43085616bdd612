import { eventually, FrameClient, loggedFrame } from '@sluice/testkit';
import type { Recording } from './recording.js';

const readMs = 20_000;

/**
 * Reads each session again from its beginning, by a client of its own. So events that a sender got only as a
 * snapshot are checked too, and the log must be what the other clients saw.
 */
export async function audit(
  sessions: readonly string[],
  wsUrl: string,
  recording: Recording,
): Promise<void> {
  const seen = new Set(recording.acknowledged.map((it) => it.session));
  for (const session of sessions) {
    // The nodes have just started: a balancer may not know it yet.
    const client = await eventually(() => FrameClient.connect(wsUrl), 10_000);
    const fields = { agent_id: 'slow', session_id: session, since: 0 };
    const hello = await client.hello({ ...fields, capabilities: ['streaming'] });
    const head = Number(hello.cursor);
    const isLast = (frame: Parameters<typeof loggedFrame>[0]) =>
      (loggedFrame(frame)?.cursor ?? 0) >= head;
    if (head === 0 && seen.has(session)) recording.odd(`${session} is gone at the end`);
    if (head > 0) {
      await client.waitFor(isLast, readMs).catch(() => {
        const read = client.logged().at(-1)?.cursor ?? 0;
        recording.odd(`${session} is read to ${read} of ${head} after ${readMs} ms`);
      });
    }
    await client.close();
    const connection = `${session}-audit`;
    const attachment = { session, client: 'audit', connection, since: 0 };
    recording.view({ ...attachment, epoch: String(hello.epoch) }, client);
  }
}

/** What the cluster says about sessions with work, for the report. */
export async function describeSessions(
  sessions: readonly string[],
  url: string,
): Promise<string[]> {
  const read = async (session: string) => {
    const response = await fetch(`${url}/v1/sessions/${session}`);
    const body: unknown = await response.json();
    const { pending_inbox, is_executing, holder, fence, attempt, event_cursor } = Object(body);
    const state = { pending_inbox, is_executing, holder, fence, attempt, event_cursor };
    return `${session}: ${JSON.stringify(state)}`;
  };
  return Promise.all(sessions.slice(0, 10).map((session) => read(session).catch(String)));
}
