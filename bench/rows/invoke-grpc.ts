import { h2load } from '../load/h2load.js';
import { type LoadSpec, loadRow } from './load-row.js';

// A string field of 40 bytes: tag, length, text.
const text = Buffer.from('a message of an application, forty bytes');
const message = Buffer.concat([Buffer.from([0x0a, text.length]), text]);

const grpcRow = ({ name, about, allFeatures }: Pick<LoadSpec, 'name' | 'about'> & { readonly allFeatures: boolean }) =>
  loadRow({
    name,
    about,
    topology: { hops: 2, appProtocol: 'grpc', appRole: 'plain', allFeatures },
    async load({ target, app }, { connections, workDir }, seconds) {
      const before = await app.served();
      const result = await h2load({
        port: target.grpcPort,
        path: '/bench.Echo/Say',
        message,
        metadata: { 'dapr-app-id': 'bench-app' },
        seconds,
        connections,
        workDir,
      });
      // A gRPC failure is HTTP 200 as well, so what the app has served is the measure of success.
      const served = (await app.served()) - before;
      const unserved = Math.max(0, result.requests - served);
      if (unserved > result.requests * 0.01) throw new Error(`the app saw ${served} of ${result.requests} gRPC calls`);
      return { ...result, errors: result.errors + unserved };
    },
  });

/** Unary gRPC proxied by `dapr-app-id`. */
export const invokeGrpc = grpcRow({
  name: 'invoke-grpc',
  about: 'unary gRPC of the app by dapr-app-id, caller sidecar → app sidecar → app',
  allFeatures: false,
});
export const invokeGrpcMtls = grpcRow({
  name: 'invoke-grpc-mtls',
  about: 'the same with every feature on: mTLS, access rules, resiliency, tracing, metrics (bare Envoy: mTLS)',
  allFeatures: true,
});
