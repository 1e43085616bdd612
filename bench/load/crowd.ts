/** Calls `one` for 0 to `count` - 1, at most `width` at once. */
export async function crowd(
  count: number,
  width: number,
  one: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await one(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

/** Eight addresses of loopback in turn, since one has only 28,000 ports. */
export const loopback = (index: number) => `127.0.0.${2 + (index % 8)}`;
