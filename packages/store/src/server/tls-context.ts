import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls';
import {
  exitStatus,
  type OnSecretFault,
  type Secret,
  StartError,
  secretFromFile,
} from '@sluice/runtime';

/** `redis.tls`: absolute paths of files in PEM; null: not given. */
export type TlsFiles = {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** The name that the certificate of Redis must hold; null: the host of the URL. */
  readonly serverName: string | null;
};

/**
 * TLS for ioredis. It copies these options at each connect and reads `secureContext` then, so that each new connection
 * takes the files of that moment (rotation): those of BullMQ, of a Cluster's nodes and of Sentinel too. What cannot be
 * used is reported once, and what was valid before stays in use. Throws StartError (78) on the first files.
 */
export function tlsOptions(files: TlsFiles, onFault: OnSecretFault): ConnectionOptions {
  const context = contextOf(files, onFault);
  return {
    ...(files.serverName === null ? {} : { servername: files.serverName }),
    get secureContext() {
      return context();
    },
  };
}

function contextOf(files: TlsFiles, onFault: OnSecretFault): () => SecureContext {
  const read = (name: string, file: string | null, check: (pem: string) => string | undefined) =>
    file === null
      ? undefined
      : secretFromFile({ file, baseDir: '/', key: `redis.tls.${name}`, check, onFault });
  const ca = read('ca_file', files.caFile, faultOfCertificates);
  const cert = read('cert_file', files.certFile, faultOfCertificate);
  const key = read('key_file', files.keyFile, faultOfKey);
  let { context, of } = build({ ca, cert, key });
  let reported = '';
  return () => {
    // The certificate and its key are two files: for a moment one is new and the other is not.
    const now = textsOf({ ca, cert, key });
    if (now === of) return context;
    try {
      ({ context, of } = build({ ca, cert, key }));
      reported = '';
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      if (fault !== reported) {
        onFault({ key: 'redis.tls.cert_file', file: files.certFile ?? '', fault });
      }
      reported = fault;
    }
    return context;
  };
}

type Parts = Readonly<Record<'ca' | 'cert' | 'key', Secret | undefined>>;

const textsOf = ({ ca, cert, key }: Parts) => [ca?.(), cert?.(), key?.()].join('\0');

/** Throws StartError when key and certificate do not belong together. */
function build(parts: Parts): { context: SecureContext; of: string } {
  const { ca, cert, key } = { ca: parts.ca?.(), cert: parts.cert?.(), key: parts.key?.() };
  if (cert && key && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    const why = 'redis.tls.cert_file: redis.tls.key_file is not its key; give the two of one pair';
    throw new StartError(why, exitStatus.config);
  }
  const given = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  return { context: createSecureContext(given), of: textsOf(parts) };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function faultOfCertificates(pem: string): string | undefined {
  const all = pem.match(CERTIFICATE);
  if (!all) return 'it has no certificate in PEM';
  try {
    for (const one of all) new X509Certificate(one);
    return undefined;
  } catch {
    return 'it has a certificate that cannot be read';
  }
}

function faultOfCertificate(pem: string): string | undefined {
  const fault = faultOfCertificates(pem);
  if (fault) return fault;
  // The first is ours; those that follow lead to a CA that Redis knows.
  const { validTo } = new X509Certificate(pem);
  return Date.parse(validTo) < Date.now() ? `its certificate expired on ${validTo}` : undefined;
}

function faultOfKey(pem: string): string | undefined {
  try {
    createPrivateKey(pem);
    return undefined;
  } catch {
    return 'it has no private key in PEM that can be read without a passphrase';
  }
}
