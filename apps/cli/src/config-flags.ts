export type SplitArguments = {
  /** What commander is to parse. */
  readonly rest: readonly string[];
  /** Configuration keys: `--gateway.port 9000` or `--gateway.port=9000`. */
  readonly flags: Readonly<Record<string, string>>;
};

/**
 * Takes the options whose names have a dot, which are configuration keys, out of the command line:
 * commander would have to know each of them, and agents have names of their own. One without a
 * value means `true`.
 */
export function splitKeys(argv: readonly string[]): SplitArguments {
  const rest: string[] = [];
  const flags: Record<string, string> = {};
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    if (argument === '--') {
      rest.push(...argv.slice(at));
      break;
    }
    const match = /^--([A-Za-z_][^=.]*\.[^=]+)(?:=(.*))?$/s.exec(argument);
    if (!match) {
      rest.push(argument);
      continue;
    }
    const [, key = '', inline] = match;
    const next = argv[at + 1];
    const takesNext = inline === undefined && next !== undefined && !next.startsWith('--');
    flags[key] = inline ?? (takesNext ? next : 'true');
    if (takesNext) at++;
  }
  return { rest, flags };
}
