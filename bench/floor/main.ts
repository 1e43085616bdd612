/**
 * The floor: the smallest honest program. It has a socket, a script that appends a message, one that commits its
 * outcome, one for each token, and sends published events to subscribers. It has no lease, queue, replay or
 * limit, and answers a message that comes twice twice.
 */

import uWS, { type WebSocket } from 'uWebSockets.js';
import { randomUUID } from 'node:crypto';
import { type Agent, reply } from '../agents/agent.js';
import { openFloorStore } from './store.js';

const [redisUrl = '', agentFile = ''] = process.argv.slice(2);
const { default: agent }: { default: Agent } = await import(agentFile);

type Session = { id: string; keys: string; readers: Set<Reader> };
type Reader = { socket?: WebSocket<Reader>; session?: Session };

const sessions = new Map<string, Session>();
const channelOf = ({ keys }: Session) => `${keys}chan`;
const store = openFloorStore(redisUrl, (channel, event) => {
  for (const { socket } of sessions.get(channel)?.readers ?? []) socket?.send(event, false);
});
const decoder = new TextDecoder();

async function attach(reader: Reader, id: string): Promise<void> {
  const keys = `floor:{p0}:s:${id}:`;
  const channel = `${keys}chan`;
  const session = sessions.get(channel) ?? { id, keys, readers: new Set() };
  sessions.set(channel, session);
  session.readers.add(reader);
  reader.session = session;
  await store.subscribe(channel);
  reader.socket?.send(JSON.stringify({ type: 'hello_ok', session_id: id, cursor: 0 }), false);
}

async function runTurn(reader: Reader, session: Session, content: string): Promise<void> {
  const { id, keys } = session;
  const messageId = randomUUID();
  const [state, inbox, events] = [`${keys}state`, `${keys}inbox`, `${keys}events`];
  const ids = `"session_id":"${id}","message_id":"${messageId}"`;
  const accepted = `{"type":"response","status":"accepted",${ids},"content":"Started processing."`;
  const message = JSON.stringify({ message_id: messageId, content });
  const seq = await store.append(state, inbox, events, message, accepted);
  reader.socket?.send(`${accepted},"seq":${seq},"cursor":${seq}}`, false);
  const text = await reply(agent, content, (delta) => {
    const event = `{"type":"token_stream","data":${JSON.stringify({ content: delta })}`;
    return store.delta(state, events, channelOf(session), event);
  });
  const line = (role: string, said: string) =>
    JSON.stringify({ role, content: said, message_id: messageId });
  const outcome = `"outcome":{"status":"ok"},${ids}`;
  const final = `{"type":"response","status":"final","content":${JSON.stringify(text)},${outcome}`;
  const keysOfCommit = [state, inbox, events, `${keys}messages`, channelOf(session)];
  await store.commit(...keysOfCommit, line('user', content), line('assistant', text), final);
}

async function receive(reader: Reader, text: string): Promise<void> {
  const frame = JSON.parse(text);
  if (frame.type === 'hello') await attach(reader, frame.session_id ?? randomUUID());
  else if (frame.type === 'message' && reader.session) {
    await runTurn(reader, reader.session, frame.content);
  }
}

function leave(reader: Reader): void {
  delete reader.socket;
  const { session } = reader;
  session?.readers.delete(reader);
  if (!session || session.readers.size > 0) return;
  sessions.delete(channelOf(session));
  store.unsubscribe(channelOf(session));
}

uWS
  .App()
  .ws<Reader>('/ws', {
    maxPayloadLength: 1 << 20,
    maxBackpressure: 1 << 20,
    idleTimeout: 120,
    upgrade: (response, request, context) => {
      const [key, protocol, extensions] = ['key', 'protocol', 'extensions'].map((name) =>
        request.getHeader(`sec-websocket-${name}`),
      );
      response.upgrade({}, key ?? '', protocol ?? '', extensions ?? '', context);
    },
    open: (socket) => {
      socket.getUserData().socket = socket;
    },
    close: (socket) => leave(socket.getUserData()),
    message: (socket, data) => receive(socket.getUserData(), decoder.decode(data)),
  })
  .listen('127.0.0.1', 0, (listening) => {
    if (!listening) throw new Error('the floor could not listen');
    process.stdout.write(`${JSON.stringify({ port: uWS.us_socket_local_port(listening) })}\n`);
  });
