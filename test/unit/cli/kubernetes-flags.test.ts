import { expect, it } from 'vitest';
import { kubernetesOf } from '../../../src/cli/kubernetes-flags.js';

const here = import.meta.filename;
const given = {
  kubernetesTokenReview: true,
  kubernetesTokenFile: here,
  kubernetesCaFile: here,
  identityPort: 1,
};
const inCluster = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' };

it('finds the API server where Kubernetes tells pods, unless it is told', () => {
  expect(kubernetesOf(given, inCluster)).toEqual({
    server: 'https://10.0.0.1:6443',
    tokenFile: here,
    caFile: here,
    audience: 'weft',
  });
  expect(kubernetesOf(given, { KUBERNETES_SERVICE_HOST: 'fd00::1' })?.server).toBe('https://[fd00::1]:443');
  expect(kubernetesOf({ ...given, kubernetesApiServer: 'https://api:1', kubernetesAudience: 'mesh' }, {})).toMatchObject({
    server: 'https://api:1',
    audience: 'mesh',
  });
});

it('is off without its flag', () => {
  expect(kubernetesOf({ identityPort: 0 }, inCluster)).toBeUndefined();
});

it.each([
  [{ identityPort: 1, kubernetesAudience: 'x' }, {}, /need --kubernetes-token-review/],
  [{ ...given, identityPort: 0 }, inCluster, /--identity-port/],
  [given, {}, /needs --kubernetes-api-server/],
  [{ ...given, kubernetesApiServer: 'http://api' }, {}, /give https/],
  [{ ...given, kubernetesTokenFile: '/nowhere' }, inCluster, /--kubernetes-token-file \/nowhere: there is no such file/],
  [
    { ...given, kubernetesCaFile: undefined },
    inCluster,
    /--kubernetes-ca-file \/var\/run\/secrets\/.*ca.crt: there is no such file/,
  ],
])('says what is missing: %j', (flags, env, problem) => {
  expect(() => kubernetesOf(flags as never, env)).toThrow(problem);
});
