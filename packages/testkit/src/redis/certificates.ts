import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopLater } from '../base/cleanup.js';

/** A certificate and its key, as files in PEM. */
export type Pair = { readonly cert: string; readonly key: string };

export type Authority = {
  /** Its own certificate: who has it trusts what it signs. */
  readonly file: string;
  /** Signs a certificate for 127.0.0.1, localhost and `redis.internal`; `days` -1: it expired a day ago. */
  sign(name: string, days?: number): Pair;
};

const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:redis.internal';

/** A certificate authority of its own, made with `openssl`; its files are deleted with the test file. */
export function makeAuthority(): Authority {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-ca-'));
  stopLater(async () => rmSync(dir, { recursive: true, force: true }));
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: dir, stdio: 'ignore', timeout: 20_000 });
  const own = ['-keyout', 'ca.key', '-out', 'ca.crt', '-days', '30', '-subj', '/CN=test CA'];
  openssl('req', '-x509', ...ec, ...own);
  return {
    file: join(dir, 'ca.crt'),
    sign(name, days = 30) {
      const pair = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
      const request = join(dir, `${name}.csr`);
      const asked = ['-keyout', pair.key, '-out', request, '-subj', `/CN=${name}`];
      openssl('req', ...ec, ...asked, '-addext', names);
      const by = [
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-copy_extensions',
        'copy',
      ];
      openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-out', pair.cert);
      return pair;
    },
  };
}
