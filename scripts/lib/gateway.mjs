import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { inRoot, root } from './paths.mjs';
import { until } from './processes.mjs';

/** npm and the terminal both deliver one Ctrl-C: a second signal within this time is the same one. */
const sameSignalMs = 250;
const announceMs = 60_000;

/** The gateway in a process group of its own, with our streams; `env` is added to ours. */
export function startGateway(args, env) {
  const child = spawn(process.execPath, [inRoot('bin', 'sluice'), 'start', ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    detached: true,
    stdio: 'inherit',
  });
  let lastAt = Number.NEGATIVE_INFINITY;
  let ended = false;
  const exited = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      ended = true;
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
  return {
    pid: child.pid,
    exited,
    hasEnded: () => ended,
    signal: (name) => {
      const now = performance.now();
      if (now - lastAt < sameSignalMs) return;
      lastAt = now;
      child.kill(name);
    },
  };
}

/** Whether another program listens there already, and would answer in place of the gateway. */
export function isTaken(url) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) });
    const finish = (taken) => {
      socket.destroy();
      resolve(taken);
    };
    socket.setTimeout(500, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

function isReady(url) {
  return new Promise((resolve) => {
    const asked = request(`${url}/ready`, { agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

/** Prints where to click, once the gateway answers. */
export async function announce(url, gateway) {
  const ready = await until(async () => gateway.hasEnded() || (await isReady(url)), announceMs);
  if (!ready || gateway.hasEnded()) return;
  const option = url === 'http://127.0.0.1:8765' ? '' : ` --url ${url}`;
  process.stdout.write(`
  Sluice is ready.
    page       ${url}/
    WebSocket  ${url.replace('http', 'ws')}/ws
    terminal   bin/sluice chat${option}
    stop       Ctrl-C: it drains first, and what is unfinished goes on at the next start

`);
}
