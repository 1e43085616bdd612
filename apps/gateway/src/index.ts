export {
  baseDirOf,
  ConfigError,
  type ConfigInputs,
  configSchema,
  keyPaths,
  loadAuth,
  loadConfig,
  nearestKey,
} from './config.js';
export type { Auth, Config } from './config-types.js';
export { startGateway } from './main.js';
export { signToken } from './sign-token.js';
export { VERSION } from './version.js';
