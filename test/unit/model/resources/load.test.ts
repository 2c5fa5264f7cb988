import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { embeddedDefaults, loadResourceSet } from '../../../../src/model/resources/index.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weft-resources-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
const load = (previous?: Parameters<typeof loadResourceSet>[1]) =>
  loadResourceSet({ resourcesPaths: [dir], configPaths: [] }, previous);
/** Problems without the directory. */
const problems = async () => (await load()).problems.map((line) => line.replaceAll(`${dir}/`, ''));

const component = (name: string, rest = '') => `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: ${name} }
spec:
  type: state.redis
  version: v1
  metadata:
  - name: redisHost
    value: localhost:6379
${rest}`;

describe('loading a directory', () => {
  it('reads .yaml and .yml files, every document, and nothing below', async () => {
    write('a.yaml', `---\n${component('one')}\n---\n# nothing here\n---\n${component('two')}`);
    write('b.yml', component('three'));
    write('c.json', component('four'));
    const { set, problems } = await load();
    expect(set.components.map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    expect(set.components[1]?.source).toBe(`${dir}/a.yaml document 2`);
    expect(problems).toEqual([]);
  });

  it('makes text of every scalar and keeps long numbers digit by digit', async () => {
    write(
      'a.yaml',
      `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: s, namespace: prod }
spec:
  type: state.sqlite
  initTimeout: 1m
  ignoreErrors: true
  metadata:
  - { name: number, value: 42 }
  - { name: long, value: 12345678901234567890 }
  - { name: truth, value: true }
  - { name: day, value: 2024-01-01 }
  - { name: nothing, value: }
  - { name: secret, secretKeyRef: { name: redis } }
  - { name: env, envRef: REDIS_HOST }
scopes: [orders]
auth: { secretStore: vault }
`,
    );
    const { set, problems } = await load();
    expect(problems).toEqual([]);
    const value = (value: string) => ({ $case: 'value', value });
    expect(set.components[0]).toMatchObject({
      namespace: 'prod',
      version: 'v1',
      initTimeoutMs: 60_000,
      ignoreErrors: true,
      scopes: ['orders'],
      secretStore: 'vault',
    });
    expect(set.components[0]?.metadata.map(({ from }) => from)).toEqual([
      value('42'),
      value('12345678901234567890'),
      value('true'),
      value('2024-01-01'),
      value(''),
      { $case: 'secretKeyRef', value: { name: 'redis', key: 'redis' } },
      { $case: 'envRef', value: 'REDIS_HOST' },
    ]);
  });

  it('reads both versions of Subscription', async () => {
    write(
      'a.yaml',
      `
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: two }
spec:
  pubsubname: pubsub
  topic: orders
  routes:
    rules: [{ match: event.type == "big", path: /big }]
    default: /all
  deadLetterTopic: dead
  bulkSubscribe: { enabled: true, maxMessagesCount: 0 }
---
apiVersion: dapr.io/v1alpha1
kind: Subscription
metadata: { name: one }
spec: { pubsubname: pubsub, topic: orders, route: /orders }
scopes: [checkout]
`,
    );
    const { set, problems } = await load();
    expect(problems).toEqual([]);
    expect(set.subscriptions).toMatchObject([
      {
        name: 'two',
        rules: [{ match: 'event.type == "big"', path: '/big' }],
        defaultPath: '/all',
        deadLetterTopic: 'dead',
        bulkSubscribe: { enabled: true, maxMessagesCount: 100, maxAwaitDurationMs: 1000 },
      },
      { name: 'one', rules: [], defaultPath: '/orders', scopes: ['checkout'] },
    ]);
  });

  it('takes policies of all kinds and leaves other people’s documents alone', async () => {
    write(
      'a.yaml',
      `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
---
services: { web: { image: nginx } }
---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: r }
spec:
  policies:
    timeouts: { general: 5s, short: 200 }
    retries: { often: { policy: exponential, maxInterval: 15s, maxRetries: 10, matching: { httpStatusCodes: "429,500-599" } } }
  targets: { apps: { orders: { timeout: general, retry: often } } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: h }
spec: { parentRefs: [{ kind: Service, name: orders, group: "" }], rules: [{ backendRefs: [{ name: orders-v2, weight: 10 }] }] }
---
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: { name: t }
spec: { service: orders, backends: [{ service: orders-v1, weight: 90 }] }
---
apiVersion: dapr.io/v1alpha1
kind: HTTPEndpoint
metadata: { name: e }
spec: { baseUrl: "https://example.com", headers: [{ name: k, value: v }] }
`,
    );
    const { set, problems } = await load();
    expect(problems).toEqual([]);
    expect(set.policies.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'Resiliency/r',
      'HTTPRoute/h',
      'TrafficSplit/t',
      'HTTPEndpoint/e',
    ]);
  });
});

