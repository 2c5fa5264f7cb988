import { describe, expect, it } from 'vitest';
import { isRunning } from '../../../../src/cli/process-state.js';
import { type Child, startChild } from '../../../../src/cli/run/child.js';

const shell = (script: string, onLine: (line: string) => undefined = () => undefined): Child =>
  startChild({ command: '/bin/sh', args: ['-c', script], env: process.env, onLine });

describe('a child of a run', () => {
  it('says how it ended and what it said last', async () => {
    const child = shell('echo out; echo err >&2; exit 7');
    expect(await child.exited).toEqual({ code: 7, text: 'exit code 7' });
    expect([...child.tail()].sort()).toEqual(['err', 'out']);
  });

  it('gives the exit code of a shell when a signal ended it', async () => {
    const child = shell('kill -KILL $$');
    expect(await child.exited).toEqual({ code: 137, text: 'SIGKILL' });
  });

  it('says in one line that its command is not there', async () => {
    const child = startChild({ command: 'weft-no-such-command', args: [], env: process.env, onLine: () => undefined });
    const exit = await child.exited;
    expect(exit.code).toBe(127);
    expect(exit.text).toBe('`weft-no-such-command` was not found; is it installed and on PATH?');
  });

  it('is killed with everything it started when it does not heed SIGTERM in time', async () => {
    let announce = (_: number) => {};
    const grandchild = new Promise<number>((resolve) => {
      announce = resolve;
    });
    const child = shell('trap "" TERM; sh -c \'trap "" TERM; echo $$; while :; do sleep 0.1; done\'', (line) => {
      announce(Number(line));
      return undefined;
    });
    const pid = await grandchild;
    const { killed, exit } = await child.stopGroup(100);
    expect(killed).toBe(true);
    expect(exit.text).toBe('SIGKILL');
    await expect.poll(() => isRunning(pid), { timeout: 5_000 }).toBe(false);
  });

  it('can be stopped alone, so that it stops what it started itself', async () => {
    const lines: string[] = [];
    const child = shell('sleep 30 & trap "kill $!; wait $! 2>/dev/null; echo tidied; exit 0" TERM; echo up; wait', (line) => {
      lines.push(line);
      return undefined;
    });
    await expect.poll(() => lines).toContain('up');
    const { killed, exit } = await child.stop(5_000);
    expect({ killed, code: exit.code }).toEqual({ killed: false, code: 0 });
    expect(lines).toContain('tidied');
  });
});
