import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  eventually,
  freePort,
  type GatewayProcess,
  type HttpAgent,
  httpBehaviours,
  startGateway,
  startHttpAgent,
  startRedis,
  type TestRedis,
} from '@sluice/testkit';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { browserPath, openBrowser, transcript } from '../support/setup/browser.js';

const words = ['one ', 'two ', 'three ', 'four ', 'five'];
const streaming = httpBehaviours.stream({ format: 'ndjson', deltas: words, everyMs: 400 });
const TOKEN = 'a-token-of-the-page-0123';

(browserPath ? describe : describe.skip)('the chat page', () => {
  let redis: TestRedis;
  let agent: HttpAgent;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let node: GatewayProcess;
  /** Errors on the console of the browser. */
  let faults: string[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    browser = await openBrowser();
  }, 60_000);
  beforeEach(async () => {
    await redis.client().flushall();
    agent = await startHttpAgent();
    context = await browser.newContext();
    page = await context.newPage();
    faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));
  });
  afterEach(async () => {
    await context.close();
    await node.kill();
    await agent.close();
  });

  const start = (gateway: object = {}, session: object = {}) =>
    startGateway({
      redisUrl: redis.url,
      config: {
        gateway,
        session,
        lease: { ttl: '3s' },
        agents: { demo: { kind: 'http', url: agent.url } },
      },
    });

  /** Acts on the session of the page as another device would. */
  async function elsewhere(path: string, body: object) {
    const session = await page.locator('#session').textContent();
    const url = `${node.url}/v1/sessions/${session}/${path}`;
    await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  }

  async function open() {
    await page.goto(node.url);
    await page.locator('#link[data-link="online"]').waitFor();
  }

  async function send(text: string) {
    await page.locator('#text').fill(text);
    await page.keyboard.press('Enter');
  }

  const shown = (expected: [string, string, string][]) =>
    eventually(async () => {
      const found = (await transcript(page)).map(({ own, reply, state }) => [own, reply, state]);
      expect(found).toEqual(expected);
    }, 10_000);

  it('streams replies, one for each message, in order', async () => {
    node = await start();
    await open();
    agent.behave(streaming);
    await send('count');
    await page.locator('.bubble.streaming', { hasText: 'one two' }).waitFor();
    await shown([['count', 'one two three four five', 'ok']]);
    expect(await page.locator('.bubble.streaming').count()).toBe(0);
    agent.behave(httpBehaviours.delayMs(50));
    await send('two lines\nof text');
    await send('<b>not bold</b>');
    await shown([
      ['count', 'one two three four five', 'ok'],
      ['two lines\nof text', 'echo: two lines\nof text', 'ok'],
      ['<b>not bold</b>', 'echo: <b>not bold</b>', 'ok'],
    ]);
    expect(faults).toEqual([]);
  });

  it('E3 E5 shows each reply once after the connection was cut, and keeps all of it on reload', async () => {
    const sent: string[] = [];
    page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => sent.push(String(payload))),
    );
    node = await start();
    await open();
    agent.behave(streaming);
    await send('count');
    await page.locator('.bubble.streaming', { hasText: 'one' }).waitFor();
    await page.getByRole('button', { name: 'Cut the connection' }).click();
    await page.locator('#banner').waitFor();
    await send('sent while away');
    await send('and another');
    await eventually(() => agent.turns[0]?.endedAt !== null);
    agent.behave(httpBehaviours.delayMs(100));
    expect((await transcript(page)).map(({ state }) => state)).toEqual([
      'accepted',
      'kept',
      'kept',
    ]);
    await page.getByRole('button', { name: 'Reconnect' }).click();
    const whole: [string, string, string][] = [
      ['count', 'one two three four five', 'ok'],
      ['sent while away', 'echo: sent while away', 'ok'],
      ['and another', 'echo: and another', 'ok'],
    ];
    await shown(whole);
    expect(agent.turns.map(({ turn }) => turn.content)).toEqual(whole.map(([own]) => own));
    await page.reload();
    await page.locator('#link[data-link="online"]').waitFor();
    await shown(whole);
    await send('after the reload');
    await shown([...whole, ['after the reload', 'echo: after the reload', 'ok']]);
    // Events that a compact replay leaves out are no hole.
    expect(sent.filter((text) => text.includes('"snapshot"'))).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('C1 goes on by itself when the gateway was killed and started again', async () => {
    const port = await freePort();
    node = await start({ port });
    await open();
    await send('before');
    await shown([['before', 'echo: before', 'ok']]);
    agent.behave(httpBehaviours.hang());
    await send('in the middle');
    await eventually(() => agent.turns.some(({ turn }) => turn.content === 'in the middle'));
    await node.kill();
    await page.locator('#link[data-link="connecting"]').waitFor();
    await send('while it is down');
    agent.behave(httpBehaviours.delayMs(0));
    node = await start({ port });
    await shown([
      ['before', 'echo: before', 'ok'],
      ['in the middle', 'echo: in the middle', 'ok'],
      ['while it is down', 'echo: while it is down', 'ok'],
    ]);
  });

  it('follows the conversation until the reader scrolls up', async () => {
    node = await start();
    await page.setViewportSize({ width: 420, height: 480 });
    await open();
    const url = `${node.url}/v1/sessions/${await page.locator('#session').textContent()}/messages`;
    const post = (content: string) =>
      fetch(url, { method: 'POST', body: JSON.stringify({ content }) });
    const settled = (count: number) =>
      page.locator(`.turn[data-state="ok"] >> nth=${count - 1}`).waitFor();
    const main = page.locator('#scroll');
    const fromEnd = () => main.evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight);
    const atEnd = () => eventually(async () => (await fromEnd()) < 2);

    // Enough for a replay that takes several animation frames.
    for (let i = 1; i <= 120; i++) await post(`message ${i}`);
    await settled(120);
    await page.reload();
    await settled(120);
    await page.locator('.own', { hasText: 'message 120' }).waitFor();
    await atEnd();
    await page.setViewportSize({ width: 420, height: 380 });
    await atEnd();

    await main.hover();
    await page.mouse.wheel(0, -400);
    await eventually(async () => (await fromEnd()) > 300);
    const before = await main.evaluate((it) => it.scrollTop);
    await post('from elsewhere');
    await settled(121);
    expect(await main.evaluate((it) => it.scrollTop)).toBe(before);
    await send('from here');
    await settled(122);
    await atEnd();
    expect(faults).toEqual([]);
  });

  it('T6 stops a reply, and begins a new session', async () => {
    node = await start();
    await open();
    agent.behave(httpBehaviours.hang());
    await send('never ends');
    await eventually(() => agent.turns.some(({ turn }) => turn.content === 'never ends'));
    await page.getByRole('button', { name: 'Stop' }).click();
    await shown([['never ends', '', 'aborted']]);
    await page.getByText('stopped by you').waitFor();
    agent.behave(httpBehaviours.delayMs(0));
    await page.getByRole('button', { name: 'New session' }).click();
    await page.locator('#link[data-link="online"]').waitFor();
    await shown([]);
    await send('fresh');
    await shown([['fresh', 'echo: fresh', 'ok']]);
    expect(faults).toEqual([]);
  });

  it('T6 the word stop is sent with its message, and is gone when it was answered', async () => {
    node = await start();
    await open();
    agent.behave(httpBehaviours.hang());
    await send('never ends');
    await send('stop');
    const word = page.locator('#transcript > .turn').nth(1);
    await word.waitFor({ state: 'detached' });
    await shown([['never ends', '', 'aborted']]);
    await send('/stop');
    await page.getByText('There was nothing to stop.').waitFor();
    await word.waitFor({ state: 'detached' });
    await shown([['never ends', '', 'aborted']]);
    expect(faults).toEqual([]);
  });

  it('T1 E8 another tab shows each answer under its question after an interrupt', async () => {
    node = await start();
    await open();
    agent.behave(httpBehaviours.hang());
    await send('first');
    await eventually(() => agent.turns.length === 1);
    await elsewhere('messages', { content: 'second', message_id: 'm2' });
    await elsewhere('messages', { content: 'urgent', message_id: 'm3', mode: 'interrupt' });
    await shown([
      ['first', '', 'aborted'],
      ['second', '', 'accepted'],
      ['urgent', '', 'accepted'],
    ]);
    const tab = await context.newPage();
    await tab.goto(node.url);
    await eventually(async () => {
      const found = (await transcript(tab)).map(({ own, state }) => [own, state]);
      expect(found).toEqual([
        ['first', 'aborted'],
        ['second', 'accepted'],
        ['urgent', 'accepted'],
      ]);
    }, 10_000);
    expect(faults).toEqual([]);
  });

  it('E4 E8 after a snapshot too, each outcome is shown under its question', async () => {
    node = await start({}, { max_log_bytes: '4KiB' });
    await open();
    agent.behave(async (_turn, { respond }) => respond.json({ content: 'x'.repeat(6_000) }));
    await send('long');
    await page.locator('.turn[data-state="ok"]').waitFor();
    agent.behave(httpBehaviours.hang());
    for (const n of [2, 3, 4]) {
      await elsewhere('messages', { content: `question ${n}`, message_id: `m${n}` });
    }
    await eventually(() => agent.turns.length === 2);
    await page.reload();
    await page.locator('.own', { hasText: 'question 4' }).waitFor();
    await elsewhere('abort', { message_id: 'm3' });
    await eventually(async () => {
      const found = (await transcript(page)).map(({ own, state }) => [own, state]);
      expect(found).toEqual([
        ['(no longer kept)', 'ok'],
        ['question 2', 'accepted'],
        ['question 3', 'aborted'],
        ['question 4', 'accepted'],
      ]);
    }, 10_000);
    expect(faults).toEqual([]);
  });

  it('X1 asks for a token and takes only the right one', async () => {
    node = await start({ auth: { tokens: [{ token: TOKEN, principal: 'alice' }] } });
    await page.goto(node.url);
    await page.locator('#token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.locator('#login-fault', { hasText: 'not accepted' }).waitFor();
    await page.locator('#token').fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.locator('#link[data-link="online"]').waitFor();
    await send('hello');
    await shown([['hello', 'echo: hello', 'ok']]);
    expect(page.url()).not.toContain(TOKEN);
  });
});
