import type { ContractCase } from '../target.js';
import { control } from './control.js';
import { entering } from './entering.js';
import { messages } from './messages.js';
import { misuse } from './misuse.js';
import { resuming } from './resuming.js';

/** One case per frame and per misuse in docs/reference/protocol.md. */
export const contractCases: readonly ContractCase[] = [
  ...entering,
  ...messages,
  ...control,
  ...misuse,
  ...resuming,
];
