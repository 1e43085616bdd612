import type { EventFrame, Finding, FindingKind, View } from './records.js';

/**
 * Each connection's view has no hole, `skipped` counted, and no doubles; a snapshot moves its position
 * (E1, E3, E4). Each connection of a client goes on where the one before it ended.
 */
export function checkViews(views: readonly View[]): Finding[] {
  const positions = new Map<string, number>();
  return views.flatMap((view) => {
    const { session, client, connection, since } = view;
    const finding = (kind: FindingKind, detail: string): Finding => ({
      kind,
      session,
      detail: `${connection}: ${detail}`,
    });
    const name = `${session} ${client}`;
    const left = positions.get(name);
    const findings: Finding[] = [];
    if (left !== undefined && since !== null && since !== left) {
      const detail = `attached at ${since}, the one before it left at ${left}`;
      findings.push(finding(since > left ? 'gap' : 'repeat', detail));
    }
    let at = since;
    for (const frame of view.frames) {
      if (frame.kind === 'event') {
        const expected = (at ?? frame.seq - 1 - frame.skipped) + 1 + frame.skipped;
        const detail = `${frame.type} ${frame.seq} where ${expected} was due`;
        if (frame.seq > expected) findings.push(finding('gap', detail));
        if (frame.seq < expected) findings.push(finding('repeat', detail));
      }
      at = frame.seq;
    }
    if (at !== null) positions.set(name, at);
    return findings;
  });
}

/** The streamed text of each message so far. */
class Streams {
  readonly #texts = new Map<string, string>();

  /** At a final: how the streamed text differs from the reply; undefined if it does not. */
  take({ type, status, messageId = '', outcome, text = '' }: EventFrame): string | undefined {
    if (type === 'retry_stream') this.#texts.delete(messageId);
    if (type === 'token_stream') {
      this.#texts.set(messageId, (this.#texts.get(messageId) ?? '') + text);
    }
    if (status !== 'final') return undefined;
    const streamed = this.#texts.get(messageId);
    this.#texts.delete(messageId);
    if (outcome !== 'ok' || streamed === undefined || streamed === text) return undefined;
    return `${messageId}: ${JSON.stringify(streamed)} was streamed, not ${JSON.stringify(text)}`;
  }
}

/**
 * A client that follows a session over any number of connections, and discards what `retry_stream` makes void,
 * has streamed exactly the reply. Clients that got a snapshot or skipped frames are not checked.
 */
export function checkStreams(views: readonly View[]): Finding[] {
  const clients = new Map<string, View[]>();
  for (const view of views) {
    const name = `${view.session} ${view.client}`;
    clients.set(name, [...(clients.get(name) ?? []), view]);
  }
  return [...clients.values()].flatMap((connections) => {
    const frames = connections.flatMap((view) => view.frames);
    const isWhole = (frame: (typeof frames)[number]) =>
      frame.kind === 'event' && frame.skipped === 0;
    if (connections[0]?.since !== 0 || !frames.every(isWhole)) return [];
    const streams = new Streams();
    const session = connections[0].session;
    return frames.flatMap((frame) => {
      const detail = frame.kind === 'event' ? streams.take(frame) : undefined;
      return detail === undefined ? [] : [{ kind: 'garbled' as const, session, detail }];
    });
  });
}
