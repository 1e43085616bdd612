import { exitStatus, StartError } from '@sluice/runtime';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Gateway } from './gateway.js';

export const defaultUrl = 'http://127.0.0.1:8765';

/** As commander has parsed them. */
export type GatewayOptions = { readonly url: string; readonly token?: string };

/** `--url` and `--token`, for every command that talks to a gateway. */
export function takesGateway(command: Command): Command {
  const token = 'credentials; other users of the machine cannot see SLUICE_TOKEN';
  return command
    .addOption(new Option('--url <url>', 'the gateway').env('SLUICE_URL').default(defaultUrl))
    .addOption(new Option('--token <token>', token).env('SLUICE_TOKEN'));
}

/** `--principal`, for commands that name a session. */
export function takesPrincipal(command: Command): Command {
  return command.option(
    '--principal <name>',
    'whose session, with scope admin or operate (default: your own)',
  );
}

/** `--limit` and `--json`, for listings. */
export function takesListing(command: Command): Command {
  return command
    .option('--limit <count>', 'how many at most (default: all)', parseCount)
    .option('--json', 'one JSON document, a list, instead of a table');
}

/** An empty environment variable counts as not set. */
export function gatewayOf({ url, token }: GatewayOptions): Gateway {
  const base = (url || defaultUrl).replace(/\/+$/, '');
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new StartError(`--url: ${url} is no http:// or https:// URL`, exitStatus.usage);
  }
  // Checked here, since the error of the HTTP library would show the token.
  if (token && !/^[\x21-\x7e]+$/.test(token.trim())) {
    const why = 'holds other than visible ASCII characters without blanks';
    throw new StartError(`--token (SLUICE_TOKEN): ${why}; give one token`, exitStatus.usage);
  }
  return { url: base, token: token?.trim() || undefined };
}

/** A whole number of at least 1, of up to 15 digits; else throws InvalidArgumentError. */
export function parseCount(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give a whole number of at least 1.');
}
