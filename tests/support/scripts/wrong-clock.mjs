// Loaded before a node's own code: its clock is CLOCK_OFFSET_MS wrong. Timers and the monotonic clock
// stay right, as they do on a machine whose time was set wrongly.
const offsetMs = Number(process.env.CLOCK_OFFSET_MS);
const RealDate = Date;

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length > 0) super(...given);
    else super(RealDate.now() + offsetMs);
  }
  static now() {
    return RealDate.now() + offsetMs;
  }
};