describe('a bad resource', () => {
  const cases: readonly (readonly [what: string, text: string, problem: string])[] = [
    [
      'an unknown field',
      component('s', 'scope: [a]'),
      'a.yaml document 1: scope: unknown field (did you mean scopes?); rename it',
    ],
    [
      'an unknown field deep inside',
      component('s').replace('value:', 'vlaue:'),
      'a.yaml document 1: spec.metadata[0].vlaue: unknown field (did you mean value?); rename it',
    ],
    [
      'a wrong type',
      component('s').replace('name: redisHost', 'name: 7'),
      'a.yaml document 1: spec.metadata[0].name: expected string, got number; put it in quotes',
    ],
    [
      'a value that is no scalar',
      component('s').replace('value: localhost:6379', 'value: [1]'),
      'a.yaml document 1: spec.metadata[0].value: expected string or number or boolean, got a list; change it',
    ],
    ['a missing name', component('""'), 'a.yaml document 1: metadata.name: is empty; give it a value'],
    ['a missing type', component('s').replace('type: state.redis', ''), 'a.yaml document 1: spec.type: is missing; add it'],
    [
      'another apiVersion',
      component('s').replace('v1alpha1', 'v1'),
      'a.yaml document 1: apiVersion: expected dapr.io/v1alpha1, got "dapr.io/v1"; change it',
    ],
    [
      'an unknown kind',
      component('s').replace('Component', 'Compnent'),
      'a.yaml document 1: kind: Compnent is not known here (did you mean Component?); rename it',
    ],
    ['no kind', 'apiVersion: dapr.io/v1alpha1', 'a.yaml document 1: kind: is missing; add it, for example kind: Component'],
    [
      'a secret variable',
      component('s').replace('value: localhost:6379', 'envRef: DAPR_API_TOKEN'),
      'a.yaml document 1: spec.metadata[0].envRef: APP_API_TOKEN, DAPR_* and names with spaces are not handed out; use another variable',
    ],
    [
      'two sources of one value',
      component('s').replace('value: localhost:6379', 'value: a\n    envRef: B'),
      'a.yaml document 1: spec.metadata[0]: has more than one of value, secretKeyRef and envRef; keep one',
    ],
    [
      'no duration',
      component('s').replace('version: v1', 'initTimeout: soon'),
      'a.yaml document 1: spec.initTimeout: expected a duration such as 500ms or 1m30s; change it',
    ],
    [
      'broken YAML',
      'a: [1',
      'a.yaml document 1: line 2: unexpected end of the stream within a flow collection; correct the YAML',
    ],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map((key, i) => `${key}: &${key} [${Array(10).fill(`*${'abcdefg'[i]}`).join(',')}]`)
        .join('\n')}`,
      'a.yaml document 1: more than 50000 values, aliases counted where they stand; write it without so many aliases',
    ],
    [
      'endless nesting',
      `a: ${'['.repeat(90)}${']'.repeat(90)}`,
      'a.yaml document 1: nested deeper than 64 levels; write it flatter',
    ],
    ['a list', '- a', 'a.yaml document 1: is no mapping; write a resource with apiVersion and kind'],
  ];
  it.each(cases)('with %s is refused in one line with place and remedy', async (_, text, problem) => {
    write('a.yaml', text);
    expect(await problems()).toEqual([problem]);
  });

  it('leaves the other documents of its file in force', async () => {
    write('a.yaml', `${component('good')}\n---\n${component('bad', 'nonsense: 1')}\n---\n{ broken\n---\n${component('fine')}`);
    const { set, problems } = await load();
    expect(set.components.map(({ name }) => name)).toEqual(['good', 'fine']);
    expect(problems).toHaveLength(2);
  });

  it('of the same name as another is refused, and says where the other stands', async () => {
    write('a.yaml', component('s'));
    write('b.yaml', component('s'));
    expect(await problems()).toEqual([
      'b.yaml document 1: metadata.name: Component s is already defined in a.yaml document 1; rename or remove one',
    ]);
    expect((await load()).set.components).toHaveLength(1);
  });

  it('keeps its last good version, and goes when its file goes', async () => {
    write('a.yaml', component('s'));
    write('b.yaml', component('other'));
    const good = await load();
    write('a.yaml', component('s', 'nonsense: 1'));
    const bad = await load(good.set);
    expect(bad.problems).toHaveLength(1);
    expect(bad.set.components.find(({ name }) => name === 's')).toBe(good.set.components[0]);
    write('a.yaml', '{ half written');
    const worse = await load(bad.set);
    expect(worse.set.components.map(({ name }) => name).sort()).toEqual(['other', 's']);
    rmSync(join(dir, 'a.yaml'));
    expect((await load(worse.set)).set.components.map(({ name }) => name)).toEqual(['other']);
  });

  it('that is too large is not read', async () => {
    write('a.yaml', `# ${'x'.repeat(4 * 1024 * 1024)}`);
    expect(await problems()).toEqual(['a.yaml: larger than 4 MiB; split it']);
  });

  it('that is a pipe or a directory is named and not waited for', { timeout: 5_000 }, async () => {
    execFileSync('mkfifo', [join(dir, 'pipe.yaml')]);
    mkdirSync(join(dir, 'sub.yaml'));
    write('s.yaml', component('s'));
    const { set, problems } = await load();
    expect(problems).toEqual([
      `${dir}/pipe.yaml: is not a file; check its permissions`,
      `${dir}/sub.yaml: is a directory; check its permissions`,
    ]);
    expect(set.components.map(({ name }) => name)).toEqual(['s']);
  });

  it('that is as it was is not made anew when another one changes', async () => {
    write('a.yaml', component('a'));
    write('b.yaml', component('b'));
    const before = await load();
    write('b.yaml', component('b').replace('6379', '6380'));
    const { set } = await load(before.set);
    expect(set.components[0]).toBe(before.set.components[0]);
    expect(set.components[1]).not.toEqual(before.set.components[1]);
  });

  it('does not show what may be a secret', async () => {
    write('a.yaml', component('s').replace('value: localhost:6379', 'value: { password: hunter2 }'));
    expect((await problems()).join()).not.toContain('hunter2');
  });
});

