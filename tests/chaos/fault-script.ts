import { sleep, within } from '@sluice/runtime';
import type { FaultKind, TestRedis } from '@sluice/testkit';
import { DRAIN_MS, type NodeSettings, type Place } from './fleet.js';
import type { FaultName } from './options.js';
import type { Random } from './random.js';
import type { Recording } from './recording.js';

/** A node must have ended by then (D7). */
const exitMs = DRAIN_MS + 2_000;
/** A balancer probes every second or more often, and believes one answer. */
const backMs = 1_500;

export type FaultScriptOptions = {
  readonly places: readonly [Place, ...Place[]];
  readonly settings: NodeSettings;
  readonly redis: TestRedis;
  /** The members of the lease quorum; none: the data Redis has the Redlocks. */
  readonly members: readonly TestRedis[];
  readonly recording: Recording;
  readonly random: Random;
};

/** Plays one fault after the other, so that the cause of a finding is known. */
export class FaultScript {
  constructor(private readonly options: FaultScriptOptions) {}

  /** Random faults at random places until the time is over. */
  async run(names: readonly [FaultName, ...FaultName[]], untilMs: number): Promise<void> {
    const { random, places } = this.options;
    while (performance.now() < untilMs) {
      await sleep(random.between(500, 2_500));
      const place = random.pick(places);
      await this.#play(random.pick(names), place);
    }
  }

  /** Each fault `rounds` times, at one place after the other. */
  async runRounds(names: readonly FaultName[], rounds: number): Promise<void> {
    const { random, places, settings } = this.options;
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) {
        await sleep(random.between(500, 2_500));
        await this.#play(name, places[round % places.length] ?? places[0]);
        // C1: the takeover must be over before the next fault, which would be measured with it.
        if (name === 'kill') await sleep(settings.leaseTtlMs + 2_000);
      }
    }
    await sleep(random.between(500, 2_500));
  }

  async #play(name: FaultName, place: Place): Promise<void> {
    const { places } = this.options;
    switch (name) {
      case 'drain':
        return this.#drain(place);
      case 'rolling':
        for (const each of places) await this.#drain(each);
        return;
      case 'shutdown':
        return this.#shutdown();
      case 'kill':
        return this.#kill(place);
      case 'stop':
        return this.#stop(place);
      case 'redis':
        return this.#restartRedis();
      case 'cut':
        return this.#record('cut', place.name, async () => place.proxy.cutAll());
      case 'lost_reply':
        return this.#loseReplies(place);
      case 'silence':
        return this.#silence(place);
      case 'member':
        return this.#member();
    }
  }

  async #record(kind: FaultKind, node: string | null, act: () => Promise<unknown>) {
    const startMs = performance.now();
    await act();
    this.options.recording.fault({ kind, node, startMs, endMs: performance.now() });
  }

  async #drain(place: Place): Promise<void> {
    await this.#end(place, 'drain');
    await this.#restart(place);
  }

  /** All nodes at once: nobody is left to hand over to, so the work stays in Redis. */
  async #shutdown(): Promise<void> {
    const { places, recording } = this.options;
    const startMs = performance.now();
    await Promise.all(places.map((place) => this.#end(place, 'shutdown')));
    for (const place of places) await this.#restart(place);
    recording.outages.push({ startMs, endMs: performance.now() + backMs });
  }

  /** After the load, when no work is left: no fault, but each node must end well. */
  async endAll(): Promise<void> {
    await Promise.all(this.options.places.map((place) => this.#exit(place)));
  }

  async #restartRedis(): Promise<void> {
    const { redis, recording } = this.options;
    const startMs = performance.now();
    await this.#record('redis', null, () => redis.restart());
    // C3: ready again within 3 s.
    recording.outages.push({ startMs, endMs: performance.now() + 3_000 + backMs });
  }

  async #end(place: Place, kind: 'drain' | 'shutdown'): Promise<void> {
    if (place.process) await this.#record(kind, place.name, () => this.#exit(place));
  }

  async #exit({ process, name }: Place): Promise<void> {
    if (!process) return;
    const { recording } = this.options;
    process.signal('SIGTERM');
    const exit = await within(process.exited, exitMs + 5_000);
    recording.exits.push(exit?.code ?? null);
    if (exit?.code === 0 && exit.ms <= exitMs) return;
    const said = JSON.stringify(process.logs.slice(-5));
    recording.odd(`${name} ended its drain with ${JSON.stringify(exit)}: ${said}`);
    await process.kill();
  }

  /** Redis executes some scripts, but their replies never arrive. */
  async #loseReplies({ proxy, name }: Place): Promise<void> {
    await this.#record('cut', name, async () => {
      const cut = proxy.cutReply(([command]) => command?.toUpperCase() === 'EVALSHA', 5);
      // The first cut ends its connection: other chosen requests on it are not counted.
      await within(cut.done, 1_000);
      cut.cancel();
    });
  }

  /** Shorter than a lease: nobody has to take over. */
  async #silence({ proxy, name }: Place): Promise<void> {
    await this.#record('cut', name, async () => {
      proxy.blackhole(true);
      await sleep(this.options.random.between(200, 1_000));
      proxy.blackhole(false);
    });
  }

  /** One member of the quorum is frozen, or killed and back without its keys: work goes on. */
  async #member(): Promise<void> {
    const { random, members, settings } = this.options;
    const [first, ...others] = members;
    if (!first) return;
    const member = random.pick([first, ...others]);
    const isFrozen = random.isLucky(0.5);
    await this.#record('cut', null, async () => {
      await (isFrozen ? member.pause() : member.kill());
      await sleep(settings.leaseTtlMs + random.between(0, 2_000));
      await (isFrozen ? member.resume() : member.start());
    });
  }

  async #kill(place: Place): Promise<void> {
    const { process, name } = place;
    await this.#record('kill', name, async () => process?.kill());
    await sleep(this.options.random.between(0, this.options.settings.leaseTtlMs + 1_000));
    await this.#restart(place);
  }

  /** Longer than the lease: others take over, and the node wakes up without its leases. */
  async #stop(place: Place): Promise<void> {
    const { process, name } = place;
    const { random, recording } = this.options;
    await this.#record('stop', name, async () => {
      process?.signal('SIGSTOP');
      await sleep(this.options.settings.leaseTtlMs + random.between(500, 2_000));
      process?.signal('SIGCONT');
    });
    const exit = process && (await within(process.exited, 2_000));
    if (!exit) return;
    recording.odd(`${name} died after SIGCONT: ${JSON.stringify(exit)}`);
    await this.#restart(place);
  }

  async #restart(place: Place): Promise<void> {
    await place.start(this.options.settings);
  }
}
