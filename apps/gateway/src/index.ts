export {
  baseDirOf,
  ConfigError,
  type ConfigInputs,
  configSchema,
  keyPaths,
  loadConfig,
  nearestKey,
} from './config.js';
export type { Config } from './config-types.js';
export { startGateway } from './main.js';
export { VERSION } from './version.js';
