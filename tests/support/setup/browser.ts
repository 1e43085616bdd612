import { execFileSync } from 'node:child_process';
import { stopLater } from '@sluice/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

function find(): string | undefined {
  const given = process.env.SLUICE_TEST_BROWSER;
  if (given) return given;
  for (const name of names) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

/** The Chromium of this machine; undefined if there is none: then pages cannot be tested. */
export const browserPath = find();

/** Flags that keep the browser itself from using the network. */
const quiet = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
];

/** A headless browser that is closed when the test file ends. */
export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: browserPath, args: quiet });
  stopLater(() => browser.close());
  return browser;
}

/** One message on the page: its text, its reply and its state. */
export type Shown = { readonly own: string; readonly reply: string; readonly state: string };

/** The conversation as a reader sees it. */
export async function transcript(page: Page): Promise<Shown[]> {
  const turns = await page.locator('#transcript > .turn').all();
  return Promise.all(
    turns.map(async (turn) => ({
      own: (await turn.locator('.bubble.own').textContent()) ?? '',
      reply: (await turn.locator('.bubble:not(.own)').textContent()) ?? '',
      state: (await turn.getAttribute('data-state')) ?? '',
    })),
  );
}
