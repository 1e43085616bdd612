import type { Scripts } from './real-session.js';

/** A fault in one script: what of its text is replaced. */
export type ScriptMutation = {
  readonly name: string;
  readonly script: keyof Scripts;
  readonly from: string;
  readonly to: string;
};

/** Faults in the code that keeps the texts. */
export const historyMutations: readonly ScriptMutation[] = [
  {
    name: 'texts that the log drops are lost',
    script: 'turnCommit',
    from: '    history_keep(low)\n',
    to: '',
  },
  {
    name: 'a text is named that the log has dropped',
    script: 'turnCommit',
    from: 'tonumber(seq) >= tonumber(s.log_low or 0)',
    to: 'true',
  },
  {
    name: 'a message that waits drops the texts of the history',
    script: 'inboxAppend',
    from: '    history_keep(low)\n',
    to: '',
  },
  {
    name: 'a repeat finds no reply in the history',
    script: 'inboxAppend',
    from: "if kind == 'a' then newer = line end",
    to: '',
  },
  {
    name: 'a log grows beyond max_events',
    script: 'turnCommit',
    from: 'if not low or (cursor - low + 1) * 8 > max_events * 9 or',
    to: 'if not low or',
  },
];