describe('paths', () => {
  it('that are missing are named with the flag', async () => {
    const { problems } = await loadResourceSet({ resourcesPaths: ['/no/dir'], configPaths: ['/no/config.yaml'] });
    expect(problems).toEqual([
      '/no/dir: no such directory; check --resources-path',
      '/no/config.yaml: no such file; check --config',
    ]);
  });
});

describe('spec.metrics of a Configuration', () => {
  const metrics = (text: string) =>
    write('m.yaml', `apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: m }\nspec: { metrics: ${text} }\n`);
  it.each([
    ['{ http: { pathMatching: ["/a{id}"] } }', /http\.pathMatching\[0\]: a\{id\} must be a whole segment .*; change it/],
    ['{ latencyDistributionBuckets: [10, 5] }', /latencyDistributionBuckets: must grow .*; sort them/],
    [
      '{ rules: [{ name: x, labels: [{ name: y, regex: { z: "(" } }] }] }',
      /rules\[0\]\.labels\[0\]\.regex\.z: is no regular expression; correct it/,
    ],
    [`{ http: { pathMatching: [${Array(51).fill('/a').join()}] } }`, /has more than 50 paths; put some together/],
  ])('%s is refused with place and remedy', async (text, expected) => {
    metrics(text);
    expect((await problems()).join()).toMatch(expected);
  });
});

