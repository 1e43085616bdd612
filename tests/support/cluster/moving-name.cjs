/** The system's resolver, for one name: `redis.test` has the address that a file holds (`TEST_NAME_FILE`). */
const dns = require('node:dns');
const { readFileSync } = require('node:fs');

const { lookup } = dns;
dns.lookup = (name, options, done) => {
  if (name !== 'redis.test') return lookup(name, options, done);
  const address = readFileSync(process.env.TEST_NAME_FILE, 'utf8');
  const callback = done ?? options;
  const isAll = done && options?.all;
  process.nextTick(() =>
    isAll ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4),
  );
};
