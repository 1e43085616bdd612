import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { stopLater } from '../base/cleanup.js';
import { type ConnectionChoice, makeChosenFaults } from './proxy-chosen.js';
import { type Link, makeLink, type Request } from './proxy-link.js';

export type RequestMatcher = (request: Request) => boolean;

/** A cut that a test has ordered. */
export type Cut = {
  /** How often it has happened. */
  readonly hits: number;
  /** Resolves when it has happened as often as ordered. */
  readonly done: Promise<void>;
  /** Cancels the cuts that have not happened yet. */
  cancel(): void;
};

export type TcpProxy = {
  readonly port: number;
  readonly url: string;
  /** Connections that were made to the proxy so far. */
  readonly made: number;
  /** How often each command was sent (upper case), scripts as EVALSHA. */
  readonly commands: ReadonlyMap<string, number>;
  /** Calls `see` for each request with the number of its connection; returns a function that ends it. */
  watch(see: (request: Request, connection: number) => void): () => void;
  /** The matching request is executed, its reply never arrives, the connection is destroyed. */
  cutReply(matches: RequestMatcher, times?: number): Cut;
  /** The matching request never reaches Redis, the connection is destroyed. */
  cutRequest(matches: RequestMatcher, times?: number): Cut;
  cutAll(): void;
  /** New connections are refused, existing ones go on. */
  refuse(on: boolean): Promise<void>;
  /** New connections lead to this port of loopback; existing ones stay where they are. */
  target(port: number): void;
  /** Holds each reply back by `ms`. */
  latency(ms: number): void;
  /** Nothing passes in either direction and nothing is closed; held data passes afterwards. */
  blackhole(on: boolean): void;
  /**
   * The same for the chosen connections only, also for those made later. They are recognised by the name that
   * they give themselves with CLIENT SETNAME, `sluice:<node>:<part>`; a node sends it first of all. Held data
   * passes afterwards.
   */
  silence(which: ConnectionChoice, on: boolean): void;
  /** The chosen connections that are open now never get an answer again and are not closed: their peer is gone. */
  abandon(which: ConnectionChoice): void;
  /** Cuts the chosen connections, and later ones as soon as they give their name. */
  reject(which: ConnectionChoice, on: boolean): void;
  /** Names of the connections that are open now, in the order in which they were made; '' if not given yet. */
  names(): string[];
  stop(): Promise<void>;
};

/** Matches a call of this Lua script, by its digest or its text. */
export function matchScript(lua: string): RequestMatcher {
  const digest = createHash('sha1').update(lua).digest('hex');
  return ([, script]) => script === digest || script === lua;
}

/** One rule of the proxy; `due` counts down as requests are chosen for it. */
type CutRule = { readonly matches: RequestMatcher; due: number; hit(): void };

function makeCut(matches: RequestMatcher, times: number): { rule: CutRule; cut: Cut } {
  let hits = 0;
  let resolve: () => void = () => undefined;
  const done = new Promise<void>((settle) => {
    resolve = settle;
  });
  const rule: CutRule = {
    matches,
    due: times,
    hit: () => {
      hits += 1;
      if (hits === times) resolve();
    },
  };
  const cut: Cut = {
    get hits() {
      return hits;
    },
    done,
    cancel: () => {
      rule.due = 0;
    },
  };
  return { rule, cut };
}

const takes = (request: Request) => (rule: CutRule) => rule.due > 0 && rule.matches(request);

/** The rules and watchers for requests. */
class Faults {
  readonly commands = new Map<string, number>();
  readonly watchers = new Set<(request: Request, connection: number) => void>();
  readonly replies: CutRule[] = [];
  readonly requests: CutRule[] = [];
  latencyMs = 0;

  rulesFor(connection: number) {
    // The rule that chose a request, kept until the reply shows whether Redis executed it.
    const chosen = new Map<Request, CutRule>();
    return {
      latencyMs: () => this.latencyMs,
      onRequest: (request: Request) => {
        const name = request[0]?.toUpperCase() ?? '';
        this.commands.set(name, (this.commands.get(name) ?? 0) + 1);
        for (const see of this.watchers) see(request, connection);
        const before = this.requests.find(takes(request));
        if (before) {
          before.due -= 1;
          before.hit();
          return 'cut-request' as const;
        }
        const after = this.replies.find(takes(request));
        if (!after) return 'forward' as const;
        after.due -= 1;
        chosen.set(request, after);
        return 'cut-reply' as const;
      },
      onCutReply: (reply: Buffer, request: Request) => {
        const rule = chosen.get(request);
        chosen.delete(request);
        if (!rule) return false;
        // Redis did not know the script by its digest: the client sends it again, as text.
        if (reply.subarray(0, 9).toString() === '-NOSCRIPT') {
          rule.due += 1;
          return false;
        }
        rule.hit();
        return true;
      },
    };
  }
}

/** A listener that can close its port and open the same one again. */
async function listen(onConnection: (socket: Socket) => void, host: string, wanted: number) {
  const server = createServer({ noDelay: true }, onConnection);
  const open = async (port: number) => {
    server.listen(port, host);
    await once(server, 'listening');
  };
  await open(wanted);
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    refuse: async (on: boolean) => {
      if (on) server.close();
      else if (!server.listening) await open(address.port);
    },
  };
}

/** A proxy in front of the Redis at `targetPort` of loopback; `host` and `ownPort`: where it listens. */
export async function startTcpProxy(
  targetPort: number,
  host = '127.0.0.1',
  ownPort = 0,
): Promise<TcpProxy> {
  const faults = new Faults();
  const links = new Set<Link>();
  const chosen = makeChosenFaults(links);
  let held = false;
  let connections = 0;
  let port = targetPort;

  const listener = await listen(
    (client) => {
      connections += 1;
      const server = connect({ port, host: '127.0.0.1', noDelay: true });
      const link = makeLink(client, server, faults.rulesFor(connections));
      links.add(link);
      client.once('close', () => links.delete(link));
      link.onName(chosen.named);
      if (held) link.hold(true);
    },
    host,
    ownPort,
  );
  const cutAll = () => {
    for (const link of [...links]) link.cut();
  };
  const stop = async () => {
    forget();
    await listener.refuse(true);
    cutAll();
  };
  const forget = stopLater(stop);
  const add = (rules: CutRule[], matches: RequestMatcher, times: number) => {
    const { rule, cut } = makeCut(matches, times);
    rules.push(rule);
    return cut;
  };

  return {
    port: listener.port,
    url: `redis://${host}:${listener.port}`,
    get made() {
      return connections;
    },
    commands: faults.commands,
    watch: (see) => {
      faults.watchers.add(see);
      return () => faults.watchers.delete(see);
    },
    cutReply: (matches, times = 1) => add(faults.replies, matches, times),
    cutRequest: (matches, times = 1) => add(faults.requests, matches, times),
    cutAll,
    refuse: listener.refuse,
    target: (to) => {
      port = to;
    },
    latency: (ms) => {
      faults.latencyMs = ms;
    },
    blackhole: (on) => {
      held = on;
      for (const link of links) link.hold(on || chosen.isSilent(link));
    },
    silence: chosen.silence,
    abandon: chosen.abandon,
    reject: chosen.reject,
    names: () => [...links].map(({ name }) => name),
    stop,
  };
}
