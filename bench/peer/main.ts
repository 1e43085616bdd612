/**
 * The peer: what a Node team would build in a week. Socket.IO with connection state recovery and the Redis
 * streams adapter, one BullMQ job per message, a lock per session while it runs, the history in a list. It uses
 * the settings of their documentation, and the concurrency of Sluice.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Server, type Socket } from 'socket.io';
import { type Agent, reply } from '../agents/agent.js';
import { appendLines, readLines } from './history.js';
import { makeInTurn } from './in-turn.js';

const [redisUrl = '', agentFile = '', concurrency = '64'] = process.argv.slice(2);
const { default: agent }: { default: Agent } = await import(agentFile);

/** Ended jobs that are kept: a message that comes again is not run again while its job is kept. */
const KEPT_JOBS = 1_000;
type Message = { readonly id: string; readonly session: string; readonly content: string };

const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
const server = createServer();
const io = new Server(server, {
  adapter: createAdapter(redis),
  connectionStateRecovery: { maxDisconnectionDuration: 120_000, skipMiddlewares: true },
  transports: ['websocket'],
});
const { hostname, port } = new URL(redisUrl);
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue<Message>('messages', { connection });
const inTurn = makeInTurn(redis);

const worker = new Worker<Message>(
  'messages',
  async ({ data: { id, session, content } }) =>
    inTurn(session, async () => {
      const room = io.to(session);
      const text = await reply(agent, content, (delta) =>
        room.emit('delta', { id, content: delta }),
      );
      const lines = [
        { id, role: 'user', content },
        { id, role: 'assistant', content: text },
      ];
      await appendLines(redis, session, lines);
      room.emit('final', { id, content: text });
    }),
  { connection, concurrency: Number(concurrency) },
);
worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
worker.on('failed', (_job, error) => process.stderr.write(`${error.message}\n`));

/** For a reader whose state could not be recovered: sends the replies in the history. */
async function replay(socket: Socket, session: string): Promise<void> {
  for (const { id, role, content } of await readLines(redis, session)) {
    if (role === 'assistant') socket.emit('final', { id, content });
  }
}

io.on('connection', async (socket) => {
  const { session = randomUUID(), replay: isReplay } = socket.handshake.auth;
  await socket.join(session);
  socket.on('message', async ({ content }: { content: string }, accepted: () => void) => {
    const id = randomUUID();
    const options = { jobId: id, attempts: 3, removeOnComplete: { count: KEPT_JOBS } };
    await queue.add('message', { id, session, content }, options);
    accepted();
  });
  if (isReplay && !socket.recovered) await replay(socket, session);
  socket.emit('attached');
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = address && typeof address === 'object' ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
