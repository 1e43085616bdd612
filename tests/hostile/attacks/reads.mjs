// Endless reads by one principal: over HTTP on 60 connections, or frames on 60 sockets, each as soon as the one
// before it is answered.
import http from 'node:http';
import { WebSocket } from 'ws';
import { given, keepGoing } from './raw-socket.mjs';

const [, , , kind] = process.argv;
const CONNECTIONS = 60;
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const seen = {};
const count = (what) => {
  seen[what] = (seen[what] ?? 0) + 1;
};

/** One request; its answer is thrown away. */
function ask(path, { token = given.hostile, headers = {} } = {}) {
  return new Promise((resolve) => {
    const request = http.get(`${given.url}${path}`, {
      agent,
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    request.on('response', (response) => {
      count(response.statusCode);
      response.on('end', resolve);
      response.on('error', resolve);
      response.resume();
    });
    request.on('error', resolve);
  });
}

/** A socket on the large session that sends the next frame when the last one was answered. */
function talk(next, isAnswer) {
  return new Promise((resolve) => {
    const socket = new WebSocket(given.wsUrl, {
      headers: { authorization: `Bearer ${given.hostile}` },
    });
    const send = (frame) => socket.readyState === WebSocket.OPEN && socket.send(frame);
    socket.on('open', () => send(hello));
    socket.on('message', (data) => {
      const start = String(data.subarray(0, 60));
      const [, type = ''] = /"type":"(\w+)"/.exec(start) ?? [];
      count(type);
      if (type === 'hello_ok' || isAnswer(type)) send(next());
    });
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      count(`closed ${code}`);
      resolve();
    });
  });
}

const hello = JSON.stringify({ type: 'hello', agent_id: 'echo', session_id: 'large', since: 0 });
let guesses = 0;
const attacks = {
  session: () => ask('/v1/sessions/large'),
  state: () => ask('/v1/sessions?state=executing'),
  guesses: () => {
    guesses += 1;
    return ask('/v1/sessions', {
      token: `guess-${guesses}`,
      headers: { 'x-forwarded-for': '203.0.113.7' },
    });
  },
  snapshot: () =>
    talk(
      () => JSON.stringify({ type: 'snapshot' }),
      (type) => type === 'snapshot' || type === 'error',
    ),
  hello: () =>
    talk(
      () => hello,
      (type) => type === 'hello_error' || type === 'error',
    ),
  repeats: () =>
    talk(
      () => JSON.stringify({ type: 'message', content: 'x', message_id: 'm17' }),
      (type) => type === 'response' || type === 'error',
    ),
};

keepGoing(CONNECTIONS, attacks[kind], seen);
