import { describe, expect, it } from 'vitest';
import {
  type BuiltStep,
  componentVersion,
  isBuilt,
  pipelineProblems,
  pipelineSteps,
} from '../../../../src/model/middleware/pipeline.js';
import { readResources, resourcesOf } from '../../../support/resources.js';

const component = (name: string, type: string, metadata: Record<string, unknown> = {}, extra: object = {}) =>
  JSON.stringify({
    apiVersion: 'dapr.io/v1alpha1',
    kind: 'Component',
    metadata: { name, ...extra },
    spec: {
      type: `middleware.http.${type}`,
      version: 'v1',
      metadata: Object.entries(metadata).map(([key, value]) =>
        typeof value === 'object' ? { name: key, ...value } : { name: key, value },
      ),
    },
  });
const componentsOf = async (...all: string[]) => (await resourcesOf(all.join('\n---\n'))).components;
const spec = (...all: string[]) => ({
  handlers: all.map((it) => ({ name: it.split('=')[0] ?? '', type: `middleware.http.${it.split('=').at(-1)}` })),
});
const limit = (perSecond: number) => component('limit', 'ratelimit', { maxRequestsPerSecond: perSecond });

describe('the steps of a pipeline', () => {
  it('are its handlers in their order', async () => {
    const components = await componentsOf(limit(5), component('zip', 'compressor'));
    const steps = pipelineSteps({ spec: spec('zip=compressor', 'limit=ratelimit'), components, local: [] });
    expect(steps.map((step) => isBuilt(step) && step.middleware.kind)).toEqual(['compressor', 'rate-limit']);
  });

  it('are none without a pipeline', () => {
    expect(pipelineSteps({ spec: undefined, components: [], local: [] })).toEqual([]);
    expect(pipelineSteps({ spec: {}, components: [], local: [] })).toEqual([]);
  });

  it('take the component of the namespace before that of all namespaces', async () => {
    const own = component('limit', 'ratelimit', { maxRequestsPerSecond: 7 }, { namespace: 'default' });
    for (const components of [await componentsOf(limit(5), own), await componentsOf(own, limit(5))]) {
      const [step] = pipelineSteps({ spec: spec('limit=ratelimit'), components, local: [] });
      expect((step as BuiltStep).middleware).toMatchObject({ perSecond: 7 });
    }
  });

  it('wait, closed, for what only the sidecar knows of this content', async () => {
    const components = await componentsOf(component('mine', 'extproc', { module: './x.ts' }));
    const [version] = components.map(componentVersion);
    const told = { name: 'mine', version: version ?? '', secretFiles: {}, jwksUrl: '', phases: ['request-headers'] };
    const input = { spec: spec('mine=extproc'), components };
    expect(pipelineSteps({ ...input, local: [] })).toMatchObject([{ closed: true, problem: undefined }]);
    expect(pipelineSteps({ ...input, local: [{ ...told, version: 'older' }] })).toMatchObject([{ closed: true }]);
    expect(pipelineSteps({ ...input, local: [told] })).toMatchObject([{ local: told }]);
    expect(pipelineProblems({ ...input, local: [] })).toEqual([]);
  });

  it('stay as they were when their component is gone, under the same name and type only', async () => {
    const before = pipelineSteps({ spec: spec('limit=ratelimit'), components: await componentsOf(limit(5)), local: [] });
    const now = (handler: string) => pipelineSteps({ spec: spec(handler), components: [], local: [], before });
    expect(now('limit=ratelimit')).toEqual(before);
    expect(now('limit=bearer')).toMatchObject([{ closed: true }]);
    expect(now('other=ratelimit')).toMatchObject([{ closed: true }]);
  });

  it('are closed where one is missing that guards something, and open where none does', () => {
    const closed = (type: string) => pipelineSteps({ spec: spec(`x=${type}`), components: [], local: [] })[0];
    for (const type of ['bearer', 'ratelimit', 'oauth2', 'extproc', 'routerchecker', 'opa', 'typo'])
      expect(closed(type)).toMatchObject({ closed: true });
    for (const type of ['compressor', 'uppercase']) expect(closed(type)).toMatchObject({ closed: false });
  });
});

it('the problems of a pipeline name handler and remedy', async () => {
  const components = await componentsOf(limit(5));
  const problems = (handler: object) => pipelineProblems({ spec: { handlers: [handler as never] }, components, local: [] });
  expect(problems({ name: 'gone', type: 'middleware.http.bearer' })).toEqual([
    "gone: there is no component of this name in the app's scopes; add one of type middleware.http.bearer",
  ]);
  expect(problems({ name: 'limit', type: 'middleware.http.bearer' })[0]).toMatch(
    /^limit: is middleware.http.ratelimit\/v1 \(.*\), and the pipeline asks for middleware.http.bearer\/v1; make them the same$/,
  );
  expect(problems({ name: 'limit', type: 'middleware.http.ratelimit', version: 'v2' })[0]).toContain(
    'asks for middleware.http.ratelimit/v2',
  );
  expect(problems({ name: 'limit', type: 'middleware.http.ratelimit', selector: { fields: [] } })).toEqual([
    'limit: its selector has no effect, as in Dapr; it is applied to every call',
  ]);
  expect(problems({ name: 'limit', type: 'middleware.http.ratelimit' })).toEqual([]);
});

describe('a middleware component is refused', () => {
  const bad: [string, string, RegExp][] = [
    ['without what it needs', component('a', 'bearer', { issuer: 'http://x' }), /spec\.metadata audience: is missing; add it/],
    ['with a limit that is none', limit(0), /maxRequestsPerSecond: expected a number above 0/],
    [
      'with a URL that is none',
      component('a', 'bearer', { issuer: 'x', audience: 'y', jwksURL: 'ftp://x' }),
      /jwksURL: expected a URL/,
    ],
    [
      'with a URL that holds a password',
      component('a', 'bearer', { issuer: 'x', audience: 'y', jwksURL: 'http://u:p@x/' }),
      /has a user or a fragment/,
    ],
    [
      'with an expression that RE2 does not know',
      component('a', 'routerchecker', { rule: 'a(?=b)' }),
      /rule: \(\?= is not known to RE2/,
    ],
    ['with a name nobody knows', component('a', 'ratelimit', { maxRequests: 5 }), /maxRequests: is not known; remove it/],
    [
      'with a value twice',
      component('a', 'ratelimit', { maxRequestsPerSecond: 5, MAXREQUESTSPERSECOND: 6 }),
      /stands there twice/,
    ],
    [
      'when the control plane would need a secret',
      component('a', 'bearer', { issuer: 'x', audience: { secretKeyRef: { name: 'b' } } }),
      /audience: is read by the control plane, which knows no secrets/,
    ],
    ['of a type that is not known', component('a', 'ratelimt'), /did you mean middleware\.http\.ratelimit\?\); rename it/],
    [
      'of a type of Dapr that is not here',
      component('a', 'opa', { rego: 'x' }),
      /middleware\.http\.opa is not supported here; write it as a module for middleware\.http\.extproc/,
    ],
    [
      'without its secret',
      component('a', 'oauth2', { clientID: 'x', authURL: 'http://x', tokenURL: 'http://x', redirectURL: 'http://x' }),
      /clientSecret: is missing/,
    ],
  ];
  it.each(bad)('%s', async (_about, text, problem) => {
    const { set, problems } = await readResources(text);
    expect(set.components).toEqual([]);
    expect(problems.join('\n')).toMatch(problem);
  });
});
