import { checkFrame, eventually, type Frame, isFrame } from '@sluice/testkit';

export type ServerSentEvent = { readonly id: string; readonly event: string; readonly data: Frame };

/** Reads Server-Sent Events by the rules of the standard, as far as a gateway uses them. */
export class EventStream {
  readonly events: ServerSentEvent[] = [];
  retryMs: number | undefined;
  /** It ended as an answer ends, not by a broken connection. */
  ended = false;
  /** It is over, whichever way. */
  over: Promise<void> = Promise.resolve();
  readonly #abort = new AbortController();

  private constructor(readonly response: Response) {}

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
    const abort = new AbortController();
    const stream = new EventStream(await fetch(url, { headers, signal: abort.signal }));
    stream.#abort.signal.addEventListener('abort', () => abort.abort());
    stream.over = stream.#read().catch(() => undefined);
    return stream;
  }

  async #read(): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
    this.ended = true;
  }

  #take(block: string): void {
    const fields = block.split('\n').filter((line) => !line.startsWith(':'));
    const field = (name: string) =>
      fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const retry = field('retry');
    if (retry !== undefined) this.retryMs = Number(retry);
    const data: unknown = JSON.parse(field('data') ?? 'null');
    if (!isFrame(data)) return;
    checkFrame(data);
    this.events.push({ id: field('id') ?? '', event: field('event') ?? '', data });
  }

  frames = () => this.events.map(({ data }) => data);
  final = (messageId: string) =>
    eventually(() => {
      const isFinal = ({ status, message_id }: Frame) =>
        status === 'final' && message_id === messageId;
      return this.frames().find(isFinal) ?? false;
    }, 10_000);
  close = () => this.#abort.abort();
}
