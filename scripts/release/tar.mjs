const BLOCK = 512;

/** A number as tar has it: octal digits and a zero byte. */
const octal = (number, length) => `${number.toString(8).padStart(length - 1, '0')}\0`;

function headerOf(name, size, time) {
  if (Buffer.byteLength(name) > 100) throw new Error(`${name} is longer than a tar has room for`);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8), 100); // mode, user, group
  header.write(octal(size, 12) + octal(time, 12), 124);
  header.write('        0', 148); // the sum of the header, as blanks while it is made; a file
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)} `, 148);
  return header;
}

const padded = (content) =>
  Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);

/**
 * A tar (ustar) of files, each `{name, content}`, all changed at `time`. The same files give the same bytes, wherever
 * it runs: programs called tar do not agree on how to be told that.
 */
export function tarOf(files, time) {
  const parts = files.flatMap(({ name, content }) => [
    headerOf(name, content.length, time),
    padded(content),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
