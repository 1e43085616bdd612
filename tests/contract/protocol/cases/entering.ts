import { expect } from '@jest/globals';
import { FrameClient, UpgradeRefused } from '@sluice/testkit';
import { ask, attach, type ContractCase, isAlive, newSession, open, wsUrlOf } from '../target.js';

const whole = expect.any(Number);

const hellos: ContractCase[] = [
  {
    title: 'hello: a new session and every field of hello_ok',
    async run(target) {
      const client = await open(target);
      const hello = await ask(client, { type: 'hello', agent_id: 'echo' }, { type: 'hello_ok' });
      expect(hello).toEqual({
        type: 'hello_ok',
        protocol: 1,
        features: { methods: expect.any(Array), events: expect.any(Array) },
        policy: {
          max_payload: whole,
          max_buffered_bytes: whole,
          max_queued_frames: whole,
          heartbeat_ms: whole,
        },
        session_id: expect.stringMatching(/^ses_[\w-]{20,}$/),
        resumed: false,
        cursor: 0,
        sequence: 0,
        epoch: expect.stringMatching(/^\d{13,}$/),
        oldest_cursor: 0,
        resync_required: false,
        pending: 0,
        is_executing: false,
        paused: false,
        node_id: expect.any(String),
      });
      expect(hello.features).toMatchObject({
        methods: expect.arrayContaining([
          'hello',
          'message',
          'abort',
          'cancel',
          'snapshot',
          'leave',
        ]),
        events: expect.arrayContaining(['response', 'replay', 'token_stream', 'going_away']),
      });
    },
  },
  {
    title: 'hello: an unknown session_id becomes the id of the new session',
    async run(target) {
      const { hello, sessionId } = await attach(target);
      expect(hello).toMatchObject({ session_id: sessionId, resumed: false });
      const again = await attach(target, { session_id: sessionId });
      expect(again.hello).toMatchObject({ session_id: sessionId, resumed: true });
    },
  },
  {
    title: 'hello: the version as protocol_min and protocol_max, as protocol, and left out',
    async run(target) {
      for (const version of [
        { protocol_min: 1, protocol_max: 1 },
        { protocol: { min: 0, max: 3 } },
        { protocol_max: 9 },
        {},
      ]) {
        expect((await attach(target, version)).hello.protocol).toBe(1);
      }
    },
  },
  {
    title: 'hello: null is as absent',
    async run(target) {
      const client = await open(target);
      const version = { protocol: null, protocol_min: null, protocol_max: null };
      const place = { session_id: null, since: null, epoch: null, metadata: null };
      const hello = { type: 'hello', agent_id: 'echo', capabilities: null, ...version, ...place };
      expect(await ask(client, hello)).toMatchObject({ type: 'hello_ok', resumed: false });
      expect(await ask(client, { ...hello, agent_id: null })).toMatchObject({
        code: 'invalid_frame',
        field: 'agent_id',
      });
    },
  },
  {
    title: 'hello: a version that is not spoken is refused, and the socket stays open for another',
    async run(target) {
      const client = await open(target);
      const newer = { type: 'hello', agent_id: 'echo', protocol_min: 2, protocol_max: 3 };
      expect(await ask(client, newer)).toMatchObject({
        type: 'hello_error',
        code: 'protocol_unsupported',
        next_step: 'downgrade_client',
        message: expect.any(String),
      });
      const older = { type: 'hello', agent_id: 'echo', protocol: { min: 0, max: 0 } };
      expect(await ask(client, older)).toMatchObject({
        code: 'protocol_unsupported',
        next_step: 'upgrade_client',
      });
      expect((await client.hello()).type).toBe('hello_ok');
    },
  },
  {
    title: 'hello: an agent that does not exist',
    async run(target) {
      const client = await open(target);
      expect(await ask(client, { type: 'hello', agent_id: 'nobody' })).toMatchObject({
        type: 'hello_error',
        code: 'agent_not_found',
      });
    },
  },
  {
    title: 'hello: a session of another agent',
    async run(target) {
      const { sessionId } = await attach(target);
      const client = await open(target);
      const hello = { type: 'hello', agent_id: 'slow', session_id: sessionId };
      expect(await ask(client, hello)).toMatchObject({
        type: 'hello_error',
        code: 'auth_unauthorized',
        next: 'start_new_session',
      });
    },
  },
  {
    title: 'hello: without the capability streaming no deltas, but their number',
    async run(target) {
      const { client } = await attach(target, { agent_id: 'slow', caps: [] });
      const id = client.message('a few words');
      const final = await client.final(id);
      expect(client.frames.some(({ type }) => type === 'token_stream')).toBe(false);
      expect(final.skipped).toBeGreaterThan(0);
    },
  },
  {
    title: 'hello: a second one on a socket leaves the first session for another',
    async run(target) {
      const { client, sessionId } = await attach(target);
      const other = newSession();
      expect((await client.hello({ session_id: other })).session_id).toBe(other);
      const { client: elsewhere } = await attach(target, { session_id: sessionId });
      await elsewhere.final(elsewhere.message('for the first session'));
      await client.final(client.message('for the second'));
      expect(client.logged().every(({ session_id }) => session_id === other)).toBe(true);
    },
  },
  ...[
    { session_id: 'no spaces please' },
    { session_id: 'x'.repeat(129) },
    { since: -1 },
    { since: 'x' },
    { agent_id: 7 },
    { protocol_min: 'one' },
    { capabilities: 'streaming' },
    { metadata: [] },
  ].map((fields) => ({
    title: `hello: refused with the name of the field: ${JSON.stringify(fields).slice(0, 60)}`,
    async run(target: Parameters<ContractCase['run']>[0]) {
      const client = await open(target);
      const hello = { type: 'hello', agent_id: 'echo', ...fields };
      const [field] = Object.keys(fields);
      expect(await ask(client, hello)).toMatchObject({
        type: 'error',
        code: 'invalid_frame',
        retryable: false,
        field,
      });
      expect(await isAlive(client)).toBe(true);
    },
  })),
];

