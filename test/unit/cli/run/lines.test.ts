import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConsoleLog, isTroubleLine, logPrefix, routeLines } from '../../../../src/cli/run/console-log.js';
import { createTail, logFiles, openLogFile, readLines } from '../../../../src/cli/run/lines.js';
import { createPaint } from '../../../../src/cli/terminal.js';
import { deferred } from '../../../../src/lib/async.js';

async function linesOf(chunks: readonly (string | Buffer)[]): Promise<readonly string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, (line) => void lines.push(line));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await new Promise((done) => stream.once('end', done));
  return lines;
}

describe('lines of a child', () => {
  it('are put together from chunks, split characters and a last line without an end included', async () => {
    const euro = Buffer.from('€');
    expect(await linesOf(['one\ntw', 'o\r\n\nprice ', euro.subarray(0, 1), euro.subarray(1), '\nend'])).toEqual([
      ...['one', 'two', '', 'price €', 'end'],
    ]);
  });

  it('are cut when they never end', async () => {
    const lines = await linesOf(['x'.repeat(200_000)]);
    expect(lines.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536, 3_392]);
  });

  it('wait for a reader that asks them to', async () => {
    const stream = new PassThrough();
    const room = deferred<void>();
    const seen: string[] = [];
    readLines(stream, (line) => {
      seen.push(line);
      return seen.length === 1 ? room.promise : undefined;
    });
    stream.write('first\n');
    await new Promise(setImmediate);
    stream.write('second\n');
    await new Promise(setImmediate);
    expect(seen).toEqual(['first']);
    room.resolve();
    await new Promise(setImmediate);
    expect(seen).toEqual(['first', 'second']);
  });

  it('are remembered to the last few', () => {
    const tail = createTail(2);
    for (const line of ['a', 'b', 'c']) tail.push(line);
    expect(tail.lines()).toEqual(['b', 'c']);
  });
});

describe('where lines go', () => {
  const route = (destination: 'console' | 'file' | 'fileAndConsole') => {
    const shown: string[] = [];
    const kept: string[] = [];
    const write = routeLines({
      destination,
      file: { path: '', write: (line) => void kept.push(line), close: () => {} },
      console: { write: (prefix, line) => void shown.push(prefix + line) },
      prefix: logPrefix(createPaint(false), 'WEFT', 'orders', 0),
      alwaysShown: isTroubleLine,
    });
    write('time=1 level=info msg=fine');
    write('time=2 level=error msg=broken');
    return { shown, kept };
  };

  it('shows a file-only log no more than its trouble', () => {
    const { shown, kept } = route('file');
    expect(shown).toEqual(['== WEFT - orders == time=2 level=error msg=broken']);
    expect(kept).toHaveLength(2);
  });

  it('shows and keeps everything for fileAndConsole', () => {
    const { shown, kept } = route('fileAndConsole');
    expect(shown).toHaveLength(2);
    expect(kept).toHaveLength(2);
  });

  it('colours the prefix only', () => {
    expect(logPrefix(createPaint(true), 'APP', 'orders', 1)).toBe('\u001b[33m== APP - orders ==\u001b[0m ');
  });

  it('lets a full terminal make the child wait until it has room', async () => {
    const terminal = new PassThrough({ highWaterMark: 8 });
    const log = createConsoleLog(terminal as unknown as NodeJS.WriteStream);
    expect(log.write('', 'ab')).toBeUndefined();
    const wait = log.write('', 'a line longer than that');
    expect(wait).toBeInstanceOf(Promise);
    terminal.resume();
    await wait;
  });
});

describe('log files', () => {
  let home: string;
  const before = process.env.WEFT_HOME;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'weft-logs-'));
    process.env.WEFT_HOME = home;
  });
  afterEach(() => {
    if (before === undefined) delete process.env.WEFT_HOME;
    else process.env.WEFT_HOME = before;
    rmSync(home, { recursive: true, force: true });
  });

  it('keep the newest runs of an app and leave those of others alone', () => {
    const other = openLogFile('orders_app', 'app', new Date(0));
    other.close();
    for (let second = 0; second < 8; second += 1) {
      const file = openLogFile('orders', 'app', new Date(second * 1000));
      file.write(`run ${second}`);
      file.close();
    }
    const files = logFiles('orders', 'app');
    expect(files).toHaveLength(5);
    expect(readFileSync(files.at(-1) as string, 'utf8')).toBe('run 7\n');
    expect(existsSync(other.path)).toBe(true);
  });
});
