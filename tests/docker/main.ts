/**
 * The test of `npm run test:docker`, once docker-compose.yml is up: a conversation through HAProxy, a restart
 * of every gateway in turn, and a check of everything that was seen.
 */
import { checkHistory, eventually, type History } from '@sluice/testkit';
import { z } from 'zod';
import { audit } from '../chaos/audit.js';
import { Conversation } from '../chaos/conversation.js';
import { Random } from '../chaos/random.js';
import { Recording } from '../chaos/recording.js';
import { type Container, containerOf } from './containers.js';

const names = ['gateway-1', 'gateway-2', 'gateway-3'];
const session = 's1';
/** Time to talk before the first restart, between two, and after the last. */
const talkMs = 4_000;
const settleMs = 60_000;
const messagesMin = 20;

const env = z
  .object({
    /** The command for the project, as JSON: `["docker", "compose", "-p", ...]`. */
    SLUICE_COMPOSE: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
    SLUICE_HTTP_PORT: z.coerce.number(),
    SLUICE_PROMETHEUS_PORT: z.coerce.number(),
    SLUICE_TOKEN: z.string(),
  })
  .parse(process.env);

const startedMs = performance.now();
const tell = (line: string) => {
  const at = ((performance.now() - startedMs) / 1_000).toFixed(1);
  process.stderr.write(`${at} s: ${line}\n`);
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** One message after the other, faster than the agent answers. */
function makeMessages(): () => { messageId: string; mode: 'enqueue' } | undefined {
  let made = 0;
  let nextMs = 0;
  return () => {
    const now = performance.now();
    if (now < nextMs) return undefined;
    nextMs = now + 150;
    made += 1;
    return { messageId: `m${made}`, mode: 'enqueue' };
  };
}

async function restart(gateway: Container, recording: Recording): Promise<void> {
  const startMs = performance.now();
  const status = await gateway.stop();
  recording.exits.push(status);
  recording.fault({ kind: 'drain', node: gateway.name, startMs, endMs: performance.now() });
  if (status !== 0) recording.odd(`${gateway.name} ended with status ${status}`);
  await gateway.start();
  await gateway.healthy();
  await pause(talkMs);
}

/** How many nodes are up, as Prometheus has read it from HAProxy. */
async function nodesUp(): Promise<number> {
  const query = encodeURIComponent('sum(haproxy_server_status{proxy="gateways",state="UP"})');
  const url = `http://127.0.0.1:${env.SLUICE_PROMETHEUS_PORT}/api/v1/query?query=${query}`;
  const answer = z.object({
    data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
  });
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  const [first] = answer.parse(await response.json()).data.result;
  return Number(first?.value[1] ?? 0);
}

async function play(recording: Recording): Promise<History> {
  const gateways = await Promise.all(names.map((name) => containerOf(env.SLUICE_COMPOSE, name)));
  await Promise.all(gateways.map((gateway) => gateway.healthy()));
  const base = `127.0.0.1:${env.SLUICE_HTTP_PORT}`;
  const isAnswering = async () => (await fetch(`http://${base}/ready`)).ok;
  await eventually(() => isAnswering().catch(() => false), settleMs);
  await eventually(async () => (await nodesUp().catch(() => 0)) === names.length, settleMs);
  tell('three nodes are healthy, and Prometheus sees them through HAProxy');

  const wsUrl = () => `ws://${base}/ws?token=${env.SLUICE_TOKEN}`;
  const random = new Random(1);
  const talk = (name: string, next: ReturnType<typeof makeMessages>) =>
    new Conversation({ session, name, recording, random: random.fork(), wsUrl, next });
  const sender = talk('sender', makeMessages());
  const watcher = talk('watcher', () => undefined);
  const running = [sender.run(), watcher.run()];
  await pause(talkMs);
  for (const gateway of gateways) await restart(gateway, recording);
  sender.stopSending();
  await eventually(() => sender.isSettled, settleMs).catch(() => {
    recording.odd(`without an outcome: ${sender.unsettled.join(', ')}`);
  });
  for (const client of [sender, watcher]) client.leave();
  await Promise.all(running);
  await audit([session], wsUrl(), recording);
  const { sent, acknowledged, views, faults } = recording;
  const none = { cuttings: [], turns: [], ends: [], forcedCloses: [], handOvers: [] };
  return { leaseTtlMs: 10_000, sent, acknowledged, views, faults, ...none };
}

const recording = new Recording(tell);
const history = await play(recording);
const { findings, totals } = checkHistory(history);
const faults = [
  ...findings.map(({ kind, detail }) => `${kind}: ${detail}`),
  ...recording.oddities,
  ...recording.refusals.map(({ status, why }) => `refused with ${status || 'no answer'}: ${why}`),
  ...(totals.messages < messagesMin ? [`void: ${totals.messages} messages only`] : []),
];
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.stdout.write(
  `docker: messages ${totals.messages}, connections ${history.views.length}, restarts ` +
    `${recording.exits.length}, lost ${totals.lost}, doubled ${totals.doubled}, reordered ` +
    `${totals.reordered}, refused ${recording.refusals.length}, faults ${faults.length}\n`,
);
process.exit(faults.length > 0 ? 1 : 0);
