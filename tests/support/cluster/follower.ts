import {
  eventually,
  type Frame,
  FrameClient,
  type GatewayProcess,
  gaps,
  streamedTexts,
} from '@sluice/testkit';
import { EventStream } from './event-stream.js';

/** One connection of a follower, over either transport. */
type Reading = {
  /** Events of the log, in the order in which they came. */
  frames(): readonly Frame[];
  /** Of the last event; undefined: there was none yet. */
  epoch(): string | undefined;
  readonly over: Promise<unknown>;
  close(): void;
};

export type Transport = 'WebSocket' | 'Server-Sent Events';

/** Where a reader is: what it names when it comes back. */
type Position = { readonly seq: number; readonly epoch: string | undefined };

type Opening = { readonly node: GatewayProcess; readonly session: string; readonly at: Position };

async function openSocket({ node, session, at }: Opening): Promise<Reading> {
  const client = await FrameClient.connect(node.wsUrl);
  const { seq: since, epoch } = at;
  const position = { since, ...(epoch ? { epoch } : {}) };
  const hello = await client.hello({ agent_id: 'slow', session_id: session, ...position });
  const frames = () => client.logged();
  return {
    frames,
    epoch: () => frames().findLast((frame) => frame.epoch !== undefined)?.epoch ?? hello.epoch,
    over: client.closed,
    close: () => client.cut(),
  };
}

async function openEvents({ node, session, at }: Opening): Promise<Reading> {
  const { seq, epoch } = at;
  const headers: Record<string, string> = epoch ? { 'last-event-id': `${epoch}:${seq}` } : {};
  const stream = await EventStream.open(`${node.url}/v1/sessions/${session}/events`, headers);
  return {
    frames: stream.frames,
    epoch: () => stream.events.at(-1)?.id.split(':')[0] ?? epoch,
    over: stream.over,
    close: stream.close,
  };
}

/** Who follows a session from its first event over any number of nodes, as a careful client does. */
export class Follower {
  readonly #before: Frame[] = [];
  readonly #session: string;
  readonly #open: (opening: Opening) => Promise<Reading>;
  #reading: Reading | undefined;

  constructor(transport: Transport, session: string) {
    this.#session = session;
    this.#open = transport === 'WebSocket' ? openSocket : openEvents;
  }

  /** Waits for the end of the connection before this one, and comes back where that one ended. */
  async attach(node: GatewayProcess): Promise<void> {
    await this.#reading?.over;
    this.#before.push(...(this.#reading?.frames() ?? []));
    const at = { seq: this.#before.at(-1)?.cursor ?? 0, epoch: this.#reading?.epoch() };
    this.#reading = undefined;
    this.#reading = await this.#open({ node, session: this.#session, at });
  }

  /** Everything seen so far, over all connections. */
  get frames(): readonly Frame[] {
    return [...this.#before, ...(this.#reading?.frames() ?? [])];
  }

  /** Text streamed for the message so far; '' where nothing is. */
  shown(messageId: string): string {
    return streamedTexts(this.frames).get(messageId) ?? '';
  }

  get gaps(): string[] {
    return gaps(this.frames);
  }

  /** The first event of all that matches. */
  until(matches: (frame: Frame) => boolean, ms = 20_000): Promise<Frame> {
    return eventually(() => {
      const frame = this.frames.find(matches);
      if (!frame) throw new Error(`not among ${JSON.stringify(this.frames)}`);
      return frame;
    }, ms);
  }

  final(messageId: string): Promise<Frame> {
    return this.until(({ status, message_id }) => status === 'final' && message_id === messageId);
  }

  close(): void {
    this.#reading?.close();
  }
}
