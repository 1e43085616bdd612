import type { HistoryMessage } from '@sluice/protocol';
import {
  decodeEntry,
  decodeHistory,
  type HeadReply,
  type Leases,
  readable,
  userMessage,
} from '@sluice/store';

type Remembering = { forget(): void };

export type HistoryRoom = ReturnType<typeof makeHistoryRoom>;

/**
 * Bounds the histories that a node remembers for all its leases together. Beyond `maxBytes` it forgets those of the
 * sessions that were quiet for longest: their next turn reads the history again.
 */
export function makeHistoryRoom(maxBytes: number) {
  /** Bytes of each, in the order of last use. */
  const kept = new Map<Remembering, number>();
  let bytes = 0;

  function leave(one: Remembering): void {
    bytes -= kept.get(one) ?? 0;
    kept.delete(one);
  }
  return {
    get bytes() {
      return bytes;
    },
    keep(one: Remembering, takes: number): void {
      leave(one);
      kept.set(one, takes);
      bytes += takes;
      for (const oldest of kept.keys()) {
        if (bytes <= maxBytes) return;
        oldest.forget();
      }
    },
    leave,
  };
}

/** The history of one session, remembered by its holder from the first turn that needs it. */
export class HeldHistory {
  private messages: HistoryMessage[] | undefined;
  private bytes = 0;
  /** The turn that was committed last: `messages` belong only to a state with the same one. */
  private lastTurn = '';

  constructor(
    private readonly limits: { readonly maxMessages: number; readonly maxLogBytes: number },
    private readonly room: HistoryRoom,
  ) {}

  /** The messages that were committed before the turn of `head`: the newest ones, as many as the agent takes. */
  async read(
    leases: Pick<Leases, 'history'>,
    id: string,
    { head, takenBytes = Infinity }: { head: HeadReply; takenBytes?: number | undefined },
  ): Promise<readonly HistoryMessage[]> {
    if (this.messages && this.lastTurn === head.lastTurn) return this.messages.slice();
    const lines = await leases.history(id, Math.min(takenBytes, this.limits.maxLogBytes));
    const messages = begun(lines.flatMap(readable(decodeHistory)));
    this.messages = messages;
    this.lastTurn = head.lastTurn;
    this.bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
    this.room.keep(this, this.bytes);
    return messages.slice();
  }

  /** Adds what `turn-commit` has written. */
  committed(head: HeadReply, reply: HistoryMessage): void {
    const { messages } = this;
    if (!messages) return;
    if (this.lastTurn !== head.lastTurn) return this.forget();
    this.lastTurn = head.turnId;
    for (const message of [
      ...head.entries.flatMap(readable(decodeEntry)).map(userMessage),
      reply,
    ]) {
      messages.push(message);
      this.bytes += bytesOf(message);
    }
    const { maxMessages, maxLogBytes } = this.limits;
    while (messages.length > maxMessages || (this.bytes > maxLogBytes && messages.length > 1)) {
      const [oldest] = messages.splice(0, 1);
      if (oldest) this.bytes -= bytesOf(oldest);
    }
    this.room.keep(this, this.bytes);
  }

  forget(): void {
    this.messages = undefined;
    this.room.leave(this);
  }
}

/**
 * Leaves out messages that were stopped before their turn began. Other nodes write those, also while this one has the
 * lease: a holder does not learn of them, so no holder shows them to the agent.
 */
function begun(messages: readonly HistoryMessage[]): HistoryMessage[] {
  const stopped = new Set(messages.filter((it) => it.turn_id === '').map((it) => it.message_id));
  return messages.filter((it) => !stopped.has(it.message_id));
}

/** Nearly the bytes of the message's line in Redis, to which `max_log_bytes` applies there. */
function bytesOf(message: HistoryMessage): number {
  return Buffer.byteLength(JSON.stringify(message));
}
