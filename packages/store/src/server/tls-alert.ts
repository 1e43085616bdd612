/**
 * What a server says when it ends a TLS connection, in the words of the protocol: `TLS alert: certificate required`.
 * undefined: the error is another one. OpenSSL puts it between its own places and numbers.
 */
export function tlsAlert(message: string): string | undefined {
  const words = /:(?:sslv3|tlsv1|tlsv13) alert ([a-z ]+)/.exec(message)?.[1];
  return words && `TLS alert: ${words}`;
}

/** Whether one side does not take the certificate of the other: another try will find the same. */
export const isCertificateFault = (message: string) =>
  /^TLS alert|self-signed|unable to (verify|get)|altnames|certificate has expired/.test(message);
