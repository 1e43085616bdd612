/**
 * One gateway node, for the command line: how its configuration is read and how it is started.
 *
 * `main.ts` builds everything and passes down what each part needs; there is no container and no global state.
 * Rooms: config, node, tracing, then edge and worker, which know nothing of each other.
 * Not exported: the roles themselves.
 */
export type { Auth, Config } from './config/config-types.js';
export { isRedisUrl } from './config/redis-url.js';
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
export { makeLog } from './log.js';
export { startGateway } from './main.js';
export { VERSION } from './node/version.js';
export { redisAddress } from './redis-address.js';
export { signToken } from './sign-token.js';
