import { checked } from '@sluice/protocol';
import type { z } from 'zod';
import { keyPaths, unknownKey } from './known-keys.js';
import { type Given, schema } from './schema.js';
import type { Gathered } from './sources.js';
import { isKey, type Path, showPath, type Tree, without } from './tree.js';

/**
 * Checks the tree against the schema. The result leaves out what is faulty, so that everything else is still checked
 * and all faults come at once.
 */
export function check({ tree, from }: Gathered, faults: string[]): Given {
  const known = keyPaths(schema);
  let rest: Tree = tree;
  // Each round removes what it found; the next one finds faults that were hidden behind it.
  for (let round = 0; round < 8; round++) {
    const result = checked(schema, rest);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      const path = issue.path.filter(isKey);
      for (const fault of pathsOf(issue, path)) {
        const text =
          issue.code === 'unrecognized_keys'
            ? unknownKey(fault, known)
            : `${showPath(fault)}: ${issue.message}`;
        // A value whose `${...}` could not be replaced has its fault already.
        const isKnown = faults.some((other) => other.startsWith(`${showPath(fault)}: `));
        if (!isKnown) faults.push(`${text}${from(fault)}`);
        rest = without(rest, fault);
      }
    }
  }
  return {};
}

function pathsOf(issue: z.core.$ZodIssue, path: Path): Path[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
}
