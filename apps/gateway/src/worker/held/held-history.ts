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
 * What all holders of a node remember of histories has a total. Beyond it those are forgotten whose session was
 * quiet for longest: their next turn reads its history again.
 */
export function makeHistoryRoom(maxBytes: number) {
  /** The one that was used last comes last. */
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

/** What a holder remembers of its session's history, from the first turn that needs it. */
export class HeldHistory {
  private messages: HistoryMessage[] | undefined;
  private bytes = 0;
  /** The turn that was committed last: of a state with another one it is not the history. */
  private lastTurn = '';

  constructor(
    private readonly limits: { readonly maxMessages: number; readonly maxLogBytes: number },
    private readonly room: HistoryRoom,
  ) {}

  /** Committed messages, from the newest on as many as the agent takes, as of the turn `head`. */
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

  /** Follows what `turn-commit` wrote. */
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
 * Without messages that were stopped before their turn began: other nodes write those, also while this one
 * has the lease, so that every holder leaves them out.
 */
function begun(messages: readonly HistoryMessage[]): HistoryMessage[] {
  const stopped = new Set(messages.filter((it) => it.turn_id === '').map((it) => it.message_id));
  return messages.filter((it) => !stopped.has(it.message_id));
}

/** Nearly what its line in Redis takes, which is what is limited there. */
function bytesOf(message: HistoryMessage): number {
  return Buffer.byteLength(JSON.stringify(message));
}
