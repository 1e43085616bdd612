import type { Socket } from 'node:net';
import { isPush, requestWords, ValueSplitter } from './resp.js';

export type Request = readonly string[];

/** What the proxy decides for one connection. */
export type LinkRules = {
  /** Milliseconds that each reply is held back. */
  latencyMs(): number;
  /** Called once per request. `cut-reply`: Redis executes it, and its reply is destroyed. */
  onRequest(request: Request): 'forward' | 'cut-request' | 'cut-reply';
  /** The reply to a `cut-reply` request has arrived. Returns false if Redis did not execute it: no cut yet. */
  onCutReply(reply: Buffer, request: Request): boolean;
};

export type Link = {
  /** The name that the connection gave itself with CLIENT SETNAME; '' before that. */
  readonly name: string;
  /** Calls `fn` when the connection gives its name, before that request is passed on. */
  onName(fn: (link: Link) => void): void;
  /** Destroys both sides at once: the client never learns what became of its requests. */
  cut(): void;
  hold(on: boolean): void;
};

/** With RESP3 these commands are answered by pushes only. */
const subscribes = new Set(
  ['', 'P', 'S'].flatMap((kind) => [`${kind}SUBSCRIBE`, `${kind}UNSUBSCRIBE`]),
);

/** One connection: `client` to the proxy, `server` from the proxy to Redis. */
export function makeLink(client: Socket, server: Socket, rules: LinkRules): Link {
  const requests = new ValueSplitter();
  const replies = new ValueSplitter();
  const waiting: { readonly request: Request; readonly cut: boolean }[] = [];
  // RESP3 marks values that answer no request. With RESP2 a subscriber's replies cannot be matched to requests.
  let resp3 = false;
  let counted = true;

  const cut = () => {
    client.destroy();
    server.destroy();
  };

  /** Delayed replies, in order: none overtakes another, also after the latency was lowered. */
  const held: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  const sendReply = (bytes: Buffer) => {
    const delayMs = rules.latencyMs();
    if (delayMs === 0 && held.length === 0) client.write(bytes);
    else if (held.push({ bytes, dueMs: performance.now() + delayMs }) === 1) sendHeld();
  };
  const sendHeld = () => {
    for (let first = held[0]; first; first = held[0]) {
      const leftMs = first.dueMs - performance.now();
      if (leftMs > 0) {
        setTimeout(sendHeld, leftMs);
        return;
      }
      if (client.writable) client.write(first.bytes);
      held.shift();
    }
  };

  let name = '';
  let tellName: (link: Link) => void = () => undefined;
  /** True: requests go to `kept`, since `pause` does not stop data that has already been read. */
  let isHeld = false;
  const kept: Buffer[] = [];

  const onRequest = (value: Buffer): boolean => {
    const request = requestWords(value);
    const [command, sub, given] = request;
    if (command?.toUpperCase() === 'CLIENT' && sub?.toUpperCase() === 'SETNAME') {
      name = given ?? '';
      tellName(link);
      if (client.destroyed) return false;
    }
    if (isHeld) {
      kept.push(value);
      return true;
    }
    return pass(value, request);
  };

  const pass = (value: Buffer, request: Request): boolean => {
    const verdict = rules.onRequest(request);
    if (verdict === 'cut-request') {
      cut();
      return false;
    }
    const command = request[0]?.toUpperCase() ?? '';
    if (command === 'HELLO' && request[1] === '3') resp3 = true;
    const subscribing = subscribes.has(command);
    if (command === 'MONITOR' || (subscribing && !resp3)) counted = false;
    if (counted && !subscribing) waiting.push({ request, cut: verdict === 'cut-reply' });
    server.write(value);
    return true;
  };

  const onReply = (value: Buffer): boolean => {
    const asked = counted && !isPush(value) ? waiting.shift() : undefined;
    if (asked?.cut && rules.onCutReply(value, asked.request)) {
      cut();
      return false;
    }
    sendReply(value);
    return true;
  };

  client.on('data', (chunk: Buffer) => {
    requests.push(chunk).every(onRequest);
  });
  server.on('data', (chunk: Buffer) => {
    replies.push(chunk).every(onReply);
  });
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('end', () => to.end());
    from.on('close', () => to.destroy());
  }
  const link: Link = {
    get name() {
      return name;
    },
    onName: (fn) => {
      tellName = fn;
    },
    cut,
    hold: (on) => {
      isHeld = on;
      for (const side of [client, server]) on ? side.pause() : side.resume();
      if (!on) kept.splice(0).every((value) => pass(value, requestWords(value)));
    },
  };
  return link;
}
