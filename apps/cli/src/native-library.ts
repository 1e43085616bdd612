import { exitStatus, StartError } from '@sluice/runtime';

/**
 * uWebSockets.js says which versions of Node it supports, but not that its builds for Node 22 and newer need
 * a newer C library than Debian 12 has. Any other error is returned unchanged.
 */
export function explainNativeLibrary(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.includes('version of uWS.js')) return error;
  const missing = /version `(GLIBC_[\d.]+)' not found/.exec(error.message)?.[1];
  const why = missing
    ? `the system's C library lacks ${missing}`
    : `there is none for ${process.platform} ${process.arch} and Node ${process.versions.node}`;
  return new StartError(
    `uWebSockets.js has no native build that runs here: ${why}; use Node 20, or for Node 22 and 24 a ` +
      'system with glibc 2.38 or newer (Debian 13, Ubuntu 24.04), never Alpine',
    exitStatus.config,
  );
}
