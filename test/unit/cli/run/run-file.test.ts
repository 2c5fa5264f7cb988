import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRunFile } from '../../../../src/cli/run/run-file.js';
import { UsageError } from '../../../../src/errors.js';

let directory: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'weft-run-file-')));
  for (const name of ['orders', 'checkout', 'shared', 'orders/own']) mkdirSync(join(directory, name), { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(text: string, name = 'weft.yaml'): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const app = (more = '') => `version: 1\napps:\n  - appID: orders\n    appDirPath: orders\n${more}`;
const problemOf = (text: string): string => {
  try {
    readRunFile(write(text));
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

describe('a run file', () => {
  it('gives each app its directory, command, ports, protocol and environment', () => {
    const path = write(
      app(
        `    appPort: 6001\n    appProtocol: grpc\n    daprHTTPPort: 3510\n    command: ["python3", "app.py"]\n    env:\n      A: x\n`,
      ),
    );
    expect(readRunFile(path).apps[0]).toMatchObject({
      appId: 'orders',
      place: 'weft.yaml: apps[0]',
      directory: join(directory, 'orders'),
      command: ['python3', 'app.py'],
      appPort: 6001,
      appProtocol: 'grpc',
      httpPort: 3510,
      grpcPort: undefined,
      env: { A: 'x' },
    });
  });

  it('hands every sidecar setting on as the flag of the same meaning', () => {
    const path = write(
      app(
        '    logLevel: debug\n    metricsPort: 9091\n    maxBodySize: 8Mi\n    enableApiLogging: true\n    enableAppHealthCheck: false\n    appHealthThreshold: 2\n',
      ),
    );
    expect(readRunFile(path).apps[0]?.sidecarFlags).toEqual([
      ...['--metrics-port', '9091', '--log-level', 'debug', '--enable-api-logging'],
      ...['--max-body-size', '8Mi', '--app-health-threshold', '2'],
    ]);
  });

  it('takes what an app leaves out from common, and merges their environments', () => {
    const path = write(`version: 1
common:
  logLevel: warn
  env: { SHARED: s, OWN: common }
apps:
  - appDirPath: orders
    env: { OWN: app }
  - appDirPath: checkout
    logLevel: error
`);
    const [orders, checkout] = readRunFile(path).apps;
    expect(orders?.env).toEqual({ SHARED: 's', OWN: 'app' });
    expect(orders?.sidecarFlags).toEqual(['--log-level', 'warn']);
    expect(checkout?.sidecarFlags).toEqual(['--log-level', 'error']);
  });

  it('keeps environment values as they were written, whatever YAML would make of them', () => {
    const path = write(app('    env:\n      OCTAL: 007\n      SWITCH: yes\n      FLOAT: 1.10\n      EMPTY:\n'));
    expect(readRunFile(path).apps[0]?.env).toEqual({ OCTAL: '007', SWITCH: 'yes', FLOAT: '1.10', EMPTY: '' });
  });

  it('starts paths of common at the file and paths of an app at its appDirPath', () => {
    const path = write(`version: 1
common: { resourcesPath: shared }
apps:
  - { appDirPath: orders, resourcesPaths: [own, ../shared] }
  - { appDirPath: checkout }
`);
    const flags = readRunFile(path).apps.map(({ sidecarFlags }) => sidecarFlags);
    expect(flags[0]).toEqual(['--resources-path', join(directory, 'orders/own'), '--resources-path', join(directory, 'shared')]);
    expect(flags[1]).toEqual(['--resources-path', join(directory, 'shared')]);
  });

  it('prefers resources that lie in the app directory over those of common', () => {
    mkdirSync(join(directory, 'orders/.dapr/resources'), { recursive: true });
    writeFileSync(join(directory, 'orders/.dapr/config.yaml'), '');
    const path = write('version: 1\ncommon: { resourcesPath: shared }\napps: [{ appDirPath: orders }]\n');
    expect(readRunFile(path).apps[0]?.sidecarFlags).toEqual([
      ...['--config', join(directory, 'orders/.dapr/config.yaml')],
      ...['--resources-path', join(directory, 'orders/.dapr/resources')],
    ]);
  });

  it('names an app after its directory when it has no appID', () => {
    expect(readRunFile(write('version: 1\napps: [{ appDirPath: checkout }]\n')).apps[0]?.appId).toBe('checkout');
  });

  it('is found in a directory, as weft.yaml before dapr.yaml', () => {
    write(app(), 'dapr.yaml');
    expect(readRunFile(directory).runFile).toBe(join(directory, 'dapr.yaml'));
    write(app());
    expect(readRunFile(directory).runFile).toBe(join(directory, 'weft.yaml'));
  });

  it('loads with fields that mean nothing here, and says so', () => {
    const { notes } = readRunFile(write(app('    placementHostAddress: ""\n    runtimePath: /x\n').replace('""', 'host')));
    expect(notes).toEqual([
      'weft.yaml: apps[0].placementHostAddress has no effect with Weft',
      'weft.yaml: apps[0].runtimePath has no effect with Weft',
    ]);
  });
});

describe('a mistake in a run file is one line that names the place', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['unknown field', app('    appPrt: 1\n'), 'weft.yaml: apps[0].appPrt: unknown field (did you mean appPort?)'],
    ['unknown field on top', 'version: 1\nappz: []\n', 'weft.yaml: appz: unknown field (did you mean apps?)'],
    [
      'field that common cannot have',
      'version: 1\ncommon: { appPort: 1 }\napps: [{ appDirPath: orders }]\n',
      'weft.yaml: common.appPort: unknown field',
    ],
    [
      'wrong type',
      app('    appPort: "6001"\n'),
      'weft.yaml: apps[0].appPort: expected a port (a number from 0 to 65535), got "6001"',
    ],
    ['wrong choice', app('    appProtocol: htp\n'), 'got "htp" (did you mean http?)'],
    ['wrong command', app('    command: python3 app.py\n'), 'weft.yaml: apps[0].command: expected a list of words'],
    ['nested environment', app('    env: { A: { B: c } }\n'), 'weft.yaml: apps[0].env.A: expected text, got {"B":"c"}'],
    ['missing version', 'apps: [{ appDirPath: orders }]\n', 'weft.yaml: version: is required; write `version: 1`'],
    ['wrong version', app().replace('version: 1', 'version: 2'), 'weft.yaml: version: expected 1, got 2'],
    ['no apps', 'version: 1\napps: []\n', 'weft.yaml: apps: expected a list with at least one app'],
    ['an app that is no map', 'version: 1\napps: [orders]\n', 'weft.yaml: apps[0]: expected a map, got "orders"'],
    ['missing directory', 'version: 1\napps: [{ appID: a }]\n', 'weft.yaml: apps[0].appDirPath: is required'],
    [
      'path that is not there',
      app('    configFilePath: none.yaml\n'),
      'weft.yaml: apps[0].configFilePath: none.yaml: no such file',
    ],
    ['app id with a dot', app().replace('appID: orders', 'appID: a.b'), 'weft.yaml: apps[0].appID: expected an app id'],
    [
      'duplicate app id',
      `${app()}  - { appID: orders, appDirPath: checkout }\n`,
      'weft.yaml: apps[1].appID: "orders" is taken by apps[0]; app ids are unique in a run file',
    ],
    ['bad YAML', 'version: 1\napps: [\n', 'weft.yaml:3:1: '],
    ['duplicate key', 'version: 1\nversion: 1\n', 'weft.yaml:2:1: duplicated mapping key'],
    ['an empty file', '', 'weft.yaml: expected a map with version and apps'],
  ];
  it.each(cases)('%s', (_, text, expected) => {
    const problem = problemOf(text);
    expect(problem).toContain(expected);
    expect(problem).not.toContain('\n');
  });

  it('a path without a run file', () => {
    expect(() => readRunFile(join(directory, 'none.yaml'))).toThrow(/none\.yaml: no such file or directory$/);
    expect(() => readRunFile(directory)).toThrow('the directory holds neither weft.yaml nor dapr.yaml');
  });
});
