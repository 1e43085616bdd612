/** A configuration of Prometheus, decoded. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const file = z.looseObject({
  rule_files: z.array(z.string()),
  scrape_configs: z.array(
    z.looseObject({
      job_name: z.string(),
      static_configs: z.array(z.looseObject({ targets: z.array(z.string()) })),
    }),
  ),
});

export const prometheusFile = (path: string) => file.parse(parse(readFileSync(path, 'utf8')));
