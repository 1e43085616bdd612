import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Route } from './transport.js';

/** Hashes of what the `<tag>` elements of the page contain, as sources of a Content-Security-Policy. */
function hashes(html: string, tag: 'script' | 'style'): string {
  const contents = html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'));
  return [...contents]
    .map(([, content = '']) => createHash('sha256').update(content).digest('base64'))
    .map((hash) => `'sha256-${hash}'`)
    .join(' ');
}

/**
 * The chat page: one file, read once. Its policy allows exactly the script and the style in it and connections to
 * gateways (`ws:` and `wss:` for pages behind a proxy), and forbids every frame around it.
 */
export function pageRoutes(file: string): Route[] {
  const html = readFileSync(file, 'utf8');
  const headers = {
    'cache-control': 'no-cache',
    'content-security-policy': [
      "default-src 'none'",
      `script-src ${hashes(html, 'script')}`,
      `style-src ${hashes(html, 'style')}`,
      "connect-src 'self' ws: wss:",
      "img-src 'self' data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'cross-origin-opener-policy': 'same-origin',
    // Not `no-referrer`: with that, the page's own requests would carry the Origin `null`.
    'referrer-policy': 'same-origin',
    'x-frame-options': 'DENY',
  };
  return [
    {
      method: 'GET',
      path: '/',
      access: 'public',
      run: ({ reply }) => reply.text(200, html, 'text/html; charset=utf-8', headers),
    },
  ];
}
