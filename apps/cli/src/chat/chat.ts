import { randomUUID } from 'node:crypto';
import { exitStatus, unreachable } from '@sluice/runtime';
import { Conversation } from './conversation.js';
import type { Effect } from './effects.js';
import { type Link, openLink, socketUrl } from './link.js';
import { defaultAgent, type Past, pastOf } from './lookup.js';
import { Terminal } from './terminal.js';

export type ChatOptions = {
  readonly url: string;
  readonly agent?: string | undefined;
  readonly session?: string | undefined;
  readonly token?: string | undefined;
};

const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** After this long without a connection the chat gives up: a script must not hang for ever. */
const GIVE_UP_MS = 5 * 60_000;
/** Lines read ahead of what the gateway has acknowledged. */
const LINES_AHEAD = 64;

/** Close codes after which connecting again with the same credentials is useless. */
const finalCodes = [4001, 4003, 4028];

/** Interactive client; with a pipe as stdin it sends each line and waits for all replies. */
export async function chat(options: ChatOptions): Promise<number> {
  const past = options.session ? await pastOf(options, options.session) : undefined;
  const agentId = options.agent ?? past?.agentId ?? (await defaultAgent(options));
  return await new Chat(options, agentId, past).run();
}

class Chat {
  readonly #conversation: Conversation;
  readonly #terminal: Terminal;
  #link: Link | undefined;
  #resolve: (status: number) => void = () => {};
  #isEnding = false;
  #status = 0;
  #inputEnded = false;
  #failures = 0;
  #lastConnectedMs = performance.now();
  #nextConnectMs = 0;

  constructor(
    readonly options: ChatOptions,
    agentId: string,
    readonly past: Past | undefined,
  ) {
    this.#terminal = new Terminal({
      onLine: (line) => this.#onLine(line),
      onEnd: () => this.#onInputEnd(),
      onInterrupt: () => this.#leave(0),
    });
    this.#conversation = new Conversation({
      agentId,
      sessionId: options.session,
      position: past?.position,
      streaming: this.#terminal.streams,
      makeMessageId: randomUUID,
    });
  }

  async run(): Promise<number> {
    const onSignal = () => this.#leave(0);
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    if (this.past && this.#terminal.isInteractive) this.#terminal.history(this.past.messages);
    try {
      return await new Promise((resolve) => {
        this.#resolve = resolve;
        this.#connect();
      });
    } finally {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    }
  }

  #connect(): void {
    this.#link = openLink(socketUrl(this.options.url), this.options.token, {
      onOpen: () => this.#link?.send(this.#conversation.hello()),
      onFrame: (frame) => {
        if (frame.type === 'hello_ok') this.#onConnected();
        this.#apply(this.#conversation.receive(frame));
      },
      onClose: (code, reason) => this.#onClose(code, reason),
    });
  }

  #onConnected(): void {
    if (this.#failures > 0) this.#terminal.notice('Connected again.');
    this.#failures = 0;
  }

  #onClose(code: number, reason: string): void {
    const askedMs = Math.max(this.#conversation.detached(), this.#nextConnectMs);
    this.#nextConnectMs = 0;
    this.#link = undefined;
    if (this.#isEnding) this.#resolve(this.#status);
    else if (finalCodes.includes(code)) this.#end(1, `Refused: ${reason} (${code})`);
    else this.#connectAgain(askedMs, reason || String(code));
  }

  #connectAgain(askedMs: number, why: string): void {
    if (this.#failures === 0) {
      this.#lastConnectedMs = performance.now();
      this.#terminal.notice(`Connection lost (${why}); connecting again...`);
    }
    this.#failures++;
    if (performance.now() - this.#lastConnectedMs > GIVE_UP_MS) {
      this.#end(exitStatus.tempFail, `No connection for ${GIVE_UP_MS / 60_000} minutes.`);
      return;
    }
    setTimeout(() => this.#connect(), Math.max(askedMs, pauseMs(this.#failures)));
  }

  #onLine(line: string): void {
    const text = line.trim();
    if (text === '/quit') this.#leave(0);
    else if (text) this.#apply(this.#conversation.say(text));
    this.#terminal.prompt();
    if (this.#conversation.unsent > LINES_AHEAD) this.#terminal.pause();
  }

  #onInputEnd(): void {
    this.#inputEnded = true;
    if (this.#terminal.isInteractive) this.#leave(0);
    else this.#leaveWhenDone();
  }

  #apply(effects: readonly Effect[]): void {
    if (this.#isEnding) return;
    for (const effect of effects) this.#perform(effect);
    if (this.#conversation.unsent <= LINES_AHEAD / 2 && !this.#inputEnded) this.#terminal.resume();
    this.#leaveWhenDone();
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'send':
        this.#link?.send(effect.frame);
        break;
      case 'stream':
        this.#terminal.stream(effect.text);
        break;
      case 'discard':
        this.#terminal.discard();
        break;
      case 'reply':
        if (effect.reply.own || this.#terminal.isInteractive) this.#terminal.reply(effect.reply);
        break;
      case 'notice':
        this.#terminal.notice(effect.text);
        break;
      case 'retry':
        setTimeout(() => this.#apply(this.#conversation.retry()), pauseMs(effect.tries));
        break;
      case 'reconnect':
        this.#nextConnectMs = effect.afterMs;
        this.#link?.close();
        break;
      case 'end':
        this.#end(this.#conversation.idle ? effect.status : 1, effect.text);
        break;
      default:
        unreachable(effect);
    }
  }

  #leaveWhenDone(): void {
    if (!this.#inputEnded || this.#terminal.isInteractive || !this.#conversation.idle) return;
    this.#leave(this.#conversation.refused > 0 ? 1 : 0);
  }

  /** Detaches and says how to come back. */
  #leave(status: number): void {
    if (this.#isEnding) return;
    this.#link?.send({ type: 'leave' });
    const { sessionId } = this.#conversation;
    const hint = sessionId && this.#terminal.isInteractive;
    this.#end(status, hint ? `Come back with: sluice chat --session ${sessionId}` : '');
  }

  #end(status: number, text: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#status = status;
    this.#terminal.close();
    if (text) this.#terminal.notice(text);
    if (this.#link) this.#link.close();
    else this.#resolve(status);
  }
}

/** 250 ms, 500 ms, 1 s ... 5 s, each times a random factor of 0.5 to 1, so that clients spread. */
function pauseMs(tries: number): number {
  const whole = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(tries - 1, 10));
  return whole * (0.5 + Math.random() / 2);
}
