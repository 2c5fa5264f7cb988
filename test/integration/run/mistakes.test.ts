import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliWorld, createCliWorld } from '../../support/weft-cli.js';

const COMPONENT = 'apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\n';
const MEMORY = 'spec: {type: state.in-memory, version: v1, metadata: []}\n';

let world: CliWorld;
beforeAll(async () => {
  world = await createCliWorld();
});
afterAll(() => world.close());

describe('a mistake on the command line is one line and exit code 1, and starts nothing', () => {
  const cases: readonly (readonly [what: string, args: readonly string[], text: string])[] = [
    ['a wrong verb', ['rn'], "weft: unknown command 'rn' (did you mean run?)"],
    ['a wrong flag', ['run', '--app-prt', '1'], "weft: unknown option '--app-prt' (did you mean --app-port?)"],
    [
      'a wrong value',
      ['run', '--app-port', 'x'],
      `weft: option '-p, --app-port <value>' argument 'x' is invalid. Expected a port (a number from 0 to 65535), got "x".`,
    ],
    ['a missing flag', ['invoke', '-a', 'x'], "weft: required option '-m, --method <path>' not specified"],
    ['a missing run file', ['run', '-f', 'none.yaml'], 'weft: -f none.yaml: no such file or directory'],
    ['a directory that is not there', ['run', '-a', 'a', '-d', 'none'], 'weft: --resources-path none: no such file or directory'],
    ['an app id with a dot', ['run', '-a', 'a.b'], 'is invalid. Expected an app id'],
    ['nothing to stop', ['stop'], 'weft: stop: name an app, or a run file with -f'],
    ['no control plane', ['list'], 'weft: no control plane answers on 127.0.0.1:'],
  ];
  it.each(cases)('%s', async (_, args, expected) => {
    const { code, text } = await world.run(args);
    expect(code).toBe(1);
    expect(text).toContain(expected);
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    expect(world.processes()).toEqual([]);
  });

  it('a bad run file', async () => {
    writeFileSync(join(world.home, 'bad.yaml'), 'version: 1\napps:\n  - appID: a\n    appDirPath: .\n    appPrt: 5\n');
    const { code, text } = await world.run(['run', '-f', 'bad.yaml']);
    expect({ code, text }).toEqual({ code: 1, text: 'weft: bad.yaml: apps[0].appPrt: unknown field (did you mean appPort?)\n' });
    expect(world.processes()).toEqual([]);
  });

  // A control plane that has only just started must not take the sidecar for one that is in use already (issue #3).
  it.each([
    [
      'an unknown field',
      'bad.yaml',
      `${COMPONENT}specc: {}\n`,
      /bad\.yaml document 1: specc: unknown field \(did you mean spec\?\)/,
    ],
    [
      'a wrong type',
      'bad.yaml',
      `${COMPONENT}spec: {type: 5, version: v1, metadata: []}\n`,
      /bad\.yaml document 1: spec\.type: /,
    ],
    [
      'an unknown component type',
      'bad.yaml',
      `${COMPONENT}spec: {type: state.redsi, version: v1, metadata: []}\n`,
      /state\.redsi/,
    ],
    [
      'a duplicate name',
      'bad.yaml',
      [1, 2].map(() => `${COMPONENT}${MEMORY}`).join('---\n'),
      /bad\.yaml document 2: metadata\.name: Component store is already defined/,
    ],
    ['no YAML at all', 'bad.yaml', 'apiVersion: [\n', /bad\.yaml/],
  ])('%s in --resources-path ends the run that started everything', async (_, file, content, expected) => {
    const resources = join(world.home, 'resources');
    mkdirSync(resources, { recursive: true });
    writeFileSync(join(resources, file), content);
    const { code, text } = await world.run(['run', '-a', 'a', '-d', resources, '--', 'sleep', '60']);
    expect(text).toMatch(expected);
    expect(text).not.toMatch(/\bis ready\b|ready:|app ready/i);
    expect(code).toBe(1);
    expect(world.processes()).toEqual([]);
  });

  it('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    const port = await new Promise<number>((done) =>
      server.once('listening', () => done((server.address() as { port: number }).port)),
    );
    const { code, text } = await world.run(['run', '-a', 'a', '--dapr-http-port', String(port), '--', 'sleep', '60']);
    server.close();
    expect({ code, text }).toEqual({ code: 1, text: `weft: weft run: HTTP port ${port} is taken by another process\n` });
    expect(world.processes()).toEqual([]);
  });
});

describe('help', () => {
  it.each(['run', 'list', 'stop', 'logs', 'invoke', 'publish', 'components', 'quickstart'])(
    'of weft %s has examples',
    async (verb) => {
      const { code, text } = await world.run([verb, '--help']);
      expect(code).toBe(0);
      expect(text).toMatch(new RegExp(`Examples:\\n +# .+\\n +weft ${verb}`));
    },
  );
});
