import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createPacer } from '../../../src/xds/transport.js';

describe('the pacer of large responses', () => {
  it('lets so many go and wakes the waiting in order, one for each place that comes free', async () => {
    const pacer = createPacer(2, 60_000);
    const give = [pacer.take(), pacer.take()];
    expect(pacer.saturated()).toBe(true);
    const woken: string[] = [];
    for (const name of ['a', 'b', 'c'])
      pacer.wait(() => {
        woken.push(name);
        pacer.take();
      });
    give[0]!();
    await expect.poll(() => woken).toEqual(['a']);
    give[1]!();
    await expect.poll(() => woken).toEqual(['a', 'b']);
  });

  it('counts a place once, however often it is given back', () => {
    const pacer = createPacer(1, 60_000);
    const give = pacer.take();
    give();
    give();
    pacer.take();
    expect(pacer.saturated()).toBe(true);
  });

  it('does not let a client that never reads hold its place', async () => {
    const pacer = createPacer(1, 20);
    pacer.take();
    const woken = new Promise<boolean>((resolve) => pacer.wait(() => resolve(true)));
    expect(await woken).toBe(true);
  });

  it('forgets who stops waiting', async () => {
    const pacer = createPacer(1, 60_000);
    const give = pacer.take();
    let woken = false;
    pacer.wait(() => {
      woken = true;
    })();
    give();
    await sleep(20);
    expect(woken).toBe(false);
  });
});