describe('Configuration files', () => {
  const config = (spec: string) =>
    `apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: daprConfig }\nspec:\n  ${spec}\n`;
  const loadConfigs = (env: NodeJS.ProcessEnv = {}) =>
    loadResourceSet({ resourcesPaths: [], configPaths: [join(dir, '1.yaml'), join(dir, '2.yaml')] }, undefined, env);

  it('may stand in a --resources-path and be a --config as well: its place among those counts', async () => {
    write('1.yaml', config('mesh: { provider: istio, mtls: defer }'));
    write('2.yaml', config('mesh: { provider: linkerd, mtls: defer }'));
    const [one, two] = [join(dir, '1.yaml'), join(dir, '2.yaml')];
    const { set, problems } = await loadResourceSet({ resourcesPaths: [dir], configPaths: [two, one] }, undefined, {});
    expect(problems).toEqual([]);
    expect(set.configurations.map(({ source }) => source)).toEqual([`${two} document 1`, `${one} document 1`]);
  });

  it('are filled from the environment and come in the order of the flags, without defaults that would hide earlier ones', async () => {
    write('1.yaml', config(`tracing: { samplingRate: "\${RATE}", otel: { endpointAddress: $HOST:4317, isSecure: } }`));
    write('2.yaml', config('mesh: { provider: istio, mtls: defer }'));
    const { set, problems } = await loadConfigs({ RATE: '0.5', HOST: 'otel' });
    expect(problems).toEqual([]);
    expect(set.configurations.map(({ spec }) => spec)).toEqual([
      { tracing: { samplingRate: '0.5', otel: { endpointAddress: 'otel:4317' } } },
      { mesh: { provider: 'istio', mtls: 'defer' } },
    ]);
  });

  it('keep their order when one of them stays at its last good version', async () => {
    write('1.yaml', config('logging: { apiLogging: { enabled: true } }'));
    write('2.yaml', config('logging: { apiLogging: { enabled: false } }'));
    const good = await loadConfigs();
    write('1.yaml', '{ broken');
    const paths = { resourcesPaths: [], configPaths: [join(dir, '1.yaml'), join(dir, '2.yaml')] };
    const bad = await loadResourceSet(paths, good.set, {});
    expect(bad.set.configurations).toEqual(good.set.configurations);
  });

  it('refuse what they do not know', async () => {
    write('1.yaml', config('mesh: { provider: istoi }'));
    write('2.yaml', component('s'));
    const { problems } = await loadConfigs();
    expect(problems.map((line) => line.replaceAll(`${dir}/`, ''))).toEqual([
      '1.yaml document 1: spec.mesh.provider: expected none or istio or linkerd or envoy-gateway or generic, got "istoi" (did you mean istio?); change it',
      '2.yaml document 1: kind: expected Configuration, got Component; put it into a --resources-path directory',
    ]);
  });
});

it('has a store for actors and a broker built in', () => {
  const { components } = embeddedDefaults();
  expect(components.map(({ name, type }) => [name, type])).toEqual([
    ['statestore', 'state.sqlite'],
    ['pubsub', 'pubsub.sqlite'],
  ]);
  expect(components[0]?.metadata).toEqual([{ name: 'actorStateStore', from: { $case: 'value', value: 'true' } }]);
});
