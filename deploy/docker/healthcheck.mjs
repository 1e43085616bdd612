// HEALTHCHECK of the image: is this node ready? Status 1 while it starts, drains, or lacks its Redis.
import { get } from 'node:http';

const port = process.env.SLUICE_GATEWAY__PORT || 8765;
const request = get({ host: '127.0.0.1', port, path: '/ready', timeout: 4_000 }, (answer) =>
  process.exit(answer.statusCode === 200 ? 0 : 1),
);
request.on('timeout', () => process.exit(1));
request.on('error', () => process.exit(1));
