type Refusal = {
  readonly status: number;
  readonly code: string;
  readonly path: string;
  readonly hasToken: boolean;
};

/** What to do about a refusal; follows the gateway's own message. */
export function remedyOf({ status, code, path, hasToken }: Refusal): string {
  switch (code) {
    case 'auth_required':
    case 'auth_unauthorized':
      return hasToken
        ? 'give a valid one with SLUICE_TOKEN or --token'
        : 'give a token with SLUICE_TOKEN or --token';
    case 'insufficient_scope':
      return 'give a token that has it with SLUICE_TOKEN or --token';
    case 'origin_not_allowed':
      return 'give --url with an address of loopback, or list the host in gateway.allowed_origins';
    case 'session_not_found':
      return 'sluice sessions list shows your sessions; --principal names another owner';
    case 'agent_not_found':
      return 'sluice agents list shows all agents';
    case 'wrong_agent':
      return 'name another session, or end this one';
    case 'draining':
      return 'try again, or give another node with --url';
    case 'unavailable':
      return 'sluice doctor checks Redis';
    case 'inbox_full':
    case 'rate_limited':
      return 'try again later';
    case 'not_found':
      return notFound(path);
    case '':
      return 'is there a gateway at --url (SLUICE_URL)?';
    default:
      return status >= 500 ? 'try again; the log of the node says more' : 'see sluice --help';
  }
}

/** For paths with an id: the message of the gateway has said what it did not find. */
function notFound(path: string): string {
  if (/^\/v1\/dead-letters\/./.test(path)) return 'sluice dead-letters list shows all letters';
  if (/^\/v1\/nodes\/./.test(path)) return 'sluice nodes shows all nodes';
  return 'where gateway.admin_port is set, give --url with that port';
}

/** Why nobody answered, and what to do. */
export function unreachableText(url: string, error: unknown, limitMs: number): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    return `no answer from ${url} within ${limitMs / 1_000} s: is it a gateway, and is it alive?`;
  }
  const why = cause instanceof Error ? cause.message || String(cause) : String(cause);
  return (
    `cannot reach ${url} (${why}): is the gateway running there? ` +
    'Start one with npm start, or name another with --url or SLUICE_URL'
  );
}
