/** Where the demo is shown: a terminal, or a file, which gets whole lines without colours. */
export type Output = {
  readonly isTerminal: boolean;
  readonly hasColours: boolean;
  write(text: string): void;
};

const codes = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Tone = keyof typeof codes | 'plain';

const whoWidth = 6;
const timeWidth = 6;
const margin = ' '.repeat(timeWidth + 2 + whoWidth + 2);

/**
 * Shows lines of `time who what`, and replies that grow word by word. Nothing is ever overwritten: an
 * interrupted reply goes on in a new line, so that all its lines together are the reply.
 */
export class Screen {
  readonly #output: Output;
  readonly #startedMs = performance.now();
  #reply: { readonly id: string; pending: string } | undefined;
  readonly #broken = new Set<string>();
  #held: (() => void)[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  paint(tone: Tone, text: string): string {
    if (tone === 'plain' || !this.#output.hasColours) return text;
    return `\x1b[${codes[tone]}m${text}\x1b[0m`;
  }

  /** A line without time and name. */
  plain(text = ''): void {
    this.#breakReply();
    this.#output.write(`${text}\n`);
  }

  line(who: string, text: string, tone: Tone = 'plain'): void {
    this.#breakReply();
    this.#output.write(`${this.#head(who)}${this.paint(tone, text)}\n`);
  }

  /** A line that adds to the line above. */
  more(text: string, tone: Tone = 'plain'): void {
    this.#breakReply();
    this.#output.write(`${margin}${this.paint(tone, text)}\n`);
  }

  /** As `line`, but waits for the end of a running reply, so as not to interrupt it. */
  beside(who: string, text: string, tone: Tone = 'plain'): void {
    if (this.#reply) this.#held.push(() => this.line(who, text, tone));
    else this.line(who, text, tone);
  }

  /** The next words of a reply; `label` stands before its first. */
  words(id: string, label: string, text: string): void {
    if (this.#reply?.id !== id) {
      this.#breakReply();
      this.#reply = { id, pending: '' };
      const again = this.#broken.has(id) ? this.paint('dim', '... ') : '';
      this.#broken.delete(id);
      this.#put(`${this.#head('agent')}${this.paint('bold', label)}  ${again}`);
    }
    this.#put(text);
  }

  /** The shown part of the reply is void: it begins again. */
  forget(id: string): void {
    this.#breakReply();
    this.#broken.delete(id);
  }

  endReply(id: string): void {
    if (this.#reply?.id === id) {
      this.#put('\n');
      this.#flush();
    }
    this.#broken.delete(id);
    for (const show of this.#held.splice(0)) show();
  }

  #breakReply(): void {
    if (!this.#reply) return;
    this.#broken.add(this.#reply.id);
    this.#put(`${this.paint('dim', '...')}\n`);
    this.#flush();
  }

  /** A terminal gets each word at once; a file gets whole lines. */
  #put(text: string): void {
    if (this.#output.isTerminal) this.#output.write(text);
    else if (this.#reply) this.#reply.pending += text;
  }

  #flush(): void {
    if (this.#reply?.pending) this.#output.write(this.#reply.pending);
    this.#reply = undefined;
  }

  #head(who: string): string {
    const seconds = ((performance.now() - this.#startedMs) / 1_000).toFixed(1);
    const time = this.paint('dim', `${seconds.padStart(timeWidth - 2)} s`);
    return `${time}  ${this.paint(toneOf(who), who.padEnd(whoWidth))}  `;
  }
}

const toneOf = (who: string): Tone =>
  who === 'agent' ? 'plain' : who === 'client' ? 'green' : 'cyan';
