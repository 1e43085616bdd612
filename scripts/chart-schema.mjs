/**
 * `npm run chart-schema`: writes the keys of the configuration into k8s/chart/values.schema.json, so that Helm refuses
 * one that no node knows. A test compares the two. Values are checked by the node itself, when it starts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../apps/gateway/dist/config/schema.js';
import { inRoot } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';

const file = inRoot('k8s', 'chart', 'values.schema.json');
const chart = JSON.parse(readFileSync(file, 'utf8'));
const config = configJsonSchema();
// Containers, probes and Services name them.
config.required = ['gateway', 'redis'];
config.properties.gateway.required = ['port', 'admin_port'];
chart.properties.config = config;
writeFileSync(file, JSON.stringify(chart));
const biome = inRoot('node_modules', '@biomejs', 'biome', 'bin', 'biome');
process.exitCode = await run(process.execPath, [biome, 'format', '--write', file]);
