import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { type Config, ConfigError, type ConfigInputs, loadConfig } from '@sluice/gateway';

const made: string[] = [];
afterAll(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true });
});

/** A directory of its own, removed after the tests of the file. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  made.push(path);
  return path;
}

export const REDIS_URL = 'redis://127.0.0.1:6379';

/** Loads with nothing around it but a Redis URL. */
export function load(inputs: Partial<ConfigInputs> = {}): Config {
  return loadConfig({ flags: {}, cwd: tmpdir(), ...inputs, env: { REDIS_URL, ...inputs.env } });
}

/** The configuration that this YAML gives. */
export function loadYaml(yaml: string, inputs: Partial<ConfigInputs> = {}): Config {
  return load({ ...inputs, file: fileOf(yaml) });
}

export function fileOf(content: string, name = 'gateway.yaml'): string {
  const file = join(directory(), name);
  writeFileSync(file, content);
  return file;
}

/** The faults that loading ends with; [] when it works. */
export function faultsOf(run: () => unknown): readonly string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}