const joins: ContractCase[] = [
  {
    title: 'join: every field of joined; since as digits',
    async run(target) {
      const { client: first, sessionId } = await attach(target);
      await first.final(first.message('one'));
      const client = await open(target);
      const join = { type: 'join', agent_id: 'echo', session_id: sessionId, since: '1' };
      const range = { min_version: 1, max_version: 1 };
      expect(await ask(client, { ...join, ...range })).toEqual({
        type: 'joined',
        session_id: sessionId,
        agent_id: 'echo',
        resumed: true,
        cursor: 2,
        sequence: 2,
        oldest_cursor: 1,
        resync_required: false,
        protocol_version: 1,
        server_min_version: 1,
        server_max_version: 1,
        presence: [],
        health: expect.anything(),
      });
      const replay = await client.waitFor({ type: 'replay' });
      expect(replay.seq).toBe(2);
    },
  },
  {
    title: 'join: a version that is not spoken, and one that is none',
    async run(target) {
      const client = await open(target);
      const join = { type: 'join', agent_id: 'echo' };
      expect(await ask(client, { ...join, min_version: 2, max_version: 2 })).toMatchObject({
        type: 'error',
        code: 'version_unsupported',
      });
      expect(await ask(client, { ...join, min_version: 'x' })).toMatchObject({
        type: 'error',
        code: 'invalid_protocol_hello',
        field: 'min_version',
      });
      expect((await ask(client, join)).type).toBe('joined');
    },
  },
];

const credentials: ContractCase[] = [
  {
    title: 'credentials: by header, by subprotocol pair, in the query',
    async run(target) {
      const wsUrl = wsUrlOf(target);
      const { token } = target;
      for (const client of [
        await FrameClient.connect(wsUrl, { token }),
        await FrameClient.connect(wsUrl, { protocols: ['sluice.v1', `bearer.${token}`] }),
        await FrameClient.connect(`${wsUrl}?token=${encodeURIComponent(token)}`),
      ]) {
        expect((await client.hello()).type).toBe('hello_ok');
      }
    },
  },
  ...(['auth_required', 'auth_unauthorized'] as const).map((code) => ({
    title: `credentials: ${code} is one hello_error and a close with 4003`,
    async run(target: Parameters<ContractCase['run']>[0]) {
      const more = code === 'auth_required' ? {} : { token: `${target.token}x` };
      const client = await FrameClient.connect(wsUrlOf(target), more);
      expect(await client.waitFor({ type: 'hello_error' })).toMatchObject({ code });
      expect((await client.closed).code).toBe(4003);
      expect(client.frames).toHaveLength(1);
      const headers = more.token ? { authorization: `Bearer ${more.token}` } : undefined;
      const answer = await fetch(`${target.url}/v1/sessions/s`, headers ? { headers } : {});
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ error: { code, retryable: false } });
    },
  })),
  {
    title: 'credentials: an Origin that is not listed',
    async run(target) {
      const { token } = target;
      const options = { token, origin: 'https://elsewhere.example' };
      const client = await FrameClient.connect(wsUrlOf(target), options).catch((error: unknown) => {
        if (error instanceof UpgradeRefused) return undefined;
        throw error;
      });
      if (!client) return; // refused at once, which is allowed too
      expect(await client.waitFor({ type: 'hello_error' })).toMatchObject({
        code: 'origin_not_allowed',
      });
      expect((await client.closed).code).toBe(4003);
    },
  },
];

export const entering: readonly ContractCase[] = [...hellos, ...joins, ...credentials];
